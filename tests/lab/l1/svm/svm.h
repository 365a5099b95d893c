/* SPDX-License-Identifier: Apache-2.0 */
/* A guest of one virtual CPU, and the instructions of SVM. */
#ifndef L1_SVM_SVM_H
#define L1_SVM_SVM_H

#include "lib/guest.h"
#include "lib/test.h"
#include "svm/vmcb.h"

struct guest_regs {
	uint64_t rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

#define IOPM_SIZE 0x3000
#define MSRPM_SIZE 0x2000

struct guest {
	struct vmcb *vmcb;
	struct guest_regs r;
	uint64_t *nested;      /* root of its nested table: 4 GiB to themselves */
	uint8_t *iopm, *msrpm; /* nothing intercepted */
	uint8_t *stack;        /* its page's end */
	struct gate64 *idt;    /* long mode: guest_stub(vector) for each vector */
	void *host;            /* VMSAVE page of the host */
};

/*
 * Turns SVM on on this CPU. The boot CPU calls svm_start() in l1_main() first: it ends the program
 * with a message if the CPU has no SVM.
 */
void svm_enable(void);

/* CPUID 0x8000000A EDX. */
uint32_t svm_features(void);

/*
 * A guest in long mode, ring 0, with the host's page tables, GDT and control registers, an IDT of
 * stubs, an identity nested table, and RIP at `code`. Intercepted: VMRUN, VMMCALL, SHUTDOWN, INTR,
 * NMI and all exceptions (but not vector 2).
 */
struct guest guest_long(const void *code);

/* The same in 32-bit protected mode without paging, flat; and in real mode, code copied to REAL_GUEST. */
struct guest guest_protected(const void *code);
struct guest guest_real(const void *code, const void *end);

/* Runs it once. GIF is 0 meanwhile and 1 afterwards; guest_run_gif0() leaves GIF as VMRUN does: 0. */
void guest_run(struct guest *g);
void guest_run_gif0(struct guest *g);
void svm_enter(struct vmcb *vmcb, struct guest_regs *r, void *host);

/* Runs it and checks how it came out. */
void guest_expect(struct guest *g, uint64_t exit_code);
void guest_expect_at(struct guest *g, uint64_t exit_code, const void *rip);

/* Sets the intercept bit for an exit code (0x00..0x9f), or clears it. */
void intercept(struct guest *g, unsigned exit_code);
void intercept_clear(struct guest *g, unsigned exit_code);

static inline void clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static inline void stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

static inline void vmsave(void *vmcb)
{
	__asm__ volatile("vmsave" : : "a"(vmcb) : "memory");
}

static inline void vmload(void *vmcb)
{
	__asm__ volatile("vmload" : : "a"(vmcb) : "memory");
}

static inline void invlpga(uint64_t va, uint32_t asid)
{
	__asm__ volatile("invlpga" : : "a"(va), "c"(asid) : "memory");
}

#endif
