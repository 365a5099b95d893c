/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O APICs and HPETs: L1 reads their registers, and the monitor looks at what it writes, so that they
 * send no INIT and no SMI, and an HPET's messages go nowhere but to CPUs (R20, R22). Interrupt messages
 * of other devices are not looked at: that is for interrupt remapping.
 */
#ifndef MONITOR_IRQ_DEVICES_H
#define MONITOR_IRQ_DEVICES_H

#include "ept/addr.h"
#include "monitor/cpu.h"

struct acpi_info;

/*
 * With the host table made: L1 may only read the devices' pages. Returns 0, ERR_NOMEM, or ERR_INVAL for
 * a device where there is RAM, or where the monitor does not reach.
 */
int irq_devices_init(const struct acpi_info *acpi);

/* L1's write to hpa was stopped by the host table. False: no such device is there. */
bool irq_devices_write(struct cpu *cpu, hpa_t hpa);

#endif
