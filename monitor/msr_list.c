/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/msr_list.h"

#include "ept/base.h"

#define BIT(n) (1ul << (n))
#define ALL UINT64_MAX

#define ROW(a, b, how, ...)                                                  \
	{                                                                    \
		.first = (a), .last = (b), .kind = RULE_##how, ##__VA_ARGS__ \
	}
#define OPEN(a, b) ROW(a, b, OPEN)
#define BITS(a, b, may_set, may_clear, ...) \
	ROW(a, b, BITS, .set = (may_set), .clear = (may_clear), ##__VA_ARGS__)
#define CLOSED(a, b, class) ROW(a, b, CLOSED, .why = REFUSAL_##class)
#define COMMAND(a, class) ROW(a, a, COMMAND, .why = REFUSAL_##class)

/* Names and bits: SDM volume 4; APM volume 2, appendix A, and AMD's processor programming references. */
const struct msr_rule msr_rules[] = {
	ROW(0x10, 0x10, COUNTER), /* TSC: guests' offsets are L1's anyway */
	ROW(0x1b, 0x1b, BASE, .why = REFUSAL_APIC), ROW(0x3a, 0x3a, BACKEND), /* FEATURE_CONTROL */
	ROW(0x3b, 0x3b, COUNTER),                                             /* TSC_ADJUST */
	OPEN(0x40, 0x47), /* last branches, from: recording them is closed, 1d9 */
	OPEN(0x48, 0x49), /* SPEC_CTRL, PRED_CMD */
	BITS(0x4e, 0x4e, BIT(0) | BIT(1), BIT(1)), /* PPIN_CTL */
	OPEN(0x60, 0x67),                          /* last branches, to */
	COMMAND(0x79, MICROCODE),
	OPEN(0x8b, 0x8b), /* microcode revision: zeroed before CPUID reports it */
	CLOSED(0x9b, 0x9b, SMM), CLOSED(0xa0, 0xa1, SMM), /* SMRR of old processors */
	BITS(0xbc, 0xbc, BIT(0), BIT(0)),                 /* MISC_PACKAGE_CTLS: energy filter */
	OPEN(0xc1, 0xc8),                                 /* performance counters */
	OPEN(0xe1, 0xe1),                                 /* UMWAIT_CONTROL */
	BITS(0xe2, 0xe2, 0xful << 25, 0xful << 25),       /* PKG_CST_CONFIG: demotion */
	OPEN(0xe7, 0xe8),                                 /* MPERF, APERF */
	OPEN(0x10b, 0x10b),                               /* FLUSH_CMD */
	BITS(0x10f, 0x10f, 7, 7),                         /* TSX_FORCE_ABORT */
	BITS(0x122, 0x122, 3, 3),                         /* TSX_CTRL */
	BITS(0x123, 0x123, BIT(1) | BIT(5), 0x1b),        /* MCU_OPT_CTRL: mitigations stay */
	OPEN(0x130, 0x134),                               /* CPUID masks of old processors */
	OPEN(0x140, 0x140),          /* MISC_FEATURES_ENABLES: CPUID faulting */
	CLOSED(0x150, 0x150, POWER), /* overclocking mailbox: voltage */
	OPEN(0x174, 0x176),          /* SYSENTER */
	OPEN(0x17a, 0x17b),          /* MCG_STATUS, MCG_CTL */
	OPEN(0x186, 0x18d),          /* performance events */
	BITS(0x199, 0x199, 0xffff | BIT(32), 0xffff | BIT(32)), /* PERF_CTL */
	OPEN(0x19a, 0x19c),                                     /* clock modulation, thermal */
	/* MISC_ENABLE: fast strings, TM1, TM2, SpeedStep, MONITOR; CPUID and NX stay whole. */
	BITS(0x1a0, 0x1a0, 0x12009, 0x12009 | BIT(18) | BIT(22) | BIT(34)),
	OPEN(0x1b0, 0x1b2), /* ENERGY_PERF_BIAS, package thermal */
	OPEN(0x1c8, 0x1c9), /* last branches: filter, top */
	/* DEBUGCTL: BTF. Last branches and trace messages would tell where guests jump. */
	BITS(0x1d9, 0x1d9, BIT(1), ALL, .why = REFUSAL_TRACE),
	OPEN(0x1db, 0x1de), /* last branch, last exception */
	CLOSED(0x1f2, 0x1f3, SMM), BITS(0x1fc, 0x1fc, BIT(1), BIT(1)), /* POWER_CTL: C1E */
	CLOSED(0x200, 0x26f, MEMORY), /* MTRRs that this processor lacks: monitor/types.c */
	OPEN(0x277, 0x277),           /* PAT */
	OPEN(0x280, 0x29f),           /* machine-check banks: threshold interrupts */
	CLOSED(0x2ff, 0x2ff, MEMORY), OPEN(0x309, 0x30c),    /* fixed counters */
	OPEN(0x38d, 0x390),                                  /* their control, global control */
	CLOSED(0x3f1, 0x3f1, TRACE),                         /* PEBS_ENABLE */
	ROW(0x400, 0x47f, BANK), ROW(0x480, 0x493, BACKEND), /* virtualization capabilities */
	OPEN(0x4c1, 0x4c8),                                  /* performance counters, full width */
	BITS(0x4d0, 0x4d0, 1, 1),                            /* MCG_EXT_CTL: local machine checks */
	CLOSED(0x4e0, 0x4e0, SMM),                           /* SMM_FEATURE_CONTROL */
	CLOSED(0x560, 0x58f, TRACE),                         /* Processor Trace */
	CLOSED(0x600, 0x600, TRACE),                         /* DS_AREA */
	CLOSED(0x610, 0x610, POWER),                         /* PKG_POWER_LIMIT */
	OPEN(0x668, 0x669),                                  /* demotion policy */
	OPEN(0x680, 0x69f),                                  /* last branches, from */
	OPEN(0x6c0, 0x6df),                                  /* to */
	OPEN(0x6e0, 0x6e0),                                  /* TSC_DEADLINE */
	OPEN(0x770, 0x777), /* hardware-controlled performance states */
	OPEN(0x802, 0x82e), /* x2APIC */
	ROW(0x82f, 0x82f, LVT, .why = REFUSAL_APIC), ROW(0x830, 0x830, ICR, .why = REFUSAL_APIC),
	ROW(0x832, 0x837, LVT, .why = REFUSAL_APIC), OPEN(0x838, 0x83f),
	CLOSED(0x982, 0x984, MEMORY),          /* TME: activation, excluded range */
	CLOSED(0xc80, 0xc80, TRACE),           /* DEBUG_INTERFACE */
	OPEN(0xc81, 0xc8f),                    /* resource monitoring and allocation */
	OPEN(0xc90, 0xd8f),                    /* its masks */
	OPEN(0xd90, 0xd90),                    /* BNDCFGS */
	OPEN(0xda0, 0xda0),                    /* XSS, as far as the backend leaves it */
	OPEN(0xdc0, 0xddf),                    /* last branches, information */
	CLOSED(0x14ce, 0x14cf, TRACE),         /* architectural last branches */
	BITS(0x1b01, 0x1b01, 1, 1),            /* UARCH_MISC_CTL: data-independent timing */
	OPEN(0xc0000080, 0xc0000084),          /* EFER (the backend's), SYSCALL */
	OPEN(0xc0000100, 0xc0000103),          /* FS, GS and KERNEL_GS bases, TSC_AUX */
	CLOSED(0xc0000105, 0xc0000106, TRACE), /* lightweight profiling */
	CLOSED(0xc000010f, 0xc000010f, TRACE), /* last branches, newer */
	OPEN(0xc0000200, 0xc00002ff),          /* bandwidth allocation */
	OPEN(0xc0000300, 0xc0000303),          /* counters' global control */
	OPEN(0xc0000408, 0xc000040a),          /* MC4_MISC: thresholds */
	ROW(0xc0002000, 0xc0002fff, BANK), OPEN(0xc0010000, 0xc0010007), /* performance counters */
	CLOSED(0xc0010010, 0xc0010010, MEMORY), /* SYSCFG: map, memory encryption */
	/* HWCR: TLB filter, boost, APERF read-only, count retired instructions. */
	BITS(0xc0010015, 0xc0010015, BIT(6) | BIT(25) | BIT(27) | BIT(30),
	     BIT(18) | BIT(25) | BIT(30)),
	CLOSED(0xc0010016, 0xc001001a, MEMORY),         /* IORR, TOP_MEM */
	CLOSED(0xc001001d, 0xc001001d, MEMORY),         /* TOP_MEM2 */
	BITS(0xc001001f, 0xc001001f, BIT(46), BIT(46)), /* NB_CFG: extended CF8 */
	COMMAND(0xc0010020, MICROCODE),                 /* PATCH_LOADER */
	CLOSED(0xc0010041, 0xc0010042, POWER),          /* frequency and voltage */
	OPEN(0xc0010044, 0xc001004a),                   /* machine-check masks */
	BITS(0xc0010055, 0xc0010055, 0, 3ul << 27),     /* C1E */
	CLOSED(0xc0010058, 0xc0010058, MEMORY),         /* where PCI configuration is */
	OPEN(0xc0010062, 0xc0010062),                   /* P-state */
	CLOSED(0xc0010064, 0xc001006b, POWER),          /* what P-states are: voltage */
	CLOSED(0xc0010111, 0xc0010113, SMM),            /* SMM_BASE, TSEG */
	ROW(0xc0010114, 0xc0010114, BACKEND),           /* VM_CR */
	CLOSED(0xc0010116, 0xc0010116, SMM),            /* SMM_CTL */
	ROW(0xc0010117, 0xc0010117, BACKEND),           /* VM_HSAVE_PA */
	COMMAND(0xc001011b, APIC),                      /* AVIC doorbell */
	COMMAND(0xc001011e, MEMORY),                    /* VM_PAGE_FLUSH */
	OPEN(0xc001011f, 0xc001011f),                   /* VIRT_SPEC_CTRL */
	CLOSED(0xc0010130, 0xc0010133, MEMORY),         /* SEV: GHCB, status, RMP */
	OPEN(0xc0010200, 0xc001020b),                   /* performance counters */
	BITS(0xc0010296, 0xc0010296, 0, 0x404040),      /* CSTATE_CFG: C6 off */
	OPEN(0xc00102b1, 0xc00102b1),                   /* CPPC */
	OPEN(0xc00102b3, 0xc00102b3),
	BITS(0xc00102f0, 0xc00102f0, BIT(0) | BIT(1), BIT(1)), /* PPIN_CTL */
	OPEN(0xc0010400, 0xc001043f),                          /* machine-check masks */
	OPEN(0xc0011002, 0xc0011005),                          /* CPUID masks */
	OPEN(0xc0011019, 0xc001101b),                          /* breakpoints' address masks */
	/* Errata and mitigations: bits that Xen 4.17 and Linux 6.1 set. */
	BITS(0xc0011020, 0xc0011020, BIT(10) | BIT(15) | BIT(33) | BIT(54),
	     BIT(10) | BIT(33) | BIT(54)),        /* LS_CFG: SSBD */
	BITS(0xc0011021, 0xc0011021, 0x1e, 0),    /* IC_CFG: way filter off */
	BITS(0xc0011022, 0xc0011022, BIT(47), 0), /* DC_CFG */
	OPEN(0xc0011027, 0xc0011027),             /* DR0's address mask */
	BITS(0xc0011028, 0xc0011028, BIT(9), 0),  /* FP_CFG: divider state */
	BITS(0xc0011029, 0xc0011029, BIT(1) | BIT(9) | BIT(31), BIT(9)), /* DE_CFG: LFENCE */
	BITS(0xc001102a, 0xc001102a, 0, BIT(24)),                        /* BU_CFG2: WC+ */
	BITS(0xc001102e, 0xc001102e, BIT(4) | BIT(5) | BIT(33), 0),      /* BP_CFG */
	CLOSED(0xc0011030, 0xc001103d, TRACE),                           /* IBS */
	BITS(0xc00110e3, 0xc00110e3, BIT(1), 0),                         /* DE_CFG2 */
};
const size_t msr_rule_count = ARRAY_SIZE(msr_rules);

const struct msr_rule *msr_rule(uint32_t msr)
{
	static const struct msr_rule other = {.kind = RULE_CLOSED};
	size_t from = 0, to = msr_rule_count;

	while (from < to) {
		size_t at = (from + to) / 2;

		if (msr > msr_rules[at].last)
			from = at + 1;
		else if (msr < msr_rules[at].first)
			to = at;
		else
			return &msr_rules[at];
	}
	return &other;
}
