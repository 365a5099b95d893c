/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What accept.c asks of an isolated guest, whose VMCS is current. Its control registers: bits that an Intel
 * processor or the monitor needs are set in the VMCS, and the guest reads its own values from the shadows.
 */
#include "monitor/guest.h"
#include "monitor/vmx/vmx.h"

#define BLOCKED_INSN (BLOCKED_STI | BLOCKED_MOV_SS)
#define CR0_DEFINED 0xe005003fu /* PE MP EM TS ET NE WP AM NW CD PG */
/* The guest changes them by itself. CD and NW would be the processor's: entries do not load them. */
#define CR0_FREE (CR0_MP | CR0_EM | CR0_TS | CR0_AM)
#define CR0_CACHE (CR0_CD | CR0_NW)
#define CR4_MCE (1u << 6)
#define CR4_PCIDE (1u << 17)
#define EDX_INIT 0x600u
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define PAT_INIT 0x0007040600070406u

const bool hw_keeps_guest = true;

struct injection vmx_injection(uint32_t event, uint32_t error)
{
	static const uint8_t type[8] = {INJECTION_INTERRUPT, INJECTION_SOFTWARE, INJECTION_NMI,
					INJECTION_EXCEPTION, INJECTION_SOFTWARE, INJECTION_SOFTWARE,
					INJECTION_SOFTWARE,  INJECTION_SOFTWARE};
	bool has_error = event & EVENT_HAS_ERROR;

	if (!(event & EVENT_VALID))
		return (struct injection){0};
	return (struct injection){.type = type[EVENT_TYPE(event)],
				  .vector = EVENT_VECTOR(event),
				  .has_error = has_error,
				  .error = has_error ? error : 0};
}

void hw_guest_deliver(struct cpu *cpu, const struct injection *event)
{
	static const uint32_t type[] = {[INJECTION_INTERRUPT] = EVENT_TYPE_INTR,
					[INJECTION_NMI] = EVENT_TYPE_NMI,
					[INJECTION_EXCEPTION] = EVENT_TYPE_EXCEPTION};

	(void)cpu;
	ASSERT(event->type < ARRAY_SIZE(type));
	vmx_write(VMCS_ENTRY_EVENT, EVENT_VALID | type[event->type] << 8 | event->vector |
					    (event->has_error ? EVENT_HAS_ERROR : 0));
	vmx_write(VMCS_ENTRY_ERROR_CODE, event->error);
}

bool vmx_hide(struct cpu *cpu, enum exit_reason reason, uint8_t vector)
{
	struct guest_vcpu *v = cpu->hw->running;
	struct guest_exit x = {.reason = reason, .vector = vector};

	if (!v->guest->isolated)
		return true;
	if (v->disclosure->accept != ACCEPT_OWN || !v->entered)
		return false;
	if (reason == EXIT_INVALID) {
		cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
		return true;
	}
	x.interrupted = vmx_injection((uint32_t)vmx_read(VMCS_ENTRY_EVENT),
				      (uint32_t)vmx_read(VMCS_ENTRY_ERROR_CODE));
	disclose(cpu, v, &x);
	return true;
}

static bool steps(const struct cpu *cpu)
{
	return (cpu->regs.rflags & RFLAGS_TF) && !(vmx_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF);
}

/* VM entry wants a single step pending where it is held off, and only there: SDM vol. 3, 27.3.1.5. */
void vmx_unhide(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	uint64_t pending;

	if (!v->guest->isolated)
		return;
	if (!(vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_INSN))
		return;
	pending = vmx_read(VMCS_GUEST_PENDING_DEBUG) & ~(uint64_t)PENDING_DEBUG_STEP;
	vmx_write(VMCS_GUEST_PENDING_DEBUG, pending | (steps(cpu) ? PENDING_DEBUG_STEP : 0));
}

void hw_guest_entry(const struct cpu *cpu, struct hw_entry *entry)
{
	uint32_t event = (uint32_t)vmx_read(VMCS_ENTRY_EVENT);
	uint64_t blocked = vmx_read(VMCS_GUEST_INTERRUPTIBILITY);

	(void)cpu;
	*entry =
		(struct hw_entry){.event = vmx_injection(event,
							 (uint32_t)vmx_read(VMCS_ENTRY_ERROR_CODE)),
				  .shadow = blocked & BLOCKED_INSN,
				  .nmi_masked = blocked & BLOCKED_NMI,
				  .idt_base = vmx_read(VMCS_GUEST_IDTR_BASE),
				  .idt_limit = (uint32_t)vmx_read(VMCS_GUEST_IDTR_LIMIT)};
}

void hw_guest_offer(const struct cpu *cpu, struct hw_offer *offer)
{
	const uint64_t *f = cpu->hw->current.f;

	*offer = (struct hw_offer){.cs_base = f[F_GUEST_CS_BASE],
				   .cs_selector = (uint16_t)f[F_GUEST_CS_SELECTOR],
				   .rip = f[F_GUEST_RIP],
				   .cr0 = f[F_GUEST_CR0],
				   .efer = f[F_GUEST_EFER]};
}

