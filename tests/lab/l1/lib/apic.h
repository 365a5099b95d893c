/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC, in xAPIC mode. */
#ifndef L1_LIB_APIC_H
#define L1_LIB_APIC_H

#include "ept/base.h"

#define APIC_BASE 0xfee00000u
#define APIC_SPURIOUS_VECTOR 0xff

#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_SVR 0xf0
#define APIC_IRR 0x200
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_COUNT 0x380
#define APIC_TIMER_DIVIDE 0x3e0

#define ICR_FIXED 0x000u
#define ICR_NMI 0x400u
#define ICR_INIT 0x500u
#define ICR_SIPI 0x600u
#define ICR_ASSERT 0x4000u
#define ICR_SELF 0x40000u
#define ICR_ALL_BUT_SELF 0xc0000u

static inline uint32_t apic_read(unsigned reg)
{
	return *(volatile uint32_t *)(uint64_t)(APIC_BASE + reg);
}

static inline void apic_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(uint64_t)(APIC_BASE + reg) = v;
}

static inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* Enables this CPU's APIC, with all vectors let through. */
void apic_init(void);

/* Sends to one APIC id, or to the shorthand in `icr`. */
void apic_send(uint32_t apic_id, uint32_t icr);

/* True if the interrupt waits in this CPU's APIC. */
bool apic_pending(unsigned vector);

#define APIC_TIMER_PERIODIC 0x20000u

/*
 * One timer interrupt after `ticks` of the APIC's clock (divided by 1), or one every `ticks` with
 * APIC_TIMER_PERIODIC in `vector`; 0 stops it.
 */
void apic_timer(unsigned vector, uint32_t ticks);

#endif
