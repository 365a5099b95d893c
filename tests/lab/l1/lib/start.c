/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/start.h"

#include "lib/apic.h"
#include "lib/smp.h"
#include "lib/test.h"
#include "lib/trap.h"

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};
#define MB_INFO_CMDLINE 0x4

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xa1

const char *command_line = "";
struct tss64 tss;
uint64_t ldt[4] = {0, 0x00cf93000000ffff, 0x00cf93000000ffff, 0};
static uint8_t ring0_stack[4096] __attribute__((aligned(16)));

uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(base >> 24) << 56;
}

void gdt_set(unsigned selector, uint64_t low, uint64_t high)
{
	gdt[selector / 8] = low;
	if (selector == SEL_TSS || selector == SEL_LDT)
		gdt[selector / 8 + 1] = high;
}

void l1_start(uint32_t info_pa);
void l1_start(uint32_t info_pa)
{
	const struct multiboot_info *info = (const void *)(uint64_t)info_pa;

	print_init();
	if (info->flags & MB_INFO_CMDLINE)
		command_line = (const char *)(uint64_t)info->cmdline;
	outb(PIC_MASTER_DATA, 0xff);
	outb(PIC_SLAVE_DATA, 0xff);
	tss.rsp[0] = (uint64_t)ring0_stack + sizeof(ring0_stack);
	tss.io_map = sizeof(tss);
	gdt_set(SEL_TSS, descriptor((uint32_t)(uint64_t)&tss, sizeof(tss) - 1, 0x89), 0);
	gdt_set(SEL_LDT, descriptor((uint32_t)(uint64_t)ldt, sizeof(ldt) - 1, 0x82), 0);
	trap_init();
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	apic_init();
	l1_main();
	test_end(NULL);
}
