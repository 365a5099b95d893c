/* SPDX-License-Identifier: Apache-2.0 */
/* An exit of L2 as L1 sees it: SDM vol. 3, 28.2 to 28.6. */
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/reset.h"
#include "monitor/vmx/vmx.h"

#define RIGHTS_HOST_CODE 0xa09bu
#define RIGHTS_HOST_DATA 0xc093u
#define RIGHTS_HOST_TSS 0x8bu
#define TSS_LIMIT 0x67
#define TABLE_LIMIT 0xffff
/* Bits of CR0 that an exit leaves alone: ET, NW, CD and the reserved ones (28.5.1). */
#define CR0_KEPT 0x7ffaffd0u

static struct field_list guest_fields, info_fields; /* of every exit */

void reflect_init(void)
{
	struct field_set info = fields_of[INFO];

	set_drop(&info, F_INSN_ERROR);
	field_list(&info_fields, &info);
	field_list(&guest_fields, &fields_of[GUEST]);
}

static void fetch(uint64_t *f, const struct field_list *list)
{
	for (unsigned int i = 0; i < list->count; i++)
		f[list->f[i]] = vmx_read(field_encoding[list->f[i]]);
}

/* L2's state, from the VMCS that ran. */
static void save_state(struct cpu *cpu)
{
	struct l1_vmcs *current = &cpu->hw->current;
	uint64_t *f = current->f;
	uint64_t exit = f[F_EXIT_CONTROLS];

	fetch(f, &guest_fields);
	f[F_GUEST_RSP] = cpu->regs.r[RSP];
	f[F_GUEST_RIP] = cpu->regs.rip;
	f[F_GUEST_RFLAGS] = cpu->regs.rflags;
	current->stale = fields_of[COLD];
	if (exit & EXIT_SAVE_DEBUG) {
		f[F_GUEST_DR7] = vmx_read(VMCS_GUEST_DR7);
		f[F_GUEST_DEBUGCTL] = vmx_read(VMCS_GUEST_DEBUGCTL);
	}
	if (exit & EXIT_SAVE_PAT)
		f[F_GUEST_PAT] = vmx_read(VMCS_GUEST_PAT);
	if (exit & EXIT_SAVE_EFER)
		f[F_GUEST_EFER] = vmx_read(VMCS_GUEST_EFER);
}

static bool is_isolated(const struct cpu *cpu)
{
	return cpu->hw->running->guest->isolated;
}

static void save_guest(struct cpu *cpu)
{
	uint64_t *f = cpu->hw->current.f;

	if (is_isolated(cpu))
		vmx_shown_state(cpu);
	else
		save_state(cpu);
	f[F_ENTRY_EVENT] &= ~(uint64_t)EVENT_VALID;
	f[F_ENTRY_CONTROLS] = (f[F_ENTRY_CONTROLS] & ~(uint64_t)ENTRY_GUEST_64) |
			      (vmx_read(VMCS_ENTRY_CONTROLS) & ENTRY_GUEST_64);
}

static void host_segment(unsigned int i, uint64_t selector, uint64_t base, uint32_t rights)
{
	vmx_write(VMCS_GUEST_ES_SELECTOR + 2 * i, selector);
	vmx_write(VMCS_GUEST_ES_BASE + 2 * i, base);
	vmx_write(VMCS_GUEST_ES_LIMIT + 2 * i, selector ? UINT32_MAX : 0);
	vmx_write(VMCS_GUEST_ES_RIGHTS + 2 * i, selector ? rights : RIGHTS_UNUSABLE);
}

