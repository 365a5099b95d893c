/* SPDX-License-Identifier: Apache-2.0 */
/* What L1's writes to MSRs come to: each rule, by an MSR of each kind, and which numbers have which. */
#include "monitor/msr.h"
#include "monitor/msr_list.h"
#include "monitor/refusal.h"
#include "monitor/types.h"
#include "tests/unit/test_machine.h"

#define FULL 0xfedcba9876543210u
#define MASKED (1u << 16)

static int rdmsr(uint32_t msr, uint64_t *value)
{
	return msr_read(cpu, msr, value);
}

/* WRMSR does not fault, and comes to this. */
static void becomes(uint32_t msr, uint64_t now, uint64_t written, uint64_t then)
{
	fake_set_msr(msr, now);
	assert_int_equal(msr_write(cpu, msr, written), 0);
	assert_int_equal(fake_msr(msr), then);
}

static uint64_t refused(enum refusal why)
{
	uint64_t last;

	return refusal_count(why, &last);
}

static void the_rules_are_in_order(void **state)
{
	for (size_t i = 0; i < msr_rule_count; i++) {
		const struct msr_rule *r = &msr_rules[i];

		assert_true(r->first <= r->last);
		assert_true(!i || msr_rules[i - 1].last < r->first);
		assert_ptr_equal(msr_rule(r->first), r);
		assert_ptr_equal(msr_rule(r->last), r);
		assert_true(r->kind == RULE_BITS || (!r->set && !r->clear));
		assert_true(r->kind != RULE_BITS || r->set || r->clear);
	}
	assert_int_equal(msr_rule(0)->kind, RULE_CLOSED);
	assert_int_equal(msr_rule(UINT32_MAX)->kind, RULE_CLOSED);
	assert_int_equal(msr_rule(0x4b564d01)->kind, RULE_CLOSED); /* a hypervisor's: an address */
}

/* What must never be open, whatever else changes in the list. */
static void what_is_dangerous_is_closed(void **state)
{
	static const uint32_t closed[] = {
		0x9b,       0xa0,       0xa1,       0x150,      0x1f2,      0x1f3,      0x4e0,
		0x3f1,      0x560,      0x561,      0x570,      0x571,      0x572,      0x580,
		0x587,      0x600,      0x610,      0x17d0,     0x17d1,     0x982,      0x983,
		0x984,      0xc80,      0x14ce,     0xc0000104, 0xc0000105, 0xc0000106, 0xc000010f,
		0xc0010010, 0xc0010016, 0xc0010017, 0xc0010018, 0xc0010019, 0xc001001a, 0xc001001d,
		0xc0010041, 0xc0010058, 0xc0010064, 0xc001006b, 0xc0010111, 0xc0010112, 0xc0010113,
		0xc0010116, 0xc0010118, 0xc0010130, 0xc0010131, 0xc0010132, 0xc0010133, 0xc0011030,
		0xc0011033, 0xc001103a, 0xc001103d, 0x40000001, 0x4b564d00, 0x4b564d01};
	static const uint32_t commands[] = {0x79, 0xc0010020, 0xc001011b, 0xc001011e};

	for (size_t i = 0; i < ARRAY_SIZE(closed); i++)
		assert_int_equal(msr_rule(closed[i])->kind, RULE_CLOSED);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_int_equal(msr_rule(commands[i])->kind, RULE_COMMAND);
	assert_int_equal(msr_rule(0x1b)->kind, RULE_BASE);
	assert_int_equal(msr_rule(0x830)->kind, RULE_ICR);
	for (uint32_t msr = 0x200; msr < 0x270; msr++)
		assert_int_equal(msr_rule(msr)->kind, RULE_CLOSED);
}

/* What Xen and Linux write at each world switch, timer tick or context switch must not exit. */
static void what_is_frequent_is_open(void **state)
{
	static const uint32_t open[] = {0x48,       0x49,       0x10b,      0x140,      0x174,
					0x175,      0x176,      0x277,      0x6e0,      0x808,
					0x80b,      0x838,      0x83f,      0xc0000081, 0xc0000082,
					0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
					0xc0000103, 0xc001011f, 0xc0010062};

	for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
		assert_int_equal(msr_rule(open[i])->kind, RULE_OPEN);
		assert_false(msr_watched(open[i], true));
	}
}

/* Reads come here for the MTRRs alone, which L1 has a copy of. */
static void only_writes_are_watched(void **state)
{
	machine(1);
	for (uint32_t i = 0; i < 0x8000; i++) {
		uint32_t msr = i < 0x2000 ? i : 0xc0000000 + (i - 0x2000);

		assert_int_equal(msr_watched(msr, false), msr == 0x2ff);
		assert_int_equal(msr_watched(msr, true),
				 msr == 0x2ff || msr_rule(msr)->kind != RULE_OPEN);
	}
}

