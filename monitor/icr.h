/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's inter-processor interrupts. INIT and start-up IPIs would take a CPU out of the monitor's
 * hands, so they never reach the wire: the monitor carries them out itself. All others are sent as
 * L1 wrote them. In xAPIC mode this needs the register page read-only for as long as L1 runs, since
 * neither vendor lets an INIT be held back for a CPU that is in the monitor.
 */
#ifndef MONITOR_ICR_H
#define MONITOR_ICR_H

#include "ept/addr.h"
#include "monitor/cpu.h"

/* Makes the register page read-only in the host table. At boot. */
int icr_init(void);

/* INIT or SIPI (bits of enum cpu_request) has come to this CPU, which executes this. */
void icr_arrived(struct cpu *cpu, uint32_t requests);

/* L1 wrote to the register page at hpa. False if hpa is not in that page. */
bool icr_page_write(struct cpu *cpu, hpa_t hpa);

/* L1 wrote the x2APIC interrupt command register: 0, or ERR_INVAL where it is to take #GP. */
int icr_msr_write(struct cpu *cpu, uint64_t value);

#endif
