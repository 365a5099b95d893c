/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader and boot.S leave. */
#ifndef L1_LIB_START_H
#define L1_LIB_START_H

#include "ept/base.h"
#include "lib/layout.h"

extern const char *command_line; /* never NULL */
extern uint64_t gdt[];
extern uint8_t gdt_end[];

/* A 64-bit TSS of ours with RSP0 set (SEL_TSS), for guests that change rings. */
struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));
extern struct tss64 tss;
extern uint64_t ldt[4];

/* Puts an 8-byte descriptor, or a 16-byte system descriptor, in the GDT. */
void gdt_set(unsigned selector, uint64_t low, uint64_t high);

/* A system descriptor's low 8 bytes (type 2 LDT, 9 TSS, with P). */
uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access);

#endif
