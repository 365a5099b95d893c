/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's VMRUN and the #VMEXIT it sees. The VMCB that hardware uses is the monitor's, one per vCPU;
 * L1's is copied once at each entry, and the copy is checked and used (L1 on another CPU may be
 * rewriting it). While L2 runs, L1's state waits in the VMCB that the monitor keeps for L1.
 */
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/account.h"
#include "monitor/exit.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/svm/svm.h"

#define CONTROL_BYTES offsetof(struct vmcb_control, reserved2)

/* Always intercepted in L2, whatever L1 wants. */
#define L2_INTERCEPT1                                                                     \
	(INTERCEPT1(VMEXIT_NMI) | INTERCEPT1(VMEXIT_INIT) | INTERCEPT1(VMEXIT_IOIO) |     \
	 INTERCEPT1(VMEXIT_MSR) | INTERCEPT1(VMEXIT_SHUTDOWN) | INTERCEPT1(VMEXIT_INVD) | \
	 INTERCEPT1(VMEXIT_INVLPGA))
#define L2_INTERCEPT2                                                                       \
	(INTERCEPT2(VMEXIT_VMRUN) | INTERCEPT2(VMEXIT_VMLOAD) | INTERCEPT2(VMEXIT_VMSAVE) | \
	 INTERCEPT2(VMEXIT_SKINIT))
#define L2_GIF (INTERCEPT2(VMEXIT_STGI) | INTERCEPT2(VMEXIT_CLGI))

#define INT_CTL_PASSED \
	(V_TPR_MASK | V_IRQ | V_INTR_PRIO_MASK | V_IGN_TPR | V_INTR_MASKING | V_INTR_VECTOR_MASK)
#define DR7_FIXED 0x400
#define LBR_BYTES (5 * sizeof(uint64_t)) /* from dbgctl on */

static bool has_vgif(const struct vmcb_control *c)
{
	return svm_has(SVM_FEATURE_VGIF) && (c->int_ctl & V_GIF_ENABLE);
}

static void merge_controls(struct cpu *cpu, const struct guest *guest, struct hw_vcpu *v,
			   const struct vmcb_control *from)
{
	struct vmcb_control *c = &v->vmcb->c;
	bool nested = from->nested_ctl & NESTED_CTL_NP;
	uint64_t shadow = v->hidden ? c->int_state & INT_STATE_SHADOW : 0;

	c->cr_read = from->cr_read;
	c->cr_write = from->cr_write;
	c->dr_read = v->hidden && !v->dr_used ? UINT16_MAX : from->dr_read;
	c->dr_write = v->hidden && !v->dr_used ? UINT16_MAX : from->dr_write;
	c->exceptions = from->exceptions;
	c->intercept1 = from->intercept1 | L2_INTERCEPT1;
	c->intercept2 = from->intercept2 | L2_INTERCEPT2 | (has_vgif(from) ? 0 : L2_GIF);
	c->intercept3 = from->intercept3;
	c->pause_threshold = from->pause_threshold;
	c->pause_count = from->pause_count;
	c->iopm_base = v->vmcb_hpa + 3 * PAGE_SIZE;
	c->msrpm_base = v->vmcb_hpa + PAGE_SIZE;
	c->tsc_offset = from->tsc_offset;
	c->asid = v->asid.value;
	c->int_ctl = from->int_ctl & INT_CTL_PASSED;
	if (has_vgif(from))
		c->int_ctl |= from->int_ctl & (V_GIF_ENABLE | V_GIF);
	c->int_state = shadow | (from->int_state & INT_STATE_SHADOW);
	c->exit_int_info = 0;
	c->nested_ctl = NESTED_CTL_NP;
	c->nested_cr3 = nested ? guest_walked(guest).a : host_root().a;
	c->event_inj = from->event_inj;
	c->next_rip = from->next_rip;
	c->virt_ext = svm_has(SVM_FEATURE_LBRV) ? from->virt_ext & VIRT_EXT_LBR : 0;
	cpu->hw->guest_gif = true;
}

