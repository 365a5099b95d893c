/* SPDX-License-Identifier: Apache-2.0 */
/* Every exit code's reason, and every ASID a vCPU runs with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/svm/svm.h"

struct svm_features svm_features;

/* --- reasons ---------------------------------------------------------------------------------- */

/* APM volume 2, appendix C, as ranges of codes; what is in none of them is unknown. */
static const struct {
	uint64_t first, last;
	enum exit_reason reason;
} table[] = {
	{0x00, 0x1f, EXIT_CR},
	{0x20, 0x3f, EXIT_DR},
	{0x40, 0x5f, EXIT_EXCEPTION},
	{0x60, 0x60, EXIT_INTR},
	{0x61, 0x61, EXIT_NMI},
	{0x62, 0x62, EXIT_OTHER}, /* SMI */
	{0x63, 0x63, EXIT_INIT},
	{0x64, 0x64, EXIT_VINTR},
	{0x65, 0x65, EXIT_CR},
	{0x66, 0x6d, EXIT_DESCRIPTOR},
	{0x6e, 0x6f, EXIT_TSC},   /* RDTSC, RDPMC */
	{0x70, 0x71, EXIT_OTHER}, /* PUSHF, POPF */
	{0x72, 0x72, EXIT_CPUID},
	{0x73, 0x75, EXIT_OTHER}, /* RSM, IRET, INT */
	{0x76, 0x76, EXIT_CACHE},
	{0x77, 0x77, EXIT_PAUSE},
	{0x78, 0x78, EXIT_HLT},
	{0x79, 0x79, EXIT_INVLPG},
	{0x7a, 0x7a, EXIT_TLB},
	{0x7b, 0x7b, EXIT_PORT},
	{0x7c, 0x7c, EXIT_MSR_READ},
	{0x7d, 0x7d, EXIT_TASK},
	{0x7e, 0x7e, EXIT_OTHER}, /* FERR */
	{0x7f, 0x7f, EXIT_SHUTDOWN},
	{0x80, 0x80, EXIT_ENTER},
	{0x81, 0x81, EXIT_HYPERCALL},
	{0x82, 0x83, EXIT_STATE},
	{0x84, 0x85, EXIT_GIF},
	{0x86, 0x86, EXIT_OTHER}, /* SKINIT */
	{0x87, 0x87, EXIT_TSC},
	{0x88, 0x88, EXIT_OTHER}, /* ICEBP */
	{0x89, 0x89, EXIT_CACHE},
	{0x8a, 0x8c, EXIT_MWAIT},
	{0x8d, 0x8d, EXIT_XSETBV},
	{0x8e, 0x8e, EXIT_TSC}, /* RDPRU */
	{0x400, 0x400, EXIT_NESTED_FAULT},
	{UINT64_MAX, UINT64_MAX, EXIT_INVALID},
};

static enum exit_reason reason(uint64_t code, uint64_t info1)
{
	static struct vmcb v;

	v.c.exit_code = code;
	v.c.exit_info1 = info1;
	return svm_reason(&v);
}

static enum exit_reason expected(uint64_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (code >= table[i].first && code <= table[i].last)
			return table[i].reason;
	return EXIT_UNKNOWN;
}

static void every_code_has_its_reason(void **state)
{
	const uint64_t far[] = {0x10000,     INT32_MAX,  1ull << 31,     UINT32_MAX,    1ull << 32,
				0x100000072, 1ull << 63, UINT64_MAX - 1, UINT64_MAX - 2};

	for (uint64_t code = 0; code < 0x1000; code++)
		if (reason(code, 0) != expected(code))
			fail_msg("code %lx: %d", code, reason(code, 0));
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(reason(far[i], 0), EXIT_UNKNOWN);
	assert_int_equal(reason(UINT64_MAX, 0), EXIT_INVALID);
}

static void reading_and_writing_an_msr(void **state)
{
	assert_int_equal(reason(VMEXIT_MSR, 0), EXIT_MSR_READ);
	assert_int_equal(reason(VMEXIT_MSR, 1), EXIT_MSR_WRITE);
	assert_int_equal(reason(VMEXIT_CPUID, 1), EXIT_CPUID);
}

/* --- ASIDs ------------------------------------------------------------------------------------ */

#define CPUS 2u
#define VCPUS 6u
#define ASIDS 5u /* 0 is none's, 1 the host's: three vCPUs have room */

static struct cpu cpu[CPUS];
static struct hw_cpu hw[CPUS];
static struct guest_vcpu vcpu[VCPUS];
static struct hw_vcpu record[VCPUS];

static int set_up(void **state)
{
	memset(cpu, 0, sizeof(cpu));
	memset(hw, 0, sizeof(hw));
	memset(vcpu, 0, sizeof(vcpu));
	memset(record, 0, sizeof(record));
	svm_features.asids = ASIDS;
	for (unsigned int i = 0; i < CPUS; i++) {
		cpu[i].index = i;
		cpu[i].hw = &hw[i];
		svm_asid_init(&hw[i]);
		svm_asid_tlb_control(&hw[i]);
	}
	for (unsigned int i = 0; i < VCPUS; i++)
		vcpu[i].hw = &record[i];
	return 0;
}

