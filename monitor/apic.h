/* SPDX-License-Identifier: Apache-2.0 */
/* This CPU's local APIC, in whichever mode L1 put it (Intel SDM vol. 3, 11.4 and 11.12). */
#ifndef MONITOR_APIC_H
#define MONITOR_APIC_H

#include "ept/addr.h"

#define APIC_BASE_MASK 0x000ffffffffff000ul
#define APIC_BASE_X2APIC (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)

#define APIC_ID 0x20
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_FIRST 0x320
#define APIC_LVT_LAST 0x370

#define ICR_MODE_MASK (7u << 8)
#define ICR_MODE_SMI (2u << 8)
#define ICR_MODE_RESERVED (3u << 8)
#define ICR_MODE_NMI (4u << 8)
#define ICR_MODE_INIT (5u << 8)
#define ICR_MODE_SIPI (6u << 8)
#define ICR_LOGICAL (1u << 11)
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND(icr) (((icr) >> 18) & 3)
#define ICR_SHORTHAND_NONE 0
#define ICR_SHORTHAND_SELF 1
#define ICR_SHORTHAND_ALL 2
#define ICR_SHORTHAND_OTHERS 3

#define LVT_MASKED (1u << 16)

/* hpa of the register page in xAPIC mode. */
hpa_t apic_page(void);

/* xAPIC only: one register, by its offset. */
uint32_t apic_read(unsigned int offset);
void apic_write(unsigned int offset, uint32_t value);

/*
 * Whether an interrupt source may have this in its low 32 bits: an entry of the local vector table or of
 * an I/O APIC. INIT and SMI are not L1's to send while the entry is not masked (R20).
 */
bool apic_lvt_allowed(uint32_t entry);

/* Sends an IPI: command is ICR's low half, the destination physical. L1's ICR is left as it was. */
void apic_send(uint32_t apic_id, uint32_t command);

#endif
