/* SPDX-License-Identifier: Apache-2.0 */
/* INT 15h's memory services, answered for L1 so that the BIOS's map is L1's map. */
#ifndef MONITOR_BOOT_BIOS_H
#define MONITOR_BOOT_BIOS_H

#include "monitor/boot/memmap.h"

#define BIOS_E820_ENTRY 20

struct bios_regs {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

struct bios_answer {
	struct bios_regs regs; /* all four, whether changed or not */
	bool carry;            /* CF after IRET */
	unsigned int len;      /* bytes of entry to store at ES:DI: 0 or BIOS_E820_ENTRY */
	uint8_t entry[BIOS_E820_ENTRY];
};

/*
 * Answers AX = E820h, E801h, E881h and AH = 88h from map (L1's). False if the call is another one:
 * then it belongs to the BIOS and *answer is untouched. (ACPI 6.4, 15.1, for E820h.)
 */
bool bios_int15(struct bios_answer *answer, const struct bios_regs *in, const struct memmap *map);

#endif
