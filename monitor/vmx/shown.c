/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An isolated guest's state is in the VMCS that runs it, and stays there: what L1 writes into its own of guest
 * state counts at the vCPU's first entry, which is measured, and then no more but for what accept.c takes. L1
 * reads there what exposure.h says, and of its controls the following count.
 */
#include "monitor/disclose.h"
#include "monitor/guest.h"
#include "monitor/lib.h"
#include "monitor/vmx/vmx.h"

/* What L1 may ask to be told of (R17). Accesses to CR8 that nothing virtualizes are the processor's own TPR's. */
#define ASKED_CPU                                                                         \
	(CPU_INTR_WINDOW | CPU_TSC_OFFSET | CPU_HLT | CPU_MWAIT | CPU_RDPMC | CPU_RDTSC | \
	 CPU_TPR_SHADOW | CPU_NMI_WINDOW | CPU_MONITOR | CPU_PAUSE)
#define ASKED_CPU2                                                                        \
	(CPU2_APIC_ACCESSES | CPU2_RDTSCP | CPU2_X2APIC | CPU2_WBINVD | CPU2_PAUSE_LOOP | \
	 CPU2_INVPCID | CPU2_XSAVES)
/* Without these two a guest can keep the processor busy for ever; and physical machine checks are L1's. */
#define ASKED_EXCEPTIONS (1u << VECTOR_DB | 1u << 17 | 1u << 18)

#define BLOCKED_SHOWN (BLOCKED_STI | BLOCKED_MOV_SS | BLOCKED_NMI)
#define CR4_MCE (1u << 6)
#define PAT_INIT 0x0007040600070406u
#define QUALIFICATION_CR 0xfffu
#define QUALIFICATION_APIC 0xffffu
#define VIOLATION_ACCESS 0x7fu /* what was tried, and what the tables allow */

/* --- what L1 asks for ---------------------------------------------------------------------------------- */

/* regs.c decides about debug registers. */
void vmx_shown_request(const struct guest_vcpu *v, struct vmx_request *r)
{
	uint64_t debug = vmx_read(VMCS_CPU_CONTROLS) & CPU_DR;

	r->pin |= PIN_INTR | PIN_NMI;
	r->cpu = hw_caps.cpu.must | (r->cpu & ASKED_CPU) | debug |
		 (r->cpu & CPU_TPR_SHADOW ? 0 : CPU_CR8);
	r->cpu2 = (r->cpu2 & ASKED_CPU2) | CPU2_EPT | CPU2_UNRESTRICTED;
	if (v->entered)
		r->entry = vmx_read(VMCS_ENTRY_CONTROLS);
}

static void exceptions(const uint64_t *f)
{
	vmx_write(VMCS_EXCEPTION_BITMAP, f[F_EXCEPTION_BITMAP] & ASKED_EXCEPTIONS);
}

/*
 * What the guest reads of CR0 and CR4 at first: without what an Intel processor or the host need there, and
 * what L1's masks and shadows say counts for nothing.
 */
int vmx_shown_begin(struct cpu *cpu, struct guest_vcpu *v)
{
	const uint64_t *f = cpu->hw->current.f;
	uint64_t must = hw_caps.cr0_must & ~(uint64_t)(CR0_PE | CR0_PG);
	struct walk_space space;

	vmx_write(VMCS_PF_ERROR_MASK, 0);
	vmx_write(VMCS_PF_ERROR_MATCH, 0);
	vmx_write(VMCS_CR3_TARGET_COUNT, 0);
	if (field_exists(F_XSS_EXITING))
		vmx_write(VMCS_XSS_EXITING, 0);
	exceptions(f);
	vmx_set_cr0(vmx_read(VMCS_GUEST_CR0) & ~(must | CR0_TS)); /* TS: L1's, if it is lazy */
	vmx_set_cr4(vmx_read(VMCS_GUEST_CR4) & ~(hw_caps.cr4_must | CR4_MCE), f[F_CR4_MASK]);
	vmx_write(VMCS_GUEST_SYSENTER_CS, 0);
	vmx_write(VMCS_GUEST_SYSENTER_ESP, 0);
	vmx_write(VMCS_GUEST_SYSENTER_EIP, 0);
	vmx_write(VMCS_GUEST_DEBUGCTL, 0);
	vmx_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmx_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	hw_guest_space(cpu, &space);
	guest_space(v->guest, &space);
	return vmx_pae_paging(space.cr0, space.cr4, space.efer) ? vmx_load_guest_pdptes(&space) : 0;
}

