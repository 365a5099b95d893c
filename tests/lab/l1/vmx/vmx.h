/* SPDX-License-Identifier: Apache-2.0 */
/* A guest of one virtual CPU, and the instructions of VMX. */
#ifndef L1_VMX_VMX_H
#define L1_VMX_VMX_H

#include "lib/guest.h"
#include "lib/test.h"
#include "vmx/ept.h"
#include "vmx/fields.h"

struct guest_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct guest {
	uint64_t *vmcs;
	struct guest_regs r;
	bool launched;
	uint64_t *ept;                  /* 4 GiB to themselves */
	uint8_t *io_a, *io_b, *msr_map; /* nothing exits */
	uint8_t *stack;                 /* its page's end */
	struct gate64 *idt;             /* long mode: guest_stub(vector) for each vector */
};

/*
 * Enters VMX operation on this CPU. The boot CPU calls vmx_start() in l1_main() first: it ends the
 * program with a message if the CPU lacks what all tests need (EPT, unrestricted guest). Each test
 * begins in VMX operation with no current VMCS.
 */
void vmx_enable(void);

/* Leaves VMX operation, so that INIT is no longer blocked. */
void vmx_disable(void);

/* The feature control MSR locked with VMX on, CR4.VMXE and CR0's fixed bits set: VMXON is legal. */
void vmx_allow(void);

/* This CPU's VMXON region, with the right revision. */
uint32_t *vmxon_region(void);

/* A page with the right revision, to be a VMCS; cleared (VMCLEAR) when the test ends. */
uint64_t *vmcs_alloc(void);

/* Gives back the VMCS that was allocated last, for tests that release pages in a loop. */
void vmcs_drop(const struct guest *g);

/* VMCLEARs all of vmcs_alloc()'s: they may be reused. */
void vmcs_forget(void);

/*
 * An instruction's result: 0, the error number (SDM 3, 30.4), or VM_FAIL_INVALID. A test fails if OF,
 * SF, AF or PF is set, or both ZF and CF.
 */
#define VM_FAIL_INVALID (-1)
int vmxon(uint64_t hpa);
int vmxoff(void);
int vmclear(uint64_t hpa);
int vmptrld(uint64_t hpa);
int vmptrst(uint64_t *hpa);
int vmread(uint64_t field, uint64_t *value);
int vmwrite(uint64_t field, uint64_t value);
int invept(uint64_t type, uint64_t eptp, uint64_t reserved);
int invvpid(uint64_t type, uint64_t vpid, uint64_t address);
int vm_result(uint64_t flags);

enum invalidation { INV_ADDRESS = 0, INV_SINGLE = 1, INV_ALL = 2, INV_KEEP_GLOBAL = 3 };

/* Flushes everything that the CPU offers a flush for. */
void flush_all(void);

/* Capabilities: what the control field must have, and may have. */
struct allowed {
	uint32_t must, may;
};
struct allowed allowed(enum field control);
bool can(enum field control, uint32_t bits);
uint64_t ept_vpid_capabilities(void);

/* Skips the test if the CPU does not offer these bits of the control field. */
void need(enum field control, uint32_t bits);

/*
 * A guest in long mode, ring 0, with the host's page tables, GDT and control registers, an IDT of
 * stubs, an identity EPT, and RIP at `code`. It exits for external interrupts, NMIs and all
 * exceptions, and otherwise for what must exit. Its VMCS is current.
 */
struct guest guest_long(const void *code);

/* The same in 32-bit protected mode without paging, flat; and in real mode, code copied to REAL_GUEST. */
struct guest guest_protected(const void *code);
struct guest guest_real(const void *code, const void *end);

/* Changes a guest of ours in long mode to ring 3, with tables of its own that let it run. */
void guest_user(struct guest *g);

/* A field of the guest, whose VMCS becomes current if it is not. */
uint64_t get(const struct guest *g, enum field f);
void put(const struct guest *g, enum field f, uint64_t value);
void set_bits(const struct guest *g, enum field f, uint64_t bits);
void clear_bits(const struct guest *g, enum field f, uint64_t bits);
void guest_use(const struct guest *g);

/* VMCLEARs the guest's VMCS: it can be used on another CPU, or again with VMLAUNCH. */
void guest_clear(struct guest *g);

/* Takes the guest to another place in its code, as if it had just got there. */
void guest_at(const struct guest *g, const void *rip);

/* Runs it once: 0, or the error of VMLAUNCH or VMRESUME as above. */
int guest_enter(struct guest *g);
uint64_t vmx_enter(struct guest_regs *r, bool launched);
extern const uint8_t vmx_exit_point[];

/* Runs it and checks the whole exit reason. */
void guest_expect(struct guest *g, uint64_t reason);
void guest_expect_at(struct guest *g, uint64_t reason, const void *rip);

/* The same for an exit by an exception or NMI: `event` is I_EVENT. */
void guest_expect_event(struct guest *g, uint64_t event);

#endif