/* Whether the counter is read by L1's grace is as it was at first (clock.h). */
static void merge_clock(struct guest_vcpu *v)
{
	struct vmcb_control *c = &v->hw->vmcb->c;

	c->tsc_offset =
		clock_enter(&v->clock, c->tsc_offset, c->intercept1 & INTERCEPT1(VMEXIT_RDTSC));
	c->intercept1 &= ~INTERCEPT1(VMEXIT_RDTSC);
	c->intercept2 &= ~INTERCEPT2(VMEXIT_RDTSCP);
	if (v->clock.exits) {
		c->intercept1 |= INTERCEPT1(VMEXIT_RDTSC);
		c->intercept2 |= INTERCEPT2(VMEXIT_RDTSCP);
	}
}

/*
 * What VMRUN loads and #VMEXIT stores in any case. FS, GS, TR, LDTR and the system-call MSRs stay in
 * the CPU.
 */
static void copy_registers(struct vmcb_save *to, const struct vmcb_save *from)
{
	to->es = from->es;
	to->cs = from->cs;
	to->ss = from->ss;
	to->ds = from->ds;
	to->gdtr = from->gdtr;
	to->idtr = from->idtr;
	to->cpl = from->cpl;
	to->efer = from->efer;
	to->cr4 = from->cr4;
	to->cr3 = from->cr3;
	to->cr0 = from->cr0;
	to->dr7 = from->dr7;
	to->dr6 = from->dr6;
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
	to->cr2 = from->cr2;
}

/* Copies what VMRUN loads, once: what follows looks at the copy alone. */
static void copy_state(struct vmcb_save *to, const struct vmcb_save *from)
{
	copy_registers(to, from);
	to->pat = from->pat;
	memcpy(&to->dbgctl, &from->dbgctl, LBR_BYTES);
	__asm__ volatile("" ::: "memory");
}

/*
 * L1 was promised that an INT it injects returns to next_rip, with RIP still at the instruction (APM
 * volume 2, 15.20). A CPU without that returns to RIP, which is moved for it.
 */
static void move_to_next_rip(struct hw_cpu *hw, struct vmcb_save *s)
{
	uint64_t event = hw->request.event_inj;
	bool soft = EVENT_TYPE(event) == EVENT_TYPE_SOFT ||
		    (EVENT_TYPE(event) == EVENT_TYPE_EXCEPTION &&
		     (EVENT_VECTOR(event) == VECTOR_BP || EVENT_VECTOR(event) == VECTOR_OF));

	hw->int_rip = 0;
	if (svm_has(SVM_FEATURE_NRIPS) || !(event & EVENT_VALID) || !soft || !hw->request.next_rip)
		return;
	hw->int_rip = s->rip;
	s->rip = hw->request.next_rip;
}

static void adjust_state(struct hw_cpu *hw, struct vmcb_save *s)
{
	move_to_next_rip(hw, s);
	if (!(hw->request.nested_ctl & NESTED_CTL_NP))
		s->pat = hw->vmcb->s.pat;
	hw->pae_forced = svm_pae_quirk(s);
	if (hw->pae_forced)
		s->cr4 |= CR4_PAE;
}

/* L1 goes on behind its VMRUN, in the state that a #VMEXIT leaves: APM volume 2, 15.6. */
static void return_to_host(struct cpu *cpu, uint64_t cr2, bool interrupt_waits)
{
	struct vmcb_save *s = &cpu->hw->vmcb->s;

	cpu->hw->running = NULL;
	svm_load_regs(cpu);
	s->cr0 |= CR0_PE;
	s->dr7 = DR7_FIXED;
	s->cr2 = cr2;
	s->cpl = 0;
	cpu->regs.rflags &= ~(uint64_t)RFLAGS_VM;
	svm_gif_clear(cpu, interrupt_waits);
}

/* VMRUN ends at once: nothing of the guest has been loaded or changed. l1 may be NULL. */
static void refuse_entry(struct cpu *cpu, struct vmcb *l1, const char *why)
{
	log_provoked("entry refused on CPU %u: %s", cpu->index, why);
	if (l1)
		l1->c.exit_code = VMEXIT_INVALID;
	return_to_host(cpu, cpu->hw->vmcb->s.cr2, false);
}

