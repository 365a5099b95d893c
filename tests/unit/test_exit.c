/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when L1 comes out: the dispatch, MSRs, faults. */
#include "monitor/refusal.h"
#include "tests/unit/test_machine.h"

#define OSXSAVE (1u << 27)
#define OSPKE (1u << 4)
#define HALF_AND_HALF 0x1234567890abcdefu
#define MSR_SOME 0x48u /* one that is open */

static const uint8_t cpuid_insn[] = {0x0f, 0xa2};
static const uint8_t rdmsr_insn[] = {0x0f, 0x32};
static const uint8_t wrmsr_insn[] = {0x0f, 0x30};

static void cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct exit exit = {.reason = EXIT_CPUID};

	code(cpuid_insn, sizeof(cpuid_insn));
	cpu->regs.r[RAX] = leaf | 0xffffffff00000000u;
	cpu->regs.r[RCX] = subleaf;
	leave(&exit);
	expect_done(2);
}

static void cpuid_shows_what_the_backend_says(void **state)
{
	machine(1);
	fake_set_cpuid(0x80000001, (struct cpuid){1, 2, 3, 4});
	cpuid(0x80000001, 0);
	assert_int_equal(cpu->regs.r[RAX], 1);
	assert_int_equal(cpu->regs.r[RBX], 2);
	assert_int_equal(cpu->regs.r[RCX], 3);
	assert_int_equal(cpu->regs.r[RDX], 4);
}

static void cpuid_mirrors_cr4(void **state)
{
	machine(1);
	fake_set_cpuid(1, (struct cpuid){.c = ~0u});
	fake_set_cpuid(7, (struct cpuid){.c = 0});
	fake_set_cpuid(2, (struct cpuid){.c = OSXSAVE | OSPKE});
	cpuid(1, 0);
	assert_int_equal(cpu->regs.r[RCX], ~OSXSAVE);
	cpuid(7, 0);
	assert_int_equal(cpu->regs.r[RCX], 0);
	cpu->hw->space.cr4 = CR4_OSXSAVE;
	cpuid(1, 0);
	assert_int_equal(cpu->regs.r[RCX], ~0u);
	cpuid(7, 0);
	assert_int_equal(cpu->regs.r[RCX], 0);
	cpu->hw->space.cr4 = CR4_PKE;
	cpuid(1, 0);
	assert_int_equal(cpu->regs.r[RCX], ~OSXSAVE);
	cpuid(7, 0);
	assert_int_equal(cpu->regs.r[RCX], OSPKE);
	cpuid(2, 0);
	assert_int_equal(cpu->regs.r[RCX], OSXSAVE | OSPKE);
}

/* Other code stands there now: L1 took the instruction away while it ran. */
static void an_instruction_that_is_gone_is_refused(void **state)
{
	struct exit exit = {.reason = EXIT_CPUID};

	machine(1);
	code("\xff\xff", 2);
	leave(&exit);
	expect_fault(VECTOR_GP);
	cpu->regs.rip = 0x7fffff; /* half of it beyond the end of memory */
	*(uint8_t *)fake_at(HPA(0x7fffff), 1) = 0x0f;
	fake_forget(cpu);
	leave(&exit);
	assert_int_equal(cpu->hw->injected, 1);
	assert_int_equal(cpu->regs.rip, 0x7fffff);
}

/* --- MSRs ------------------------------------------------------------------------------------- */

static void read_msr(uint32_t msr)
{
	struct exit exit = {.reason = EXIT_MSR_READ};

	code(rdmsr_insn, sizeof(rdmsr_insn));
	cpu->regs.r[RCX] = msr;
	cpu->regs.r[RAX] = cpu->regs.r[RDX] = HALF_AND_HALF;
	leave(&exit);
}

static void write_msr(uint32_t msr, uint64_t value)
{
	struct exit exit = {.reason = EXIT_MSR_WRITE};

	code(wrmsr_insn, sizeof(wrmsr_insn));
	cpu->regs.r[RCX] = msr;
	cpu->regs.r[RAX] = (uint32_t)value | 0xdead000000000000u; /* the high halves are ignored */
	cpu->regs.r[RDX] = value >> 32 | 0xbeef000000000000u;
	leave(&exit);
}

static void an_msr_is_read_and_written(void **state)
{
	machine(1);
	fake_set_msr(MSR_SOME, HALF_AND_HALF);
	read_msr(MSR_SOME);
	expect_done(2);
	assert_int_equal(cpu->regs.r[RAX], (uint32_t)HALF_AND_HALF);
	assert_int_equal(cpu->regs.r[RDX], HALF_AND_HALF >> 32);
	write_msr(MSR_SOME, ~HALF_AND_HALF);
	expect_done(2);
	assert_int_equal(fake_msr(MSR_SOME), ~HALF_AND_HALF);
}

