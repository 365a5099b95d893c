/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the SVM backend share. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/msr.h"
#include "monitor/permit.h"
#include "monitor/svm/vmcb.h"
#include "monitor/tags.h"

#define ASID_HOST 1 /* L1's own; L2's follow */
#define MSR_DEBUGCTL 0x1d9u
#define MSR_XSS 0xda0u
#define MSRPM_BYTES 8192u
#define IOPM_BYTES 12288u

enum gif_mode { GIF_OPEN, GIF_WATCH, GIF_HELD }; /* gif.c */

/* State of one physical CPU. */
/* Pages of L1's that were looked at, and owner_taken() + 1 then: they are L1's while that is the same. */
struct svm_looked {
	uint64_t msrpm, iopm, nested_cr3, nested_ctl, taken;
};

struct hw_cpu {
	struct vmcb *vmcb; /* L1's */
	uint64_t vmcb_hpa;
	uint64_t host_save;          /* hpa of the page VMRUN keeps the monitor's state in */
	struct vmcb_control request; /* the controls of L1's VMCB for L2, copied once */
	hpa_t request_hpa;           /* where L1 keeps it */
	struct guest_vcpu *running;  /* L2, or NULL for L1 */
	/* L1's view of SVM */
	bool gif;
	enum gif_mode gif_mode;
	bool svme;
	uint64_t vm_cr;
	uint64_t hsave_pa;
	/* An NMI was injected into L1 and its IRET has not come yet. */
	bool nmi_masked;
	/* L1 is at that IRET, still on the NMI's stack frame: not before its next exit. */
	bool nmi_hold;
	bool guest_gif;  /* false: L2 executed CLGI with L1's leave */
	bool pae_forced; /* L2 runs with CR4.PAE although L1 says not */
	/* L2's RIP at an INT that L1 injects, while the CPU was given the next one; 0: not so. */
	uint64_t int_rip;
	uint64_t invalid_rip; /* where L1 was when its state was refused last */
	uint64_t injected;    /* event_inj of the last entry */
	/* What L1's VMCB for an isolated guest says, as far as it may count (hide.c). */
	struct hw_offer offer;
	uint64_t offer_cr2;
	bool fpu_armed;     /* hw_fpu_trap() */
	uint64_t host_ts;   /* L1's own CR0.TS then */
	struct vmcb *shown; /* what VMLOAD gives L1 after an exit: FS and GS, or zeros */
	struct tag_pool asids;
	struct svm_looked looked; /* at the last entry */
};
_Static_assert(sizeof(struct hw_cpu) <= PAGE_SIZE, "one page: hw_cpu_prepare()");

/* State of one vCPU record. */
struct hw_vcpu {
	struct vmcb *vmcb; /* what the hardware runs */
	uint64_t vmcb_hpa;
	struct permit_map msr, io;
	bool isolated; /* the guest is */
	struct tag asid;
	/* Of an isolated guest: all its state is here or in the VMCB while L1 has the CPU. */
	bool hidden;
	bool dr_used; /* DR0-3 were touched; before, they are 0 */
	uint64_t dr[4];
	/*
	 * NMIs are masked from one that is delivered to the end of an IRET, at which the guest comes out. Until it
	 * is seen elsewhere than there, the IRET has not been carried out.
	 */
	enum { NMI_OPEN, NMI_MASKED, NMI_IN_IRET } nmi;
	uint64_t iret_rip;
};
_Static_assert(sizeof(struct hw_vcpu) <= PAGE_SIZE, "one page: hw_vcpu_create()");

/* cpu.c: what the hardware has */
struct svm_features {
	uint32_t edx; /* CPUID 8000000Ah */
	uint32_t asids;
	uint8_t phys_bits;
};
extern struct svm_features svm_features;

static inline bool svm_has(uint32_t feature)
{
	return svm_features.edx & feature;
}

/* enter.S: VMRUN with the registers of regs; RAX, RSP, RIP and RFLAGS are in the VMCB. */
void svm_enter(struct regs *regs, uint64_t vmcb_hpa, uint64_t interrupts);

/* The VMCB that ran last on this CPU, and its registers to and from cpu->regs. */
struct vmcb *svm_current(const struct cpu *cpu);
void svm_load_regs(struct cpu *cpu);
void svm_store_regs(struct cpu *cpu);

#define CR_ASSIST_MOV (1ul << 63) /* in exit_info1 (APM volume 2, 15.8.1); its register is below */
/* assist.c: the address space and decoding of whoever a VMCB describes. */
void svm_space(const struct cpu *cpu, const struct vmcb *vmcb, struct walk_space *space);
enum decode_mode svm_mode(const struct vmcb *vmcb);
uint64_t svm_segment(const struct vmcb *vmcb, unsigned int seg);
/* Or an error. Without next-RIP save the VMCB's next_rip keeps it until the next exit, or until RIP changes. */
int svm_insn_len(const struct cpu *cpu, struct vmcb *vmcb);
int svm_decode(const struct cpu *cpu, const struct vmcb *vmcb, struct decode_insn *insn);