static void load_host_segments(const uint64_t *f)
{
	host_segment(SEG_ES, f[F_HOST_ES_SELECTOR], 0, RIGHTS_HOST_DATA);
	host_segment(SEG_CS, f[F_HOST_CS_SELECTOR], 0, RIGHTS_HOST_CODE);
	host_segment(SEG_SS, f[F_HOST_SS_SELECTOR], 0, RIGHTS_HOST_DATA);
	host_segment(SEG_DS, f[F_HOST_DS_SELECTOR], 0, RIGHTS_HOST_DATA);
	host_segment(SEG_FS, f[F_HOST_FS_SELECTOR], f[F_HOST_FS_BASE], RIGHTS_HOST_DATA);
	host_segment(SEG_GS, f[F_HOST_GS_SELECTOR], f[F_HOST_GS_BASE], RIGHTS_HOST_DATA);
	host_segment(SEG_LDTR, 0, 0, 0);
	host_segment(SEG_TR, f[F_HOST_TR_SELECTOR], f[F_HOST_TR_BASE], RIGHTS_HOST_TSS);
	vmx_write(VMCS_GUEST_TR_LIMIT, TSS_LIMIT);
	vmx_write(VMCS_GUEST_GDTR_BASE, f[F_HOST_GDTR_BASE]);
	vmx_write(VMCS_GUEST_GDTR_LIMIT, TABLE_LIMIT);
	vmx_write(VMCS_GUEST_IDTR_BASE, f[F_HOST_IDTR_BASE]);
	vmx_write(VMCS_GUEST_IDTR_LIMIT, TABLE_LIMIT);
}

static void load_host_controls(const uint64_t *f, uint64_t pat, uint64_t efer)
{
	uint64_t cr0 =
		(vmx_read(VMCS_GUEST_CR0) & CR0_KEPT) | (f[F_HOST_CR0] & ~(uint64_t)CR0_KEPT);
	uint64_t exit = f[F_EXIT_CONTROLS];

	vmx_write(VMCS_GUEST_CR0, cr0);
	vmx_write(VMCS_CR0_SHADOW, cr0);
	vmx_write(VMCS_GUEST_CR3, f[F_HOST_CR3]);
	vmx_write(VMCS_GUEST_CR4, f[F_HOST_CR4]);
	vmx_write(VMCS_CR4_SHADOW, f[F_HOST_CR4]);
	vmx_write(VMCS_GUEST_DR7, DR7_INIT);
	vmx_write(VMCS_GUEST_DEBUGCTL, 0);
	vmx_write(VMCS_GUEST_SYSENTER_CS, f[F_HOST_SYSENTER_CS]);
	vmx_write(VMCS_GUEST_SYSENTER_ESP, f[F_HOST_SYSENTER_ESP]);
	vmx_write(VMCS_GUEST_SYSENTER_EIP, f[F_HOST_SYSENTER_EIP]);
	vmx_write(VMCS_GUEST_PAT, exit & EXIT_LOAD_PAT ? f[F_HOST_PAT] : pat);
	vmx_write(VMCS_GUEST_EFER,
		  exit & EXIT_LOAD_EFER ? f[F_HOST_EFER] : efer | EFER_LMA | EFER_LME);
	vmx_write(VMCS_ENTRY_CONTROLS, vmx_read(VMCS_ENTRY_CONTROLS) | ENTRY_GUEST_64);
}

/* L1 goes on at its exit handler. nmi: it came by an NMI, which blocks others. */
static void load_host(struct cpu *cpu, bool nmi)
{
	struct hw_cpu *hw = cpu->hw;
	const uint64_t *f = hw->current.f;
	uint64_t pat = vmx_read(VMCS_GUEST_PAT);
	uint64_t efer = vmx_read(VMCS_GUEST_EFER);
	bool l1_vpid = (f[F_CPU_CONTROLS] & CPU_SECONDARY) && (f[F_CPU2_CONTROLS] & CPU2_VPID);

	hw->running = NULL;
	vmx_load(&hw->l1);
	load_host_segments(f);
	load_host_controls(f, pat, efer);
	vmx_regs_host(cpu);
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY, nmi ? BLOCKED_NMI : 0);
	vmx_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmx_write(VMCS_GUEST_PENDING_DEBUG, 0);
	cpu->regs.r[RSP] = f[F_HOST_RSP];
	cpu->regs.rip = f[F_HOST_RIP];
	cpu->regs.rflags = RFLAGS_FIXED;
	if (!l1_vpid)
		vmx_invvpid(INV_SINGLE, VPID_HOST);
	if (msrs_load(cpu, f[F_EXIT_MSR_LOAD], f[F_EXIT_MSR_LOAD_COUNT])) {
		log_line(
			"L1's MSR list for its own state is wrong (a VMX abort): resetting the machine");
		reset_machine();
	}
	shadow_show(hw);
}

