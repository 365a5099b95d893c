/* SPDX-License-Identifier: Apache-2.0 */
/* The capability MSRs: consistent with each other and read-only (SDM volume 3, appendix A). */
#include "lib/monitor.h"
#include "lib/trap.h"
#include "vmx/vmx.h"

#define SHADOW 0x80000000u /* in a revision: a shadow VMCS */

static void read_msr(void *arg)
{
	uint64_t *pair = arg;

	pair[1] = rdmsr((uint32_t)pair[0]);
}

struct pair {
	const char *name;
	uint32_t msr, exact;
	uint32_t ones; /* default1: SDM 3, A.3 to A.5 */
};
static const struct pair pairs[] = {
	{"capabilities-pin", MSR_VMX_PIN, MSR_VMX_TRUE_PIN, 0x16},
	{"capabilities-proc", MSR_VMX_PROC, MSR_VMX_TRUE_PROC, 0x0401e172},
	{"capabilities-exit", MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT, 0x36dff},
	{"capabilities-entry", MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY, 0x11ff},
};

static void capability_pair(const void *arg)
{
	const struct pair *p = arg;
	uint64_t v = rdmsr(p->msr);
	uint32_t must = (uint32_t)v, may = (uint32_t)(v >> 32);

	CHECK_EQ(must & ~may, 0);
	CHECK_EQ(must & p->ones, p->ones);
	if (!(rdmsr(MSR_VMX_BASIC) & BASIC_TRUE))
		test_skip("no TRUE capability MSRs");
	v = rdmsr(p->exact);
	CHECK_EQ(v >> 32, may);
	CHECK_EQ((uint32_t)v & ~must, 0);
}

static void capabilities(const void *arg)
{
	uint64_t basic = rdmsr(MSR_VMX_BASIC), caps;

	(void)arg;
	CHECK_EQ(basic & SHADOW, 0);
	CHECK((basic >> 32 & 0x1fff) > 0 && (basic >> 32 & 0x1fff) <= 4096, "VMCS size in 0x%x",
	      basic);
	CHECK_EQ(basic >> 48 & 1, 0);
	CHECK_EQ(basic >> 50 & 0xf, 6);
	CHECK_EQ(rdmsr(MSR_VMX_CR0_FIXED0) & ~rdmsr(MSR_VMX_CR0_FIXED1), 0);
	CHECK_EQ(rdmsr(MSR_VMX_CR4_FIXED0) & ~rdmsr(MSR_VMX_CR4_FIXED1), 0);
	CHECK_EQ(rdmsr(MSR_VMX_CR4_FIXED0) & CR4_VMXE, CR4_VMXE);
	CHECK_EQ(rdmsr(MSR_VMX_CR0_FIXED0) & ~read_cr0(), 0);
	CHECK_EQ(read_cr0() & ~rdmsr(MSR_VMX_CR0_FIXED1), 0);
	CHECK_EQ(read_cr4() & ~rdmsr(MSR_VMX_CR4_FIXED1), 0);
	CHECK_EQ(allowed(C_PROC2).must, 0);
	CHECK(rdmsr(MSR_VMX_MISC) & MISC_LMA, "unrestricted guest without exits storing LMA");
	CHECK((rdmsr(MSR_VMX_MISC) >> 16 & 0x1ff) <= 4, "more CR3 targets than fields");
	CHECK((rdmsr(MSR_VMX_ENUM) >> 1 & 0x1ff) >= 0x16, "VMCS_ENUM 0x%x", rdmsr(MSR_VMX_ENUM));
	caps = ept_vpid_capabilities();
	CHECK_EQ(caps & (CAP_4_LEVELS | CAP_WB), CAP_4_LEVELS | CAP_WB);
	if (can(C_PROC2, PROC2_VPID))
		CHECK(caps & CAP_INVVPID && caps & (CAP_INVVPID_SINGLE | CAP_INVVPID_ALL),
		      "VPIDs without a flush");
	CHECK(caps & CAP_INVEPT && caps & (CAP_INVEPT_SINGLE | CAP_INVEPT_ALL),
	      "EPT without a flush");
	if (can(C_PROC2, PROC2_APIC_ACCESS) || can(C_PROC2, PROC2_X2APIC))
		CHECK(can(C_PROC, PROC_TPR_SHADOW), "APIC controls without the TPR shadow");
	if (can(C_PROC, PROC_NMI_WINDOW))
		CHECK(can(C_PIN, PIN_VIRTUAL_NMI), "NMI window without virtual NMIs");
}

/* What would hand hardware an address of L1's, or let it act without an exit, must not be offered. */
static void capabilities_hidden(const void *arg)
{
	uint64_t pair[2] = {0x491, 0};

	(void)arg;
	if (!monitor_present())
		test_skip("needs the monitor");
	CHECK_EQ(allowed(C_PIN).may & 0xc0, 0);
	CHECK_EQ(allowed(C_PROC).may & 0x20000, 0);
	CHECK_EQ(allowed(C_PROC2).may & 0x0006e300, 0);
	CHECK_EQ(allowed(C_EXIT).may & 0x00c01000, 0);
	CHECK_EQ(allowed(C_ENTRY).may & 0x00012c00, 0);
	CHECK(allowed(C_EXIT).must & EXIT_HOST_64, "a 32-bit host is offered");
	CHECK_EQ(rdmsr(MSR_VMX_MISC) & (MISC_SHUTDOWN | MISC_SIPI), 0);
	check_fault("RDMSR of VMFUNC's", expect_fault(read_msr, pair), VEC_GP);
}

static void capabilities_read_only(const void *arg)
{
	(void)arg;
	for (uint32_t m = MSR_VMX_BASIC; m <= MSR_VMX_TRUE_ENTRY; m++) {
		uint64_t pair[2] = {m, 0}, before;

		if (expect_fault(read_msr, pair).taken)
			continue;
		before = pair[1];
		check_fault("WRMSR", expect_fault(write_msr, pair), VEC_GP);
		CHECK_EQ(rdmsr(m), before);
	}
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++)
		test(pairs[i].name, capability_pair, &pairs[i]);
	test("capabilities", capabilities, NULL);
	test("capabilities-hidden", capabilities_hidden, NULL);
	test("capabilities-read-only", capabilities_read_only, NULL);
}