static void a_closed_msr_keeps_its_value(void **state)
{
	uint64_t pos, last;

	machine(1);
	pos = log_end();
	for (int i = 0; i < 3; i++)
		becomes(0xc0010010, FULL, FULL ^ 1, FULL);
	assert_int_equal(fake_msr_writes(), 0);
	assert_int_equal(refusal_count(REFUSAL_MEMORY, &last), 3);
	assert_int_equal(last, 0xc0010010);
	assert_non_null(strstr(log_text(&pos), "c0010010 (memory map"));
	assert_null(strstr(log_text(&pos), "c0010010")); /* once */
	becomes(0xc0010010, FULL, FULL, FULL);           /* nothing to refuse */
	assert_int_equal(refused(REFUSAL_MEMORY), 3);
	becomes(0x1ff0, 5, 6, 5);
	assert_int_equal(refused(REFUSAL_OTHER), 1);
	assert_int_equal(msr_write(cpu, 0x1ff1, 6), ERR_INVAL); /* there is none */
	assert_int_equal(refused(REFUSAL_OTHER), 1);
}

/* No such MSR can be read, so it is not tried. */
static void commands_are_dropped(void **state)
{
	machine(1);
	assert_int_equal(msr_write(cpu, 0x79, 0x1000), 0);
	assert_int_equal(msr_write(cpu, 0xc0010020, 0x1000), 0);
	assert_int_equal(refused(REFUSAL_MICROCODE), 2);
	assert_int_equal(fake_msr_writes(), 0);
}

static void an_open_msr_is_written(void **state)
{
	machine(1);
	becomes(0xc0010200, FULL, ~FULL, ~FULL);
	becomes(0x10, FULL, 0, 0);
	assert_int_equal(msr_write(cpu, 0x49, 1), ERR_INVAL); /* there is none */
}

static void bits(void **state)
{
	machine(1);
	/* MISC_ENABLE: what CPUID says may be made whole, not cut; nor may NX be taken away. */
	becomes(0x1a0, 0, 1ul << 22 | 1ul << 34 | 1ul << 3, 1ul << 3);
	becomes(0x1a0, 1ul << 22 | 1ul << 34 | 1, 0, 0);
	becomes(0x1a0, 1ul << 11, 0, 1ul << 11);
	becomes(0x1a0, 1ul << 18, 0, 0);
	/* HWCR */
	becomes(0xc0010015, 0x1000010, 1ul << 30 | 1ul << 27 | 1ul << 18,
		0x1000010 | 1ul << 30 | 1ul << 27);
	becomes(0xc0010015, 1ul << 30 | 1ul << 27 | 1ul << 18 | 1, 0, 1ul << 27 | 1);
	/* Mitigations can be switched on only. */
	becomes(0x123, 0x19, 2, 2);
	becomes(0x123, 0, 0x3f, 0x22);
	becomes(0xc0011029, 0, 2, 2);
	becomes(0xc0011029, 2, 0, 2);
	becomes(0xc0010055, 3ul << 27 | 1, 0, 1);
	becomes(0xc0010055, 0, 3ul << 27, 0);
	/* DEBUGCTL: no last branches, no branch trace. */
	becomes(0x1d9, 0, 0xffff, 2);
	becomes(0x1d9, 0xc1, 0, 0);
	assert_int_equal(refused(REFUSAL_TRACE), 1);
	assert_int_equal(refused(REFUSAL_OTHER), 8);
	assert_int_equal(msr_write(cpu, 0xc001001f, 0), ERR_INVAL);
}

/* Errors that a bank has may be cleared, and none invented. */
static void machine_check_banks(void **state)
{
	machine(1);
	becomes(0x400, 0, FULL, FULL); /* CTL */
	becomes(0x401, FULL, 0, 0);    /* STATUS */
	becomes(0x401, 0, FULL, 0);
	becomes(0x402, 0xf0, 0x3c, 0x30); /* ADDR */
	becomes(0x403, 0, FULL, FULL);    /* MISC */
	becomes(0x47d, 0, FULL, 0);
	becomes(0xc0002010, 0, FULL, FULL);
	becomes(0xc0002011, 0, FULL, 0);
	becomes(0xc0002012, 0, FULL, 0);
	becomes(0xc0002013, 0, FULL, FULL);
	becomes(0xc0002014, 0, FULL, FULL); /* CONFIG */
	becomes(0xc0002016, 0, FULL, 0);
	becomes(0xc0002018, 0, FULL, 0);
	becomes(0xc0002ff9, 0, FULL, 0);
	becomes(0xc0002ff9, FULL, 0, 0);
}

