/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's VMLAUNCH and VMRESUME, and those exits of L2 that L1 is not told of. The VMCS that hardware
 * uses is the monitor's, one per vCPU. Fields that L1 has written since the last entry are copied to
 * it, controls after they were checked and merged; the rest is still there.
 */
#include "ept/format.h"
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/exit.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"
#include "monitor/vmx/vmx.h"

#define BAD_STATE_OTHER 0 /* exit qualifications of a failed entry: SDM vol. 3, 27.8 */
#define BAD_STATE_PDPTE 2
#define BAD_STATE_LINK 4
#define APIC_PAGE 0xfee00000u /* of a guest: disclose.c */

static uint64_t cpu2_of(const uint64_t *f)
{
	return f[F_CPU_CONTROLS] & CPU_SECONDARY ? f[F_CPU2_CONTROLS] : 0;
}

static bool l1_has_ept(const struct cpu *cpu)
{
	return cpu2_of(cpu->hw->current.f) & CPU2_EPT;
}

/* --- entry --------------------------------------------------------------------------------- */

/* L1's, but for the root. */
static uint64_t ept_pointer(const struct guest_vcpu *v, const uint64_t *f)
{
	return (f[F_EPT_POINTER] & ~TABLE_ADDR_MASK) | guest_walked(v->guest).a;
}

static void merge_controls(const struct guest_vcpu *v, const uint64_t *f)
{
	struct vmx_request r = {f[F_PIN_CONTROLS], f[F_CPU_CONTROLS], cpu2_of(f),
				f[F_ENTRY_CONTROLS]};
	uint64_t entry = hw_caps.entry.must | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER;

	if (v->guest->isolated)
		vmx_shown_request(v, &r);
	vmx_write(VMCS_PIN_CONTROLS, r.pin | PIN_NMI | PIN_VIRTUAL_NMI);
	vmx_write(VMCS_CPU_CONTROLS, (r.cpu & ~(uint64_t)CPU_PORTS) | CPU_IO_BITMAPS |
					     CPU_MSR_BITMAPS | CPU_SECONDARY);
	vmx_write(VMCS_CPU2_CONTROLS, hw_caps.cpu2.must | r.cpu2 | CPU2_EPT | CPU2_VPID);
	vmx_write(VMCS_EXIT_CONTROLS, hw_caps.exit.must | EXIT_SAVE_DEBUG | EXIT_HOST_64 |
					      EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
					      EXIT_LOAD_EFER |
					      (f[F_EXIT_CONTROLS] & EXIT_ACK_INTR));
	vmx_write(VMCS_ENTRY_CONTROLS, entry | (r.entry & ENTRY_GUEST_64));
	vmx_write(VMCS_EPT_POINTER,
		  r.cpu2 & CPU2_EPT ? ept_pointer(v, f) : host_root().a | EPTP_WB | EPTP_LEVELS_4);
	vmx_write(VMCS_MSR_BITMAP, v->hw->msr_bitmap);
	vmx_write(VMCS_IO_BITMAP_A, v->hw->io_bitmap);
	vmx_write(VMCS_IO_BITMAP_B, v->hw->io_bitmap + PAGE_SIZE);
}

/* EFER of a guest whose entry does not load it: SDM vol. 3, 27.3.2.1. */
static uint64_t derived_efer(uint64_t efer, const uint64_t *f)
{
	efer &= ~(uint64_t)EFER_LMA;
	if (f[F_ENTRY_CONTROLS] & ENTRY_GUEST_64)
		return efer | EFER_LMA | EFER_LME;
	return f[F_GUEST_CR0] & CR0_PG ? efer & ~(uint64_t)EFER_LME : efer;
}

/* What L1's own registers hold where an entry control says that they stay. */
struct l1_state {
	uint64_t dr7, debugctl, pat, efer;
};

static struct l1_state l1_state(void)
{
	return (struct l1_state){vmx_read(VMCS_GUEST_DR7), vmx_read(VMCS_GUEST_DEBUGCTL),
				 vmx_read(VMCS_GUEST_PAT), vmx_read(VMCS_GUEST_EFER)};
}

