/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/reset.h"

#include "ept/base.h"
#include "monitor/arch.h"
#include "monitor/boot/tboot.h"
#include "monitor/cpu.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/mem.h"
#include "monitor/panic.h"
#include "monitor/power.h"
#include "monitor/wipe.h"

#define RESET_CONTROL 0xcf9 /* chipset data sheets: bit 1 system reset, bit 2 triggers */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET 0xfe
#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u
#define RESET_TIME 100000 /* microseconds */

/* This CPU ends the machine; if another does already, it waits to be stopped by it. */
static void claim(void)
{
	static bool ending;

	if (__atomic_test_and_set(&ending, __ATOMIC_ACQ_REL))
		for (;;)
			cpu_serve(cpu_this());
}

/*
 * All that is secret goes: guests' pages, then keys and registers in the monitor's own memory. Kept is what
 * the last few instructions need: this stack, the gates for an NMI, and where tboot is. A CPU in VMX
 * operation may write a VMCS to memory at any time (SDM vol. 3, 25.11.1): all leave it before.
 */
static void wipe(void)
{
	const struct mem_kept kept[] = {
		{(const void *)ALIGN_DOWN((uint64_t)__builtin_frame_address(0), CPU_STACK_SIZE),
		 CPU_STACK_SIZE},
		{trap_table(), TRAP_TABLE_SIZE},
		{tboot_found(), sizeof(*tboot_found())},
	};

	cpu_stop_others();
	hw_cpu_disable();
	wipe_guests();
	mem_wipe(kept, ARRAY_SIZE(kept));
}

static _Noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* One access, to a port, memory or PCI configuration space by its ports. */
static void write_last(const struct last_write *w)
{
	uint64_t a = w->at.address;
	uint32_t f = (uint32_t)(a >> 32) << 11 | (uint32_t)(a >> 16 & 7) << 8;

	switch (w->at.space) {
	case ACPI_PORT:
		arch_out((uint16_t)a, w->at.size, w->value);
		break;
	case ACPI_PCI:
		arch_out(CONFIG_ADDRESS, 4, CONFIG_ENABLE | f | (a & 0xfc));
		arch_out((uint16_t)(CONFIG_DATA + (a & 3)), w->at.size, w->value);
		break;
	default:
		if (w->at.size == 1)
			*(volatile uint8_t *)mem_at(HPA(a)) = (uint8_t)w->value;
		else
			*(volatile uint16_t *)mem_at(HPA(a)) = (uint16_t)w->value;
	}
}

/* tboot ends a TXT launch: on the boot CPU, with all others halted outside VMX operation. */
static void leave_by_tboot(void)
{
	claim();
	wipe();
	tboot_reset();
}

_Noreturn void reset_machine(void)
{
	struct cpu *self = cpu_this();
	struct last_write last = {.at.space = ACPI_NONE};
	const struct acpi_register *reset;
	uint8_t value;

	if (tboot_found()->state == TBOOT_MEASURED) {
		if (!self->index)
			leave_by_tboot();
		cpu_request(cpu_at(0), CPU_RESET);
		for (;;)
			cpu_serve(self);
	}
	claim();
	reset = power_reset_register(&value);
	if (reset)
		last = (struct last_write){*reset, value};
	wipe();
	if (last.at.space != ACPI_NONE) {
		write_last(&last);
		cpu_delay(RESET_TIME);
	}
	arch_outb(RESET_CONTROL, 0x02);
	arch_outb(RESET_CONTROL, 0x06);
	for (;;)
		arch_outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
}

_Noreturn void halt_machine(void)
{
	claim();
	wipe();
	halt();
}

_Noreturn void power_off(const struct last_write *last, unsigned int n)
{
	claim();
	wipe();
	for (unsigned int i = 0; i < n; i++)
		write_last(&last[i]);
	halt();
}
