/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a backend does for the rest of the monitor. One is linked in: monitor/svm, monitor/vmx or
 * monitor/fake. Nested virtualization (L1's own use of the extension) is the backend's; what L1 may
 * see and do otherwise is decided above it, in exit.c. What a backend has to use: cpu_serve() and
 * cpu_start_up() before an entry, account.h around it, exit_host() for L1's exits, guest.h for L1's
 * guests, and permit.h, tags.h and msr.h for what those may do by themselves.
 */
#ifndef MONITOR_HW_H
#define MONITOR_HW_H

#include "ept/walk.h"
#include "monitor/arch.h"
#include "monitor/boot/option.h"
#include "monitor/cpu.h"
#include "monitor/decode.h"
#include "monitor/injection.h"

/* Names the backend, at most 7 characters. */
extern const char hw_name[8];

/* The instruction that L1 calls the monitor with. */
extern const uint8_t hw_hypercall_insn[3];

/* Words of the command line that it knows: set before hw_check(). Ends with a NULL word. */
extern const struct boot_option hw_options[];

/*
 * Whether this CPU has what is needed. Returns 0, or ERR_NOSYS with *why (what is missing and what
 * to do about it).
 */
int hw_check(const char **why);

/*
 * After hw_check() on the boot CPU: whether nested tables may have 1 GiB leaves, and the MTRRs that
 * their memory types have to follow; NULL if the hardware lets MTRRs apply to L1 by itself.
 */
const struct mtrr *hw_table_types(bool *leaf_1g);

/* Bits of a physical address that say where it is: host_limit(). After hw_check(). */
unsigned int hw_address_bits(void);

/* Gives cpu its backend state, from boot memory. Any CPU may do it for another. */
void hw_cpu_prepare(struct cpu *cpu);

/* Backend state of one vCPU record (guest.h), from boot memory. */
struct hw_vcpu *hw_vcpu_create(void);

/* Turns virtualization on, on the CPU that executes it, with L1 waiting for a SIPI. */
void hw_cpu_enable(struct cpu *cpu);

/* Turns virtualization off on this CPU for good: it is to be halted, or the machine reset. */
void hw_cpu_disable(void);

/* Enters L1 and, when L1 asks, its guests; handles what comes out of them; for ever. */
_Noreturn void hw_run(struct cpu *cpu);

/*
 * Code that an NMI must not come back into: behind one taken in [start, end), the CPU goes on at
 * end. The list ends with a start of 0.
 */
struct nmi_window {
	uint64_t start, end;
};
extern const struct nmi_window hw_nmi_windows[];

/* Sleeps until an NMI has come, and not at all if *nmi_seen; its HLT is in such a window. */
void hw_sleep(const bool *nmi_seen);

/* L1's CPU in the state after INIT (SDM vol. 3 table 9-1; APM vol. 2, 14.1.3), out of any guest. */
void hw_host_reset(struct cpu *cpu);

/* Whether L1 is where an INIT has to wait: VMX root operation (SDM vol. 3, 24.8), or GIF = 0. */
bool hw_host_blocks_init(const struct cpu *cpu);

/* From that state: CS at vector << 12, in real mode. RIP is the caller's to set. */
void hw_host_sipi(struct cpu *cpu, uint8_t vector);

/* From that state: flat 32-bit segments, paging off, as multiboot wants. RIP as above. */
void hw_host_flat(struct cpu *cpu);

/*
 * The guest that has just come out on this CPU, or is about to be entered: the same as the hw_host_
 * functions below of L1. Its memory is not looked at: guest_space().
 */
void hw_guest_space(const struct cpu *cpu, struct walk_space *space);
enum decode_mode hw_guest_mode(const struct cpu *cpu);
uint64_t hw_guest_segment(const struct cpu *cpu, unsigned int seg);
int hw_guest_insn_len(struct cpu *cpu);

/* Goes on behind the instruction that it came out for; #GP if its length is not known. */
void hw_guest_complete(struct cpu *cpu);

/* Its state in the order of enum digest_state. */
void hw_guest_state(struct cpu *cpu, uint64_t *state);

/*
 * The following are of a guest whose registers are hidden from L1 (exposure.h), between L1's request to enter it
 * and the entry. The general registers, RIP and RFLAGS are cpu->regs; all others the backend keeps.
 */

/* Whether that is so; if not, only cpu->regs are hidden, and all else is as L1 says. */
extern const bool hw_keeps_guest;

/* What L1 asks for, and what of the guest it depends on. */
struct hw_entry {
	struct injection event;
	bool shadow;     /* the guest takes no interrupt before its next instruction */
	bool nmi_masked; /* nor an NMI before its next IRET */
	uint64_t idt_base;
	uint32_t idt_limit;
};
void hw_guest_entry(const struct cpu *cpu, struct hw_entry *entry);

/* The state that L1 would have the guest enter with, as far as a start-up IPI decides it. */
struct hw_offer {
	uint64_t cs_base, rip, cr0, efer;
	uint16_t cs_selector;
};
void hw_guest_offer(const struct cpu *cpu, struct hw_offer *offer);

/* Its state becomes that after a start-up IPI, cpu->regs too (SDM vol. 3, table 9-1). */
void hw_guest_reset(struct cpu *cpu, uint8_t vector);

/* The next entry delivers this event: an interrupt, an NMI, or an exception. */
void hw_guest_deliver(struct cpu *cpu, const struct injection *event);

/* RIP has moved on: no interrupt shadow. */
void hw_guest_moved(struct cpu *cpu);

/* It takes an exception that L1 raises: #PF at the address that L1 says; #DB of a single step. Or an NMI. */
void hw_guest_takes(struct cpu *cpu, const struct injection *event);

/* New control registers; false: no processor may have such. */
bool hw_guest_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer);

/*
 * While on, L1 runs with CR0.TS set below it, and its first touch of x87, SSE or AVX state, or of CR0.TS, exits
 * to fpu_give(); then it does it again (fpu.h).
 */
void hw_fpu_trap(struct cpu *cpu, bool on);

/* L1's current address space and mode. */
void hw_host_space(const struct cpu *cpu, struct walk_space *space);
enum decode_mode hw_host_mode(const struct cpu *cpu);

/* Base of a segment of L1, by its number in encodings: ES CS SS DS FS GS. */
uint64_t hw_host_segment(const struct cpu *cpu, unsigned int seg);

/* Bytes of the instruction that L1 left for, or an error if it cannot be read or understood. */
int hw_host_insn_len(struct cpu *cpu);

/* The instruction L1 left for is done: go on len bytes further, outside an interrupt shadow. */
void hw_host_complete(struct cpu *cpu, unsigned int len);

/* L1 takes an exception at its next entry: #UD, or #GP, #SS or #PF with error_code. */
void hw_host_inject(struct cpu *cpu, unsigned int vector, uint32_t error_code);

/* L1 executed hw_hypercall_insn without a hypercall in its registers: what it does without us. */
void hw_host_no_hypercall(struct cpu *cpu);

/* L1's own value of an MSR that the hardware uses for the monitor. */
int hw_host_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
int hw_host_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

/* CPUID as L1 may see it: takes out what the backend cannot nest, adds what it provides. */
void hw_host_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out);

/* This CPU forgets every translation through the host table and through guests' tables. */
void hw_flush(struct cpu *cpu);

#endif
