/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests (L2) that the monitor knows. A guest is a nested root; its vCPUs are the control
 * structures that L1 enters it with. Both are records in fixed pools, made at a first entry and
 * dropped when L1 tears the table down, or when the pool needs a place: all state of a vCPU is still
 * L1's, so that a dropped record costs its statistics and nothing else.
 */
#ifndef MONITOR_GUEST_H
#define MONITOR_GUEST_H

#include "ept/addr.h"
#include "monitor/cpu.h"
#include "monitor/hypercall.h"

#define GUEST_MAX 64
#define GUEST_VCPU_MAX 128

struct guest {
	uint64_t id;          /* 1.., never reused; 0: record free */
	hpa_t root;           /* page-aligned, or an odd number for a guest without nested paging */
	bool watched;         /* the root page is read-only for L1, to learn of the guest's end */
	bool gone;            /* its table was torn down while a vCPU ran: not found any more */
	unsigned int vcpus;   /* vCPU records that point here */
	uint32_t stop_reason; /* enum stop_reason */
	struct exit_stats retired; /* of vCPU records dropped */
};

struct guest_vcpu {
	uint32_t cpu;        /* index of the CPU that is using it, plus one; 0: none. Atomic. */
	hpa_t key;           /* L1's control structure */
	struct guest *guest; /* NULL: record free */
	uint64_t used;       /* TSC when last taken */
	bool fresh;          /* taken for the first time: the backend has no state for it yet */
	struct hw_vcpu *hw;  /* the backend's, one per record, for ever */
	struct exit_stats stats;
};

/* Gives each vCPU record its backend state. At boot. */
void guest_init(void);

/*
 * The record of the vCPU that L1 keeps at key, of the guest with this root, for use by this CPU
 * until guest_vcpu_drop(). root is the page of the nested table's root, or any odd number that names
 * a guest without one. NULL if another CPU is using the record, or if all records are in use.
 */
struct guest_vcpu *guest_vcpu_take(struct cpu *cpu, hpa_t key, hpa_t root);
void guest_vcpu_drop(struct guest_vcpu *vcpu);

/* This guest is not entered any more, on any CPU: backends look before each entry. Logged. */
void guest_stop(struct guest *guest, enum stop_reason reason);

/*
 * L1 wrote to a page that it may only read, at hpa; in_walk: its CPU did, setting bits in what it
 * takes for a page table. Returns 0 if it was a watched root: the store was done and the instruction
 * completed, or the page given back so that L1 can repeat it. ERR_NOENT if it is something else.
 */
int guest_root_write(struct cpu *cpu, hpa_t hpa, bool in_walk);

/* What HYPERCALL_GUEST tells of record `index` (0..GUEST_MAX-1), or ERR_NOENT. */
struct guest_summary {
	uint64_t id;
	hpa_t root;
	unsigned int vcpus;
	uint32_t stop_reason;
	uint64_t exits;
};
int guest_summary(unsigned int index, struct guest_summary *out);

/* Exits of one reason of record `index`, over all its vCPUs. ERR_NOENT if there is no guest. */
int guest_exits(unsigned int index, enum exit_reason reason, uint64_t *count, uint64_t *cycles);

#endif
