/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/txt.h"
#include "monitor/mem.h"

/* Appendix B.1 of the guide. */
#define TXT_STS 0x000
#define TXT_SINIT_BASE 0x270
#define TXT_SINIT_SIZE 0x278
#define TXT_HEAP_BASE 0x300
#define TXT_HEAP_SIZE 0x308
#define TXT_E2STS 0x8f0

#define STS_SENTER_DONE (1u << 0)
#define STS_SEXIT_DONE (1u << 1)
#define E2STS_SECRETS (1u << 1)

/* Appendix C: each part begins with its size, which counts itself, and then its version. */
struct heap_part {
	uint32_t version_min;
	uint32_t size_min; /* of the fields of that version, without the size */
	const char *wrong;
};

static const struct heap_part heap_parts[] = {
	{2, 28, "the firmware's part of the TXT heap is malformed"},
	{1, 4, "the loader's part of the TXT heap is malformed"},
	{4, 84, "the part of the TXT heap for SINIT is malformed"},
	{6, 144, "SINIT's part of the TXT heap is malformed"},
};
#define PART_FOR_SINIT 2

/* C.5, SinitMleData: from its version on, what locates its two tables. */
#define SINIT_TABLES_AT 128
#define MDR_SIZE 24

struct sinit_tables {
	uint32_t mdr_count;
	uint32_t mdr_offset; /* from the part's size field, as the other one */
	uint32_t dmar_size;
	uint32_t dmar_offset;
};

static uint64_t reg(unsigned int offset)
{
	return *(const volatile uint64_t *)mem_at(HPA(TXT_PUBLIC + offset));
}

static int read_range(struct range *range, unsigned int base, unsigned int size)
{
	uint64_t start = reg(base), len = reg(size);

	if (!start || !len || page_offset(start | len) || start >= 4 * GIB || len > 4 * GIB - start)
		return ERR_INVAL;
	*range = (struct range){start, start + len};
	return 0;
}

static bool table_fits(uint64_t part_size, uint64_t offset, uint64_t size)
{
	return offset >= sizeof(uint64_t) && offset <= part_size && size <= part_size - offset;
}

/* Memory that SINIT found good must be listed; the copy of the DMAR table may be absent. */
static int check_tables(hpa_t part, uint64_t size)
{
	struct sinit_tables t;

	if (boot_read(&t, HPA(part.a + sizeof(size) + SINIT_TABLES_AT), sizeof(t)))
		return ERR_FAULT;
	if (!t.mdr_count || !table_fits(size, t.mdr_offset, (uint64_t)t.mdr_count * MDR_SIZE))
		return ERR_INVAL;
	return !t.dmar_size || table_fits(size, t.dmar_offset, t.dmar_size) ? 0 : ERR_INVAL;
}

static int read_part(const struct heap_part *part, struct range rest, uint64_t *size)
{
	uint32_t version;

	if (rest.end - rest.start < sizeof(*size) + part->size_min)
		return ERR_INVAL;
	if (boot_read(size, HPA(rest.start), sizeof(*size)) ||
	    boot_read(&version, HPA(rest.start + sizeof(*size)), sizeof(version)))
		return ERR_FAULT;
	if (*size < sizeof(*size) + part->size_min || *size > rest.end - rest.start ||
	    version < part->version_min)
		return ERR_INVAL;
	return 0;
}

static int check_heap(struct txt_memory *memory, const char **why)
{
	struct range rest = memory->heap;
	uint64_t size = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(heap_parts); i++) {
		int err;

		rest.start += size;
		err = read_part(&heap_parts[i], rest, &size);
		if (err)
			return boot_refuse(err, why, heap_parts[i].wrong);
		if (i == PART_FOR_SINIT)
			memory->for_sinit = (struct range){rest.start, rest.start + size};
	}
	if (check_tables(HPA(rest.start), size))
		return boot_refuse(ERR_INVAL, why, "SINIT's tables leave its part of the TXT heap");
	return 0;
}

int txt_check(struct txt_memory *memory, const char **why)
{
	uint64_t status = reg(TXT_STS);

	if (status == UINT64_MAX || !(status & STS_SENTER_DONE) || (status & STS_SEXIT_DONE))
		return boot_refuse(ERR_NOSYS, why, "the hardware knows of no TXT launch");
	if (!(reg(TXT_E2STS) & E2STS_SECRETS))
		return boot_refuse(ERR_INVAL, why,
				   "TXT.SECRETS is not set: a reset would leave memory readable");
	if (read_range(&memory->heap, TXT_HEAP_BASE, TXT_HEAP_SIZE) ||
	    read_range(&memory->sinit, TXT_SINIT_BASE, TXT_SINIT_SIZE) ||
	    range_overlaps(memory->heap, memory->sinit))
		return boot_refuse(ERR_INVAL, why,
				   "the TXT registers name no sound heap or SINIT memory");
	return check_heap(memory, why);
}
