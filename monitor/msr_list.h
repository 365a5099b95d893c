/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1 may write to which MSR (R20): one table for all processors, since a number means the same on
 * each that has it. What is not in the table is closed. Every MSR can be read, but for those that a
 * backend hides; what a backend keeps for L1 (hw_host_msr_write()) is its own. docs/msr.md has the reasons.
 */
#ifndef MONITOR_MSR_LIST_H
#define MONITOR_MSR_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "monitor/hypercall.h"

enum rule_kind {
	/*
	 * The write is dropped, and counted unless it would have changed nothing; #GP where there is no
	 * such MSR. Not #GP elsewhere: L1's software takes what it found by CPUID for writable.
	 */
	RULE_CLOSED,
	RULE_COMMAND, /* closed too, and cannot be read: always dropped */
	RULE_OPEN,    /* does not exit */
	RULE_COUNTER, /* passes, but exits: the monitor's clock runs by it (uptime.h) */
	RULE_BACKEND, /* the backend answers, or there is no such MSR */
	RULE_BITS,    /* bits of `set` may become 1, of `clear` 0; the others stay as they are */
	RULE_BANK,    /* machine-check bank: what it reports may only be cleared */
	RULE_BASE,    /* IA32_APIC_BASE */
	RULE_ICR,     /* x2APIC: interrupt command register */
	RULE_LVT,     /* x2APIC: local vector table */
};

struct msr_rule {
	uint32_t first, last;
	enum rule_kind kind;
	enum refusal why; /* what a refused write counts as */
	uint64_t set, clear;
};

/* In order of their numbers, without overlaps. */
extern const struct msr_rule msr_rules[];
extern const size_t msr_rule_count;

/* The rule for an MSR: never NULL. */
const struct msr_rule *msr_rule(uint32_t msr);

#endif
