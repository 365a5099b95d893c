/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of an isolated guest for a hypercall, CPUID, an MSR, a control register, a task switch. */
#include "tests/unit/test_disclose.h"

#define CPUID_1_AES (1u << 25)
#define CPUID_1_HYPERVISOR (1u << 31)

#define VERSION 17
#define GET_FEATURES 6
#define CHANGESET 4
#define EXTRAVERSION 1
#define MEMORY_OP 12
#define MEMORY_MAP 9
#define CONSOLE_IO 18
#define SCHED_OP 29
#define GRANTS 20
#define MSR_CALL_PAGE 0x40000000u
#define LEN 3

static void calls(uint64_t number, uint64_t first, uint64_t second, enum disclose_result want)
{
	fill_registers();
	cpu->hw->guest_insn_len = LEN;
	cpu->regs.r[RAX] = number;
	cpu->regs.r[RDI] = first;
	cpu->regs.r[RSI] = second;
	comes_out((struct guest_exit){.reason = EXIT_HYPERCALL}, want);
}

/* L1 has carried it out, and changed all that it could. */
static void returns(uint64_t result)
{
	spoil_registers(0);
	cpu->regs.r[RAX] = result;
	cpu->regs.rip = LEN;
	goes_in();
	expect_registers(R(RAX));
	assert_int_equal(cpu->regs.rip, regs.rip + LEN);
}

/* --- hypercalls --------------------------------------------------------------------------------------- */

/* Four bytes in, four out: struct xen_feature_info. */
static void in_and_out(void **state)
{
	uint32_t out[2] = {0x11111111, 0x301};
	uint8_t in[8] = {0};

	launch();
	memcpy(in, fake_at(HPA(hpa_at(DATA)), 4), 4);
	calls(VERSION, GET_FEATURES, DATA, DISCLOSE_TELL);
	allow_bytes(DATA, 8, in);
	allow_path(DATA);
	expect_seen();
	assert_int_equal(cpu->regs.r[RDI], GET_FEATURES);
	assert_int_equal(cpu->regs.r[RSI], DATA);
	assert_int_equal(cpu->regs.r[RDX], 0); /* it has no third argument */
	assert_int_equal(cpu->regs.r[R10], 0);
	assert_int_equal(cpu->regs.r[R8], 0);
	l1_writes(hpa_at(DATA), out, 8);
	l1_writes(hpa_at(DATA) + 8, "more", 4);
	returns(0);
	assert_int_equal(cpu->regs.r[RAX], 0);
	expect_written(DATA + 4, &(uint32_t){0x301}, 4);
	expect_kept();
}

static void across_pages(void **state)
{
	const uint64_t at = DATA + PAGE_SIZE - 3;
	uint8_t in[8] = {0};

	launch();
	in[0] = *(uint8_t *)fake_at(HPA(hpa_at(at)), 1);
	in[1] = *(uint8_t *)fake_at(HPA(hpa_at(at + 1)), 1);
	in[2] = *(uint8_t *)fake_at(HPA(hpa_at(at + 2)), 1);
	in[3] = *(uint8_t *)fake_at(HPA(hpa_at(at + 3)), 1);
	calls(VERSION, GET_FEATURES, at, DISCLOSE_TELL);
	allow_bytes(at, 8, in);
	allow_path(at);
	allow_path(at + 3);
	expect_seen();
	l1_writes(hpa_at(at + 4), "\1\3\0", 4);
	l1_writes(hpa_at(at) - 1, "!", 1);
	returns(0);
	expect_written(at + 4, "\1\3\0", 4);
	expect_kept();
}

/* An error: nothing of what L1 wrote. A result out of range is one. */
static void errors(void **state)
{
	const int64_t result[] = {-1, -38, -4096, 1, INT64_MIN, 5000};

	for (size_t i = 0; i < ARRAY_SIZE(result); i++) {
		launch();
		calls(VERSION, GET_FEATURES, DATA, DISCLOSE_TELL);
		l1_writes(hpa_at(DATA) + 4, "evil", 4);
		returns((uint64_t)result[i]);
		assert_int_equal(cpu->regs.r[RAX], result[i] < 0 && result[i] >= -4095
							   ? (uint64_t)result[i]
							   : (uint64_t)(int64_t)ERR_IO);
		expect_kept();
	}
}