static void an_msr_that_the_machine_lacks_faults(void **state)
{
	machine(1);
	read_msr(0x999);
	expect_fault(VECTOR_GP);
	assert_int_equal(cpu->hw->error_code, 0);
	assert_int_equal(cpu->regs.r[RAX], HALF_AND_HALF);
	assert_int_equal(cpu->regs.r[RDX], HALF_AND_HALF);
	write_msr(0x999, 1);
	expect_fault(VECTOR_GP);
	assert_int_equal(fake_msr_writes(), 0);
}

/* The backend's registers are L1's own, not the machine's. */
static void a_virtual_msr_stays_off_the_hardware(void **state)
{
	machine(1);
	fake_set_msr(MSR_EFER, 0x1000);
	write_msr(MSR_EFER, EFER_NXE);
	expect_done(2);
	read_msr(MSR_EFER);
	expect_done(2);
	assert_int_equal(cpu->regs.r[RAX], EFER_NXE);
	write_msr(MSR_EFER, 1u << 20);
	expect_fault(VECTOR_GP);
	assert_int_equal(fake_msr(MSR_EFER), 0x1000);
	assert_int_equal(cpu->hw->space.efer, EFER_NXE);
}

static void the_local_apic_stays_where_it_is(void **state)
{
	const uint64_t now = APIC_AT | APIC_BASE_ENABLE;
	const uint64_t wrong[] = {
		(uint64_t)APIC_AT - PAGE_SIZE + APIC_BASE_ENABLE, /* elsewhere */
		BLOCK | APIC_BASE_ENABLE,
		now | 1ull << 35, /* more memory than the first such CPUs had */
		now | 1ull << 36,
		now | 1ull << 51, /* the architecture's topmost bit (APM volume 2, 16.3.1) */
		APIC_AT,          /* off */
		APIC_AT | APIC_BASE_X2APIC,
	};
	uint64_t last;

	machine(1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		write_msr(MSR_APIC_BASE, wrong[i]);
		expect_fault(VECTOR_GP);
		assert_int_equal(fake_msr(MSR_APIC_BASE), now);
		assert_int_equal(refusal_count(REFUSAL_APIC, &last), i + 1);
		assert_int_equal(last, MSR_APIC_BASE);
	}
	write_msr(MSR_APIC_BASE, now | APIC_BASE_X2APIC);
	expect_done(2);
	assert_int_equal(fake_msr(MSR_APIC_BASE), now | APIC_BASE_X2APIC);
}

/* --- nested faults ---------------------------------------------------------------------------- */

static void a_touch_of_the_monitor_is_refused_and_logged(void **state)
{
	uint64_t pos;

	machine(1);
	for (int write = 0; write < 2; write++) {
		CODE_IS(0xa3, 0, 0, 0, 1);
		pos = log_end();
		touch(BLOCK + 0x1234, write);
		expect_fault(VECTOR_GP);
		assert_false(host_allows(HPA(BLOCK + 0x1234), TABLE_R));
		assert_non_null(strstr(log_text(&pos), write ? "write to monitor memory 1001234"
							     : "read of monitor memory 1001234"));
	}
	touch(BLOCK + BLOCK_SIZE - 1, false);
	assert_int_equal(cpu->hw->injected, 2);
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		assert_int_equal(*((char *)mem_at(HPA(BLOCK)) + i), 0);
}

/* Also when the CPU itself does it, because L1's page tables are there. */
static void page_tables_in_the_monitor_are_refused(void **state)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT,
			    .fault = HPA(BLOCK),
			    .write = true,
			    .in_walk = true};

	machine(1);
	CODE_IS(0x90);
	leave(&exit);
	expect_fault(VECTOR_GP);
}

static void refusals_are_logged_a_hundred_times(void **state)
{
	uint64_t pos, lines = 0;
	const char *text;

	machine(1);
	pos = log_end();
	for (unsigned int i = 0; i < 1000; i++) {
		CODE_IS(0x90);
		touch(BLOCK, true);
		expect_fault(VECTOR_GP);
	}
	while (*(text = log_text(&pos)))
		for (; *text; text++)
			lines += *text == '\n';
	assert_int_equal(lines, 100);
}

static void device_memory_appears_when_it_is_touched(void **state)
{
	const uint64_t at = mem_top() + 5 * GIB + 0x345678;

	machine(1);
	assert_false(host_allows(HPA(at), TABLE_R));
	CODE_IS(0x90);
	touch(at, true);
	expect_nothing(); /* L1 repeats it */
	assert_true(host_allows(HPA(at), TABLE_RWX));
	/* The largest page the machine has: 1 GiB. */
	assert_true(host_allows(HPA(ALIGN_DOWN(at, GIB)), TABLE_RWX));
	assert_false(host_allows(HPA(ALIGN_DOWN(at, GIB) - 1), TABLE_R));
	assert_false(host_allows(HPA(ALIGN_UP(at, GIB)), TABLE_R));
}

