/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features of the processor that L1 does not get: those that keep state or use MSRs that the monitor does
 * not switch or has closed (monitor/msr_list.c). Numbers: APM volume 3, appendix E.
 */
#include "monitor/svm/svm.h"

#define LEAF_EXTENDED 7
#define EXTENDED_C (1u << 7 /* shadow stacks */ | 1u << 31 /* PKS */)
#define EXTENDED_D (1u << 20 /* indirect-branch tracking */)
#define LEAF_XSAVE 0xd
#define CPUID_EXTENDED 0x80000001u
#define FEATURES_C \
	(1u << 10 /* IBS */ | 1u << 12 /* SKINIT */ | 1u << 15 /* lightweight profiling */)
#define LEAF_ADDRESSES 0x80000008u
#define ADDRESSES_B (1u << 3 /* INVLPGB */)
#define LEAF_IBS 0x8000001bu
#define LEAF_PROFILING 0x8000001cu
#define LEAF_ENCRYPTION 0x8000001fu
#define LEAF_COUNTERS 0x80000022u
#define COUNTERS_A 6u /* last-branch stack */
#define SYSCFG_ENCRYPTS ((uint64_t)1 << 23)
/* Offered to L1 where the hardware has it; everything else in 8000000Ah is hidden (R16, R18). */
#define SVM_FEATURES_PASSED                                             \
	(SVM_FEATURE_NP | SVM_FEATURE_LBRV | 1u << 5 /* clean bits */ | \
	 1u << 6 /* flush by ASID */ | 1u << 10 /* pause filter */ |    \
	 1u << 12 /* its threshold */ | SVM_FEATURE_VGIF | 1u << 28 /* VMRUN address check */)

void svm_hide_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
	switch (leaf) {
	case LEAF_EXTENDED:
		r->c &= subleaf ? UINT32_MAX : ~EXTENDED_C;
		r->d &= subleaf ? UINT32_MAX : ~EXTENDED_D;
		break;
	case LEAF_XSAVE:
		if (subleaf == 1) /* supervisor state: hw_host_msr_write() */
			r->c = r->d = 0;
		break;
	case CPUID_EXTENDED:
		r->c &= ~FEATURES_C;
		break;
	case LEAF_ADDRESSES:
		r->b &= ~ADDRESSES_B;
		break;
	case CPUID_SVM:
		r->d = (r->d & SVM_FEATURES_PASSED) | SVM_FEATURE_NRIPS |
		       SVM_FEATURE_DECODE_ASSISTS;
		break;
	case LEAF_COUNTERS:
		r->a &= ~COUNTERS_A;
		break;
	case LEAF_IBS:
	case LEAF_PROFILING:
	case LEAF_ENCRYPTION:
		*r = (struct cpuid){0, 0, 0, 0};
		break;
	default:
		break;
	}
}

/* With memory encryption on, a bit of each address says whether; fewer are left (APM vol. 2, 7.10.1). */
unsigned int svm_address_bits(unsigned int phys_bits, struct cpuid encryption, uint64_t syscfg)
{
	unsigned int bits = phys_bits - (encryption.b >> 6 & 0x3f);

	if (!(encryption.a & 1) || !(syscfg & SYSCFG_ENCRYPTS))
		return phys_bits;
	return bits < (encryption.b & 0x3f) ? bits : encryption.b & 0x3f;
}