/* Of DEBUGCTL BTF alone: branch traces would go to wherever the debug store's area is said to be (R20). */
static void write_choices(const uint64_t *f, const struct l1_state *l1)
{
	uint64_t entry = f[F_ENTRY_CONTROLS];
	bool debug = entry & ENTRY_LOAD_DEBUG;

	vmx_write(VMCS_GUEST_DR7, debug ? f[F_GUEST_DR7] : l1->dr7);
	vmx_write(VMCS_GUEST_DEBUGCTL, (debug ? f[F_GUEST_DEBUGCTL] : l1->debugctl) & DEBUGCTL_BTF);
	vmx_write(VMCS_GUEST_PAT, entry & ENTRY_LOAD_PAT ? f[F_GUEST_PAT] : l1->pat);
	vmx_write(VMCS_GUEST_EFER,
		  entry & ENTRY_LOAD_EFER ? f[F_GUEST_EFER] : derived_efer(l1->efer, f));
}

static void write_dirty(struct l1_vmcs *current, struct field_set set)
{
	for (size_t w = 0; w < ARRAY_SIZE(set.bits); w++)
		set.bits[w] &= current->dirty.bits[w] & ~current->stale.bits[w];
	for (int i = -1; (i = set_next(&set, i)) >= 0;)
		vmx_write(field_encoding[i], current->f[i]);
}

/* CR4 bits that L1 does not have are not its guest's to set either, whatever mask L1 gives. */
static void write_cr4_mask(const struct l1_vmcs *current)
{
	if (set_has(&current->dirty, F_CR4_MASK))
		vmx_write(VMCS_CR4_MASK, current->f[F_CR4_MASK] | ~l1_caps.cr4_may);
}

static void write_event(const uint64_t *f)
{
	vmx_write(VMCS_ENTRY_EVENT, f[F_ENTRY_EVENT]);
	if (!(f[F_ENTRY_EVENT] & EVENT_VALID))
		return;
	vmx_write(VMCS_ENTRY_ERROR_CODE, f[F_ENTRY_ERROR_CODE]);
	vmx_write(VMCS_ENTRY_INSN_LEN, f[F_ENTRY_INSN_LEN]);
}

/*
 * At each entry: L1 may have set the processor's counter back. Whether it is read by L1's grace is as it was at
 * first (clock.h). anew: the VMCS has L1's controls, or none.
 */
static void write_clock(struct guest_vcpu *v, const uint64_t *f, bool anew)
{
	uint64_t wanted = f[F_CPU_CONTROLS] & CPU_TSC_OFFSET ? f[F_TSC_OFFSET] : 0;
	uint64_t before = v->clock.used, cpu;

	clock_enter(&v->clock, wanted, f[F_CPU_CONTROLS] & CPU_RDTSC);
	if (anew || v->clock.used != before)
		vmx_write(VMCS_TSC_OFFSET, v->clock.used);
	if (!anew)
		return;
	cpu = vmx_read(VMCS_CPU_CONTROLS) & ~(uint64_t)CPU_RDTSC;
	vmx_write(VMCS_CPU_CONTROLS, cpu | CPU_TSC_OFFSET | (v->clock.exits ? CPU_RDTSC : 0));
}

/* A VMCS that never ran for this vCPU; leaves it current. */
static void prepare_vmcs(struct guest_vcpu *v)
{
	vmx_vmcs_init(&v->hw->vmcs);
	vmx_load(&v->hw->vmcs);
	vmx_write_host_state();
	vmx_write_neutral_controls();
	maps_reset(v->hw, v->guest->isolated);
	v->fresh = false;
}

/* The record of L1's current VMCS, held until that is current no more, or its EPT root changes. */
static struct guest_vcpu *hold(struct cpu *cpu, hpa_t root, const char **why)
{
	struct hw_cpu *hw = cpu->hw;
	struct guest_vcpu *v = hw->held;

	if (v && v->guest->root.a == root.a && guest_live(v->guest)) {
		v->used = cpu->exit_tsc;
		return v; /* of the guest that the CPU met last */
	}
	current_release(cpu);
	hw->held = guest_vcpu_take(cpu, HPA(hw->current.hpa), root, why);
	return hw->held;
}

