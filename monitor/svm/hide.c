/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An isolated guest's registers while L1 has the CPU: in the monitor's VMCB for the vCPU, in disclosure.before
 * and in struct hw_vcpu. L1 reads and writes its own VMCB, and finds zeros where FS, GS, LDTR, TR and the MSRs
 * of system calls are; nothing of all that comes back but what accept.c takes.
 */
#include "monitor/lib.h"
#include "monitor/mem.h"
#include "monitor/svm/svm.h"

/* What L1 may ask to be told of (R17), and what it is told of in any case. */
#define ASKED1                                                                            \
	(INTERCEPT1(VMEXIT_VINTR) | INTERCEPT1(VMEXIT_RDTSC) | INTERCEPT1(VMEXIT_RDPMC) | \
	 INTERCEPT1(VMEXIT_IRET) | INTERCEPT1(VMEXIT_PAUSE) | INTERCEPT1(VMEXIT_HLT))
#define FORCED1                                                                        \
	(INTERCEPT1(VMEXIT_INTR) | INTERCEPT1(VMEXIT_NMI) | INTERCEPT1(VMEXIT_INIT) |  \
	 INTERCEPT1(VMEXIT_CPUID) | INTERCEPT1(VMEXIT_IOIO) | INTERCEPT1(VMEXIT_MSR) | \
	 INTERCEPT1(VMEXIT_TASK_SWITCH) | INTERCEPT1(VMEXIT_SHUTDOWN))
#define ASKED2                                                                                \
	(INTERCEPT2(VMEXIT_VMMCALL) | INTERCEPT2(VMEXIT_RDTSCP) | INTERCEPT2(VMEXIT_WBINVD) | \
	 INTERCEPT2(VMEXIT_MONITOR) | INTERCEPT2(VMEXIT_MWAIT) |                              \
	 INTERCEPT2(VMEXIT_MWAIT_CONDITIONAL) | INTERCEPT2(VMEXIT_RDPRU))
#define FORCED2 INTERCEPT2(VMEXIT_XSETBV)
#define ASKED_CR (1u << 0 | 1u << 4)
/* Without these two a guest can keep the processor busy for ever; and physical machine checks are L1's. */
#define ASKED_EXCEPTIONS (1u << VECTOR_DB | 1u << 17 | 1u << 18)

#define CR4_MCE (1u << 6)
#define DR6_INIT 0xffff0ff0u
#define DR6_BS (1u << 14)
#define DR7_INIT 0x400u
#define PAT_INIT 0x0007040600070406u
#define SEGMENT_MODE 0x6e0u /* of a segment's attributes: P, DPL, L, D */
#define EDX_INIT 0x600u

const bool hw_keeps_guest = true;

void svm_hide_request(struct vmcb_control *r)
{
	r->cr_read = 0;
	r->cr_write &= ASKED_CR;
	r->dr_read = r->dr_write = 0;
	r->exceptions &= ASKED_EXCEPTIONS;
	r->intercept1 = (r->intercept1 & ASKED1) | FORCED1;
	r->intercept2 = (r->intercept2 & ASKED2) | FORCED2;
	r->intercept3 = 0;
	r->int_ctl = (r->int_ctl & ~V_GIF_ENABLE) | V_INTR_MASKING;
	r->virt_ext = 0;
	r->next_rip = 0;
}

static void begin(struct guest_vcpu *v)
{
	struct hw_vcpu *h = v->hw;
	struct vmcb_save *s = &h->vmcb->s;

	s->star = s->lstar = s->cstar = s->sfmask = s->kernel_gs_base = 0;
	s->sysenter_cs = s->sysenter_esp = s->sysenter_eip = 0;
	s->dbgctl = 0;
	s->dr6 = DR6_INIT;
	s->cr0 &= ~(uint64_t)CR0_TS; /* L1's, if it switches the FPU lazily */
	h->vmcb->c.int_state = 0;
	memset(h->dr, 0, sizeof(h->dr));
	h->dr_used = false;
	h->nmi = NMI_OPEN;
	fpu_begin(&v->fpu);
	h->hidden = true;
}

void svm_hide_begin(struct cpu *cpu, struct guest_vcpu *v)
{
	__asm__ volatile("vmsave %0" ::"a"(v->hw->vmcb_hpa) : "memory");
	svm_hide_offer(cpu, &v->hw->vmcb->s);
	begin(v);
}

