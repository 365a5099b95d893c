/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/reset.h"

#include "monitor/arch.h"

#define RESET_CONTROL 0xcf9 /* chipset data sheets: bit 1 system reset, bit 2 triggers */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET 0xfe

_Noreturn void reset_machine(void)
{
	arch_outb(RESET_CONTROL, 0x02);
	arch_outb(RESET_CONTROL, 0x06);
	for (;;)
		arch_outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
}