/*
 * The state that the guest goes on with. Of an isolated one L1 gives the first; later accept.c decides what
 * counts of what L1 says.
 */
static const char *take_state(struct cpu *cpu, struct guest_vcpu *v, const struct vmcb *l1)
{
	struct hw_cpu *hw = cpu->hw;
	struct vmcb_save *state = &v->hw->vmcb->s;

	if (v->guest->isolated && v->entered) {
		svm_hide_request(&hw->request);
		svm_hide_offer(cpu, &l1->s);
		hw->int_rip = 0;
		hw->pae_forced = svm_pae_quirk(state);
		if (hw->pae_forced)
			state->cr4 |= CR4_PAE;
		return NULL;
	}
	copy_state(state, &l1->s);
	if (v->guest->isolated)
		svm_hide_request(&hw->request);
	adjust_state(hw, state);
	return svm_check_state(state, &svm_features);
}

/* NULL, or why the guest can't be entered. */
static const char *start_guest(struct cpu *cpu, struct guest_vcpu *v, const struct vmcb *l1)
{
	struct hw_cpu *hw = cpu->hw;
	const struct vmcb_control *request = &hw->request;
	const char *wrong;

	wrong = take_state(cpu, v, l1);
	if (wrong)
		return wrong;
	if ((uint8_t)request->tlb_control)
		tags_forget(&hw->asids);
	tags_assign(&hw->asids, &v->hw->asid, cpu->index, request->asid, v->fresh);
	if (v->fresh)
		svm_maps_reset(v->hw, v->guest->isolated);
	v->fresh = false;
	svm_maps_sync(v->hw, request);
	hw->running = v;
	if (!v->guest->isolated) {
		v->hw->hidden = false;
		fpu_give(cpu);
		svm_load_regs(cpu);
	} else if (!v->entered) {
		svm_hide_begin(cpu, v);
	}
	merge_controls(cpu, v->guest, v->hw, request);
	if (v->guest->isolated) {
		merge_clock(v);
		if (v->hw->nmi == NMI_MASKED)
			v->hw->vmcb->c.intercept1 |= INTERCEPT1(VMEXIT_IRET);
	}
	return NULL;
}

/* A guest without nested paging has no table of its own: its VMCB names it, at an odd address. */
static hpa_t guest_root(const struct vmcb_control *request, uint64_t vmcb_hpa)
{
	return HPA(request->nested_ctl & NESTED_CTL_NP ? request->nested_cr3 & PAGE_MASK
						       : vmcb_hpa | 1);
}

void svm_vmrun(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	uint64_t hpa = cpu->regs.r[RAX];
	struct guest_vcpu *v;
	struct vmcb *l1;
	const char *wrong;
	int len = hw_host_insn_len(cpu);

	if (hw_host_mode(cpu) != DECODE_64)
		hpa = (uint32_t)hpa;
	l1 = phys_host_rw(HPA(hpa), sizeof(*l1));
	if (len <= 0 || page_offset(hpa) || !l1) {
		hw_host_inject(cpu, VECTOR_GP, 0);
		return;
	}
	hw_host_complete(cpu, (unsigned int)len);
	svm_store_regs(cpu);
	hw->request_hpa = HPA(hpa);
	memcpy(&hw->request, &l1->c, CONTROL_BYTES);
	__asm__ volatile("" ::: "memory");
	wrong = svm_check_controls(&hw->request, &hw->looked);
	if (!wrong && (hw->request.nested_ctl & NESTED_CTL_NP) && !(hw->vmcb->s.efer & EFER_LMA))
		wrong = "nested paging with L1 outside long mode";
	if (wrong) {
		refuse_entry(cpu, l1, wrong);
		return;
	}
	v = guest_vcpu_take(cpu, HPA(hpa), guest_root(&hw->request, hpa), &wrong);
	/* A launch serves other CPUs: the VMCB may be L1's no more. */
	l1 = phys_host_rw(HPA(hpa), sizeof(*l1));
	if (!v) {
		refuse_entry(cpu, l1, wrong);
		return;
	}
	wrong = l1 ? start_guest(cpu, v, l1) : "the VMCB was given to a guest";
	if (wrong) {
		guest_vcpu_drop(v);
		refuse_entry(cpu, l1, wrong);
	}
}

