/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/legacy.h"

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/lib.h"
#include "monitor/mem.h"

#define VECTORS 256u
#define BIOS_FIRST 0x10u /* the BIOS's services: those below are the CPU's and the first PIC's */
#define BIOS_LAST 0x1fu
#define BDA 0x400u
#define BDA_BYTES 0x100u
#define BDA_BASE_KIB 0x413u /* base memory; the EBDA's segment, 40Eh, stays 0: there is none */
#define PIC_MASK_1 0x21
#define PIC_MASK_2 0xa1

extern const char int15_stub[], int15_iret[], no_bios[];

/* Both lie in the low page, once bios_call_init() has filled it. */
static void set_vector(uint8_t *page0, unsigned int vector, const char *to, hpa_t low)
{
	uint16_t far[2] = {(uint16_t)(to - int15_stub), (uint16_t)(low.a >> 4)};

	memcpy(page0 + vector * sizeof(far), far, sizeof(far));
}

/* Interrupts that UEFI's drivers left pending would find no handler: L1 unmasks what it wants. */
static void mask_pics(void)
{
	arch_outb(PIC_MASK_1, 0xff);
	arch_outb(PIC_MASK_2, 0xff);
}

int legacy_init(const struct boot_info *info, hpa_t low, const char **why)
{
	uint16_t base_kib = (uint16_t)(low.a >> 10);
	hpa_t rom = HPA(BOOT_LEGACY_START);
	uint8_t *page0, *page;

	if (!memmap_is_ram(&info->map, (struct range){0, PAGE_SIZE}))
		return boot_refuse(ERR_NOSYS, why, "the first page of memory is the firmware's");
	page0 = mem_at(HPA(0));
	for (unsigned int i = 0; i < VECTORS; i++)
		set_vector(page0, i, i >= BIOS_FIRST && i <= BIOS_LAST ? no_bios : int15_iret, low);
	memset(page0 + BDA, 0, BDA_BYTES);
	memcpy(page0 + BDA_BASE_KIB, &base_kib, sizeof(base_kib));
	mask_pics();
	if (!info->rsdp_len)
		return 0;
	page = mem_pages(1);
	memcpy(page, info->rsdp, info->rsdp_len);
	if (host_show(rom, mem_hpa(page), TABLE_R, owner_of(rom)))
		return boot_refuse(ERR_NOMEM, why, "no room in L1's nested table");
	return 0;
}
