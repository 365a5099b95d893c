/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/bios.h"
#include "monitor/lib.h"

#define SMAP 0x534d4150u         /* "SMAP", as E820h wants it in EDX and returns it in EAX */
#define UNSUPPORTED 0x86u        /* in AH */
#define LOW_END (16 * MIB)       /* between the two numbers of E801h */
#define EXTENDED_KIB_MAX 0xfc00u /* 88h: what 16 bits hold, in whole MiB */

static void fail(struct bios_answer *answer)
{
	answer->carry = true;
	answer->regs.eax = (answer->regs.eax & 0xffff00ffu) | UNSUPPORTED << 8;
}

/* EBX is 0 at first, then what the last call returned: the index of the region. */
static void e820(struct bios_answer *answer, const struct memmap *map)
{
	struct bios_regs *regs = &answer->regs;
	const struct region *region;
	uint64_t len;

	if (regs->edx != SMAP || regs->ecx < BIOS_E820_ENTRY || regs->ebx >= map->count) {
		fail(answer);
		return;
	}
	region = &map->region[regs->ebx];
	len = region->end - region->start;
	memcpy(&answer->entry[0], &region->start, sizeof(region->start));
	memcpy(&answer->entry[8], &len, sizeof(len));
	memcpy(&answer->entry[16], &region->type, sizeof(region->type));
	answer->len = BIOS_E820_ENTRY;
	regs->eax = SMAP;
	regs->ecx = BIOS_E820_ENTRY;
	regs->ebx = regs->ebx + 1 < map->count ? regs->ebx + 1 : 0;
}

static uint32_t put_low(uint32_t reg, uint32_t low)
{
	return (reg & 0xffff0000u) | (low & 0xffffu);
}

/* KiB from 1 to 16 MiB in AX and CX, 64 KiB blocks from 16 MiB in BX and DX; E881h is wider. */
static void e801(struct bios_answer *answer, const struct memmap *map, bool wide)
{
	struct bios_regs *regs = &answer->regs;
	uint64_t end = memmap_ram_end(map, MIB);
	uint32_t kib = (uint32_t)(((end < LOW_END ? end : LOW_END) - MIB) >> 10);
	uint64_t blocks = (memmap_ram_end(map, LOW_END) - LOW_END) >> 16;
	uint32_t max = wide ? UINT32_MAX : 0xffff;

	if (blocks > max)
		blocks = max;
	if (wide) {
		regs->eax = regs->ecx = kib;
		regs->ebx = regs->edx = (uint32_t)blocks;
		return;
	}
	regs->eax = put_low(regs->eax, kib);
	regs->ebx = put_low(regs->ebx, (uint32_t)blocks);
	regs->ecx = put_low(regs->ecx, kib);
	regs->edx = put_low(regs->edx, (uint32_t)blocks);
}

bool bios_int15(struct bios_answer *answer, const struct bios_regs *in, const struct memmap *map)
{
	struct bios_answer made = {.regs = *in};
	uint32_t ax = in->eax & 0xffff;
	uint32_t kib = memmap_upper_kib(map);

	if (ax == 0xe820)
		e820(&made, map);
	else if (ax == 0xe801 || ax == 0xe881)
		e801(&made, map, ax == 0xe881);
	else if (ax >> 8 == 0x88)
		made.regs.eax = put_low(in->eax, kib < EXTENDED_KIB_MAX ? kib : EXTENDED_KIB_MAX);
	else
		return false;
	*answer = made;
	return true;
}