static void store_msrs(struct cpu *cpu)
{
	const uint64_t *f = cpu->hw->current.f;

	if (!msrs_store(cpu, f[F_EXIT_MSR_STORE], f[F_EXIT_MSR_STORE_COUNT]))
		return;
	log_line("L1's MSR list for its guest is wrong (a VMX abort): resetting the machine");
	reset_machine();
}

void vmx_reflect(struct cpu *cpu)
{
	vmx_regs_hide(cpu);
	save_guest(cpu);
	if (is_isolated(cpu))
		vmx_shown_info(cpu);
	else
		fetch(cpu->hw->current.f, &info_fields);
	store_msrs(cpu);
	load_host(cpu, false);
}

void vmx_ask(struct cpu *cpu)
{
	uint64_t *f = cpu->hw->current.f;
	uint64_t pending = vmx_read(VMCS_ENTRY_EVENT);
	uint64_t error = vmx_read(VMCS_ENTRY_ERROR_CODE);
	bool valid = pending & EVENT_VALID;

	vmx_write(VMCS_ENTRY_EVENT, 0);
	cpu->hw->current.launched = true; /* the entry succeeded, although the guest has not run */
	vmx_reflect(cpu);
	f[F_VECTORING_EVENT] = valid ? pending : 0;
	f[F_VECTORING_ERROR_CODE] = valid ? error : 0;
}

void vmx_reflect_event(struct cpu *cpu, unsigned int reason, uint32_t event, uint32_t error_code)
{
	uint64_t *f = cpu->hw->current.f;
	uint64_t pending = vmx_read(VMCS_ENTRY_EVENT);

	vmx_regs_hide(cpu);
	if (vmx_hide(cpu, vmx_reason(reason, event), EVENT_VECTOR(event)))
		save_guest(cpu);
	else
		f[F_ENTRY_EVENT] &= ~(uint64_t)EVENT_VALID;
	cpu->hw->current.launched = true; /* the entry succeeded, although the guest has not run */
	f[F_EXIT_REASON] = reason;
	f[F_EXIT_QUALIFICATION] = 0;
	f[F_EXIT_EVENT] = event;
	f[F_EXIT_ERROR_CODE] = error_code;
	/* An event that was to be injected and now waits goes back as interrupted. */
	f[F_VECTORING_EVENT] = pending & EVENT_VALID ? pending : 0;
	f[F_VECTORING_ERROR_CODE] = pending & EVENT_VALID ? vmx_read(VMCS_ENTRY_ERROR_CODE) : 0;
	f[F_EXIT_INSN_LEN] = vmx_read(VMCS_ENTRY_INSN_LEN);
	vmx_write(VMCS_ENTRY_EVENT, 0);
	store_msrs(cpu);
	load_host(cpu, EVENT_TYPE(event) == EVENT_TYPE_NMI && (event & EVENT_VALID));
}

/* SDM vol. 3, 27.8: nothing of the guest has been loaded or changed. */
void vmx_reflect_failure(struct cpu *cpu, unsigned int reason, uint64_t qualification)
{
	struct l1_vmcs *current = &cpu->hw->current;

	vmx_regs_hide(cpu);
	current->f[F_EXIT_REASON] = reason | REASON_ENTRY_FAILED;
	current->f[F_EXIT_QUALIFICATION] = qualification;
	memset(&current->dirty, 0xff, sizeof(current->dirty));
	vmx_write(VMCS_ENTRY_EVENT, 0);
	vmx_load(&cpu->hw->l1);
	load_host(cpu, false);
}
