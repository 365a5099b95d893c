/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x87, SSE and AVX state of isolated guests, XCR0 and PKRU. It is saved at each exit to L1, but stays in the
 * registers as long as L1 does not need them: L1 runs with CR0.TS set below it (hw_fpu_trap()). Most of its
 * exits are over before. Only then are the registers cleared, and loaded again before the guest goes on.
 */
#ifndef MONITOR_FPU_H
#define MONITOR_FPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct guest_vcpu;

/*
 * What a guest may have in XCR0: x87, SSE, AVX, MPX, AVX-512, PKRU. Their state fits a page (SDM vol. 1,
 * 13.5). Other components, such as the tiles of AMX, are not offered to isolated guests (manifest.c).
 */
#define FPU_XCR0 0x2ffu

/* Of a vCPU, as of its last exit to L1. */
struct fpu {
	void *area; /* a page: XSAVE's, or FXSAVE's */
	uint64_t xcr0;
	uint32_t pkru;
	const struct cpu *cpu; /* where it ran last; NULL: the registers have to be loaded */
};

/* Of a CPU: whose state is still in the registers while L1 runs, or NULL; and what L1 has itself. */
struct fpu_host {
	const struct fpu *holds;
	uint64_t xcr0;
	uint32_t pkru;
};

/* At boot; on each CPU that is to run guests, before its CR4 is kept as the monitor's; for each vCPU record. */
void fpu_init(void);
void fpu_enable(void);
void fpu_create(struct fpu *f);

/* The state after start or INIT. */
void fpu_begin(struct fpu *f);

/* L1 is to go on after the guest, or the guest after L1. */
void fpu_save(struct cpu *cpu, struct guest_vcpu *v);
void fpu_load(struct cpu *cpu, const struct guest_vcpu *v);

/* L1, or a guest that is not isolated, gets the registers, without anybody's state in them. */
void fpu_give(struct cpu *cpu);

/* Its XSETBV, while L1's state is in the CPU. False: no processor, or no guest, may have that. */
bool fpu_xsetbv(struct cpu *cpu, struct guest_vcpu *v, uint32_t xcr, uint64_t value);

#endif
