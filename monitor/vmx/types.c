/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Under EPT the MTRRs say nothing about L1's accesses: the host table does. So L1 writes a copy of
 * them, from which the table takes its types. The processor's own stay as the firmware left them;
 * they go on deciding how the monitor reaches memory.
 */
#include "ept/host.h"
#include "ept/lock.h"
#include "ept/mtrr.h"
#include "ept/phys.h"
#include "monitor/log.h"
#include "monitor/vmx/vmx.h"

#define CPUID_MTRR (1u << 12) /* leaf 1, EDX */
#define DEF_TYPE_ENABLE (1u << 11)
#define MSR_MTRR_DEF_TYPE 0x2ffu

static struct lock lock;
static struct mtrr mtrr; /* one for all CPUs: L1 gives them the same */
static bool changed;     /* since the table was made */

const struct mtrr *types_read(void)
{
	if (arch_cpuid(1, 0).d & CPUID_MTRR)
		mtrr_read(&mtrr, arch_rdmsr, (uint8_t)hw_caps.phys_bits);
	return &mtrr;
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
	renew = changed && (mtrr.def_type & DEF_TYPE_ENABLE);
	if (renew && host_retype(&mtrr))
		log_provoked(
			"no room to split L1's table by memory types: some memory is uncached");
	changed &= !renew;
	lock_drop(&lock);
	if (renew)
		phys_flush();
	return err;
}
