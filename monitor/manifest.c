/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/manifest.h"

#include "monitor/fpu.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/msr.h"

#define MANIFEST_MSR 0xffffffffu /* no CPUID leaf: no processor has it */
#define LEAF_XSAVE 0xdu
#define LEAF_XEN_FIRST 0x40000000u
#define LEAF_XEN_LAST 0x400fffffu
#define XSAVE_LEGACY 576u /* bytes of the x87 and SSE state with the header (SDM vol. 1, 13.4) */
#define XSAVE_COMPONENTS 63u
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_PLATFORM_INFO 0xceu
#define CPUID_FAULTING (1u << 31)

/* Mirrors of CR4 in CPUID (SDM vol. 2A, CPUID). */
#define F1_OSXSAVE (1u << 27)
#define F7_OSPKE (1u << 4)

/* Bits that come from the hardware, whatever L1 says. */
static const struct {
	uint32_t leaf, subleaf;
	struct cpuid mask;
} forced[] = {
	/* PCLMULQDQ, AES, RDRAND */
	{1, 0, {.c = 1u << 1 | 1u << 25 | 1u << 30}},
	/* SMEP, RDSEED, SMAP; UMIP */
	{7, 0, {.b = 1u << 7 | 1u << 18 | 1u << 20, .c = 1u << 2}},
	/* NX */
	{0x80000001, 0, {.d = 1u << 20}},
};

_Static_assert(ARRAY_SIZE(forced) * 10 == MANIFEST_WORDS, "two numbers, four masks, four values");

/* Bits that differ with the vCPU or its mode, in an L1 that tells no lies. */
static const struct {
	uint32_t leaf;
	struct cpuid mask;
} varies[] = {
	{1, {.b = 0xff000000, .d = 1u << 9}},    /* APIC id; the APIC is on */
	{0xb, {.d = UINT32_MAX}},                /* x2APIC id */
	{0x1f, {.d = UINT32_MAX}},               /* the same */
	{0x80000001, {.d = 1u << 9 | 1u << 11}}, /* the APIC is on; SYSCALL, in long mode only */
	{0x8000001e, {.a = UINT32_MAX, .b = 0xff, .c = 0xff}}, /* APIC, core and node ids */
};

/* Leaves whose answer depends on ECX. */
static const uint32_t with_subleaf[] = {4,    7,    0xb,  0xd,        0xf,        0x10,
					0x12, 0x14, 0x17, 0x18,       0x1a,       0x1b,
					0x1d, 0x1f, 0x20, 0x8000001d, 0x80000020, 0x80000026};

/* MSRs whose value the guest takes for a fact: microcode, platform, MTRRs there are, flaws. */
static const uint32_t msrs[] = {0x8b, MSR_PLATFORM_INFO, 0xfe, MSR_ARCH_CAPABILITIES};

static void merge(struct cpuid *to, const struct cpuid *from, const struct cpuid *mask)
{
	to->a = (to->a & ~mask->a) | (from->a & mask->a);
	to->b = (to->b & ~mask->b) | (from->b & mask->b);
	to->c = (to->c & ~mask->c) | (from->c & mask->c);
	to->d = (to->d & ~mask->d) | (from->d & mask->d);
}

static const struct cpuid *find(const struct manifest *m, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned int i = 0; i < m->pins; i++)
		if (m->pin[i].leaf == leaf && m->pin[i].subleaf == subleaf)
			return &m->pin[i].value;
	return NULL;
}

/* What was answered the first time, which may be now; zeros if there is no room to keep it. */
static struct cpuid pinned(struct manifest *m, uint32_t leaf, uint32_t subleaf,
			   const struct cpuid *answer)
{
	struct cpuid value = {0, 0, 0, 0};
	const struct cpuid *pin;

	lock_take(&m->lock);
	pin = find(m, leaf, subleaf);
	if (!pin && m->pins < MANIFEST_PINS) {
		m->pin[m->pins] = (struct manifest_pin){leaf, subleaf, *answer};
		pin = &m->pin[m->pins++].value;
	}
	if (pin)
		value = *pin;
	lock_drop(&m->lock);
	return value;
}

static void pin(struct manifest *m, uint32_t leaf, uint32_t subleaf, struct cpuid *answer)
{
	struct cpuid said = *answer;

	*answer = pinned(m, leaf, subleaf, answer);
	for (unsigned int i = 0; i < ARRAY_SIZE(varies); i++)
		if (varies[i].leaf == leaf)
			merge(answer, &said, &varies[i].mask);
}

/* --- XSAVE ------------------------------------------------------------------------------------- */