/* Enters it; returns its ASID. The entry itself is not to flush, unless asids_flushed says. */
static uint32_t enter(unsigned int c, unsigned int v, uint32_t l1_asid, bool flush)
{
	svm_asid_assign(&cpu[c], &vcpu[v], l1_asid, flush);
	vcpu[v].fresh = false;
	assert_true(record[v].asid > ASID_HOST && record[v].asid < ASIDS);
	return record[v].asid;
}

static bool flushes(unsigned int c)
{
	uint32_t control = svm_asid_tlb_control(&hw[c]);

	assert_true(control == TLB_CONTROL_NONE || control == TLB_CONTROL_FLUSH_ALL);
	return control == TLB_CONTROL_FLUSH_ALL;
}

static void the_first_entry_flushes(void **state)
{
	svm_asid_init(&hw[0]);
	assert_true(flushes(0));
	assert_false(flushes(0));
}

static void a_vcpu_keeps_its_asid(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 1, 7, false);

	assert_int_not_equal(a, b); /* although L1 gave both the same */
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(enter(0, 0, 7, false), a);
		assert_int_equal(enter(0, 1, 7, false), b);
	}
	assert_false(flushes(0));
}

static void a_flush_is_a_new_asid(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 0, 7, true);

	assert_int_not_equal(a, b);
	assert_int_equal(enter(0, 0, 7, false), b);
	assert_false(flushes(0));
}

/* L1 may flush with any vCPU's entry: all of this CPU lose theirs. */
static void a_flush_is_everybodys(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	enter(0, 1, 8, true);
	assert_int_not_equal(enter(0, 0, 7, false), a);
	set_up(NULL);
	a = enter(0, 0, 7, false);
	svm_asid_forget_guests(&hw[0]);
	assert_int_not_equal(enter(0, 0, 7, false), a);
	assert_false(flushes(0));
}

static void another_number_of_l1s_is_a_new_asid(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 0, 8, false);

	assert_int_not_equal(a, b);
	assert_int_not_equal(enter(0, 0, 7, false), b);
}

static void a_fresh_record_gets_a_new_asid(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	vcpu[0].fresh = true;
	assert_int_not_equal(enter(0, 0, 7, false), a);
}

static void another_cpu_and_back(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	enter(1, 0, 7, false);
	assert_int_not_equal(enter(0, 0, 7, false), a); /* what it left there is old */
}

static void running_out_flushes_once(void **state)
{
	enter(0, 0, 7, false);
	enter(0, 1, 7, false);
	enter(0, 2, 7, false);
	assert_false(flushes(0));
	enter(0, 3, 7, false);
	assert_true(flushes(0));
	assert_false(flushes(0));
	assert_false(flushes(1));
}

/*
 * Random entries. Since the last flush of a CPU's TLB, an ASID there has been one vCPU's with one
 * of L1's numbers only, and none that L1 asked to forget.
 */
static void no_two_share_one(void **state)
{
	static struct {
		unsigned int user, epoch;
		uint32_t l1_asid;
	} tlb[CPUS][ASIDS];
	unsigned int epoch = 0, forgotten_at[CPUS] = {0};
	uint32_t random = 1, flushed = 0;

	memset(tlb, 0xff, sizeof(tlb));
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int c, v, l1;
		bool flush;
		uint32_t asid;

		random = random * 1664525 + 1013904223;
		c = random >> 31;
		v = (random >> 20) % VCPUS;
		l1 = random >> 16 & 1;
		flush = !(random >> 10 & 31);
		epoch += flush;
		asid = enter(c, v, l1, flush);
		if (flushes(c)) {
			memset(tlb[c], 0xff, sizeof(tlb[c]));
			flushed++;
		}
		if (flush)
			forgotten_at[c] = epoch; /* what this CPU got before it is not to be used */
		if (tlb[c][asid].user != UINT32_MAX) {
			assert_int_equal(tlb[c][asid].user, v);
			assert_int_equal(tlb[c][asid].l1_asid, l1);
			assert_true(tlb[c][asid].epoch >= forgotten_at[c]);
		} else {
			tlb[c][asid].user = v;
			tlb[c][asid].l1_asid = l1;
			tlb[c][asid].epoch = epoch;
		}
	}
	assert_true(flushed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_reason),
		cmocka_unit_test(reading_and_writing_an_msr),
		cmocka_unit_test_setup(the_first_entry_flushes, set_up),
		cmocka_unit_test_setup(a_vcpu_keeps_its_asid, set_up),
		cmocka_unit_test_setup(a_flush_is_a_new_asid, set_up),
		cmocka_unit_test_setup(a_flush_is_everybodys, set_up),
		cmocka_unit_test_setup(another_number_of_l1s_is_a_new_asid, set_up),
		cmocka_unit_test_setup(a_fresh_record_gets_a_new_asid, set_up),
		cmocka_unit_test_setup(another_cpu_and_back, set_up),
		cmocka_unit_test_setup(running_out_flushes_once, set_up),
		cmocka_unit_test_setup(no_two_share_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