/* Fills in what L1 was promised and the hardware lacks: next RIP and decode assists. */
void svm_assist(struct cpu *cpu, struct vmcb *vmcb);

/* maps.c */
void svm_maps_reset(struct hw_vcpu *v, bool isolated);
void svm_maps_sync(struct hw_vcpu *v, const struct vmcb_control *request);
/* Whether L1 leaves this MSR open to its guest. *opened: run it again, it will pass now. */
bool svm_maps_open_msr(struct hw_vcpu *v, uint32_t msr, bool write, bool *opened);
/* L1's own MSR map. */
void svm_maps_host(uint8_t *msrpm);

/* check.c: what VMRUN is to refuse. NULL, or what is wrong. G_PAT counts in every guest. */
const char *svm_check_controls(const struct vmcb_control *c, struct svm_looked *looked);
/* Bits of EFER that some CPU defines. */
#define SVM_EFER_DEFINED \
	0x36fd01u /* SCE LME LMA NXE SVME LMSLE FFXSR TCE MCOMMIT INTWB UAIE AIBRSE */
const char *svm_check_state(const struct vmcb_save *s, const struct svm_features *features);

/* hidden.c: what L1 does not see of the hardware; bits of an address, given CPUID 8000001Fh and SYSCFG */
void svm_hide_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid *r);
unsigned int svm_address_bits(unsigned int phys_bits, struct cpuid encryption, uint64_t syscfg);

/* exits.c: an exit code in neutral words. */
enum exit_reason svm_reason(const struct vmcb *vmcb);

/* gif.c: STGI, CLGI, and what a #VMEXIT does to GIF (does an interrupt already wait?) */
void svm_gif_set(struct cpu *cpu);
void svm_gif_clear(struct cpu *cpu, bool interrupt_waits);
void svm_gif_reset(struct cpu *cpu);
void svm_gif_sync(struct cpu *cpu);      /* after each exit of L1 */
void svm_gif_want_exit(struct cpu *cpu); /* at L1's next STGI, or a physical interrupt came */

/* event.c */
void svm_nmi_exit(struct cpu *cpu);
void svm_iret_exit(struct cpu *cpu);
void svm_window_exit(struct cpu *cpu);
void svm_deliver(struct cpu *cpu);

/*
 * nested.c. QEMU's emulated CPU loses the host's CR0 at a #VMEXIT from a guest with EFER.LME set and paging and
 * PAE off. PAE means nothing while paging is off, so such a guest gets it.
 */
static inline bool svm_pae_quirk(const struct vmcb_save *s)
{
	return (s->efer & EFER_LME) && !(s->cr0 & CR0_PG) && !(s->cr4 & CR4_PAE);
}
void svm_vmrun(struct cpu *cpu);
void svm_reflect(struct cpu *cpu);
void svm_guest_exit(struct cpu *cpu);
void svm_end_run(struct cpu *cpu);
void svm_ask(struct cpu *cpu);
void svm_interrupt_guest(struct cpu *cpu);

/* own.c: as if L1's own setting were in force; false: L1 may want this exit of an isolated guest */
void svm_own_exit(struct cpu *cpu);
bool svm_hidden_exit(struct cpu *cpu);

/* hide.c: an exit of an isolated guest, before all else. True: it is the monitor's own alone. */
bool svm_hide_nmi(struct cpu *cpu);

/* hide.c: the registers of isolated guests */
/* Takes out of L1's request what it must not ask for, and puts in what the monitor needs. */
void svm_hide_request(struct vmcb_control *request);
/* The vCPU's first entry, with the state that L1 gives it: what L1 has not put into the VMCB is as after reset. */
void svm_hide_begin(struct cpu *cpu, struct guest_vcpu *v);
/* A later one: of L1's VMCB only what may count is looked at. */
void svm_hide_offer(struct cpu *cpu, const struct vmcb_save *s);
/* Before L1 goes on, and, once L1's part is accepted, before the guest does. */
void svm_hide(struct cpu *cpu);
void svm_unhide(struct cpu *cpu);
/* What L1 reads in its VMCB after an exit; `shown` bytes of the instruction are its to see. */
void svm_hide_exit(const struct cpu *cpu, struct vmcb *l1_vmcb, uint8_t shown);
/* The guest has touched a debug register for the first time. */
void svm_hide_debug(struct cpu *cpu);
struct injection svm_injection(uint64_t event);

/* cpu.c: the state after INIT */
void svm_reset_state(struct vmcb_save *s);

/* host.c: L1's exits; VMLOAD or VMSAVE at an address of L1's, or ERR_INVAL */
int svm_load_save(uint64_t hpa, bool save);
void svm_host_exit(struct cpu *cpu);

#endif