/* Guest state that only the monitor can check. The qualification, or -1. */
static int bad_state(const uint64_t *f)
{
	if (f[F_GUEST_ACTIVITY] > ACTIVITY_HLT)
		return BAD_STATE_OTHER;
	/* The manual has the hardware check this; an emulated CPU that does not is lost (27.3.1.1). */
	if ((f[F_ENTRY_CONTROLS] & ENTRY_GUEST_64) &&
	    (!(f[F_GUEST_CR0] & CR0_PG) || !(f[F_GUEST_CR4] & CR4_PAE)))
		return BAD_STATE_OTHER;
	if ((f[F_GUEST_CR4] & ~l1_caps.cr4_may))
		return BAD_STATE_OTHER;
	return f[F_LINK_POINTER] == NO_VMCS ? -1 : BAD_STATE_LINK;
}

static void assign_vpid(struct cpu *cpu, struct guest_vcpu *v, bool fresh)
{
	struct hw_cpu *hw = cpu->hw;
	const uint64_t *f = hw->current.f;
	bool l1_vpid = cpu2_of(f) & CPU2_VPID;

	if (!l1_vpid) {
		tags_forget(&hw->vpids);
		vmx_invvpid(INV_SINGLE, VPID_HOST);
	}
	tags_assign(&hw->vpids, &v->hw->vpid, cpu->index, l1_vpid ? (uint32_t)f[F_VPID] : 0, fresh);
	if (hw->vpids.flush)
		vmx_invvpid(INV_ALL, 0);
	hw->vpids.flush = false;
	vmx_write(VMCS_VPID, v->hw->vpid.value);
}

/* Of an isolated guest L1 gives the first state; later accept.c decides what counts of what L1 says. */
static bool is_hidden(const struct guest_vcpu *v)
{
	return v->guest->isolated && v->entered;
}

static void write_state(const struct guest_vcpu *v, struct l1_vmcs *current,
			const struct l1_state *l1)
{
	if (is_hidden(v)) {
		write_dirty(current, fields_passed);
		vmx_shown_load(current);
	} else {
		write_dirty(current, fields_copied);
		write_cr4_mask(current);
		write_choices(current->f, l1);
	}
}

/* Loads L2 into the CPU's VMCS. Qualification of a failed entry, or -1. */
static int load_guest(struct cpu *cpu, struct guest_vcpu *v)
{
	struct l1_vmcs *current = &cpu->hw->current;
	const uint64_t *f = current->f;
	struct l1_state l1 = l1_state();
	bool fresh = v->fresh, anew = set_meets(&current->dirty, &fields_of[MERGE]);

	if (fresh)
		prepare_vmcs(v);
	else
		vmx_load(&v->hw->vmcs);
	write_state(v, current, &l1);
	write_event(f);
	if (anew)
		merge_controls(v, f);
	if (v->guest->isolated)
		write_clock(v, f, anew || fresh);
	maps_prepare(v->hw, f);
	assign_vpid(cpu, v, fresh);
	memset(&current->dirty, 0, sizeof(current->dirty));
	cpu->hw->running = v;
	vmx_regs_enter(cpu, v);
	vmx_load_regs(cpu);
	if (v->guest->isolated) { /* the VMCS has the guest's own, where L1 has not written them */
		cpu->regs.r[RSP] = f[F_GUEST_RSP];
		cpu->regs.rip = f[F_GUEST_RIP];
		cpu->regs.rflags = f[F_GUEST_RFLAGS];
		return v->entered || !vmx_shown_begin(cpu, v) ? -1 : BAD_STATE_PDPTE;
	}
	if (!(cpu2_of(f) & CPU2_EPT) && vmx_pae_paging(f[F_GUEST_CR0], f[F_GUEST_CR4], 0) &&
	    !(f[F_ENTRY_CONTROLS] & ENTRY_GUEST_64) && vmx_load_pdptes(f[F_GUEST_CR3]))
		return BAD_STATE_PDPTE;
	return -1;
}

static void refuse(struct cpu *cpu, enum vm_error error, const char *why)
{
	log_provoked("entry refused on CPU %u: %s", cpu->index, why);
	vm_fail(cpu, error);
}

/* A guest without EPT has no table of its own: its VMCS names it, at an odd address. */
static hpa_t guest_root(const struct cpu *cpu)
{
	const uint64_t *f = cpu->hw->current.f;

	return HPA(l1_has_ept(cpu) ? f[F_EPT_POINTER] & PAGE_MASK : cpu->hw->current.hpa | 1);
}

/*
 * A bad MSR list is found before the hardware has looked at the guest's state, but it counts only
 * after that. So the hardware gets a list that fails, and says which of the two it is.
 */