void svm_hide_offer(struct cpu *cpu, const struct vmcb_save *s)
{
	struct hw_cpu *hw = cpu->hw;

	cpu->regs.r[RAX] = s->rax;
	cpu->regs.r[RSP] = s->rsp;
	cpu->regs.rip = s->rip;
	cpu->regs.rflags = s->rflags;
	hw->offer = (struct hw_offer){.cs_base = s->cs.base,
				      .cs_selector = s->cs.selector,
				      .rip = s->rip,
				      .cr0 = s->cr0,
				      .efer = s->efer};
	hw->offer_cr2 = s->cr2;
}

/* --- DR0-3, which are in no VMCB -------------------------------------------------------------------- */

static void load_debug(const uint64_t dr[4])
{
	__asm__ volatile("mov %0, %%dr0" ::"r"(dr[0]));
	__asm__ volatile("mov %0, %%dr1" ::"r"(dr[1]));
	__asm__ volatile("mov %0, %%dr2" ::"r"(dr[2]));
	__asm__ volatile("mov %0, %%dr3" ::"r"(dr[3]));
}

static void save_debug(uint64_t dr[4])
{
	static const uint64_t zero[4];

	__asm__ volatile("mov %%dr0, %0" : "=r"(dr[0]));
	__asm__ volatile("mov %%dr1, %0" : "=r"(dr[1]));
	__asm__ volatile("mov %%dr2, %0" : "=r"(dr[2]));
	__asm__ volatile("mov %%dr3, %0" : "=r"(dr[3]));
	load_debug(zero);
}

void svm_hide_debug(struct cpu *cpu)
{
	struct hw_vcpu *h = cpu->hw->running->hw;

	h->dr_used = true;
	h->vmcb->c.dr_read = h->vmcb->c.dr_write = 0;
	load_debug(h->dr);
}

/* --- exits and entries -------------------------------------------------------------------------------- */

/* An emulator may need FS and GS. L1 reads them by VMSAVE. */
static void show_segments(struct hw_cpu *hw, const struct guest_vcpu *v)
{
	struct vmcb_save *to = &hw->shown->s;
	const struct vmcb_seg none = {0};
	bool all = v->disclosure->exposure.row == EXPOSURE_EMULATED;

	to->fs = all ? v->hw->vmcb->s.fs : none;
	to->gs = all ? v->hw->vmcb->s.gs : none;
	__asm__ volatile("vmload %0" ::"a"(mem_hpa(hw->shown).a) : "memory");
}

void svm_hide(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	struct hw_vcpu *h = v->hw;

	if (h->hidden)
		return;
	__asm__ volatile("vmsave %0" ::"a"(h->vmcb_hpa) : "memory");
	show_segments(cpu->hw, v);
	if (h->dr_used)
		save_debug(h->dr);
	fpu_save(cpu, v);
	if (cpu->hw->pae_forced)
		h->vmcb->s.cr4 &= ~(uint64_t)CR4_PAE;
	h->hidden = true;
}

void svm_unhide(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	struct hw_vcpu *h = v->hw;

	if (!h->hidden)
		return;
	__asm__ volatile("vmload %0" ::"a"(h->vmcb_hpa) : "memory");
	if (h->dr_used)
		load_debug(h->dr);
	fpu_load(cpu, v);
	h->hidden = false;
}

static struct vmcb_seg mode_of(const struct vmcb_seg *seg)
{
	return (struct vmcb_seg){0, seg->attrib & SEGMENT_MODE, UINT32_MAX, 0};
}

static void show_state(const struct cpu *cpu, struct vmcb_save *to, const struct vmcb_save *s)
{
	const struct disclosure *d = cpu->hw->running->disclosure;
	const struct vmcb_seg none = {0};
	bool all = d->exposure.row == EXPOSURE_EMULATED;

	to->es = all ? s->es : none;
	to->ds = all ? s->ds : none;
	to->cs = all ? s->cs : mode_of(&s->cs);
	to->ss = all ? s->ss : mode_of(&s->ss);
	to->gdtr = to->idtr = none;
	to->cpl = s->cpl;
	to->efer = s->efer;
	to->cr0 = s->cr0;
	to->cr3 = d->cr3;
	to->cr4 = cpu->hw->pae_forced ? s->cr4 & ~(uint64_t)CR4_PAE : s->cr4;
	to->cr2 = 0;
	to->dr6 = DR6_INIT;
	to->dr7 = DR7_INIT;
	to->pat = PAT_INIT;
	to->rax = cpu->regs.r[RAX];
	to->rsp = cpu->regs.r[RSP];
	to->rip = cpu->regs.rip;
	to->rflags = cpu->regs.rflags;
}