/* What #VMEXIT writes into L1's VMCB: APM volume 2, 15.6 and appendix B. */
static void write_back(const struct hw_cpu *hw, struct vmcb *l1, const struct vmcb *vmcb)
{
	uint64_t own = has_vgif(&hw->request) ? 0 : V_GIF_ENABLE | V_GIF;

	own |= V_INTR_MASKING;
	l1->c.int_ctl = (vmcb->c.int_ctl & ~own) | (hw->request.int_ctl & own);
	l1->c.int_state = vmcb->c.int_state;
	l1->c.exit_code = vmcb->c.exit_code;
	l1->c.exit_info1 = vmcb->c.exit_info1;
	l1->c.exit_info2 = vmcb->c.exit_info2;
	l1->c.exit_int_info = vmcb->c.exit_int_info;
	l1->c.event_inj = vmcb->c.event_inj & ~EVENT_VALID;
	l1->c.next_rip = vmcb->c.next_rip;
	l1->c.insn_len = vmcb->c.insn_len;
	memcpy(l1->c.insn_bytes, vmcb->c.insn_bytes, sizeof(l1->c.insn_bytes));
	copy_registers(&l1->s, &vmcb->s);
	if (hw->pae_forced)
		l1->s.cr4 = vmcb->s.cr4 & ~(uint64_t)CR4_PAE;
	if (vmcb->c.nested_ctl & NESTED_CTL_NP)
		l1->s.pat = vmcb->s.pat;
	if (vmcb->c.virt_ext & VIRT_EXT_LBR)
		memcpy(&l1->s.dbgctl, &vmcb->s.dbgctl, LBR_BYTES);
}

/* Leaves L2 without telling L1. */
static void leave_guest(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	const struct vmcb *vmcb = v->hw->vmcb;
	uint64_t cr2 = v->guest->isolated ? cpu->hw->vmcb->s.cr2 : vmcb->s.cr2;

	cpu->hw->gif = true; /* L2's */
	return_to_host(cpu, cr2, vmcb->c.exit_code == VMEXIT_INTR);
	account_end(cpu);
	guest_vcpu_drop(v);
}

/* L1 gets an exit of an isolated guest's, or (INVALID) the news that it is over. */
static void reflect_hidden(struct cpu *cpu, struct vmcb *l1, uint8_t shown)
{
	const struct vmcb *vmcb = svm_current(cpu);

	if (vmcb->c.exit_code == VMEXIT_INVALID) {
		/*
		 * The hardware may have left anything in the state area: none of it is L1's to see, nor what
		 * accept.c had loaded already.
		 */
		if (cpu->hw->running->entered)
			memset(cpu->regs.r, 0, sizeof(cpu->regs.r));
		if (l1)
			l1->c.exit_code = VMEXIT_INVALID;
	} else if (l1) {
		svm_hide_exit(cpu, l1, shown);
	}
	svm_hide(cpu);
	leave_guest(cpu);
}

void svm_reflect(struct cpu *cpu)
{
	struct vmcb *vmcb = svm_current(cpu);
	struct vmcb *l1 = phys_host_rw(cpu->hw->request_hpa, sizeof(*l1));

	if (!l1)
		log_provoked("the VMCB at %lx was given to a guest", cpu->hw->request_hpa.a);
	if (cpu->hw->running->guest->isolated) {
		reflect_hidden(cpu, l1, 0);
		return;
	}
	/* Its delivery was cut short: RIP is at the INT again. */
	if (cpu->hw->int_rip && (vmcb->c.exit_int_info & EVENT_VALID) &&
	    vmcb->c.exit_int_info == cpu->hw->injected) {
		cpu->regs.rip = cpu->hw->int_rip;
		vmcb->c.next_rip = 0;
	}
	svm_store_regs(cpu);
	if (l1 && vmcb->c.exit_code == VMEXIT_INVALID) {
		l1->c.exit_code = VMEXIT_INVALID;
	} else if (l1) {
		svm_assist(cpu, vmcb);
		write_back(cpu->hw, l1, vmcb);
	}
	leave_guest(cpu);
}

