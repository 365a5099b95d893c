/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMX capabilities (SDM vol. 3, appendix A). L1 gets the intersection of the hardware's and of what
 * the monitor implements; above all nothing that makes hardware follow an address the monitor does
 * not check, deliver an event it does not see, or switch a guest's table (R16, R18, R19): no posted
 * interrupts, virtual-interrupt delivery, PML, VM functions, #VE, VMCS shadowing.
 */
#include "monitor/arch.h"
#include "monitor/vmx/vmx.h"

#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CPU2 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu
#define MSR_VMX_PIN 0x481u
#define MSR_VMX_TRUE_PIN 0x48du
#define MSR_VMX_TRUE_CPU 0x48eu
#define MSR_VMX_TRUE_EXIT 0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u

#define BASIC_SIZE_SHIFT 32
#define BASIC_TYPE_WB (6ul << 50)
#define BASIC_PASSED (1ul << 54) /* INS/OUTS information */
#define BASIC_TRUE_CONTROLS (1ul << 55)

#define MISC_STORES_LMA (1ul << 5)
#define MISC_HLT (1ul << 6)
#define MISC_PASSED (MISC_STORES_LMA | MISC_HLT | 1ul << 30 /* injection without a length */)
#define MISC_CR3_TARGETS (4ul << 16)

#define CAP_LEVELS_4 (1ul << 6)
#define CAP_WB (1ul << 14)
#define CAP_2M (1ul << 16)
#define CAP_INVEPT (1ul << 20 | 1ul << 25 | 1ul << 26)
#define CAP_INVVPID (1ul << 32 | 0xful << 40)
#define CAPS_PASSED                                                                               \
	(CAP_EXEC_ONLY | CAP_LEVELS_4 | CAP_UC | CAP_WB | CAP_2M | CAP_1G | CAP_INVEPT | CAP_AD | \
	 CAP_INVVPID)
#define CAPS_NEEDED (CAP_LEVELS_4 | CAP_WB | CAP_2M | CAP_INVEPT | CAP_INVVPID)

#define CPUID_VMX (1u << 5) /* leaf 1, ECX */

/* Controls that are 1 on the first processors with VMX: SDM vol. 3, A.2. */
#define PIN_DEFAULT1 0x16u
#define CPU_DEFAULT1 0x0401e172u
#define EXIT_DEFAULT1 0x36dffu
#define ENTRY_DEFAULT1 0x11ffu

/* What L1 may use, where the hardware has it. */
#define PIN_OFFERED (PIN_INTR | PIN_NMI | PIN_VIRTUAL_NMI)
#define CPU_OFFERED                                                                              \
	(CPU_INTR_WINDOW | CPU_TSC_OFFSET | 1u << 7 /* HLT */ | 1u << 9 /* INVLPG */ |           \
	 1u << 10 /* MWAIT */ | 1u << 11 /* RDPMC */ | 1u << 12 /* RDTSC */ |                    \
	 1u << 15 /* MOV to CR3 */ | 1u << 16 /* from it */ | 1u << 19 /* MOV to CR8 */ |        \
	 1u << 20 /* from it */ | CPU_TPR_SHADOW | CPU_NMI_WINDOW | 1u << 23 /* MOV DR */ |      \
	 CPU_PORTS | CPU_IO_BITMAPS | CPU_TRAP_FLAG | CPU_MSR_BITMAPS | 1u << 29 /* MONITOR */ | \
	 1u << 30 /* PAUSE */ | CPU_SECONDARY)
#define CPU2_OFFERED                                                                     \
	(CPU2_APIC_ACCESSES | CPU2_EPT | 1u << 2 /* descriptor tables */ | CPU2_RDTSCP | \
	 CPU2_X2APIC | CPU2_VPID | 1u << 6 /* WBINVD */ | CPU2_UNRESTRICTED |            \
	 1u << 10 /* PAUSE loops */ | 1u << 11 /* RDRAND */ | CPU2_INVPCID |             \
	 1u << 16 /* RDSEED */ | CPU2_XSAVES)
