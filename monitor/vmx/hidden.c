/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features of the processor that L1 does not get. Processor Trace and the debug store write records
 * to addresses in MSRs, hardware feedback fills a table there: past EPT; the debug store through whatever address space is in use when
 * an event falls due, the monitor's included (R18). The others need state or controls that the monitor
 * does not switch.
 */
#include "monitor/vmx/vmx.h"

#define LEAF_BASIC 1
#define BASIC_C \
	(1u << 2 /* 64-bit debug store */ | 1u << 6 /* SMX */ | 1u << 15 /* PERF_CAPABILITIES */)
#define BASIC_D (1u << 21 /* debug store */)
#define LEAF_POWER 6
#define POWER_A (1u << 19 /* hardware feedback */ | 1u << 23 /* by thread */)
#define LEAF_EXTENDED 7
#define EXTENDED_B (1u << 2 /* SGX */ | 1u << 25 /* Processor Trace */)
#define EXTENDED_C                                                       \
	(1u << 7 /* shadow stacks */ | CPUID_TME | 1u << 16 /* LA57 */ | \
	 1u << 23 /* key locker */ | 1u << 30 /* SGX launch control */ | 1u << 31 /* PKS */)
#define TME_ON ((uint64_t)1 << 1)
#define TME_KEY_BITS(activate) ((unsigned int)((activate) >> 32) & 0xf)
#define EXTENDED_C_WAIT (1u << 5)
#define EXTENDED_D (1u << 5 /* user interrupts */ | 1u << 18 /* PCONFIG */ | 1u << 20 /* IBT */)
#define EXTENDED1_A (1u << 17 /* FRED */ | 1u << 6 /* LASS */ | 1u << 26 /* LAM */)
#define LEAF_XSAVE 0xd
#define LEAF_SGX 0x12
#define LEAF_TRACE 0x14

/* Supervisor state components: Processor Trace, CET, user interrupts, and what comes after. */
#define XSS_PASSED (1u << 10 /* PASID */ | 1u << 13 /* HDC */ | 1u << 16 /* HWP */)

struct msr_range {
	uint32_t first, last;
};

static const struct msr_range hidden[] = {
	{0x3f1, 0x3f1},   /* PEBS_ENABLE */
	{0x560, 0x571},   /* RTIT_OUTPUT_BASE to RTIT_STATUS, CR3_MATCH */
	{0x580, 0x587},   /* RTIT address ranges */
	{0x600, 0x600},   /* DS_AREA */
	{0x17d0, 0x17d1}, /* HW_FEEDBACK_PTR, HW_FEEDBACK_CONFIG */
};

bool caps_hides_msr(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (msr >= hidden[i].first && msr <= hidden[i].last)
			return true;
	return false;
}

bool caps_xss_ok(uint64_t value)
{
	return !(value & ~(uint64_t)XSS_PASSED);
}

void caps_hide_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
	if (leaf == LEAF_BASIC) {
		r->c &= ~BASIC_C;
		r->d &= ~BASIC_D;
	} else if (leaf == LEAF_POWER) {
		r->a &= ~POWER_A;
	} else if (leaf == LEAF_EXTENDED && subleaf == 0) {
		r->b &= ~EXTENDED_B;
		r->c &= ~(EXTENDED_C | (hw_caps.cpu2.may & CPU2_USER_WAIT ? 0 : EXTENDED_C_WAIT));
		r->d &= ~EXTENDED_D;
	} else if (leaf == LEAF_EXTENDED && subleaf == 1) {
		r->a &= ~EXTENDED1_A;
	} else if (leaf == LEAF_XSAVE && subleaf == 1) {
		r->c &= XSS_PASSED;
		r->d = 0;
	} else if (leaf == LEAF_SGX || leaf == LEAF_TRACE) {
		*r = (struct cpuid){0, 0, 0, 0};
	}
}

/* With memory encryption on, the topmost bits of each address may be a key's number. */
unsigned int caps_address_bits(unsigned int phys_bits, uint64_t tme_activate)
{
	return tme_activate & TME_ON ? phys_bits - TME_KEY_BITS(tme_activate) : phys_bits;
}
