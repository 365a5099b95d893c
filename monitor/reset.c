/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/reset.h"

#include "monitor/arch.h"
#include "monitor/boot/tboot.h"
#include "monitor/cpu.h"
#include "monitor/hw.h"

#define RESET_CONTROL 0xcf9 /* chipset data sheets: bit 1 system reset, bit 2 triggers */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET 0xfe
#define HALT_TIME 100000 /* microseconds that the other CPUs get */

/* tboot ends a TXT launch: on the boot CPU, with all others halted outside VMX operation. */
static void leave_by_tboot(void)
{
	struct cpu *self = cpu_this();

	if (self->index) {
		cpu_request(cpu_at(0), CPU_RESET);
		for (;;)
			cpu_serve(self);
	}
	cpu_halt_others();
	cpu_delay(HALT_TIME);
	hw_cpu_disable();
	tboot_reset();
}

_Noreturn void reset_machine(void)
{
	if (tboot_found()->state == TBOOT_MEASURED)
		leave_by_tboot();
	arch_outb(RESET_CONTROL, 0x02);
	arch_outb(RESET_CONTROL, 0x06);
	for (;;)
		arch_outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
}