#define EXIT_OFFERED                                                                      \
	(EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_ACK_INTR | EXIT_SAVE_PAT | EXIT_LOAD_PAT | \
	 EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define ENTRY_OFFERED (ENTRY_LOAD_DEBUG | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

/* What the monitor itself cannot do without. */
#define PIN_NEEDED (PIN_NMI | PIN_VIRTUAL_NMI)
#define CPU_NEEDED (CPU_NMI_WINDOW | CPU_IO_BITMAPS | CPU_MSR_BITMAPS)
#define EXIT_NEEDED                                                                        \
	(EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | \
	 EXIT_LOAD_EFER)
#define ENTRY_NEEDED (ENTRY_LOAD_DEBUG | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

/* CR4 bits that L1 does not get: SMXE, 5-level paging, CET, and what is newer than this code. */
#define CR4_OFFERED (0x7fffffu & ~(1u << 14 | CR4_LA57))

struct vmx_caps hw_caps, l1_caps;
static uint64_t basic;

static struct control_caps read_controls(uint32_t msr)
{
	uint64_t v = arch_rdmsr(msr);

	return (struct control_caps){(uint32_t)v, (uint32_t)(v >> 32)};
}

static struct control_caps offer(struct control_caps hw, uint32_t offered)
{
	return (struct control_caps){hw.must, hw.may & (offered | hw.must)};
}

static void offer_l1(void)
{
	l1_caps = hw_caps;
	l1_caps.pin = offer(hw_caps.pin, PIN_OFFERED);
	l1_caps.cpu = offer(hw_caps.cpu, CPU_OFFERED);
	l1_caps.cpu2 = offer(hw_caps.cpu2, CPU2_OFFERED);
	l1_caps.exit = offer(hw_caps.exit, EXIT_OFFERED);
	l1_caps.exit.must |= EXIT_HOST_64;
	l1_caps.entry = offer(hw_caps.entry, ENTRY_OFFERED);
	l1_caps.cr4_may = hw_caps.cr4_may & CR4_OFFERED;
	l1_caps.ept_vpid = hw_caps.ept_vpid & CAPS_PASSED;
	l1_caps.misc = (hw_caps.misc & MISC_PASSED) | MISC_CR3_TARGETS;
}

static bool lacks(struct control_caps c, uint32_t needed)
{
	return (c.may & needed) != needed;
}

static int check_needs(const char **why)
{
	*why = "this CPU has VMX without a secondary set of controls: it is too old for the monitor";
	if (lacks(hw_caps.cpu, CPU_SECONDARY))
		return ERR_NOSYS;
	*why = "this CPU has no I/O or MSR bitmaps, or no NMI windows: it can not run the monitor";
	if (lacks(hw_caps.cpu, CPU_NEEDED))
		return ERR_NOSYS;
	*why = "this CPU has no EPT: it can not run the monitor";
	if (lacks(hw_caps.cpu2, CPU2_EPT))
		return ERR_NOSYS;
	*why = "this CPU's EPT lacks 2 MiB pages, write-back tables, or INVEPT";
	if ((hw_caps.ept_vpid & CAPS_NEEDED) != CAPS_NEEDED)
		return ERR_NOSYS;
	*why = "this CPU has no unrestricted guest mode: L1 could not boot in real mode";
	if (lacks(hw_caps.cpu2, CPU2_UNRESTRICTED) || !(hw_caps.misc & MISC_STORES_LMA))
		return ERR_NOSYS;
	*why = "this CPU has no VPID: it can not run the monitor";
	if (lacks(hw_caps.cpu2, CPU2_VPID))
		return ERR_NOSYS;
	*why = "this CPU has no virtual NMIs: it can not run the monitor";
	if (lacks(hw_caps.pin, PIN_NEEDED))
		return ERR_NOSYS;
	*why = "this CPU does not switch EFER, PAT and the debug controls at VM entry and exit";
	if (lacks(hw_caps.exit, EXIT_NEEDED) || lacks(hw_caps.entry, ENTRY_NEEDED))
		return ERR_NOSYS;
	return 0;
}

int caps_read(struct cpuid (*cpuid)(uint32_t leaf, uint32_t subleaf), uint64_t vmxon_feature,
	      const char **why)
{
	uint64_t feature;

	*why = "this CPU has no VMX: this image needs an Intel processor";
	if (!(cpuid(1, 0).c & CPUID_VMX))
		return ERR_NOSYS;
	*why = "VT-x is switched off by the firmware: enable it in the firmware's set-up";
	feature = arch_rdmsr(MSR_FEATURE_CONTROL);
	if ((feature & FEATURE_LOCKED) && !(feature & vmxon_feature))
		return ERR_NOSYS;
	basic = arch_rdmsr(MSR_VMX_BASIC);
	*why = "this CPU's VMX is the first generation: it is too old for the monitor";
	if (!(basic & BASIC_TRUE_CONTROLS))
		return ERR_NOSYS;
	hw_caps = (struct vmx_caps){
		.pin = read_controls(MSR_VMX_TRUE_PIN),
		.cpu = read_controls(MSR_VMX_TRUE_CPU),
		.exit = read_controls(MSR_VMX_TRUE_EXIT),
		.entry = read_controls(MSR_VMX_TRUE_ENTRY),
		.cr0_must = arch_rdmsr(MSR_VMX_CR0_FIXED0),
		.cr0_may = arch_rdmsr(MSR_VMX_CR0_FIXED1),
		.cr4_must = arch_rdmsr(MSR_VMX_CR4_FIXED0),
		.cr4_may = arch_rdmsr(MSR_VMX_CR4_FIXED1),
		.misc = arch_rdmsr(MSR_VMX_MISC),
		.phys_bits = (uint8_t)cpuid(0x80000008, 0).a,
	};
	if (hw_caps.cpu.may & CPU_SECONDARY) {
		hw_caps.cpu2 = read_controls(MSR_VMX_CPU2);
		if (hw_caps.cpu2.may & (CPU2_EPT | CPU2_VPID))
			hw_caps.ept_vpid = arch_rdmsr(MSR_VMX_EPT_VPID);
	}
	offer_l1();
	return check_needs(why);
}

static uint64_t join(struct control_caps c, uint32_t more_must)
{
	return (c.must | (more_must & c.may)) | (uint64_t)c.may << 32;
}

int caps_msr(uint32_t msr, uint64_t *value)
{
	const struct control_caps *const controls[] = {&l1_caps.pin, &l1_caps.cpu, &l1_caps.exit,
						       &l1_caps.entry};
	static const uint32_t default1[] = {PIN_DEFAULT1, CPU_DEFAULT1, EXIT_DEFAULT1,
					    ENTRY_DEFAULT1};
	const uint64_t fixed[] = {l1_caps.misc,    l1_caps.cr0_must,
				  l1_caps.cr0_may, l1_caps.cr4_must,
				  l1_caps.cr4_may, (uint64_t)FIELD_INDEX_MAX << 1};

	if (msr == MSR_VMX_BASIC)
		*value = VMX_REVISION | PAGE_SIZE << BASIC_SIZE_SHIFT | BASIC_TYPE_WB |
			 BASIC_TRUE_CONTROLS | (basic & BASIC_PASSED);
	else if (msr >= MSR_VMX_PIN && msr < MSR_VMX_PIN + ARRAY_SIZE(controls))
		*value = join(*controls[msr - MSR_VMX_PIN], default1[msr - MSR_VMX_PIN]);
	else if (msr >= MSR_VMX_TRUE_PIN && msr < MSR_VMX_TRUE_PIN + ARRAY_SIZE(controls))
		*value = join(*controls[msr - MSR_VMX_TRUE_PIN], 0);
	else if (msr >= MSR_VMX_MISC && msr < MSR_VMX_MISC + ARRAY_SIZE(fixed))
		*value = fixed[msr - MSR_VMX_MISC];
	else if (msr == MSR_VMX_CPU2)
		*value = join(l1_caps.cpu2, 0);
	else if (msr == MSR_VMX_EPT_VPID)
		*value = l1_caps.ept_vpid;
	else
		return ERR_INVAL;
	return 0;
}
