/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An isolated guest's registers that no VMCS switches: MSRs of system calls, CR2, DR0-3 and DR6, x87 to AVX.
 * While L1 has the CPU they are in struct hw_vcpu (and guest_vcpu.fpu), and L1 finds what it had before the
 * entry. Exits that the monitor deals with by itself leave them in the CPU.
 */
#include "monitor/lib.h"
#include "monitor/msr.h"
#include "monitor/vmx/vmx.h"

#define CPUID_EXTENDED 0x80000001u
#define CPUID_RDTSCP (1u << 27) /* leaf 80000001h, EDX */
#define CPUID_RDPID (1u << 22)  /* leaf 7, ECX */
#define DR6_INIT 0xffff0ff0u
#define DR6_STEP (1u << 14)
#define DR6_ACCESS (1u << 13)
#define DR6_BREAKPOINTS 0xfu
#define DR6_DEBUG (DR6_BREAKPOINTS | DR6_ACCESS | DR6_STEP) /* SDM vol. 3, table 28-1 */
#define DR7_DETECT (1u << 13)

/*
 * SPEC_CTRL is not among them: L1 says how the processor speculates while its guests run, by lists and maps,
 * and a guest's choice of mitigations is no secret.
 */
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
static const uint32_t own_msr[VMX_REGS_MSRS] = {
	MSR_KERNEL_GS_BASE, /* first: the one that a guest changes without an exit, by SWAPGS */
	0xc0000081u,        /* STAR */
	0xc0000082u,        /* LSTAR */
	0xc0000083u,        /* CSTAR */
	0xc0000084u,        /* FMASK */
	MSR_TSC_AUX,        /* last: not every processor has it */
};
static unsigned int msrs;

void vmx_regs_init(void)
{
	bool aux = (arch_cpuid(CPUID_EXTENDED, 0).d & CPUID_RDTSCP) ||
		   (arch_cpuid(7, 0).c & CPUID_RDPID);

	msrs = VMX_REGS_MSRS - !aux;
}

static uint64_t read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static void write_cr2(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr2" ::"r"(value));
}

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static void change_dr6(uint64_t from, uint64_t to)
{
	if (from != to)
		__asm__ volatile("mov %0, %%dr6" ::"r"(to));
}

static void load_debug(const uint64_t dr[4])
{
	__asm__ volatile("mov %0, %%dr0" ::"r"(dr[0]));
	__asm__ volatile("mov %0, %%dr1" ::"r"(dr[1]));
	__asm__ volatile("mov %0, %%dr2" ::"r"(dr[2]));
	__asm__ volatile("mov %0, %%dr3" ::"r"(dr[3]));
}

static void save_debug(uint64_t dr[4])
{
	__asm__ volatile("mov %%dr0, %0" : "=r"(dr[0]));
	__asm__ volatile("mov %%dr1, %0" : "=r"(dr[1]));
	__asm__ volatile("mov %%dr2, %0" : "=r"(dr[2]));
	__asm__ volatile("mov %%dr3, %0" : "=r"(dr[3]));
}

static void change_msrs(const uint64_t *from, const uint64_t *to)
{
	for (unsigned int i = 0; i < msrs; i++)
		if (from[i] != to[i])
			arch_wrmsr(own_msr[i], to[i]);
}

/* Of an isolated guest, L1 has no say in it. */
static void ask_debug(bool ask)
{
	uint64_t now = vmx_read(VMCS_CPU_CONTROLS);
	uint64_t want = (now & ~(uint64_t)CPU_DR) | (ask ? CPU_DR : 0);

	if (now != want)
		vmx_write(VMCS_CPU_CONTROLS, want);
}

void vmx_regs_begin(struct guest_vcpu *v)
{
	struct hw_vcpu *h = v->hw;

	h->own = (struct vmx_regs){.dr6 = DR6_INIT};
	h->dr_used = false;
	h->hidden = true;
	ask_debug(true);
	fpu_begin(&v->fpu);
}

void vmx_regs_enter(struct cpu *cpu, struct guest_vcpu *v)
{
	if (!v->guest->isolated) {
		v->hw->hidden = false;
		fpu_give(cpu);
	} else if (!v->entered) {
		vmx_regs_begin(v);
	} else {
		ask_debug(!v->hw->dr_used);
	}
}

/* #DB that makes the guest exit leaves DR6 and DR7 alone (SDM vol. 3, 28.1). */
static void note_debug(struct hw_vcpu *h)
{
	h->debug = 0;
	if ((uint16_t)vmx_read(VMCS_EXIT_REASON) == REASON_EXCEPTION &&
	    EVENT_VECTOR(vmx_read(VMCS_EXIT_EVENT)) == VECTOR_DB)
		h->debug = vmx_read(VMCS_EXIT_QUALIFICATION) & DR6_DEBUG;
}

void vmx_regs_hide(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	const struct vmx_regs *host = &cpu->hw->host;
	struct hw_vcpu *h = v->hw;
	struct vmx_regs *own = &h->own;

	if (!v->guest->isolated || h->hidden)
		return;
	note_debug(h);
	own->msr[0] = arch_rdmsr(own_msr[0]);
	change_msrs(own->msr, host->msr);
	own->cr2 = read_cr2();
	write_cr2(host->cr2);
	own->dr6 = read_dr6();
	change_dr6(own->dr6, host->dr6);
	if (h->dr_used) {
		save_debug(own->dr);
		load_debug(host->dr);
	}
	fpu_save(cpu, v);
	h->hidden = true;
}

