/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INT 15h for L1: a handler in a low page that L1 sees as reserved calls the monitor, which answers
 * the memory services from L1's map and leaves all others to the BIOS.
 */
#ifndef MONITOR_BIOS_CALL_H
#define MONITOR_BIOS_CALL_H

#include "ept/addr.h"
#include "monitor/boot/memmap.h"
#include "monitor/cpu.h"

/* Puts the handler into the page at low and hooks the vector. map is L1's, kept by reference. */
void bios_call_init(hpa_t low, const struct memmap *map);

/* True if the hypercall came from that handler; then it has been served and completed. */
bool bios_call(struct cpu *cpu);

#endif