/* A text gets its end. */
static void a_text(void **state)
{
	uint8_t text[64];

	launch();
	memset(text, 'x', sizeof(text));
	calls(VERSION, CHANGESET, DATA + 0x18, DISCLOSE_TELL);
	allow_in(DATA + 0x18, 64);
	allow_path(DATA);
	expect_seen();
	l1_writes(hpa_at(DATA) + 0x18, text, 64);
	returns(0);
	text[63] = 0;
	expect_written(DATA + 0x18, text, 64);
	expect_kept();
}

/* A structure, and a list that it points to: XENMEM_memory_map. */
static void a_list(void **state)
{
	struct {
		uint32_t count, pad;
		uint64_t list;
	} args = {2, 0, DATA + PAGE_SIZE - 20};
	uint8_t map[40];

	launch();
	memset(map, 7, sizeof(map));
	memcpy(fake_at(HPA(hpa_at(DATA)), 16), &args, 16);
	calls(MEMORY_OP, MEMORY_MAP, DATA, DISCLOSE_TELL);
	allow(DATA, 16);
	allow_in(DATA + PAGE_SIZE - 20, 40);
	allow_path(DATA);
	allow_path(DATA + PAGE_SIZE);
	expect_seen();
	args.count = 1;
	args.list = 0x1234; /* where the guest must not look */
	l1_writes(hpa_at(DATA), &args, 16);
	l1_writes(hpa_at(DATA + PAGE_SIZE - 20), map, 20);
	l1_writes(hpa_at(DATA + PAGE_SIZE), map, 20);
	returns(0);
	expect_written(DATA, &(uint32_t){1}, 4);
	expect_written(DATA + PAGE_SIZE - 20, map, 40);
	expect_kept();
}

/* More than the guest has room for. */
static void a_list_that_is_too_long(void **state)
{
	const struct {
		uint32_t count, pad;
		uint64_t list;
	} args = {2, 0, DATA + 64};

	launch();
	memcpy(fake_at(HPA(hpa_at(DATA)), 16), &args, 16);
	calls(MEMORY_OP, MEMORY_MAP, DATA, DISCLOSE_TELL);
	l1_writes(hpa_at(DATA), &(uint32_t){3}, 4);
	returns(0);
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)(int64_t)ERR_IO);
	expect_kept();
}

static void what_the_guest_prints(void **state)
{
	launch();
	fill_registers();
	cpu->hw->guest_insn_len = LEN;
	cpu->regs.r[RAX] = CONSOLE_IO;
	cpu->regs.r[RDI] = 0;
	cpu->regs.r[RSI] = 11;
	cpu->regs.r[RDX] = DATA - 4;
	comes_out((struct guest_exit){.reason = EXIT_HYPERCALL}, DISCLOSE_TELL);
	allow(DATA - 4, 11);
	allow_path(DATA - 4);
	allow_path(DATA);
	expect_seen();
	l1_writes(hpa_at(DATA), "written", 7);
	returns(0);
	expect_kept();
}

/* Xen was interrupted: the guest calls again, with the arguments that say how far it came. */
static void interrupted(void **state)
{
	launch();
	fill_registers();
	cpu->hw->guest_insn_len = LEN;
	cpu->regs.r[RAX] = CONSOLE_IO;
	cpu->regs.r[RDI] = 0;
	cpu->regs.r[RSI] = 11;
	cpu->regs.r[RDX] = DATA;
	comes_out((struct guest_exit){.reason = EXIT_HYPERCALL}, DISCLOSE_TELL);
	spoil_registers(R(RDI));
	cpu->regs.r[RSI] = 7;
	cpu->regs.r[RDX] = DATA + 4;
	goes_in();
	expect_registers(R(RSI) | R(RDX));
	assert_int_equal(cpu->regs.r[RSI], 7);
	assert_int_equal(cpu->regs.r[RDX], DATA + 4);
	assert_int_equal(cpu->regs.rip, regs.rip);
	expect_kept();
}

