/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor asks of a CPU's VMX, and what L1 sees of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/msr.h"
#include "monitor/vmx/vmx.h"

/* Index 0x480 + N of the manual's appendix A. */
enum {
	BASIC,
	PIN,
	CPU,
	EXIT,
	ENTRY,
	MISC,
	CR0_FIXED0,
	CR0_FIXED1,
	CR4_FIXED0,
	CR4_FIXED1,
	ENUM,
	CPU2,
	EPT_VPID,
	TRUE_PIN,
	TRUE_CPU,
	TRUE_EXIT,
	TRUE_ENTRY,
	VMFUNC,
	COUNT
};

/* A CPU that has everything, each reserved bit that has to be 1, and no other. */
static const uint64_t all[COUNT] = {
	[BASIC] = 0x01da040000000012, /* 1 KiB, write-back, INS/OUTS information, true controls */
	[PIN] = 0xff00000016,
	[CPU] = 0xfff9fffe0401e172,
	[EXIT] = 0x1ffffff00036dff,
	[ENTRY] = 0x3ffff000011ff,
	[MISC] = 0x7004c1e7,
	[CR0_FIXED0] = 0x80000021,
	[CR0_FIXED1] = 0xffffffff,
	[CR4_FIXED0] = 0x2000,
	[CR4_FIXED1] = 0x3fffff,
	[ENUM] = 0x2e,
	[CPU2] = 0x1fffffff00000000,
	[EPT_VPID] = 0xf0106734141,
	[TRUE_PIN] = 0xff00000016,
	[TRUE_CPU] = 0xfff9fffe04006172,
	[TRUE_EXIT] = 0x1ffffff00036dfb,
	[TRUE_ENTRY] = 0x3ffff000011fb,
	[VMFUNC] = 1,
};

static uint64_t msr[COUNT];
static struct cpuid leaf_1, leaf_address;
static uint64_t vmxon_feature; /* bit of MSR 0x3a */
static const char *why;

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	if (subleaf)
		return (struct cpuid){0};
	return leaf == 1 ? leaf_1 : leaf == 0x80000008 ? leaf_address : (struct cpuid){0};
}

static int set_up(void **state)
{
	memcpy(msr, all, sizeof(msr));
	leaf_1 = (struct cpuid){.c = 1u << 5};
	leaf_address = (struct cpuid){.a = 0x3027};
	vmxon_feature = 4;
	fake_msr_reset();
	fake_set_msr(0x3a, 5);
	return 0;
}

/* Reading an MSR that is not there ends the test. */
static int read_caps(void)
{
	fake_catch();
	for (uint32_t i = 0; i < COUNT; i++)
		fake_set_msr(0x480 + i, msr[i]);
	why = NULL;
	return caps_read(cpuid, vmxon_feature, &why);
}

static void expect_refused(const char *word)
{
	assert_int_equal(read_caps(), ERR_NOSYS);
	if (!strstr(why, word))
		fail_msg("'%s' where '%s' was expected", why, word);
}

static uint64_t l1(unsigned int i)
{
	uint64_t value = 0;

	assert_int_equal(caps_msr(0x480 + i, &value), 0);
	return value;
}

/* --- what the monitor needs --------------------------------------------------------------------- */

static void vmx_at_all(void **state)
{
	assert_int_equal(read_caps(), 0);
	leaf_1.c = ~(1u << 5);
	fake_msr_reset(); /* then there are no such MSRs to look at */
	assert_int_equal(caps_read(cpuid, vmxon_feature, &why), ERR_NOSYS);
	assert_non_null(strstr(why, "no VMX"));
}

/* VMXON has a bit of its own after a TXT launch: SDM volume 3, 24.7. */
static void the_firmwares_switch(void **state)
{
	for (vmxon_feature = 2; vmxon_feature <= 4; vmxon_feature *= 2) {
		for (uint64_t value = 0; value < 8; value++) {
			fake_set_msr(0x3a, value);
			if ((value & 1) && !(value & vmxon_feature))
				expect_refused("switched off by the firmware");
			else
				assert_int_equal(read_caps(), 0);
		}
	}
}

