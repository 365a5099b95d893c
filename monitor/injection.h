/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events that L1 may make an isolated guest take (R16), by whatever way: one filter.
 *
 *   interrupts    with RFLAGS.IF, outside an interrupt shadow; in protected mode vectors from 32 on, whose
 *                 gate in the guest's own IDT is present and not one that its programs may call
 *                 (DPL 3, as Linux's 0x80); in real mode those of the two PICs
 *   NMI           if the guest has told its local APIC to deliver, or has sent, such
 *   exceptions    that the instruction it came out for can raise, with the instruction not done; #DB
 *                 behind an instruction that was done with RFLAGS.TF
 *   any           that was being delivered when the guest came out: the same again
 */
#ifndef MONITOR_INJECTION_H
#define MONITOR_INJECTION_H

#include "ept/addr.h"
#include "monitor/arch.h"

enum injection_type {
	INJECTION_NONE,
	INJECTION_INTERRUPT,
	INJECTION_NMI,
	INJECTION_EXCEPTION,
	INJECTION_SOFTWARE, /* INT n, INT3, INTO, ICEBP */
};

struct injection {
	uint8_t type; /* enum injection_type */
	uint8_t vector;
	bool has_error;
	uint32_t error; /* 0 without one */
};

/* The guest that would take it, with its own registers, as it is about to go on. */
struct injection_target {
	uint64_t rflags, cr0, efer;
	bool shadow;       /* interrupts are held off for an instruction */
	bool nmi;          /* see above */
	bool done;         /* the instruction it came out for was carried out */
	uint32_t raises;   /* exceptions that it can raise: bits by vector */
	uint64_t idt_base; /* of the guest's IDT */
	uint32_t idt_limit;
	struct injection interrupted; /* that was being delivered when it came out */
	/* Copies the guest's memory, as guestcall.h. */
	int (*read)(void *context, gva_t gva, void *buf, size_t n);
	void *context;
};

bool injection_same(const struct injection *a, const struct injection *b);

/* Reads the guest's IDT at most once. */
bool injection_allowed(const struct injection *e, const struct injection_target *t);

#endif