static void what_l1_must_not_do(void **state)
{
	for (unsigned int i = 0; i < 5; i++) {
		launch();
		calls(VERSION, GET_FEATURES, DATA, DISCLOSE_TELL);
		l1_writes(hpa_at(DATA) + 4, "evil", 4);
		switch (i) {
		case 0: /* RIP elsewhere */
			cpu->regs.rip += LEN - 1;
			break;
		case 1:
			cpu->regs.rip += LEN + 1;
			break;
		case 2:
			cpu->regs.rip -= 1;
			break;
		case 3: /* another call than the guest's */
			cpu->regs.r[RDI] = CHANGESET;
			break;
		default:
			cpu->regs.r[RSI] = DATA + 8;
		}
		assert_int_equal(enter(), GUEST_ENTRY_OVER);
		expect_over(STOP_REGISTERS);
		expect_kept();
	}
}

/* Calls that Xen does not see. */
static void refused(void **state)
{
	launch();
	calls(GRANTS, 0, DATA, DISCLOSE_AGAIN);
	expect_nothing_seen();
	expect_registers(R(RAX));
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)(int64_t)ERR_NOSYS);
	assert_int_equal(cpu->regs.rip, regs.rip + LEN);
	goes_in();
	calls(VERSION, GET_FEATURES, AT(200), DISCLOSE_AGAIN); /* nothing is mapped there */
	expect_nothing_seen();
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)(int64_t)ERR_FAULT);
	goes_in();
	expect_kept();
}

/* A user's program. */
static void not_of_the_kernel(void **state)
{
	const struct guest_exit x = {.reason = EXIT_HYPERCALL};

	launch();
	fill_registers();
	cpu->hw->guest_insn_len = LEN;
	cpu->regs.r[RAX] = VERSION;
	cpu->regs.r[RDI] = GET_FEATURES;
	cpu->regs.r[RSI] = DATA;
	as_guest();
	cpu->hw->space.cpl = 3;
	assert_int_equal(disclose(cpu, v, &x), DISCLOSE_AGAIN);
	expect_nothing_seen();
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)(int64_t)ERR_PERM);
}

/* Its argument is in memory of L1's: no window is needed, and none opened. */
static void in_shared_memory(void **state)
{
	launch();
	memcpy(fake_at(HPA(shared_page()), 8), "\0\0\0\0\0\0\0", 8);
	calls(VERSION, GET_FEATURES, AT_SHARED, DISCLOSE_TELL);
	allow_path(AT_SHARED);
	expect_seen();
	memcpy(fake_at(HPA(shared_page()), 8), "\0\0\0\0\1\3\0", 8);
	returns(0);
	assert_memory_equal(fake_at(HPA(shared_page()), 8), "\0\0\0\0\1\3\0", 8);
	expect_kept();
}

/* What the guest may not write it does not get, and L1 is shown nothing of it. */
static void a_page_that_is_read_only(void **state)
{
	launch();
	*word(pte_at(DATA, 1)) &= ~(uint64_t)2;
	calls(VERSION, GET_FEATURES, DATA, DISCLOSE_TELL);
	allow_path(DATA);
	expect_seen();
	assert_int_equal(*word(pte_at(DATA, 1)) & 0x60, 0x20); /* it was read, not written */
	returns(0);
	expect_kept();
}

/* --- others -------------------------------------------------------------------------------------------- */

static void cpuids(uint32_t leaf, enum disclose_result want)
{
	fill_registers();
	cpu->hw->guest_insn_len = 2;
	cpu->regs.r[RAX] = leaf;
	comes_out((struct guest_exit){.reason = EXIT_CPUID}, want);
	expect_nothing_seen();
}

/* To leaf 1, on a CPU with AES. */
static void l1_answers(uint32_t apic_id, uint32_t ecx)
{
	fake_set_cpuid(1, (struct cpuid){.c = CPUID_1_AES});
	cpu->regs.r[RCX] = ecx;
	cpu->regs.r[RBX] = apic_id << 24;
	cpu->regs.rip = 2;
}

static void xen_is_hidden(void **state)
{
	const uint32_t hidden[] = {0x40000000, 0x40000001, 0x40000100, 0x400fffff};
	const uint32_t shown[] = {0, 7, 0xd, 0x3fffffff, 0x40100000, 0x80000001};

	launch();
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		cpuids(hidden[i], DISCLOSE_AGAIN);
		expect_registers(R(RAX) | R(RBX) | R(RCX) | R(RDX));
		assert_int_equal(cpu->regs.r[RAX] | cpu->regs.r[RBX] | cpu->regs.r[RCX] |
					 cpu->regs.r[RDX],
				 0);
		assert_int_equal(cpu->regs.rip, regs.rip + 2);
		goes_in();
	}
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		cpuids(shown[i], DISCLOSE_TELL);
		goes_in();
	}
	cpuids(1, DISCLOSE_TELL);
	l1_answers(6, CPUID_1_HYPERVISOR);
	v->apic_id = STARTUP_UNKNOWN;
	goes_in();
	assert_int_equal(cpu->regs.r[RCX], CPUID_1_AES);
	assert_int_equal(v->xen_id, 3);
}