/* The guest that is running is over: to L1 its VMCB has become invalid. */
void svm_end_run(struct cpu *cpu)
{
	guest_over(cpu->hw->running);
	svm_current(cpu)->c.exit_code = VMEXIT_INVALID;
	svm_reflect(cpu);
}

/* The bytes of the instruction that L1 gets with an exit: the guest's, not those of the monitor's in its place. */
static uint8_t bytes_shown(const struct disclosure *d)
{
	bool own = d->port.active && d->port.memory;

	return d->exposure.row == EXPOSURE_EMULATED && !own ? d->exposure.len : 0;
}

/* L1 gets the exit of an isolated guest, after what it has to see was shown to it. */
static void tell_hidden(struct cpu *cpu)
{
	struct vmcb *vmcb = svm_current(cpu);
	const struct disclosure *d = cpu->hw->running->disclosure;
	bool port = vmcb->c.exit_code == VMEXIT_IOIO;
	struct guest_exit x = {
		.reason = svm_reason(vmcb),
		.fault = GPA(vmcb->c.exit_info2),
		.write = port ? !(vmcb->c.exit_info1 & IOIO_IN) : vmcb->c.exit_info1 & NPF_WRITE,
		.exec = vmcb->c.exit_info1 & NPF_FETCH,
		.string = vmcb->c.exit_info1 & IOIO_STRING,
		.bytes = (uint8_t)IOIO_SIZE(vmcb->c.exit_info1),
		.port = port ? IOIO_PORT(vmcb->c.exit_info1) : 0,
		.vector = (uint8_t)(vmcb->c.exit_code - VMEXIT_EXCEPTION),
		.interrupted = svm_injection(vmcb->c.exit_int_info),
	};

	svm_assist(cpu, vmcb);
	switch (disclose(cpu, cpu->hw->running, &x)) {
	case DISCLOSE_TELL:
		reflect_hidden(cpu, phys_host_rw(cpu->hw->request_hpa, sizeof(struct vmcb)),
			       bytes_shown(d));
		break;
	case DISCLOSE_BARE:
		svm_reflect(cpu);
		break;
	case DISCLOSE_OVER:
		svm_end_run(cpu);
		break;
	case DISCLOSE_AGAIN:
		break;
	}
}

/*
 * L1 gets another exit in the place of the entry that it asked for, before anything of the guest is loaded; an
 * event that it injects goes back as one that waits.
 */
void svm_ask(struct cpu *cpu)
{
	struct vmcb_control *c = &svm_current(cpu)->c;

	c->exit_int_info = c->event_inj & EVENT_VALID ? c->event_inj : 0;
	c->event_inj = 0;
	reflect_hidden(cpu, phys_host_rw(cpu->hw->request_hpa, sizeof(struct vmcb)),
		       bytes_shown(cpu->hw->running->disclosure));
}

static void tell(struct cpu *cpu)
{
	if (cpu->hw->running->guest->isolated)
		tell_hidden(cpu);
	else
		svm_reflect(cpu);
}

/*
 * An isolated guest is not entered after all, before anything of what L1 says has been accepted: it
 * stands, and L1 gets its event back.
 */
static void bounce(struct cpu *cpu, uint64_t code)
{
	struct vmcb *l1 = phys_host_rw(cpu->hw->request_hpa, sizeof(*l1));
	struct vmcb *vmcb = svm_current(cpu);

	vmcb->c.exit_code = code;
	if (l1) {
		l1->c.exit_code = code;
		l1->c.exit_info1 = l1->c.exit_info2 = 0;
		l1->c.exit_int_info = vmcb->c.event_inj & EVENT_VALID ? vmcb->c.event_inj : 0;
		l1->c.event_inj = 0;
	}
	leave_guest(cpu);
}

/* What was measured, or has started, L1 does not get back as it offered it. */
static bool stands(const struct guest_vcpu *v)
{
	return v->hw->hidden && (!v->entered || v->disclosure->accept != ACCEPT_OWN);
}