static void without(unsigned int i, unsigned int bit, const char *word)
{
	set_up(NULL);
	msr[i] &= ~(1ull << bit);
	expect_refused(word);
}

static void what_is_missing_is_named(void **state)
{
	without(BASIC, 55, "first generation");
	without(TRUE_CPU, 32 + 31, "without a secondary set of controls");
	without(TRUE_CPU, 32 + 28, "no I/O or MSR bitmaps"); /* MSR bitmaps */
	without(TRUE_CPU, 32 + 25, "no I/O or MSR bitmaps"); /* I/O bitmaps */
	without(TRUE_CPU, 32 + 22, "no I/O or MSR bitmaps"); /* NMI window */
	without(CPU2, 32 + 1, "no EPT");
	without(EPT_VPID, 6, "EPT lacks");  /* 4 levels */
	without(EPT_VPID, 14, "EPT lacks"); /* write-back tables */
	without(EPT_VPID, 16, "EPT lacks"); /* 2 MiB pages */
	without(EPT_VPID, 20, "EPT lacks"); /* INVEPT */
	without(EPT_VPID, 25, "EPT lacks");
	without(EPT_VPID, 26, "EPT lacks");
	without(EPT_VPID, 32, "EPT lacks"); /* INVVPID */
	for (unsigned int type = 0; type < 4; type++)
		without(EPT_VPID, 40 + type, "EPT lacks");
	without(CPU2, 32 + 7, "unrestricted guest");
	without(MISC, 5, "unrestricted guest"); /* LMA is stored */
	without(CPU2, 32 + 5, "no VPID");
	without(TRUE_PIN, 32 + 3, "virtual NMIs");
	without(TRUE_PIN, 32 + 5, "virtual NMIs");
	for (unsigned int bit = 18; bit <= 21; bit++)
		without(TRUE_EXIT, 32 + bit, "does not switch");
	without(TRUE_EXIT, 32 + 2, "does not switch");
	without(TRUE_EXIT, 32 + 9, "does not switch");
	without(TRUE_ENTRY, 32 + 2, "does not switch");
	without(TRUE_ENTRY, 32 + 9, "does not switch");
	without(TRUE_ENTRY, 32 + 14, "does not switch");
	without(TRUE_ENTRY, 32 + 15, "does not switch");
}

/* Whatever else is missing, the monitor runs. */
static void what_is_needed_and_no_more(void **state)
{
	msr[TRUE_PIN] = 0x3e00000016;
	msr[TRUE_CPU] = 0x9640617204006172;
	msr[CPU2] = 0xa200000000;
	msr[EPT_VPID] = 0xf0106114040;
	msr[MISC] = 0x20;
	msr[TRUE_EXIT] = 0x3f6fff00036dfb;
	msr[TRUE_ENTRY] = 0xd3ff000011fb;
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(CPU2), 0xa200000000);
	assert_int_equal(l1(TRUE_CPU), 0x9640617204006172);
	assert_int_equal(l1(TRUE_PIN), 0x3e00000016);
	assert_int_equal(l1(MISC), 4 << 16 | 0x20);
	assert_int_equal(l1(EPT_VPID), 0xf0106114040);
}

/* A CPU that lacks the secondary controls lacks their MSRs too. */
static void msrs_that_are_not_there(void **state)
{
	msr[TRUE_CPU] &= ~(1ull << 63);
	fake_msr_reset();
	fake_set_msr(0x3a, 5);
	fake_catch();
	for (uint32_t i = 0; i < COUNT; i++)
		if (i != CPU2 && i != EPT_VPID)
			fake_set_msr(0x480 + i, msr[i]);
	assert_int_equal(caps_read(cpuid, vmxon_feature, &why), ERR_NOSYS);
	set_up(NULL);
	msr[CPU2] &= ~(0x22ull << 32);
	fake_msr_reset();
	fake_set_msr(0x3a, 5);
	for (uint32_t i = 0; i < COUNT; i++)
		if (i != EPT_VPID)
			fake_set_msr(0x480 + i, msr[i]);
	assert_int_equal(caps_read(cpuid, vmxon_feature, &why), ERR_NOSYS);
}