static void fail_by_list(void)
{
	static const struct {
		uint64_t index, value;
	} list __attribute__((aligned(16))) = {MSR_FS_BASE, 0};

	vmx_write(VMCS_ENTRY_MSR_LOAD, mem_hpa(&list).a);
	vmx_write(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
}

static void entry_failed(struct cpu *cpu, uint32_t reason)
{
	uint64_t qualification = vmx_read(VMCS_EXIT_QUALIFICATION);

	if (REASON_BASIC(reason) == REASON_BAD_MSR)
		qualification = cpu->hw->bad_msr;
	if (cpu->hw->bad_msr)
		vmx_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmx_reflect_failure(cpu, REASON_BASIC(reason), qualification);
}

static void start(struct cpu *cpu, struct guest_vcpu *v)
{
	const uint64_t *f = cpu->hw->current.f;
	int bad = load_guest(cpu, v);

	if (bad < 0 && !is_hidden(v))
		bad = bad_state(f);
	if (bad >= 0) {
		vmx_reflect_failure(cpu, REASON_BAD_STATE, (uint64_t)bad);
		return;
	}
	cpu->hw->bad_msr = msrs_load(cpu, f[F_ENTRY_MSR_LOAD], f[F_ENTRY_MSR_LOAD_COUNT]);
	if (cpu->hw->bad_msr && v->guest->isolated) /* the hardware is not to look at its state */
		vmx_reflect_failure(cpu, REASON_BAD_MSR, cpu->hw->bad_msr);
	else if (cpu->hw->bad_msr)
		fail_by_list();
}

/* Only the event is new at most entries. NULL, or what is wrong, with the error for L1. */
static const char *check_entry(const struct l1_vmcs *current, enum vm_error *error)
{
	const char *wrong = NULL;

	*error = ERROR_ENTRY_CONTROLS;
	if (set_meets(&current->dirty, &fields_checked))
		wrong = check_controls(current->f, &l1_caps);
	if (!wrong)
		wrong = check_event(current->f, &l1_caps);
	if (wrong || !set_meets(&current->dirty, &fields_host_checked))
		return wrong;
	*error = ERROR_ENTRY_HOST;
	return check_host(current->f, &l1_caps);
}

void vmx_launch(struct cpu *cpu, bool launch)
{
	struct l1_vmcs *current = &cpu->hw->current;
	enum vm_error error = ERROR_ENTRY_CONTROLS;
	struct guest_vcpu *v;
	const char *wrong;

	if (current->hpa == NO_VMCS) {
		vm_fail(cpu, 0);
		return;
	}
	shadow_collect(cpu->hw);
	if (vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_MOV_SS) {
		vm_fail(cpu, ERROR_ENTRY_MOV_SS);
		return;
	}
	if (current->launched == launch) {
		vm_fail(cpu, launch ? ERROR_LAUNCH_LAUNCHED : ERROR_RESUME_CLEAR);
		return;
	}
	wrong = check_entry(current, &error);
	if (!wrong && !(vmx_read(VMCS_GUEST_EFER) & EFER_LMA)) {
		error = ERROR_ENTRY_HOST;
		wrong = "L1 is not in 64-bit mode";
	}
	if (wrong) {
		refuse(cpu, error, wrong);
		return;
	}
	v = hold(cpu, guest_root(cpu), &wrong);
	if (v && v->guest->isolated && !(cpu2_of(current->f) & CPU2_UNRESTRICTED)) {
		wrong = "an isolated guest needs unrestricted guest mode (R9)";
		v = NULL;
	}
	if (v)
		start(cpu, v);
	else
		refuse(cpu, ERROR_ENTRY_CONTROLS, wrong);
}

/* The hardware does not enter an isolated guest, which nothing of L1's may have brought about: it is over. */
static void end_refused(struct cpu *cpu)
{
	guest_end(cpu->hw->running->guest, STOP_REGISTERS);
	vmx_end_run(cpu);
}

/* The hardware found what the monitor did not: L1 is told in the same words. */
void vmx_guest_refused(struct cpu *cpu)
{
	uint32_t error = (uint32_t)vmx_read(VMCS_INSN_ERROR);

	vmx_regs_hide(cpu);
	if (cpu->hw->running->guest->isolated) {
		end_refused(cpu);
		return;
	}
	cpu->hw->running = NULL;
	memset(&cpu->hw->current.dirty, 0xff, sizeof(cpu->hw->current.dirty));
	vmx_load(&cpu->hw->l1);
	vmx_regs_host(cpu);
	vmx_load_regs(cpu);
	refuse(cpu, error ? error : ERROR_ENTRY_CONTROLS, "by the CPU");
}

/* --- exits that only the monitor wanted: as if L1's own setting were in force ----------------- */

/* #GP or #UD; an event whose delivery it cut short goes to L1 with it. */
static void raise(struct cpu *cpu, unsigned int vector)
{
	uint32_t event = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;

	if (vector == VECTOR_GP && (vmx_read(VMCS_GUEST_CR0) & CR0_PE))
		event |= EVENT_HAS_ERROR;
	if (vmx_read(VMCS_EXCEPTION_BITMAP) >> vector & 1) {
		vmx_redeliver();
		vmx_reflect_event(cpu, REASON_EXCEPTION, event, 0);
		return;
	}
	vmx_write(VMCS_ENTRY_EVENT, event);
	vmx_write(VMCS_ENTRY_ERROR_CODE, 0);
}

/* L1 gets the exit, after what it has to see of an isolated guest was shown to it. */
static void tell(struct cpu *cpu)
{
	uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);
	struct guest_exit x = {.reason = vmx_reason(reason, 0)};

	if (!cpu->hw->running->guest->isolated) {
		vmx_reflect(cpu);
		return;
	}
	if (reason == REASON_TPR) /* the guest can take an interrupt */
		x.reason = EXIT_VINTR;
	if (x.reason == EXIT_NESTED_FAULT)
		x.fault = GPA(vmx_read(VMCS_GUEST_PHYSICAL));
	x.write = reason == REASON_EPT_VIOLATION && (q & VIOLATION_WRITE);
	if (x.reason == EXIT_APIC) {
		x.fault = GPA(APIC_PAGE | (q & APIC_ACCESS_OFFSET));
		x.write = APIC_ACCESS_TYPE(q) == APIC_ACCESS_LINEAR_WRITE;
	}
	x.exec = reason == REASON_EPT_VIOLATION && (q & VIOLATION_EXEC);
	x.string = q & PORT_STRING;
	if (x.reason == EXIT_PORT) {
		x.write = !(q & PORT_IS_IN);
		x.bytes = (uint8_t)PORT_SIZE(q);
		x.port = PORT_NUMBER(q);
	}
	x.vector = EVENT_VECTOR(vmx_read(VMCS_EXIT_EVENT));
	x.interrupted = vmx_injection((uint32_t)vmx_read(VMCS_VECTORING_EVENT),
				      (uint32_t)vmx_read(VMCS_VECTORING_ERROR_CODE));
	switch (disclose(cpu, cpu->hw->running, &x)) {
	case DISCLOSE_TELL:
	case DISCLOSE_BARE: /* no bytes in a VMCS */
		vmx_reflect(cpu);
		break;
	case DISCLOSE_OVER:
		vmx_end_run(cpu);
		break;
	case DISCLOSE_AGAIN:
		break;
	}
}

