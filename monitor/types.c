/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/types.h"

#include "ept/host.h"
#include "ept/lock.h"
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/log.h"

#define CPUID_MTRR (1u << 12) /* leaf 1, EDX */
#define MTRR_FIXED_FIRST 0x250u
#define DEF_TYPE_ENABLE (1u << 11)
#define MSR_MTRR_DEF_TYPE 0x2ffu
/* AMD's fixed ranges say in each byte whether it is memory; seen in set-up only (APM vol. 2, 7.9.1). */
#define FIXED_ROUTE 0x1818181818181818ul

static struct lock lock;
static struct mtrr mtrr; /* one for all CPUs: L1 gives them the same */
static bool changed;     /* since the table was made */
static bool followed;

const struct mtrr *types_read(uint8_t phys_bits, bool table_follows)
{
	followed = table_follows;
	if (arch_cpuid(1, 0).d & CPUID_MTRR)
		mtrr_read(&mtrr, arch_rdmsr, phys_bits);
	for (unsigned int i = 0; i < MTRR_FIXED; i++)
		mtrr.fixed[i] &= ~FIXED_ROUTE;
	return &mtrr;
}

/* Whether this CPU's register says what it should, and what that is. */
static bool differs(uint32_t msr, uint64_t *want)
{
	const uint64_t *at = mtrr_register(&mtrr, msr);
	uint64_t now = at ? arch_rdmsr(msr) : 0;

	if (!at)
		return false;
	*want = *at;
	if (msr >= MTRR_FIXED_FIRST && msr < MSR_MTRR_DEF_TYPE)
		*want |= now & FIXED_ROUTE;
	return now != *want;
}

/* What a change of MTRRs takes: SDM vol. 3, 12.11.7.2; APM vol. 2, 7.7.4. */
static void write_all(void)
{
	uint64_t want, cr0, cr3;

	__asm__ volatile("mov %%cr0, %0; mov %%cr3, %1" : "=r"(cr0), "=r"(cr3));
	__asm__ volatile("mov %0, %%cr0; wbinvd; mov %1, %%cr3" ::"r"(cr0 | CR0_CD), "r"(cr3)
			 : "memory");
	arch_wrmsr(MSR_MTRR_DEF_TYPE, 0);
	for (uint32_t msr = MSR_MTRR_VARIABLE; msr < MSR_MTRR_DEF_TYPE; msr++)
		if (differs(msr, &want))
			arch_wrmsr(msr, want);
	__asm__ volatile("wbinvd; mov %0, %%cr3" ::"r"(cr3) : "memory");
	arch_wrmsr(MSR_MTRR_DEF_TYPE, mtrr.def_type);
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0) : "memory");
}

bool types_adopt(void)
{
	bool any = false;
	uint64_t want;

	if (!(arch_cpuid(1, 0).d & CPUID_MTRR))
		return false;
	for (uint32_t msr = MSR_MTRR_VARIABLE; msr < MSR_MTRR_END; msr++)
		any |= differs(msr, &want);
	if (any)
		write_all();
	return any;
}

bool types_is_mtrr(uint32_t msr)
{
	return msr == MSR_MTRR_DEF_TYPE || (msr < MSR_MTRR_END && mtrr_register(&mtrr, msr));
}

int types_get(uint32_t msr, uint64_t *value)
{
	*value = *mtrr_register(&mtrr, msr);
	return 0;
}

/*
 * L1 switches the MTRRs off while it changes them, on each CPU in turn. The table follows once they
 * are on again, and only if they say something new.
 */
int types_set(uint32_t msr, uint64_t value)
{
	uint64_t *reg = mtrr_register(&mtrr, msr);
	uint64_t old;
	bool renew;
	int err;

	lock_take(&lock);
	old = *reg;
	err = mtrr_write(&mtrr, msr, value);
	changed |= *reg != old && ((*reg ^ old) != DEF_TYPE_ENABLE || msr != MSR_MTRR_DEF_TYPE);
	renew = followed && changed && (mtrr.def_type & DEF_TYPE_ENABLE);
	if (renew && host_retype(&mtrr))
		log_provoked(
			"no room to split L1's table by memory types: some memory is uncached");
	changed &= !renew;
	lock_drop(&lock);
	if (renew)
		phys_flush();
	return err;
}