static void the_hardwares(void **state)
{
	assert_int_equal(read_caps(), 0);
	assert_int_equal(hw_caps.phys_bits, 39);
	assert_int_equal(hw_caps.pin.must, 0x16);
	assert_int_equal(hw_caps.pin.may, 0xff);
	assert_int_equal(hw_caps.cpu.must, 0x04006172);
	assert_int_equal(hw_caps.cpu.may, 0xfff9fffe);
	assert_int_equal(hw_caps.cpu2.must, 0);
	assert_int_equal(hw_caps.cpu2.may, 0x1fffffff);
	assert_int_equal(hw_caps.exit.must, 0x36dfb);
	assert_int_equal(hw_caps.entry.must, 0x11fb);
	assert_int_equal(hw_caps.entry.may, 0x3ffff);
	assert_int_equal(hw_caps.cr0_must, 0x80000021);
	assert_int_equal(hw_caps.cr0_may, 0xffffffff);
	assert_int_equal(hw_caps.cr4_must, 0x2000);
	assert_int_equal(hw_caps.cr4_may, 0x3fffff);
	assert_int_equal(hw_caps.ept_vpid, all[EPT_VPID]);
	assert_int_equal(hw_caps.misc, all[MISC]);
}

/* --- what L1 sees --------------------------------------------------------------------------------- */

/* Bits of the upper half: SDM volume 3, tables 25-5 to 25-13. Reserved ones that are 1 included. */
#define PIN_L1 (0x16u | 1u << 0 | 1u << 3 | 1u << 5)
#define CPU_L1                                                                         \
	(0x04006172u | 1u << 2 | 1u << 3 | 1u << 7 | 0xfu << 9 | 3u << 15 | 3u << 19 | \
	 0x1fu << 21 | 3u << 27 | 7u << 29)
#define CPU2_L1 (0xffu | 7u << 10 | 1u << 16 | 1u << 20)
#define EXIT_L1 (0x36dfbu | 1u << 2 | 1u << 9 | 1u << 15 | 0xfu << 18)
/* No SMXE, no 5-level paging. */
#define CR4_L1 (0x3fffffu & ~(1u << 14 | 1u << 12))
#define ENTRY_L1 (0x11fbu | 1u << 2 | 1u << 9 | 3u << 14)
#define EPT_VPID_L1                                                                              \
	(1ull << 0 | 1ull << 6 | 1ull << 8 | 1ull << 14 | 3ull << 16 | 1ull << 20 | 1ull << 21 | \
	 3ull << 25 | 1ull << 32 | 0xfull << 40)

static uint64_t allowed(uint32_t must, uint32_t may)
{
	return must | (uint64_t)may << 32;
}

static void l1_on_a_cpu_with_everything(void **state)
{
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(TRUE_PIN), allowed(0x16, PIN_L1));
	assert_int_equal(l1(TRUE_CPU), allowed(0x04006172, CPU_L1));
	assert_int_equal(l1(TRUE_EXIT), allowed(0x36dfb | 1u << 9, EXIT_L1));
	assert_int_equal(l1(TRUE_ENTRY), allowed(0x11fb, ENTRY_L1));
	/* The older four ask for all of the default-1 class. */
	assert_int_equal(l1(PIN), allowed(0x16, PIN_L1));
	assert_int_equal(l1(CPU), allowed(0x0401e172, CPU_L1));
	assert_int_equal(l1(EXIT), allowed(0x36dff | 1u << 9, EXIT_L1));
	assert_int_equal(l1(ENTRY), allowed(0x11ff, ENTRY_L1));
	assert_int_equal(l1(CPU2), allowed(0, CPU2_L1));
	assert_int_equal(l1(EPT_VPID), EPT_VPID_L1);
	assert_int_equal(l1(CR0_FIXED0), 0x80000021);
	assert_int_equal(l1(CR0_FIXED1), 0xffffffff);
	assert_int_equal(l1(CR4_FIXED0), 0x2000);
	assert_int_equal(l1(CR4_FIXED1), CR4_L1);
	/* HLT, LMA stored, a software event without a length, 4 CR3 targets, lists of 512 MSRs. */
	assert_int_equal(l1(MISC), 1u << 5 | 1u << 6 | 4u << 16 | 1u << 30);
	assert_int_equal(l1(ENUM), 0x2c);
}