/* It answers once, to RDMSR too; and not at all if the guest is to repeat it. */
static void answers_of_l1s(void **state)
{
	launch();
	v->apic_id = STARTUP_UNKNOWN;
	cpuids(1, DISCLOSE_TELL);
	l1_answers(6, 1);
	goes_in();
	assert_int_equal(cpu->regs.r[RCX], 1 | CPUID_1_AES);
	cpuids(1, DISCLOSE_TELL);
	l1_answers(6, 2);
	cpu->regs.rip = 0;
	goes_in();
	assert_int_equal(cpu->regs.r[RCX], regs.r[RCX]);
	cpuids(1, DISCLOSE_TELL);
	l1_answers(6, 2);
	goes_in();
	assert_int_equal(cpu->regs.r[RCX], 1 | CPUID_1_AES);
	for (unsigned int i = 0; i < 2; i++) {
		fill_registers();
		cpu->regs.r[RCX] = 0xce;
		comes_out((struct guest_exit){.reason = EXIT_MSR_READ}, DISCLOSE_TELL);
		cpu->regs.r[RAX] = 5 + i;
		cpu->regs.r[RDX] = 6 + i;
		cpu->regs.rip = 2;
		goes_in();
		assert_int_equal(cpu->regs.r[RAX], 5);
		assert_int_equal(cpu->regs.r[RDX], 6);
	}
}

/* From neither the firmware nor a PVH guest. */
static void xen_is_there(void **state)
{
	const struct guest_exit x = {.reason = EXIT_CPUID};

	launch_on(2, false);
	cpuids(0x40000000, DISCLOSE_TELL);
	goes_in();
	cpuids(1, DISCLOSE_TELL);
	l1_answers(4, CPUID_1_HYPERVISOR);
	v->apic_id = STARTUP_UNKNOWN;
	goes_in();
	assert_int_equal(cpu->regs.r[RCX], CPUID_1_HYPERVISOR | CPUID_1_AES);
	assert_int_equal(v->xen_id, 2);
	launch();
	fill_registers();
	cpu->regs.r[RAX] = 0x40000000;
	as_guest();
	cpu->hw->space.efer = 0;
	assert_int_equal(disclose(cpu, v, &x), DISCLOSE_TELL);
}

static void writes_msr(uint32_t msr, uint64_t value, enum disclose_result want)
{
	fill_registers();
	cpu->hw->guest_insn_len = 2;
	cpu->regs.r[RCX] = msr;
	cpu->regs.r[RAX] = (uint32_t)value;
	cpu->regs.r[RDX] = value >> 32;
	comes_out((struct guest_exit){.reason = EXIT_MSR_WRITE}, want);
	expect_nothing_seen();
}

static void the_hypercall_page(void **state)
{
	const uint8_t stub[] = {0xb8, 12, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};
	const uint64_t gpa = SMALL + (DATA - LINEAR);
	uint8_t *page;

	launch();
	page = fake_at(HPA(hpa_at(DATA)), PAGE_SIZE);
	keep();
	writes_msr(MSR_CALL_PAGE, gpa, DISCLOSE_AGAIN);
	assert_int_equal(cpu->regs.rip, regs.rip + 2);
	assert_memory_equal(page + (size_t)12 * 32, stub, sizeof(stub));
	assert_memory_equal(page + (size_t)23 * 32, "\x0f\x0b", 2); /* IRET does not exist here */
	assert_true(is_zero(page + (size_t)12 * 32 + sizeof(stub), 32 - sizeof(stub)));
	goes_in();
	expect_registers(0);
	/* Only in a page of its own */
	keep();
	for (unsigned int i = 0; i < 3; i++) {
		const uint64_t other[] = {gpa + 8, SHARED_HVM, 100 * MIB};
		uint8_t was[PAGE_SIZE];

		memcpy(was, fake_at(HPA(shared_page()), PAGE_SIZE), PAGE_SIZE);
		writes_msr(MSR_CALL_PAGE, other[i], DISCLOSE_AGAIN);
		goes_in();
		expect_kept();
		assert_memory_equal(fake_at(HPA(shared_page()), PAGE_SIZE), was, PAGE_SIZE);
	}
	writes_msr(0x1b, 5, DISCLOSE_TELL);
	goes_in();
	expect_kept();
}