/*
 * L1 may end a wait; and say MOV SS for STI where it waits to inject an NMI, which some processors hold back for
 * either, some for MOV SS alone (SDM vol. 3, 25.3).
 */
static void waits(const uint64_t *f)
{
	uint64_t blocked = vmx_read(VMCS_GUEST_INTERRUPTIBILITY);

	if ((blocked & BLOCKED_STI) && (f[F_GUEST_INTERRUPTIBILITY] & BLOCKED_MOV_SS))
		vmx_write(VMCS_GUEST_INTERRUPTIBILITY, blocked ^ (BLOCKED_STI | BLOCKED_MOV_SS));
	if (f[F_GUEST_ACTIVITY] == ACTIVITY_ACTIVE)
		vmx_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
}

void vmx_shown_load(const struct l1_vmcs *current)
{
	const uint64_t *f = current->f;

	if (set_has(&current->dirty, F_EXCEPTION_BITMAP))
		exceptions(f);
	if (set_has(&current->dirty, F_CR4_MASK))
		vmx_set_cr4(vmx_seen_cr4(), f[F_CR4_MASK]);
	if (set_has(&current->dirty, F_GUEST_INTERRUPTIBILITY) ||
	    set_has(&current->dirty, F_GUEST_ACTIVITY))
		waits(f);
}

/* --- what L1 sees -------------------------------------------------------------------------------------- */

static bool was_nmi_unblocked(uint32_t reason)
{
	if (reason == REASON_EXCEPTION)
		return vmx_read(VMCS_EXIT_EVENT) & EVENT_NMI_UNBLOCKED;
	return reason == REASON_EPT_VIOLATION &&
	       (vmx_read(VMCS_EXIT_QUALIFICATION) & VIOLATION_UNBLOCKED);
}

/*
 * What an exit leaves to be done to the guest's state (SDM vol. 3, 28.2.3): NMIs stay blocked for an IRET that is
 * executed again, and not for an NMI that is to be delivered again.
 */
static void settle(void)
{
	uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
	uint64_t vectoring = vmx_read(VMCS_VECTORING_EVENT);
	uint64_t blocked = vmx_read(VMCS_GUEST_INTERRUPTIBILITY);

	if (!(vectoring & EVENT_VALID) && was_nmi_unblocked(reason))
		blocked |= BLOCKED_NMI;
	else if ((vectoring & EVENT_VALID) && EVENT_TYPE(vectoring) == EVENT_TYPE_NMI)
		blocked &= ~(uint64_t)BLOCKED_NMI;
	else
		return;
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY, blocked);
}

static void show_segments(uint64_t *f, bool all)
{
	for (unsigned int i = 0; i <= SEG_TR; i++)
		f[F_GUEST_ES_RIGHTS + i] = RIGHTS_UNUSABLE;
	f[F_GUEST_CS_RIGHTS] = vmx_read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_MODE;
	f[F_GUEST_SS_RIGHTS] = vmx_read(VMCS_GUEST_SS_RIGHTS) & RIGHTS_MODE;
	f[F_GUEST_CS_LIMIT] = f[F_GUEST_SS_LIMIT] = UINT32_MAX;
	for (unsigned int i = 0; all && i < SEG_COUNT; i++) {
		f[F_GUEST_ES_SELECTOR + i] = vmx_read(VMCS_GUEST_ES_SELECTOR + 2 * i);
		f[F_GUEST_ES_BASE + i] = vmx_read(VMCS_GUEST_ES_BASE + 2 * i);
		f[F_GUEST_ES_LIMIT + i] = vmx_read(VMCS_GUEST_ES_LIMIT + 2 * i);
		f[F_GUEST_ES_RIGHTS + i] = vmx_read(VMCS_GUEST_ES_RIGHTS + 2 * i);
	}
}

