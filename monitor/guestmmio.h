/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses of an isolated HVM guest to its AHCI controller's registers: as guestport.h has it for ports. L1 never sees
 * the guest's instruction, but one of the monitor's, a MOV between EAX and where EDX points: the same access, or another
 * that the monitor makes in its place.
 */
#ifndef MONITOR_GUESTMMIO_H
#define MONITOR_GUESTMMIO_H

#include "monitor/guestport.h"

/* Whether the guest's accesses to gpa are dealt with here. */
bool guestmmio_has(const struct guest *g, gpa_t gpa);

/* As guestport_exit(), guestport_show(), guestport_enter(). */
enum guestport_result guestmmio_exit(const struct view *s);
void guestmmio_show(struct cpu *cpu, struct disclosure *d);
enum guestport_result guestmmio_enter(struct cpu *cpu, struct guest_vcpu *v);

#endif
