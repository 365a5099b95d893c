/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x87, SSE and AVX state of isolated guests. It is saved at each exit to L1, but stays in the registers as
 * long as L1 does not need them: L1 runs with CR0.TS set, and exits at #NM or when it touches CR0. Most of its
 * exits are over before. Only then are the registers cleared, and loaded again before the guest goes on.
 */
#include "monitor/lib.h"
#include "monitor/mem.h"
#include "monitor/svm/svm.h"

#define CPUID_XSAVE (1u << 26) /* leaf 1, ECX */
#define CR0_ACCESS 1u          /* in cr_read and cr_write */
#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80
#define MXCSR_AT 24
#define XSTATE_BV_AT 512
#define XCR0_X87 1u
/* x87, SSE, AVX, MPX, AVX-512, PKRU: less than a page (SDM vol. 1, 13.5). */
#define XCR0_KNOWN 0x2ffu
#define XCR0_PKRU (1u << 9)

static bool has_xsave;
static void *initial; /* an area */

static uint64_t read_xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (uint64_t)hi << 32;
}

static void write_xcr0(uint64_t value)
{
	if (read_xcr0() != value)
		__asm__ volatile("xsetbv" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)),
				 "c"(0));
}

static void load_area(const void *area)
{
	if (has_xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void svm_fpu_init(void)
{
	initial = mem_pages(1);
	*(uint16_t *)initial = FCW_INIT;
	*(uint32_t *)(void *)((char *)initial + MXCSR_AT) = MXCSR_INIT;
	has_xsave = arch_cpuid(1, 0).c & CPUID_XSAVE;
}

void svm_fpu_enable(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (has_xsave)
		__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | CR4_OSXSAVE));
}

void svm_fpu_begin(struct hw_vcpu *v)
{
	memcpy(v->fpu, initial, PAGE_SIZE);
	v->xcr0 = XCR0_X87;
	v->fpu_cpu = NULL;
}

static void arm(struct hw_cpu *hw)
{
	struct vmcb *vmcb = hw->vmcb;

	if (hw->fpu_armed)
		return;
	hw->fpu_armed = true;
	hw->host_ts = vmcb->s.cr0 & CR0_TS;
	vmcb->s.cr0 |= CR0_TS;
	vmcb->c.exceptions |= 1u << VECTOR_NM;
	vmcb->c.cr_read |= CR0_ACCESS;
	vmcb->c.cr_write |= CR0_ACCESS;
}

static void disarm(struct hw_cpu *hw)
{
	struct vmcb *vmcb = hw->vmcb;

	hw->fpu_armed = false;
	vmcb->s.cr0 = (vmcb->s.cr0 & ~(uint64_t)CR0_TS) | hw->host_ts;
	vmcb->c.exceptions &= ~(1u << VECTOR_NM);
	vmcb->c.cr_read &= (uint16_t)~CR0_ACCESS;
	vmcb->c.cr_write &= (uint16_t)~CR0_ACCESS;
}

/* QEMU's emulated CPU lets a guest set XCR0 without an exit. */
void svm_fpu_save(struct cpu *cpu, struct guest_vcpu *v)
{
	if (has_xsave)
		v->hw->xcr0 = read_xcr0();
	if (has_xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(v->hw->fpu), "a"(XCR0_KNOWN), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(v->hw->fpu) : "memory");
	if (has_xsave)
		write_xcr0(cpu->hw->host_xcr0);
	v->hw->fpu_cpu = cpu;
	cpu->hw->fpu = v;
	arm(cpu->hw);
}

/* PKRU can be written whatever CR0.TS is. */
void svm_fpu_load(struct cpu *cpu, const struct guest_vcpu *v)
{
	bool there = cpu->hw->fpu == v && v->hw->fpu_cpu == cpu && !(v->hw->xcr0 & XCR0_PKRU);

	if (has_xsave) {
		cpu->hw->host_xcr0 = read_xcr0();
		write_xcr0(v->hw->xcr0);
	}
	if (!there)
		load_area(v->hw->fpu);
	cpu->hw->fpu = NULL;
}

void svm_fpu_give(struct cpu *cpu)
{
	const struct guest_vcpu *v = cpu->hw->fpu;
	uint64_t xcr0;

	if (v && has_xsave) {
		xcr0 = read_xcr0();
		write_xcr0(v->hw->xcr0);
		load_area(initial);
		write_xcr0(xcr0);
	} else if (v) {
		load_area(initial);
	}
	cpu->hw->fpu = NULL;
	if (cpu->hw->fpu_armed)
		disarm(cpu->hw);
}

/* What the guest does not have any more is as at first when it comes back. */
bool hw_guest_xsetbv(struct cpu *cpu, uint32_t xcr, uint64_t value)
{
	struct hw_vcpu *v = cpu->hw->running->hw;
	uint64_t now;

	if (!has_xsave || xcr || (value & ~(uint64_t)XCR0_KNOWN))
		return false;
	svm_fpu_give(cpu);
	now = read_xcr0();
	if (xcr_try_write(0, value))
		return false;
	write_xcr0(now);
	*(uint64_t *)(void *)((char *)v->fpu + XSTATE_BV_AT) &= value;
	v->xcr0 = value;
	return true;
}