void vmx_shown_state(struct cpu *cpu)
{
	const struct guest_vcpu *v = cpu->hw->running;
	uint64_t *f = cpu->hw->current.f;

	settle();
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		if (FIELD_TYPE(field_encoding[i]) == FIELD_TYPE_GUEST && i != F_LINK_POINTER)
			f[i] = 0;
	memset(&cpu->hw->current.stale, 0, sizeof(cpu->hw->current.stale));
	show_segments(f, v->disclosure->exposure.row == EXPOSURE_EMULATED);
	f[F_GUEST_CR0] = vmx_seen_cr0();
	f[F_GUEST_CR3] = v->disclosure->cr3;
	f[F_GUEST_CR4] = vmx_seen_cr4();
	f[F_GUEST_EFER] = vmx_read(VMCS_GUEST_EFER);
	f[F_GUEST_PAT] = PAT_INIT;
	f[F_GUEST_DR7] = DR7_INIT;
	f[F_GUEST_RSP] = cpu->regs.r[RSP];
	f[F_GUEST_RIP] = cpu->regs.rip;
	f[F_GUEST_RFLAGS] = cpu->regs.rflags;
	f[F_GUEST_INTERRUPTIBILITY] = vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_SHOWN;
	f[F_GUEST_ACTIVITY] = vmx_read(VMCS_GUEST_ACTIVITY);
}

static uint64_t qualification(uint32_t reason, bool emulated)
{
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);

	switch (reason) {
	case REASON_CR:
		return q & QUALIFICATION_CR;
	case REASON_PORT:
		return q;
	case REASON_APIC_ACCESS:
		return q & QUALIFICATION_APIC;
	case REASON_EPT_VIOLATION:
		return q & (VIOLATION_ACCESS | (emulated ? VIOLATION_LINEAR | VIOLATION_FINAL : 0));
	default:
		return 0;
	}
}

/* An event, and its error code. */
static void show_event(uint64_t *f, unsigned int field, uint64_t event, uint64_t error)
{
	bool valid = event & EVENT_VALID;

	f[field] = valid ? event & ~(uint64_t)EVENT_NMI_UNBLOCKED : 0;
	f[field + 1] = valid && (event & EVENT_HAS_ERROR) ? error : 0;
}
_Static_assert(F_EXIT_ERROR_CODE == F_EXIT_EVENT + 1 &&
		       F_VECTORING_ERROR_CODE == F_VECTORING_EVENT + 1,
	       "an event's error code is the next field");

/* An access to a port in the monitor's own words: SDM vol. 3, table 28-5. */
static void show_port(uint64_t *f, const struct ide_access *a)
{
	f[F_EXIT_REASON] = REASON_PORT;
	f[F_EXIT_QUALIFICATION] =
		(uint64_t)a->port << 16 | (a->bytes - 1u) | (a->out ? 0 : PORT_IS_IN);
}

void vmx_shown_info(struct cpu *cpu)
{
	const struct disclosure *d = cpu->hw->running->disclosure;
	const struct exposure *e = &d->exposure;
	uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
	bool nested = reason == REASON_EPT_VIOLATION || reason == REASON_EPT_MISCONFIG;
	bool event = reason == REASON_EXCEPTION || reason == REASON_INTR;
	bool emulated = e->row == EXPOSURE_EMULATED;
	uint64_t *f = cpu->hw->current.f;

	f[F_EXIT_REASON] = reason;
	f[F_EXIT_QUALIFICATION] = qualification(reason, emulated);
	if (d->port.asked)
		show_port(f, &d->port.op.ask);
	f[F_GUEST_PHYSICAL] = nested ? vmx_read(VMCS_GUEST_PHYSICAL) : 0;
	f[F_GUEST_LINEAR] = emulated ? vmx_read(VMCS_GUEST_LINEAR) : 0;
	f[F_EXIT_INSN_INFO] = emulated ? vmx_read(VMCS_EXIT_INSN_INFO) : 0;
	f[F_EXIT_INSN_LEN] = e->len;
	show_event(f, F_EXIT_EVENT, event ? vmx_read(VMCS_EXIT_EVENT) : 0,
		   vmx_read(VMCS_EXIT_ERROR_CODE));
	show_event(f, F_VECTORING_EVENT, vmx_read(VMCS_VECTORING_EVENT),
		   vmx_read(VMCS_VECTORING_ERROR_CODE));
}
