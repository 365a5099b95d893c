/* SPDX-License-Identifier: Apache-2.0 */
/* The event log of a TXT launch: the guide's appendix C.4 says where it is, TCG what it is. */
#include "attest/eventlog.h"
#include "monitor/boot/txt.h"

/* C.4, OsSinitData: its extended data elements, which it has from version 6 on, follow its fields. */
#define VERSION_MIN 6
#define ELEMENTS_AT 100 /* from the part's size field */
#define ELEMENTS_MAX 32
#define ELEMENT_END 0
#define ELEMENT_LOG 8 /* HEAP_EVENT_LOG_POINTER_ELEMENT2_1; 5 and 7 are logs in other formats */

struct element {
	uint32_t type;
	uint32_t size; /* with these fields */
};

struct log_pointer {
	uint64_t at;
	uint32_t allocated;
	uint32_t first; /* from there: its header */
	uint32_t next;  /* behind the last event */
} __attribute__((packed));

static const char malformed[] = "the heap's list of elements is malformed";
static const char outside[] = "it lies outside of memory";

static int find_pointer(struct range part, struct log_pointer *pointer, const char **why)
{
	struct element e = {0};
	uint32_t version;

	if (boot_read(&version, HPA(part.start + sizeof(uint64_t)), sizeof(version)))
		return boot_refuse(ERR_FAULT, why, outside);
	if (version < VERSION_MIN)
		return boot_refuse(ERR_NOENT, why, "the heap is of a version without one");
	e.size = ELEMENTS_AT;
	for (unsigned int i = 0; i < ELEMENTS_MAX; i++) {
		if (e.size > part.end - part.start || part.end - part.start - e.size < sizeof(e))
			return boot_refuse(ERR_INVAL, why, malformed);
		part.start += e.size;
		if (boot_read(&e, HPA(part.start), sizeof(e)))
			return boot_refuse(ERR_FAULT, why, outside);
		if (e.type == ELEMENT_END)
			return boot_refuse(ERR_NOENT, why, "SINIT wrote none in TCG's format");
		if (e.size < sizeof(e) + (e.type == ELEMENT_LOG ? sizeof(*pointer) : 0))
			return boot_refuse(ERR_INVAL, why, malformed);
		if (e.type == ELEMENT_LOG)
			break;
	}
	if (e.type != ELEMENT_LOG || e.size > part.end - part.start)
		return boot_refuse(ERR_INVAL, why, malformed);
	if (boot_read(pointer, HPA(part.start + sizeof(e)), sizeof(*pointer)))
		return boot_refuse(ERR_FAULT, why, outside);
	return 0;
}

int txt_log_read(const struct txt_memory *memory, struct eventlog *log, const char **why)
{
	struct range heap = memory->heap;
	struct log_pointer p;
	int err;

	log->used = 0;
	err = find_pointer(memory->for_sinit, &p, why);
	if (err)
		return err;
	/* The guide lets it be elsewhere; tboot puts it there, and there L1 could not have been. */
	if (p.at < heap.start || p.at > heap.end || p.allocated > heap.end - p.at ||
	    p.next > p.allocated || p.first >= p.next)
		return boot_refuse(ERR_INVAL, why, "it is empty, or does not lie in the heap");
	if (p.next - p.first > log->size)
		return boot_refuse(ERR_2BIG, why, "it is too long");
	if (boot_read(log->bytes, HPA(p.at + p.first), p.next - p.first))
		return boot_refuse(ERR_FAULT, why, outside);
	err = eventlog_continue(log, p.next - p.first, why);
	if (err || log->used == p.next - p.first)
		return err;
	log->used = 0;
	return boot_refuse(ERR_INVAL, why, "it has a gap");
}
