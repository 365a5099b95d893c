/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is what is at hvm_info's place, with the signature and a right checksum unless its
 * first byte is odd. Whatever is found must be a sane set that leaves what the guest depends on
 * private.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/layout.h"

#define INFO_BYTES 48u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static int read_input(void *context, gpa_t gpa, void *buf, size_t len)
{
	const struct input *in = context;
	uint8_t *byte = buf, sum = 0;

	if (len > in->size)
		return ERR_NOENT;
	memcpy(buf, in->data, len);
	if (len != INFO_BYTES || byte[0] & 1)
		return 0;
	memcpy(buf, "HVM INFO", 8);
	for (size_t i = 0; i < INFO_BYTES; i++)
		sum = (uint8_t)(sum + byte[i]);
	byte[12] = (uint8_t)(byte[12] - sum);
	return 0;
}

static bool shared(const struct guest_layout *l, uint64_t gpa)
{
	for (unsigned int i = 0; i < l->count; i++)
		if (gpa >= l->shared[i].start.a && gpa < l->shared[i].end.a)
			return true;
	return false;
}

static bool sane(const struct guest_layout *l)
{
	/* The builder's page, hvmloader, ACPI tables, page tables. */
	const uint64_t private[] = {0, 0x9f000, 0xff000, 0xfc000000, 0xfdfff000, 0xfeffe000};

	if (!l->count || l->count > GUEST_TABLE_SHARED_MAX)
		return false;
	for (unsigned int i = 0; i < l->count; i++) {
		if (l->shared[i].start.a >= l->shared[i].end.a || !l->reason[i] ||
		    page_offset(l->shared[i].start.a | l->shared[i].end.a) ||
		    l->shared[i].end.a > 1ull << 48 ||
		    (i && l->shared[i].start.a < l->shared[i - 1].end.a))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		if (shared(l, private[i]))
			return false;
	return !l->hvm ||
	       (!shared(l, l->low_end.a - 1) && (!l->high_end.a || !shared(l, l->high_end.a - 1)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct guest_layout layout, again;
	const char *why = NULL;
	int err = layout_find(read_input, &in, &layout, &why);

	if (err ? err != ERR_INVAL || !why : !sane(&layout))
		abort();
	if (!err && (layout_find(read_input, &in, &again, &why) || !layout_same(&layout, &again)))
		abort();
	return 0;
}