static void an_address_beyond_the_table_is_refused(void **state)
{
	machine(1);
	CODE_IS(0x90);
	touch((uint64_t)1 << TABLE_GPA_BITS, false);
	expect_fault(VECTOR_GP);
}

static void device_memory_without_table_pages_is_refused(void **state)
{
	machine(1);
	fake_limit_tables(0);
	CODE_IS(0x90);
	touch(600 * GIB, false);
	expect_fault(VECTOR_GP);
}

/* Below the top of RAM what is not L1's stays absent. */
static void what_was_taken_away_stays_away(void **state)
{
	const enum owner_kind kind[] = {OWNER_NONE, OWNER_MONITOR};

	for (size_t i = 0; i < ARRAY_SIZE(kind); i++) {
		machine(1);
		assert_int_equal(host_set(HPA(3 * MIB), PAGE_SIZE, 0), 0);
		fake_give(HPA(3 * MIB), kind[i]);
		CODE_IS(0x90);
		touch(3 * MIB, false);
		expect_fault(VECTOR_GP);
		assert_false(host_allows(HPA(3 * MIB), TABLE_R));
	}
}

/* What is L1's is there, whoever left it absent. */
static void what_is_l1s_comes_back(void **state)
{
	const enum owner_kind kind[] = {OWNER_HOST, OWNER_SHARED};

	for (size_t i = 0; i < ARRAY_SIZE(kind); i++) {
		machine(1);
		assert_int_equal(host_set(HPA(3 * MIB), PAGE_SIZE, TABLE_R), 0);
		fake_give(HPA(3 * MIB), kind[i]);
		CODE_IS(0x90);
		touch(3 * MIB + 0x123, true);
		expect_nothing(); /* L1 repeats it */
		assert_true(host_allows(HPA(3 * MIB), TABLE_RWX));
	}
}

/* --- the rest --------------------------------------------------------------------------------- */

static void invd_becomes_wbinvd(void **state)
{
	struct exit exit = {.reason = EXIT_CACHE};

	machine(1);
	CODE_IS(0x0f, 0x08);
	leave(&exit);
	expect_done(2);
	assert_int_equal(fake_wbinvds(), 1);
}

static void a_triple_fault_resets_the_machine(void **state)
{
	struct exit exit = {.reason = EXIT_SHUTDOWN};
	uint64_t pos;

	machine(1);
	pos = log_end();
	assert_int_equal(fake_exit(cpu, &exit), FAKE_RESET);
	assert_non_null(strstr(log_text(&pos), "triple fault at rip 1000"));
}

static void every_other_exit_is_refused(void **state)
{
	static const bool known[EXIT_REASON_COUNT] = {
		[EXIT_CPUID] = true,        [EXIT_MSR_READ] = true,  [EXIT_MSR_WRITE] = true,
		[EXIT_NESTED_FAULT] = true, [EXIT_HYPERCALL] = true, [EXIT_CACHE] = true,
		[EXIT_SHUTDOWN] = true,
	};

	machine(1);
	for (unsigned int i = 0; i <= EXIT_REASON_COUNT; i++) {
		struct exit exit = {.reason = i};

		if (i < EXIT_REASON_COUNT && known[i])
			continue;
		machine(1);
		CODE_IS(0x90);
		assert_int_equal(fake_exit(cpu, &exit), 0);
		expect_fault(VECTOR_GP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpuid_shows_what_the_backend_says),
		cmocka_unit_test(cpuid_mirrors_cr4),
		cmocka_unit_test(an_instruction_that_is_gone_is_refused),
		cmocka_unit_test(an_msr_is_read_and_written),
		cmocka_unit_test(an_msr_that_the_machine_lacks_faults),
		cmocka_unit_test(a_virtual_msr_stays_off_the_hardware),
		cmocka_unit_test(the_local_apic_stays_where_it_is),
		cmocka_unit_test(a_touch_of_the_monitor_is_refused_and_logged),
		cmocka_unit_test(page_tables_in_the_monitor_are_refused),
		cmocka_unit_test(refusals_are_logged_a_hundred_times),
		cmocka_unit_test(device_memory_appears_when_it_is_touched),
		cmocka_unit_test(an_address_beyond_the_table_is_refused),
		cmocka_unit_test(device_memory_without_table_pages_is_refused),
		cmocka_unit_test(what_was_taken_away_stays_away),
		cmocka_unit_test(what_is_l1s_comes_back),
		cmocka_unit_test(invd_becomes_wbinvd),
		cmocka_unit_test(a_triple_fault_resets_the_machine),
		cmocka_unit_test(every_other_exit_is_refused),
	};

	return RUN_APART(tests);
}
