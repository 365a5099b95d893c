/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts and exceptions of the small guests: start.S counts them in events_seen, and that is all. */
#ifndef ATTACK_GUEST_EVENTS_H
#define ATTACK_GUEST_EVENTS_H

/* Gates for all vectors, one as Linux has it for its programs, and a local APIC that takes interrupts. They stay off. */
void events_prepare(void);

/* After events_prepare(), with interrupts off: some 10 ms without work. */
void events_pause(void);

#endif