/* Our own layout in 4 KiB; of the hardware's, only whether INS and OUTS say more. */
static void the_basic_msr(void **state)
{
	const uint64_t ours = 0x4e560001ull | 4096ull << 32 | 6ull << 50 | 1ull << 55;

	assert_false(ours & 1u << 31);
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(BASIC), ours | 1ull << 54);
	msr[BASIC] = UINT64_MAX;
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(BASIC), ours | 1ull << 54);
	msr[BASIC] = 1ull << 55;
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(BASIC), ours);
}

static uint64_t l1_if(unsigned int i, uint64_t value)
{
	msr[i] = value;
	assert_int_equal(read_caps(), 0);
	return l1(i);
}

/* Future CPUs: all bits there are. L1 gets no more of them. */
static void what_is_not_known_is_hidden(void **state)
{
	for (unsigned int i = 0; i < COUNT; i++)
		if (i != BASIC && i != VMFUNC)
			msr[i] |= i >= TRUE_PIN || i == CPU2 ? UINT64_MAX << 32 : UINT64_MAX;
	msr[CR0_FIXED0] = 0x80000021;
	msr[CR4_FIXED0] = 0x2000;
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(TRUE_PIN) >> 32, PIN_L1);
	assert_int_equal(l1(TRUE_CPU) >> 32, CPU_L1);
	assert_int_equal(l1(TRUE_EXIT) >> 32, EXIT_L1);
	assert_int_equal(l1(TRUE_ENTRY) >> 32, ENTRY_L1);
	assert_int_equal(l1(CPU2) >> 32, CPU2_L1);
	assert_int_equal(l1(EPT_VPID), EPT_VPID_L1);
	assert_int_equal(l1(MISC), 1u << 5 | 1u << 6 | 4u << 16 | 1u << 30);
	assert_int_equal(l1(CR4_FIXED1), CR4_L1 | 1u << 22);
}

/* By name, what would break a rule. */
static void dangerous_controls_are_hidden(void **state)
{
	uint32_t pin, cpu, cpu2, exit, entry;

	what_is_not_known_is_hidden(NULL);
	pin = (uint32_t)(l1(TRUE_PIN) >> 32);
	cpu = (uint32_t)(l1(TRUE_CPU) >> 32);
	cpu2 = (uint32_t)(l1(CPU2) >> 32);
	exit = (uint32_t)(l1(TRUE_EXIT) >> 32);
	entry = (uint32_t)(l1(TRUE_ENTRY) >> 32);
	assert_false(pin & 1u << 6);    /* preemption timer */
	assert_false(pin & 1u << 7);    /* posted interrupts */
	assert_false(cpu & 1u << 17);   /* tertiary controls */
	assert_false(cpu2 & 1u << 8);   /* APIC-register virtualization */
	assert_false(cpu2 & 1u << 9);   /* virtual-interrupt delivery */
	assert_false(cpu2 & 1u << 13);  /* VM functions */
	assert_false(cpu2 & 1u << 14);  /* VMCS shadowing */
	assert_false(cpu2 & 1u << 15);  /* ENCLS exiting */
	assert_false(cpu2 & 1u << 17);  /* PML */
	assert_false(cpu2 & 1u << 18);  /* #VE */
	assert_false(cpu2 & 1u << 19);  /* conceal from PT */
	assert_false(cpu2 & 7u << 22);  /* mode-based execute, sub-page permissions, PT in gpas */
	assert_false(cpu2 & 1u << 25);  /* TSC scaling */
	assert_false(exit & 1u << 12);  /* load performance counters' control */
	assert_false(exit & 1u << 22);  /* save the preemption timer */
	assert_false(entry & 1u << 10); /* SMM */
	assert_false(entry & 1u << 11);
	assert_false(entry & 1u << 13);
	assert_false(l1(MISC) & 1u << 29); /* VMWRITE of exit information */
	assert_false(l1(MISC) & 6u << 6);  /* shutdown and wait-for-SIPI */
	assert_false(l1(EPT_VPID) & 1u << 22);
}

