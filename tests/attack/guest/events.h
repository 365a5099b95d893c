/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts and exceptions of the small guests: start.S counts them in events_seen, and that is all. */
#ifndef ATTACK_GUEST_EVENTS_H
#define ATTACK_GUEST_EVENTS_H

#include <stdint.h>

/*
 * Gates for all vectors, one as Linux has it for its programs, and a local APIC that takes interrupts. They stay off.
 * ticks: of events_pause(), in 10 ns (Xen's APIC's clock); 0: 10 ms.
 */
void events_prepare(uint32_t ticks);

/* After events_prepare(), with interrupts off: no work for that time, or until an interrupt comes. */
void events_pause(void);

#endif
