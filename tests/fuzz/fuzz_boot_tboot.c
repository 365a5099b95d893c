/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sound launch (tests/unit/test_boot_launch.h) over which the input is laid: its first 8 bytes say
 * which registers change, and then follow, as far as the input goes, their values, the shared page,
 * the head of the heap and the command line.
 */
#include "tests/unit/test_boot_launch.h"

#define HEAP_BYTES 256u /* the firmware's part, and the head of the loader's */
#define CMDLINE_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static size_t take(struct input *in, void *dst, size_t len)
{
	if (len > in->size)
		len = in->size;
	memcpy(dst, in->data, len);
	in->data += len;
	in->size -= len;
	return len;
}

static void lay_registers(struct input *in)
{
	static const unsigned int reg[] = {REG_STS,       REG_E2STS,      REG_HEAP_BASE,
					   REG_HEAP_SIZE, REG_SINIT_BASE, REG_SINIT_SIZE};
	uint8_t mask[8] = {0};

	take(in, mask, sizeof(mask));
	for (unsigned int i = 0; i < ARRAY_SIZE(reg); i++) {
		uint64_t value = 0;

		if (!(mask[0] & 1u << i))
			continue;
		take(in, &value, sizeof(value));
		put_reg(reg[i], value);
	}
}

static void lay(struct boot_info *info, struct input *in)
{
	char cmdline[CMDLINE_MAX + 1] = {0};

	lay_registers(in);
	take(in, &ram[SHARED_AT], sizeof(struct tboot_shared));
	take(in, &ram[HEAP_AT], HEAP_BYTES);
	take(in, &ram[SINIT_PART_AT], SINIT_PART_SIZE);
	if (take(in, cmdline, CMDLINE_MAX))
		put_info(info, cmdline);
}

static void check_kept(const struct boot_info *info, struct range r)
{
	if (r.start >= r.end || r.end > 4 * GIB || page_offset(r.start | r.end))
		abort();
	for (unsigned int i = 0; i < info->map.count; i++) {
		const struct region *region = &info->map.region[i];

		if (region->type == REGION_RAM &&
		    range_overlaps((struct range){region->start, region->end}, r))
			abort();
	}
	for (unsigned int i = 0; i < info->module_count; i++)
		if (range_overlaps(info->module[i].at, r))
			abort();
}

static void check(const struct boot_info *info)
{
	const struct tboot *t = tboot_found();
	struct range self = t->kept[0];

	if (!memmap_is_sound(&info->map))
		abort();
	if (t->state != TBOOT_MEASURED) {
		if (t->kept_count || t->wakes || t->shutdown_entry || t->shared.a ||
		    !t->why == (t->state == TBOOT_BROKEN))
			abort();
		return;
	}
	if (t->kept_count < 5 || t->kept_count > TBOOT_KEPT_MAX || t->shared.a < self.start ||
	    t->shared.a >= self.end || t->shutdown_entry < self.start ||
	    t->shutdown_entry >= self.end)
		abort();
	for (unsigned int i = 0; i < t->kept_count; i++)
		check_kept(info, t->kept[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	struct input in = {data, size};
	const char *why = NULL;

	ram_all(true);
	put_launch(&info);
	lay(&info, &in);
	if (tboot_find(&info, &why))
		abort();
	check(&info);
	return 0;
}