/* Bits that have to be 1 are, and may be; what the hardware has not got, L1 has not either. */
static void controls_bit_by_bit(void **state)
{
	static const struct {
		unsigned int msr;
		uint32_t offered, forced;
	} row[] = {
		{TRUE_PIN, PIN_L1, 0},         {TRUE_CPU, CPU_L1, 0},     {CPU2, CPU2_L1, 0},
		{TRUE_EXIT, EXIT_L1, 1u << 9}, {TRUE_ENTRY, ENTRY_L1, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			unsigned int m = row[i].msr;
			uint32_t must = (uint32_t)all[m] | row[i].forced;
			uint32_t may = (uint32_t)(all[m] >> 32);
			uint32_t mask = 1u << bit;

			set_up(NULL);
			assert_int_equal(l1_if(m, all[m] | mask | (uint64_t)mask << 32),
					 allowed(must | mask,
						 (may & row[i].offered) | must | mask));
			if (must & mask)
				continue;
			msr[m] = all[m] & ~((uint64_t)mask << 32);
			if (read_caps())
				continue; /* the monitor needs it */
			assert_int_equal(l1(m), allowed(must, may & row[i].offered & ~mask));
		}
	}
}

/* For the older MSRs, a default-1 control is forced only if it is there. */
static void a_default_that_is_not_there(void **state)
{
	msr[TRUE_CPU] &= ~(3ull << (32 + 15)); /* MOV to and from CR3 */
	assert_int_equal(read_caps(), 0);
	assert_int_equal(l1(CPU), allowed(0x04006172, CPU_L1 & ~(3u << 15)));
}

static void single_bits_elsewhere(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;

		set_up(NULL);
		msr[EPT_VPID] &= ~mask;
		if (!read_caps())
			assert_int_equal(l1(EPT_VPID), EPT_VPID_L1 & ~mask);
		set_up(NULL);
		msr[MISC] &= ~mask;
		if (!read_caps())
			assert_int_equal(l1(MISC), 4u << 16 | ((1u << 30 | 3u << 5) & ~mask));
		set_up(NULL);
		assert_int_equal(l1_if(CR4_FIXED1, 0x3fffff & ~mask), CR4_L1 & ~mask);
		set_up(NULL);
		assert_int_equal(l1_if(CR0_FIXED1, UINT32_MAX & ~mask), UINT32_MAX & ~mask);
	}
}

static void msrs_that_l1_has(void **state)
{
	uint64_t value;

	assert_int_equal(read_caps(), 0);
	for (uint32_t m = 0x400; m < 0x500; m++)
		assert_int_equal(caps_msr(m, &value), m >= 0x480 && m <= 0x490 ? 0 : ERR_INVAL);
	assert_int_equal(caps_msr(0, &value), ERR_INVAL);
	assert_int_equal(caps_msr(UINT32_MAX, &value), ERR_INVAL);
}

#define T(t) cmocka_unit_test_setup(t, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(vmx_at_all),
		T(the_firmwares_switch),
		T(what_is_missing_is_named),
		T(what_is_needed_and_no_more),
		T(msrs_that_are_not_there),
		T(the_hardwares),
		T(l1_on_a_cpu_with_everything),
		T(the_basic_msr),
		T(what_is_not_known_is_hidden),
		T(dangerous_controls_are_hidden),
		T(controls_bit_by_bit),
		T(a_default_that_is_not_there),
		T(single_bits_elsewhere),
		T(msrs_that_l1_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