/* A guest without EPT touched what the host table does not give L1 either. */
static void host_fault(struct cpu *cpu)
{
	if (!exit_may_repeat(cpu, HPA(vmx_read(VMCS_GUEST_PHYSICAL))))
		raise(cpu, VECTOR_GP);
}

static void msr_exit(struct cpu *cpu, bool write)
{
	bool isolated = cpu->hw->running->guest->isolated;
	struct hw_vcpu *v = cpu->hw->running->hw;
	int err = isolated ? vmx_regs_msr(cpu, write) : ERR_NOENT;
	bool opened = false;

	if (err == ERR_NOENT && !maps_msr(v, (uint32_t)cpu->regs.r[RCX], write, &opened)) {
		tell(cpu);
		return;
	}
	/* What L1 leaves to an isolated guest, and the hardware does not get, is L1's, or the monitor's. */
	if (err == ERR_NOENT && !opened)
		err = isolated ? ERR_INVAL : msr_access(cpu, write);
	if (err && !opened)
		raise(cpu, VECTOR_GP);
	else if (!opened)
		hw_host_complete(cpu, (unsigned int)vmx_read(VMCS_EXIT_INSN_LEN));
}

static void port_exit(struct cpu *cpu)
{
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);

	if (!permit_port(&cpu->hw->running->hw->io, cpu->hw->running->guest->isolated,
			 PORT_NUMBER(q), PORT_SIZE(q)))
		tell(cpu);
}