/* --- control registers ---------------------------------------------------------------------------------- */

void vmx_set_cr0(uint64_t cr0)
{
	uint64_t must = hw_caps.cr0_must & ~(uint64_t)(CR0_PE | CR0_PG);

	cr0 = (cr0 & CR0_DEFINED) | CR0_ET;
	vmx_write(VMCS_GUEST_CR0, (cr0 & ~(uint64_t)CR0_CACHE) | must);
	vmx_write(VMCS_CR0_SHADOW, cr0);
	vmx_write(VMCS_CR0_MASK, ~(uint64_t)CR0_FREE);
}

/* A physical machine check must find CR4.MCE set, or it shuts the processor down. */
void vmx_set_cr4(uint64_t cr4, uint64_t mask)
{
	uint64_t must = hw_caps.cr4_must | CR4_MCE;

	vmx_write(VMCS_GUEST_CR4, cr4 | must);
	vmx_write(VMCS_CR4_SHADOW, cr4);
	vmx_write(VMCS_CR4_MASK, mask | must | ~l1_caps.cr4_may);
}

static void forget_translations(const struct cpu *cpu)
{
	vmx_invvpid(INV_SINGLE, (uint16_t)cpu->hw->running->hw->vpid.value);
}

/* #GP of MOV to CR0 or CR4, or of WRMSR: SDM vol. 3, 2.5, 4.1. */
static bool is_valid(const struct walk_space *old, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	bool code_64 = vmx_read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_LONG;
	bool paging = cr0 & CR0_PG, turns = (old->cr0 ^ cr0) & CR0_PG;

	if (cr0 >> 32 || (paging && !(cr0 & CR0_PE)) || ((cr0 & CR0_NW) && !(cr0 & CR0_CD)))
		return false;
	if ((cr4 & ~l1_caps.cr4_may) || (cr4 & CR4_VMXE) || (efer & ~(uint64_t)EFER_DEFINED))
		return false;
	if ((efer & EFER_LMA) ? !(cr4 & CR4_PAE) : (cr4 & CR4_PCIDE) != 0)
		return false;
	if (paging && !turns)
		return !((old->efer ^ efer) & (EFER_LME | EFER_LMA));
	return !turns || !((old->efer | efer) & EFER_LMA) || !code_64;
}

static void set_efer(uint64_t efer)
{
	uint64_t entry = vmx_read(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_GUEST_64;

	vmx_write(VMCS_GUEST_EFER, efer);
	vmx_write(VMCS_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? ENTRY_GUEST_64 : 0));
}

bool hw_guest_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct walk_space space;
	bool same;

	hw_guest_space(cpu, &space);
	if (!is_valid(&space, cr0, cr4, efer))
		return false;
	same = !((space.cr0 ^ cr0) & ~(uint64_t)(CR0_FREE | CR0_ET | CR0_NE)) && space.cr4 == cr4 &&
	       space.efer == efer;
	vmx_set_cr0(cr0);
	vmx_set_cr4(cr4, cpu->hw->current.f[F_CR4_MASK]);
	set_efer(efer);
	if (same)
		return true;
	forget_translations(cpu);
	if (!vmx_pae_paging(cr0, cr4, efer))
		return true;
	hw_guest_space(cpu, &space);
	guest_space(cpu->hw->running->guest, &space);
	return !vmx_load_guest_pdptes(&space);
}

/* --- other state ---------------------------------------------------------------------------------------- */

void hw_guest_reset(struct cpu *cpu, uint8_t vector)
{
	vmx_reset_state();
	vmx_sipi_state(vector);
	vmx_set_cr0(CR0_ET);
	vmx_set_cr4(0, cpu->hw->current.f[F_CR4_MASK]);
	vmx_write(VMCS_GUEST_PAT, PAT_INIT);
	vmx_regs_begin(cpu->hw->running);
	cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
	cpu->regs.r[RDX] = EDX_INIT;
	forget_translations(cpu);
}

/* A single step is over: its trap is due, unless L1 injects it. */
void hw_guest_moved(struct cpu *cpu)
{
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY,
		  vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKED_INSN);
	vmx_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	if (steps(cpu))
		vmx_write(VMCS_GUEST_PENDING_DEBUG,
			  vmx_read(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

/* A #DB that L1 injects is the step's trap. */
void hw_guest_takes(struct cpu *cpu, const struct injection *event)
{
	if (event->vector == VECTOR_PF) {
		vmx_regs_set_cr2(cpu, vmx_regs_offer_cr2(cpu));
	} else if (event->vector == VECTOR_DB) {
		vmx_regs_take_debug(cpu);
		vmx_write(VMCS_GUEST_PENDING_DEBUG,
			  vmx_read(VMCS_GUEST_PENDING_DEBUG) & ~(uint64_t)PENDING_DEBUG_STEP);
	}
}