static uint64_t pair(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/* The components that there are for the guest; all, as long as it has not asked. */
static uint64_t components(struct manifest *m)
{
	const struct cpuid *p;
	uint64_t mask = UINT64_MAX;

	lock_take(&m->lock);
	p = find(m, LEAF_XSAVE, 0);
	if (p)
		mask = pair(p->d, p->a);
	lock_drop(&m->lock);
	return mask;
}

/* Bytes that XSAVE stores for these components, in its standard form. */
static uint32_t xsave_bytes_of(struct cpu *cpu, uint64_t mask)
{
	uint32_t bytes = XSAVE_LEGACY;
	struct cpuid part;

	for (unsigned int i = 2; i < XSAVE_COMPONENTS; i++) {
		if (!(mask >> i & 1))
			continue;
		hw_host_cpuid(cpu, LEAF_XSAVE, i, &part);
		if (part.b + part.a > bytes)
			bytes = part.b + part.a;
	}
	return bytes;
}

/*
 * A component that the guest may use has the size and place that the hardware gives it. L1 says only
 * which there are, of those that the monitor switches, and once.
 */
static void xsave(struct cpu *cpu, struct manifest *m, uint32_t subleaf, uint32_t bytes,
		  struct cpuid *answer)
{
	struct cpuid hardware;
	uint64_t may;

	hw_host_cpuid(cpu, LEAF_XSAVE, subleaf, &hardware);
	answer->a &= hardware.a;
	answer->d &= hardware.d;
	if (subleaf == 0) {
		answer->a &= FPU_XCR0;
		answer->d = 0;
		answer->b = answer->c = 0;
		*answer = pinned(m, LEAF_XSAVE, 0, answer);
		answer->b = bytes;
		answer->c = xsave_bytes_of(cpu, pair(answer->d, answer->a));
	} else if (subleaf == 1) {
		answer->c &= hardware.c;
		answer->b = 0;
		*answer = pinned(m, LEAF_XSAVE, 1, answer);
		answer->b = bytes;
	} else {
		may = components(m) & FPU_XCR0;
		*answer = subleaf < XSAVE_COMPONENTS && may >> subleaf & 1
				  ? hardware
				  : (struct cpuid){0, 0, 0, 0};
	}
}

/* --- what the guest gets ------------------------------------------------------------------------- */

static void force(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint64_t cr4,
		  struct cpuid *answer)
{
	struct cpuid hardware;

	for (unsigned int i = 0; i < ARRAY_SIZE(forced); i++) {
		if (forced[i].leaf != leaf || forced[i].subleaf != subleaf)
			continue;
		hw_host_cpuid(cpu, leaf, subleaf, &hardware);
		merge(answer, &hardware, &forced[i].mask);
	}
	if (leaf == 1) {
		answer->c &= ~F1_OSXSAVE;
		answer->c |= cr4 & CR4_OSXSAVE ? F1_OSXSAVE : 0;
	}
	if (leaf == 7 && subleaf == 0) {
		answer->c &= ~F7_OSPKE;
		answer->c |= cr4 & CR4_PKE ? F7_OSPKE : 0;
	}
}

static uint32_t subleaf_of(uint32_t leaf, uint32_t subleaf)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(with_subleaf); i++)
		if (with_subleaf[i] == leaf)
			return subleaf;
	return 0;
}

void manifest_cpuid(struct cpu *cpu, struct manifest *m, uint32_t leaf, uint32_t subleaf,
		    uint64_t cr4, uint32_t xsave_bytes, struct cpuid *answer)
{
	if (leaf >= LEAF_XEN_FIRST && leaf <= LEAF_XEN_LAST)
		return;
	subleaf = subleaf_of(leaf, subleaf);
	if (leaf == LEAF_XSAVE) {
		xsave(cpu, m, subleaf, xsave_bytes, answer);
		return;
	}
	if (leaf == MANIFEST_MSR) { /* the pins of MSRs are not to be had by CPUID */
		*answer = (struct cpuid){0, 0, 0, 0};
		return;
	}
	pin(m, leaf, subleaf, answer);
	force(cpu, leaf, subleaf, cr4, answer);
}

uint64_t manifest_msr(struct manifest *m, uint32_t msr, uint64_t answer)
{
	uint64_t hardware;
	struct cpuid value;

	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i] != msr)
			continue;
		/* Flaws that the CPU does not claim to be free of, it has. */
		if (msr == MSR_ARCH_CAPABILITIES)
			answer &= msr_try_read(msr, &hardware) ? 0 : hardware;
		else if (msr == MSR_PLATFORM_INFO) /* no #GP for CPUID: exposure.h has none */
			answer &= ~(uint64_t)CPUID_FAULTING;
		value = (struct cpuid){.a = (uint32_t)answer, .d = (uint32_t)(answer >> 32)};
		value = pinned(m, MANIFEST_MSR, msr, &value);
		return pair(value.d, value.a);
	}
	return answer;
}

void manifest_words(struct cpu *cpu, uint64_t words[MANIFEST_WORDS])
{
	for (unsigned int i = 0; i < ARRAY_SIZE(forced); i++) {
		const struct cpuid *mask = &forced[i].mask;
		struct cpuid r;
		uint64_t *w = &words[i * 10];

		hw_host_cpuid(cpu, forced[i].leaf, forced[i].subleaf, &r);
		memcpy(w,
		       (const uint64_t[]){forced[i].leaf, forced[i].subleaf, mask->a, mask->b,
					  mask->c, mask->d, r.a & mask->a, r.b & mask->b,
					  r.c & mask->c, r.d & mask->d},
		       10 * sizeof(*w));
	}
}