/*
 * Pages that L1 set and that were looked at then: the virtual-APIC page, which the hardware reads and
 * writes; the APIC-access page, accesses to which come out for L1 to answer.
 */
bool vmx_pages_ok(struct cpu *cpu)
{
	const uint64_t *f = cpu->hw->current.f;
	uint64_t taken = owner_taken();

	if (taken == cpu->hw->taken)
		return true;
	cpu->hw->taken = taken;
	if ((cpu2_of(f) & CPU2_APIC_ACCESSES) && !phys_host(HPA(f[F_APIC_ACCESS]), PAGE_SIZE))
		return false;
	return !(f[F_CPU_CONTROLS] & CPU_TPR_SHADOW) ||
	       phys_host_rw(HPA(f[F_VIRTUAL_APIC]), PAGE_SIZE);
}

void vmx_end_run(struct cpu *cpu)
{
	guest_over(cpu->hw->running);
	vmx_hide(cpu, EXIT_INVALID, 0);
	vmx_reflect_failure(cpu, REASON_BAD_STATE, BAD_STATE_OTHER);
}

static void unknown_exit(struct cpu *cpu)
{
	guest_end(cpu->hw->running->guest, STOP_UNKNOWN_EXIT);
	vmx_end_run(cpu);
}

static bool is_nmi(void)
{
	return EVENT_TYPE(vmx_read(VMCS_EXIT_EVENT)) == EVENT_TYPE_NMI;
}

/* ICEBP, which L1 could not have delivered as it was: INT1's handler goes on behind it. */
static bool redeliver_icebp(void)
{
	uint64_t event = vmx_read(VMCS_EXIT_EVENT);

	if (EVENT_TYPE(event) != EVENT_TYPE_PRIV_EXCEPTION)
		return false;
	vmx_write(VMCS_ENTRY_EVENT, event & ~(uint64_t)EVENT_NMI_UNBLOCKED);
	vmx_write(VMCS_ENTRY_INSN_LEN, vmx_read(VMCS_EXIT_INSN_LEN));
	return true;
}

/* Exits of an isolated guest that L1 has no part in. */
static bool hidden_exit(struct cpu *cpu, uint32_t reason)
{
	switch (reason) {
	case REASON_EXCEPTION:
		return redeliver_icebp();
	case REASON_INVD: /* R4 */
		__asm__ volatile("wbinvd" ::: "memory");
		hw_guest_complete(cpu);
		return true;
	case REASON_VMCLEAR ... REASON_VMXON:
	case REASON_INVEPT:
	case REASON_INVVPID:
		raise(cpu, VECTOR_UD); /* VMX is not offered */
		return true;
	default:
		return false;
	}
}

void vmx_guest_exit(struct cpu *cpu)
{
	uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
	bool isolated = cpu->hw->running->guest->isolated;

	if (reason & REASON_ENTRY_FAILED) {
		if (isolated)
			end_refused(cpu);
		else
			entry_failed(cpu, reason);
		return;
	}
	cpu->hw->current.launched = true;
	if ((reason == REASON_EXCEPTION && is_nmi()) || reason == REASON_INIT)
		vmx_nmi_exit(cpu); /* vmx_deliver() tells L1 if it is L1's */
	else if (isolated && hidden_exit(cpu, reason))
		return;
	else if (reason == REASON_MSR_READ || reason == REASON_MSR_WRITE)
		msr_exit(cpu, reason == REASON_MSR_WRITE);
	else if (reason == REASON_PORT)
		port_exit(cpu);
	else if (reason == REASON_EPT_VIOLATION && !l1_has_ept(cpu))
		host_fault(cpu);
	else if (reason == REASON_NMI_WINDOW &&
		 !(cpu->hw->current.f[F_CPU_CONTROLS] & CPU_NMI_WINDOW))
		vmx_close_window(cpu); /* vmx_deliver() waited for it, and may open it again */
	else if (reason == REASON_DR && cpu->hw->running->guest->isolated)
		vmx_regs_debug(cpu);
	else if (reason == REASON_SEAMCALL || reason == REASON_TDCALL)
		raise(cpu, VECTOR_UD);
	else if (vmx_reason(reason, 0) == EXIT_UNKNOWN)
		unknown_exit(cpu);
	else
		tell(cpu);
}
