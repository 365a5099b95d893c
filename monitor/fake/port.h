/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software machine's ports: bytes that keep what is written, and PCI configuration space behind
 * CF8h and CFCh. IN and OUT are executed as they stand in the monitor's code, as MSRs are (msr.h).
 */
#ifndef MONITOR_FAKE_PORT_H
#define MONITOR_FAKE_PORT_H

#include "ept/base.h"

extern uint8_t fake_ports[65536 + 4];

struct fake_out {
	uint16_t port;
	uint8_t size;
	uint32_t value;
};

/* Forgets all OUTs, zeroes ports and PCI. */
void fake_ports_reset(void);

/* OUTs so far, and the last; those to CF8h do not count. */
unsigned int fake_outs(void);
struct fake_out fake_last_out(void);

/* Configuration space of a function of bus 0 (device << 3 | function): there is none while its first word is 0. */
uint8_t *fake_pci(uint8_t devfn);

/* From now on each IN of one byte from port answers the next of these, over and over. */
void fake_port_stream(uint16_t port, const char *bytes);

/* The instruction at insn if it is an IN or OUT: its length, else 0. */
unsigned int fake_port_insn(const uint8_t *insn, uint16_t dx, uint64_t *rax);

/* Reads of 4 bytes find a timer of 24 bits, which counts once in so many ticks of the time-stamp counter. 0: none. */
void fake_port_timer(uint16_t port, uint64_t ticks);

#endif