/* INIT or NMI for this CPU while L2 runs: L1 gets the exit if it asked for it, the event then. */
void svm_interrupt_guest(struct cpu *cpu)
{
	const struct vmcb_control *request = &cpu->hw->request;
	uint64_t code = cpu->init_pending ? VMEXIT_INIT : VMEXIT_NMI;
	struct vmcb *vmcb = svm_current(cpu);

	if (!(request->intercept1 & INTERCEPT1(code))) {
		if (code == VMEXIT_NMI && !(vmcb->c.event_inj & EVENT_VALID)) {
			vmcb->c.event_inj = EVENT_VALID | EVENT_TYPE_NMI << 8 | VECTOR_NMI;
			cpu->nmi_pending = false;
		} else if (code == VMEXIT_INIT) {
			leave_guest(cpu);
			svm_gif_set(cpu);
		}
		return;
	}
	if (stands(cpu->hw->running)) {
		bounce(cpu, code);
		return;
	}
	/* An event that was to be injected and now waits goes back as interrupted. */
	vmcb->c.exit_int_info =
		vmcb->c.event_inj & EVENT_VALID ? vmcb->c.event_inj : vmcb->c.exit_int_info;
	vmcb->c.event_inj = 0;
	vmcb->c.exit_code = code;
	vmcb->c.exit_info1 = 0;
	vmcb->c.exit_info2 = 0;
	tell(cpu);
}

/* Whether L1 asked for the exit that just happened in its guest. */
static bool l1_wants(const struct vmcb_control *c, uint64_t code)
{
	if (code < VMEXIT_CR_WRITE)
		return c->cr_read >> code & 1;
	if (code < VMEXIT_DR_READ)
		return c->cr_write >> (code - VMEXIT_CR_WRITE) & 1;
	if (code < VMEXIT_DR_WRITE)
		return c->dr_read >> (code - VMEXIT_DR_READ) & 1;
	if (code < VMEXIT_EXCEPTION)
		return c->dr_write >> (code - VMEXIT_DR_WRITE) & 1;
	if (code < VMEXIT_INTR)
		return c->exceptions >> (code - VMEXIT_EXCEPTION) & 1;
	if (code < VMEXIT_VMRUN)
		return c->intercept1 & INTERCEPT1(code);
	if (code < VMEXIT_WORD3)
		return c->intercept2 & INTERCEPT2(code);
	if (code < VMEXIT_WORD3 + 32)
		return c->intercept3 >> (code - VMEXIT_WORD3) & 1;
	return code == VMEXIT_NPF ? c->nested_ctl & NESTED_CTL_NP : code == VMEXIT_INVALID;
}

/* Permissions that L1 leaves open: opened now if that is new, else done for the guest. */
static bool permitted(struct cpu *cpu)
{
	const struct vmcb_control *c = &svm_current(cpu)->c;
	struct hw_vcpu *v = cpu->hw->running->hw;
	bool opened;

	if (c->exit_code == VMEXIT_IOIO)
		return permit_port(&v->io, v->isolated, IOIO_PORT(c->exit_info1),
				   IOIO_SIZE(c->exit_info1));
	if (!svm_maps_open_msr(v, (uint32_t)cpu->regs.r[RCX], c->exit_info1 & 1, &opened))
		return false;
	if (!opened)
		svm_own_exit(cpu);
	return true;
}

void svm_guest_exit(struct cpu *cpu)
{
	const struct vmcb *vmcb = svm_current(cpu);
	uint64_t code = vmcb->c.exit_code;

	if (cpu->hw->running->guest->isolated && svm_hide_nmi(cpu))
		return;
	if (code == VMEXIT_NMI || code == VMEXIT_INIT) {
		/* Taken here; svm_deliver() tells L1 if it is L1's. */
		svm_own_exit(cpu);
		return;
	}
	if (cpu->hw->running->guest->isolated && svm_hidden_exit(cpu))
		return;
	if ((code == VMEXIT_MSR || code == VMEXIT_IOIO) && permitted(cpu))
		return;
	if (l1_wants(&cpu->hw->request, code) &&
	    (svm_reason(vmcb) != EXIT_UNKNOWN || !guest_isolated(cpu->hw->running->guest)))
		tell(cpu);
	else
		svm_own_exit(cpu);
}