void vmx_regs_restore(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;
	struct vmx_regs *host = &cpu->hw->host;
	struct hw_vcpu *h = v->hw;

	if (!h->hidden)
		return;
	for (unsigned int i = 0; i < msrs; i++)
		host->msr[i] = arch_rdmsr(own_msr[i]);
	change_msrs(host->msr, h->own.msr);
	host->cr2 = read_cr2();
	write_cr2(h->own.cr2);
	host->dr6 = read_dr6();
	change_dr6(host->dr6, h->own.dr6);
	if (h->dr_used) {
		save_debug(host->dr);
		load_debug(h->own.dr);
	}
	fpu_load(cpu, v);
	h->hidden = false;
}

void vmx_regs_debug(struct cpu *cpu)
{
	struct hw_vcpu *h = cpu->hw->running->hw;

	h->dr_used = true;
	ask_debug(false);
	save_debug(cpu->hw->host.dr);
	load_debug(h->own.dr);
}

uint64_t vmx_regs_offer_cr2(const struct cpu *cpu)
{
	ASSERT(cpu->hw->running->hw->hidden);
	return read_cr2();
}

void vmx_regs_set_cr2(struct cpu *cpu, uint64_t value)
{
	ASSERT(cpu->hw->running->hw->hidden);
	cpu->hw->running->hw->own.cr2 = value;
}

void vmx_regs_take_debug(struct cpu *cpu)
{
	struct hw_vcpu *h = cpu->hw->running->hw;
	uint64_t *dr6 = &h->own.dr6;

	ASSERT(h->hidden);
	if (!h->debug) {
		*dr6 |= DR6_STEP;
		return;
	}
	*dr6 = (*dr6 & ~(uint64_t)DR6_BREAKPOINTS) | h->debug;
	if (h->debug & DR6_ACCESS)
		vmx_write(VMCS_GUEST_DR7, vmx_read(VMCS_GUEST_DR7) & ~(uint64_t)DR7_DETECT);
}

/* XSS is 0: of the state that it stands for nothing is switched. */
static int access_xss(uint64_t *r, bool write)
{
	if (write)
		return (uint32_t)r[RAX] | (uint32_t)r[RDX] ? ERR_INVAL : 0;
	r[RAX] = r[RDX] = 0;
	return 0;
}

/* Only what the bitmap does not leave to the guest comes here (maps.c). */
int vmx_regs_msr(struct cpu *cpu, bool write)
{
	struct hw_vcpu *h = cpu->hw->running->hw;
	uint64_t *r = cpu->regs.r;
	uint64_t value = (uint32_t)r[RAX] | r[RDX] << 32;

	if ((uint32_t)r[RCX] == MSR_XSS)
		return access_xss(r, write);
	for (unsigned int i = 1; write && i < msrs; i++) {
		if (own_msr[i] != (uint32_t)r[RCX])
			continue;
		if (msr_try_write(own_msr[i], value))
			return ERR_INVAL;
		h->own.msr[i] = value;
		return 0;
	}
	return ERR_NOENT;
}

/* --- monitor/fpu.c's trap ------------------------------------------------------------------------------- */

/* Whom CR0.TS belongs to decides what L1 sees of it, and which of its instructions exit (SDM vol. 3, 26.1.3). */
static void own_ts(bool own)
{
	uint64_t mask = vmx_read(VMCS_CR0_MASK), exceptions = vmx_read(VMCS_EXCEPTION_BITMAP);

	mask &= ~(uint64_t)CR0_TS;
	exceptions &= ~(uint64_t)(1u << VECTOR_NM);
	vmx_write(VMCS_CR0_MASK, mask | (own ? CR0_TS : 0));
	vmx_write(VMCS_EXCEPTION_BITMAP, exceptions | (own ? 1u << VECTOR_NM : 0));
}

static void arm(struct hw_cpu *hw)
{
	uint64_t cr0 = vmx_read(VMCS_GUEST_CR0);

	if (!hw->fpu_armed) {
		own_ts(true);
		vmx_write(VMCS_CR0_SHADOW,
			  (vmx_read(VMCS_CR0_SHADOW) & ~(uint64_t)CR0_TS) | (cr0 & CR0_TS));
	}
	vmx_write(VMCS_GUEST_CR0, cr0 | CR0_TS);
	hw->fpu_armed = true;
}

static void disarm(struct hw_cpu *hw)
{
	uint64_t ts = vmx_read(VMCS_CR0_SHADOW) & CR0_TS;

	own_ts(false);
	vmx_write(VMCS_GUEST_CR0, (vmx_read(VMCS_GUEST_CR0) & ~(uint64_t)CR0_TS) | ts);
	hw->fpu_armed = false;
}

/* An exit to L1 sets its CR0 and the shadow alike. */
void vmx_regs_host(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	if (hw->fpu_trap)
		arm(hw);
	else if (hw->fpu_armed)
		disarm(hw);
}

/* While a guest's VMCS is current, L1's waits until L1 goes on. */
void hw_fpu_trap(struct cpu *cpu, bool on)
{
	cpu->hw->fpu_trap = on;
	if (!cpu->hw->running)
		vmx_regs_host(cpu);
}
