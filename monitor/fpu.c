/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fpu.h"

#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/mem.h"
#include "monitor/msr.h"

#define CPUID_XSAVE (1u << 26) /* leaf 1, ECX */
#define CPUID_PKU (1u << 3)    /* leaf 7, ECX */
#define LEAF_XSAVE 0xd
#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80
#define MXCSR_AT 24
#define XSTATE_BV_AT 512
#define XCR0_X87 1u
#define XCR0_LEGACY 3u /* x87 and SSE: there without XSAVE, too */
#define XCR0_PKRU (1u << 9)

static bool has_xsave, has_pkru;
static void *initial; /* an area */
/* What XSAVE and XRSTOR are given, and XCR0 at least: all that the CPU has. A guest's does not say what it uses. */
static uint64_t all;

static void change_xcr0(uint64_t from, uint64_t to)
{
	if (from != to)
		arch_xsetbv(to);
}

/* It can be used whatever CR0.TS and XCR0 are. */
static uint32_t swap_pkru(uint32_t value)
{
	uint32_t old = has_pkru ? arch_rdpkru() : value;

	if (old != value)
		arch_wrpkru(value);
	return old;
}

/*
 * Without an exception pending some processors load no FOP, FIP and FDP (APM vol. 2, 11.4.4.3): an
 * instruction of the monitor's takes the place of the last guest's.
 */
static void forget_pointers(void)
{
	static const int32_t zero;

	__asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

static void load_area(const void *area)
{
	forget_pointers();
	if (has_xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)all), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

static void save_area(void *area)
{
	if (has_xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)all), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_init(void)
{
	initial = mem_pages(1);
	*(uint16_t *)initial = FCW_INIT;
	*(uint32_t *)(void *)((char *)initial + MXCSR_AT) = MXCSR_INIT;
	has_xsave = arch_cpuid(1, 0).c & CPUID_XSAVE;
	if (has_xsave)
		all = arch_cpuid(LEAF_XSAVE, 0).a & FPU_XCR0 & ~XCR0_PKRU;
	has_pkru = has_xsave && (arch_cpuid(7, 0).c & CPUID_PKU);
}

void fpu_enable(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= (has_xsave ? CR4_OSXSAVE : 0) | (has_pkru ? CR4_PKE : 0);
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
}

void fpu_create(struct fpu *f)
{
	f->area = mem_pages(1);
}

void fpu_begin(struct fpu *f)
{
	memcpy(f->area, initial, PAGE_SIZE);
	f->xcr0 = XCR0_X87;
	f->pkru = 0;
	f->cpu = NULL;
}

/* QEMU's emulated CPU lets a guest set XCR0 without an exit. */
void fpu_save(struct cpu *cpu, struct guest_vcpu *v)
{
	struct fpu *f = &v->fpu;

	if (has_xsave) {
		f->xcr0 = arch_xgetbv();
		change_xcr0(f->xcr0, f->xcr0 | all);
	}
	save_area(f->area);
	f->pkru = swap_pkru(cpu->fpu.pkru);
	if (has_xsave)
		change_xcr0(f->xcr0 | all, cpu->fpu.xcr0);
	f->cpu = cpu;
	cpu->fpu.holds = f;
	hw_fpu_trap(cpu, true);
}

void fpu_load(struct cpu *cpu, const struct guest_vcpu *v)
{
	const struct fpu *f = &v->fpu;
	bool there = cpu->fpu.holds == f && f->cpu == cpu;
	uint64_t xcr0 = 0;

	if (has_xsave) {
		cpu->fpu.xcr0 = arch_xgetbv();
		xcr0 = cpu->fpu.xcr0 | (there ? 0 : all);
		change_xcr0(cpu->fpu.xcr0, xcr0);
	}
	if (!there)
		load_area(f->area);
	if (has_xsave)
		change_xcr0(xcr0, f->xcr0);
	cpu->fpu.pkru = swap_pkru(f->pkru);
	cpu->fpu.holds = NULL;
}

void fpu_give(struct cpu *cpu)
{
	uint64_t xcr0 = has_xsave ? arch_xgetbv() : all;

	if (cpu->fpu.holds) {
		change_xcr0(xcr0, xcr0 | all);
		load_area(initial);
		change_xcr0(xcr0 | all, xcr0);
	}
	cpu->fpu.holds = NULL;
	hw_fpu_trap(cpu, false);
}

/* What the guest does not have any more is as at first when it comes back. */
bool fpu_xsetbv(struct cpu *cpu, struct guest_vcpu *v, uint32_t xcr, uint64_t value)
{
	struct fpu *f = &v->fpu;
	uint64_t now;

	(void)cpu;
	if (!has_xsave || xcr || (value & ~(uint64_t)FPU_XCR0))
		return false;
	now = arch_xgetbv();
	if (xcr_try_write(0, value))
		return false;
	change_xcr0(value, now);
	*(uint64_t *)(void *)((char *)f->area + XSTATE_BV_AT) &= value | XCR0_LEGACY;
	f->xcr0 = value;
	f->cpu = NULL;
	return true;
}