static void a_task_switch(void **state)
{
	launch();
	fill_registers();
	comes_out((struct guest_exit){.reason = EXIT_TASK}, DISCLOSE_OVER);
	expect_over(STOP_TASK_SWITCH);
}

/* No memory is looked at, whatever the registers say. */
/* RAM of any kind where L1 may map pages of its own; then what the guest may get. */
static void the_map_of_ram(void **state)
{
	struct map {
		uint64_t start, size;
		uint32_t type;
	} __attribute__((packed)) e[] = {{LOW_END, 64 * MIB, 128},
					 {LOW_END, 64 * MIB, 1},
					 {SMALL, UINT64_MAX, 3},
					 {SMALL, LOW_END - SMALL, 1},
					 {LOW_END, 64 * MIB, 2}};
	const struct {
		uint32_t entries, pad;
		uint64_t list;
	} args = {1, 0, DATA + 0x100};
	const uint32_t one = 1;

	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		bool good = i >= 3;

		launch();
		memcpy(fake_at(HPA(hpa_at(DATA)), sizeof(args)), &args, sizeof(args));
		fill_registers();
		cpu->hw->guest_insn_len = 3;
		cpu->regs.r[RAX] = 12;
		cpu->regs.r[RDI] = 9;
		cpu->regs.r[RSI] = DATA;
		comes_out((struct guest_exit){.reason = EXIT_HYPERCALL}, DISCLOSE_TELL);
		l1_writes(hpa_at(DATA), &one, sizeof(one));
		l1_writes(hpa_at(DATA + 0x100), &e[i], sizeof(e[i]));
		cpu->regs.r[RAX] = 0;
		cpu->regs.rip = 3;
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		assert_int_equal((int64_t)cpu->regs.r[RAX], good ? 0 : ERR_IO);
		assert_int_equal(!memcmp(fake_at(HPA(hpa_at(DATA + 0x100)), sizeof(e[i])), &e[i],
					 sizeof(e[i])),
				 good);
	}
}

static void all_others(void **state)
{
	const uint64_t told = 1u << EXIT_NESTED_FAULT | 1u << EXIT_APIC | 1u << EXIT_PORT |
			      1u << EXIT_CR | 1u << EXIT_HYPERCALL | 1u << EXIT_CPUID |
			      1u << EXIT_MSR_WRITE | 1u << EXIT_TASK;

	for (unsigned int i = 0; i < EXIT_REASON_COUNT; i++) {
		if (told >> i & 1)
			continue;
		launch();
		fill_registers();
		if (!exposure_told(exposure_row(i, false))) {
			comes_out((struct guest_exit){.reason = i}, DISCLOSE_OVER);
			expect_over(STOP_UNKNOWN_EXIT);
			continue;
		}
		comes_out((struct guest_exit){.reason = i, .string = true}, DISCLOSE_TELL);
		expect_nothing_seen();
		spoil_registers(0);
		goes_in();
		expect_registers(0);
		assert_int_equal(cpu->regs.rip, regs.rip);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_and_out),
		cmocka_unit_test(across_pages),
		cmocka_unit_test(errors),
		cmocka_unit_test(a_text),
		cmocka_unit_test(a_list),
		cmocka_unit_test(a_list_that_is_too_long),
		cmocka_unit_test(what_the_guest_prints),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(what_l1_must_not_do),
		cmocka_unit_test(refused),
		cmocka_unit_test(not_of_the_kernel),
		cmocka_unit_test(in_shared_memory),
		cmocka_unit_test(a_page_that_is_read_only),
		cmocka_unit_test(xen_is_hidden),
		cmocka_unit_test(answers_of_l1s),
		cmocka_unit_test(xen_is_there),
		cmocka_unit_test(the_hypercall_page),
		cmocka_unit_test(the_map_of_ram),
		cmocka_unit_test(a_task_switch),
		cmocka_unit_test(all_others),
	};

	return RUN_APART(tests);
}