/* The exits whose information is L1's to know. */
static bool has_info(uint64_t code)
{
	return code < VMEXIT_DR_READ || (code >= VMEXIT_EXCEPTION && code < VMEXIT_INTR) ||
	       code == VMEXIT_IOIO || code == VMEXIT_MSR || code == VMEXIT_NPF;
}

/* An access to a port in the monitor's own words, as IN and OUT to an immediate or DX have it. */
static uint64_t port_info(const struct ide_access *a)
{
	return (uint64_t)a->port << 16 | (uint64_t)a->bytes << IOIO_SIZE_SHIFT |
	       (a->out ? 0 : IOIO_IN);
}

void svm_hide_exit(const struct cpu *cpu, struct vmcb *l1_vmcb, uint8_t shown)
{
	const struct vmcb *vmcb = svm_current(cpu);
	const struct vmcb_control *c = &vmcb->c;
	const struct disclosure *d = cpu->hw->running->disclosure;
	uint8_t len = d->exposure.len;
	uint64_t next = len ? cpu->regs.rip + len : 0;

	l1_vmcb->c.int_ctl =
		(l1_vmcb->c.int_ctl & ~(V_TPR_MASK | V_IRQ)) | (c->int_ctl & (V_TPR_MASK | V_IRQ));
	l1_vmcb->c.int_state = c->int_state & INT_STATE_SHADOW;
	l1_vmcb->c.exit_code = c->exit_code;
	l1_vmcb->c.exit_info1 = has_info(c->exit_code) ? c->exit_info1 : 0;
	if (c->exit_code < VMEXIT_DR_READ) /* as of a MOV, which an LMSW is to L1 */
		l1_vmcb->c.exit_info1 = CR_ASSIST_MOV | d->exposure.operand;
	l1_vmcb->c.exit_info2 = c->exit_code == VMEXIT_NPF    ? c->exit_info2
				: c->exit_code == VMEXIT_IOIO ? next
							      : 0;
	if (d->port.asked) {
		l1_vmcb->c.exit_code = VMEXIT_IOIO;
		l1_vmcb->c.exit_info1 = port_info(&d->port.op.ask);
		l1_vmcb->c.exit_info2 = next;
	}
	l1_vmcb->c.exit_int_info = c->exit_int_info;
	l1_vmcb->c.event_inj = 0;
	l1_vmcb->c.next_rip = next;
	shown = c->insn_len < shown ? c->insn_len : shown;
	l1_vmcb->c.insn_len = shown;
	memcpy(l1_vmcb->c.insn_bytes, c->insn_bytes, shown);
	memset(l1_vmcb->c.insn_bytes + shown, 0, DECODE_MAX - shown);
	show_state(cpu, &l1_vmcb->s, &vmcb->s);
}

/* --- what accept.c asks for ----------------------------------------------------------------------------- */

struct injection svm_injection(uint64_t event)
{
	static const uint8_t type[8] = {INJECTION_INTERRUPT, INJECTION_SOFTWARE, INJECTION_NMI,
					INJECTION_EXCEPTION, INJECTION_SOFTWARE, INJECTION_SOFTWARE,
					INJECTION_SOFTWARE,  INJECTION_SOFTWARE};
	bool error = event & EVENT_ERROR_VALID;

	if (!(event & EVENT_VALID))
		return (struct injection){0};
	return (struct injection){.type = type[EVENT_TYPE(event)],
				  .vector = EVENT_VECTOR(event),
				  .has_error = error,
				  .error = error ? (uint32_t)(event >> 32) : 0};
}

void hw_guest_deliver(struct cpu *cpu, const struct injection *event)
{
	static const uint64_t type[] = {[INJECTION_INTERRUPT] = EVENT_TYPE_INTR,
					[INJECTION_NMI] = EVENT_TYPE_NMI,
					[INJECTION_EXCEPTION] = EVENT_TYPE_EXCEPTION};

	ASSERT(event->type < ARRAY_SIZE(type));
	svm_current(cpu)->c.event_inj = EVENT_VALID | type[event->type] << 8 | event->vector |
					(event->has_error ? EVENT_ERROR_VALID : 0) |
					(uint64_t)event->error << 32;
}