static void x2apic_vectors(void **state)
{
	machine(1);
	for (uint32_t msr = 0x82f; msr <= 0x837; msr += msr == 0x82f ? 3 : 1) {
		becomes(msr, MASKED, 0x31, 0x31);
		becomes(msr, MASKED, 0x400, 0x400); /* NMI */
		becomes(msr, MASKED, 0x700, 0x700); /* ExtINT */
		becomes(msr, 0x31, 0x200, 0x31);    /* SMI */
		becomes(msr, 0x31, 0x500, 0x31);    /* INIT */
		becomes(msr, 0x31, 0x600, 0x31);    /* SIPI */
		becomes(msr, 0x31, 0x300, 0x31);    /* reserved */
		becomes(msr, 0x31, MASKED | 0x200, MASKED | 0x200);
		becomes(msr, 0x31, MASKED | 0x500, MASKED | 0x500);
		fake_set_msr(msr, 0);
	}
	assert_int_equal(refused(REFUSAL_APIC), 4 * 7);
}

/* Not in x2APIC mode, or none such: #GP, even for what would be refused. */
static void x2apic_vectors_that_are_not_there(void **state)
{
	machine(1);
	assert_int_equal(msr_write(cpu, 0x832, 0x31), ERR_INVAL);
	assert_int_equal(msr_write(cpu, 0x832, 0x500), ERR_INVAL);
	assert_int_equal(refused(REFUSAL_APIC), 0);
}

/* The copy is L1's: the processor's MTRRs stay. */
static void mtrrs(void **state)
{
	uint64_t value;

	machine(1);
	fake_set_cpuid(1, (struct cpuid){.d = 1u << 12});
	fake_set_msr(0xfe, 0x508);
	fake_set_msr(0x2ff, 0xc06);
	for (uint32_t i = 0; i < 16; i++)
		fake_set_msr(0x200 + i, 0);
	fake_set_msr(0x250, 0x1e1e1e1e1e1e1e1e);
	fake_set_msr(0x258, 0);
	fake_set_msr(0x259, 0);
	for (uint32_t i = 0x268; i < 0x270; i++)
		fake_set_msr(i, 0);
	fake_catch();
	types_read(40, false);
	assert_int_equal(rdmsr(0x250, &value), 0);
	assert_int_equal(value, 0x0606060606060606); /* APM volume 2, 7.9.1: seen in set-up only */
	assert_int_equal(msr_write(cpu, 0x200, 0xe0000006), 0);
	assert_int_equal(msr_write(cpu, 0x201, 0xfff0000800), 0);
	assert_int_equal(msr_write(cpu, 0x2ff, 0), 0);
	assert_int_equal(msr_write(cpu, 0x250, 0), 0);
	assert_int_equal(msr_write(cpu, 0x2ff, 0xc00), 0);
	assert_int_equal(rdmsr(0x200, &value), 0);
	assert_int_equal(value, 0xe0000006);
	assert_int_equal(rdmsr(0x2ff, &value), 0);
	assert_int_equal(value, 0xc00);
	assert_int_equal(fake_msr_writes(), 0);
	assert_int_equal(cpu->hw->flushed, 0); /* no table follows them here */
	assert_int_equal(msr_write(cpu, 0x200, 7), ERR_INVAL);
	assert_int_equal(msr_write(cpu, 0x210, 6), ERR_INVAL); /* there are 8 ranges */
	assert_true(msr_watched(0x250, false) && msr_watched(0x20f, true));
}

/* The backend's are asked for first, and its refusal counts. */
static void the_backends_own(void **state)
{
	machine(1);
	fake_set_msr(MSR_EFER, 7);
	assert_int_equal(msr_write(cpu, MSR_EFER, EFER_NXE), 0);
	assert_int_equal(cpu->hw->space.efer, EFER_NXE);
	assert_int_equal(fake_msr(MSR_EFER), 7);
	assert_int_equal(msr_write(cpu, MSR_EFER, 1u << 20), ERR_INVAL);
	assert_int_equal(msr_write(cpu, 0x480, 0), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_are_in_order),
		cmocka_unit_test(what_is_dangerous_is_closed),
		cmocka_unit_test(what_is_frequent_is_open),
		cmocka_unit_test(only_writes_are_watched),
		cmocka_unit_test(a_closed_msr_keeps_its_value),
		cmocka_unit_test(commands_are_dropped),
		cmocka_unit_test(an_open_msr_is_written),
		cmocka_unit_test(bits),
		cmocka_unit_test(machine_check_banks),
		cmocka_unit_test(x2apic_vectors),
		cmocka_unit_test(x2apic_vectors_that_are_not_there),
		cmocka_unit_test(mtrrs),
		cmocka_unit_test(the_backends_own),
	};

	return RUN_APART(tests);
}