/* A virtual interrupt that L1 does not have exit is one that it injects: none that the filter knows. */
void hw_guest_entry(const struct cpu *cpu, struct hw_entry *entry)
{
	const struct vmcb_control *request = &cpu->hw->request;
	const struct vmcb *vmcb = svm_current(cpu);

	*entry = (struct hw_entry){.event = svm_injection(vmcb->c.event_inj),
				   .shadow = vmcb->c.int_state & INT_STATE_SHADOW,
				   .nmi_masked = cpu->hw->running->hw->nmi != NMI_OPEN,
				   .idt_base = vmcb->s.idtr.base,
				   .idt_limit = vmcb->s.idtr.limit};
	if ((request->int_ctl & V_IRQ) && !(request->intercept1 & INTERCEPT1(VMEXIT_VINTR)))
		entry->event.type = INJECTION_SOFTWARE;
}

void hw_guest_offer(const struct cpu *cpu, struct hw_offer *offer)
{
	*offer = cpu->hw->offer;
}

bool svm_hide_nmi(struct cpu *cpu)
{
	struct hw_vcpu *h = cpu->hw->running->hw;
	struct vmcb_control *c = &h->vmcb->c;

	if (h->nmi == NMI_IN_IRET && cpu->regs.rip != h->iret_rip)
		h->nmi = NMI_OPEN;
	if (h->nmi != NMI_MASKED || c->exit_code != VMEXIT_IRET)
		return false;
	h->nmi = NMI_IN_IRET;
	h->iret_rip = cpu->regs.rip;
	if (cpu->hw->request.intercept1 & INTERCEPT1(VMEXIT_IRET))
		return false;
	c->intercept1 &= ~INTERCEPT1(VMEXIT_IRET);
	return true;
}

/* After a change of the paging mode. */
static void forget_translations(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	struct hw_vcpu *h = hw->running->hw;

	tags_forget(&hw->asids);
	tags_assign(&hw->asids, &h->asid, cpu->index, hw->request.asid, false);
	h->vmcb->c.asid = h->asid.value;
}

void hw_guest_reset(struct cpu *cpu, uint8_t vector)
{
	struct hw_vcpu *h = cpu->hw->running->hw;
	struct vmcb_save *s = &h->vmcb->s;

	svm_reset_state(s);
	s->cs.selector = (uint16_t)(vector << 8);
	s->cs.base = (uint64_t)vector << 12;
	s->cr0 = CR0_ET;
	s->cr4 = CR4_MCE;
	s->pat = PAT_INIT;
	begin(cpu->hw->running);
	cpu->hw->pae_forced = false;
	cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
	cpu->regs.r[RDX] = EDX_INIT;
	forget_translations(cpu);
}

void hw_guest_moved(struct cpu *cpu)
{
	svm_current(cpu)->c.int_state &= ~INT_STATE_SHADOW;
}

void hw_guest_takes(struct cpu *cpu, const struct injection *event)
{
	struct vmcb_save *s = &svm_current(cpu)->s;
	const struct disclosure *d = cpu->hw->running->disclosure;

	if (event->type == INJECTION_NMI) {
		cpu->hw->running->hw->nmi = NMI_MASKED;
		svm_current(cpu)->c.intercept1 |= INTERCEPT1(VMEXIT_IRET);
	} else if (event->vector == VECTOR_PF) {
		s->cr2 = cpu->hw->offer_cr2;
	} else if (event->vector == VECTOR_DB && d->exposure.row != EXPOSURE_EXCEPTION) {
		/* One that came out has left its cause there (APM vol. 2, 15.12.2). */
		s->dr6 |= DR6_BS;
	}
}

/* A physical machine check must find CR4.MCE set, or it resets the machine. */
bool hw_guest_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct vmcb_save *s = &svm_current(cpu)->s;

	if (((s->cr0 ^ cr0) & ~(uint64_t)CR0_TS) || s->cr4 != (cr4 | CR4_MCE) ||
	    s->efer != (efer | EFER_SVME))
		forget_translations(cpu);
	s->cr0 = cr0;
	s->cr4 = cr4 | CR4_MCE;
	s->efer = efer | EFER_SVME;
	cpu->hw->pae_forced = svm_pae_quirk(s);
	if (cpu->hw->pae_forced)
		s->cr4 |= CR4_PAE;
	return !svm_check_state(s, &svm_features);
}
