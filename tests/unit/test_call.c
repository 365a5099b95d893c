/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls: registers in, registers out. */
#include "monitor/launch.h"
#include "monitor/refusal.h"
#include "monitor/platform.h"
#include "tests/unit/test_call.h"
#include "version.h"

static const char *why;

static void version(void **state)
{
	char text[33] = {0}, name[9] = {0};
	const uint64_t *r;

	machine(CPUS);
	r = call(HYPERCALL_VERSION, 0, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], HYPERCALL_ABI);
	memcpy(text, &r[R8], 32);
	memcpy(name, &r[R12], 8);
	assert_string_equal(text, NETHERVISOR_VERSION " DEV_KEYS");
	assert_string_equal(name, "fake");
	expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11) | R(R12));
}

static void info(void **state)
{
	uint64_t early = arch_rdtsc();
	const uint64_t *r;

	machine(CPUS);
	hypercall_init();
	r = call(HYPERCALL_INFO, 0, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], RAM_SIZE);
	assert_int_equal(r[R8], BLOCK_SIZE);
	assert_int_equal(r[R9], BLOCK);
	assert_int_equal(r[R10], CPUS);
	assert_int_equal(r[R11], GUEST_MAX + 1);
	assert_int_equal(r[R13], 0); /* no IOMMU */
	assert_int_equal(r[R14], DMA_OPEN);
	assert_true(r[R12] > early && r[R12] < arch_rdtsc());
	expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11) | R(R12) | R(R13) | R(R14));
}

static void the_host_itself(void **state)
{
	const uint64_t *r;

	machine(CPUS);
	cpu_at(0)->stats.count[EXIT_CPUID] = 10;
	cpu_at(2)->stats.count[EXIT_CPUID] = 200;
	cpu_at(1)->stats.count[EXIT_REASON_COUNT - 1] = 3000;
	cpu_at(1)->stats.cycles[EXIT_CPUID] = 5;
	cpu_at(2)->stats.cycles[EXIT_CPUID] = 60;
	r = call(HYPERCALL_GUEST, 0, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 0);
	assert_int_equal(r[R8], 0);
	assert_int_equal(r[R9], CPUS);
	assert_int_equal(r[R10], 0);
	assert_int_equal(r[R11], STOP_NONE);
	assert_int_equal(r[R12], 3210);
	expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11) | R(R12));
	r = call(HYPERCALL_EXITS, 0, EXIT_CPUID);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 210);
	assert_int_equal(r[R8], 65);
	expect_unchanged_but(R(RBX) | R(R8));
	r = call(HYPERCALL_EXITS, 0, EXIT_REASON_COUNT - 1);
	assert_int_equal(r[RBX], 3000);
}

static void a_guest(void **state)
{
	struct guest_vcpu *a, *b;
	const uint64_t *r;

	machine(CPUS);
	a = guest_vcpu_take(cpu_at(0), HPA(0x5000), HPA(ROOT), &why);
	b = guest_vcpu_take(cpu_at(1), HPA(0x6000), HPA(ROOT), &why);
	a->stats.count[EXIT_HLT] = 7;
	b->stats.count[EXIT_HLT] = 30;
	b->stats.count[EXIT_PORT] = 100;
	b->stats.cycles[EXIT_HLT] = 11;
	r = call(HYPERCALL_GUEST, 1, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 1);
	assert_int_equal(r[R8], ROOT);
	assert_int_equal(r[R9], 2);
	assert_int_equal(r[R10], 0);
	assert_int_equal(r[R11], STOP_NONE);
	assert_int_equal(r[R12], 137);
	r = call(HYPERCALL_EXITS, 1, EXIT_HLT);
	assert_int_equal(r[RBX], 37);
	assert_int_equal(r[R8], 11);
	guest_end(a->guest, STOP_BAD_EVENT);
	r = call(HYPERCALL_GUEST, 1, 0);
	assert_int_equal(r[R10], 1);
	assert_int_equal(r[R11], STOP_BAD_EVENT);
}

static void what_was_refused(void **state)
{
	const uint64_t *r;

	machine(CPUS);
	r = call(HYPERCALL_REFUSED, REFUSAL_MICROCODE, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 0);
	refusal_note(REFUSAL_MICROCODE, 0x79, 1);
	refusal_note(REFUSAL_MICROCODE, 0xc0010020, 1);
	refusal_note(REFUSAL_COUNT - 1, 0xfec00010, 1);
	r = call(HYPERCALL_REFUSED, REFUSAL_MICROCODE, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 2);
	assert_int_equal(r[R8], 0xc0010020);
	expect_unchanged_but(R(RBX) | R(R8));
	r = call(HYPERCALL_REFUSED, REFUSAL_COUNT - 1, 0);
	assert_int_equal(r[RBX], 1);
	assert_int_equal(r[R8], 0xfec00010);
	call(HYPERCALL_REFUSED, REFUSAL_COUNT, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_REFUSED, UINT64_MAX, 0);
	expect_error(ERR_INVAL);
}

static void bad_arguments(void **state)
{
	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	call(HYPERCALL_GUEST, 2, 0); /* a record without a guest */
	expect_error(ERR_NOENT);
	call(HYPERCALL_GUEST, GUEST_MAX, 0);
	expect_error(ERR_NOENT);
	call(HYPERCALL_EXITS, GUEST_MAX, 0);
	expect_error(ERR_NOENT);
	call(HYPERCALL_GUEST, GUEST_MAX + 1, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_GUEST, UINT64_MAX, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_GUEST, 1ull << 32 | 1, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EXITS, 0, EXIT_REASON_COUNT);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EXITS, 1, EXIT_REASON_COUNT);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EXITS, 1, 1ull << 32);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EXITS, GUEST_MAX + 1, 0);
	expect_error(ERR_INVAL);
}

static void the_platform(void **state)
{
	const uint64_t *r;

	machine(CPUS);
	r = call(HYPERCALL_PLATFORM, 0, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 0);
	platform_refused("a port", PLATFORM_PORT, 0x64, 0xdd);
	platform_refused("a register", PLATFORM_PCI, 0xf8040, 0x701);
	platform_open(PLATFORM_OPEN_CONFIG);
	r = call(HYPERCALL_PLATFORM, 0, 0);
	assert_int_equal(r[RBX], 2);
	assert_int_equal(r[R8], PLATFORM_PCI);
	assert_int_equal(r[R9], 0xf8040);
	assert_int_equal(r[R10], 0x701);
	assert_int_equal(r[R11], PLATFORM_OPEN_CONFIG);
	expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11));
}

static void unknown_functions(void **state)
{
	const uint64_t function[] = {HYPERCALL_CHANNEL + 1, UINT32_MAX, 1ull << 32, UINT64_MAX};

	machine(CPUS);
	for (size_t i = 0; i < ARRAY_SIZE(function); i++) {
		call(function[i], 0, 0);
		expect_error(ERR_NOSYS);
	}
}

static void without_the_magic_it_is_undefined(void **state)
{
	const uint64_t wrong[] = {0, HYPERCALL_MAGIC + 1, HYPERCALL_MAGIC - 1, 0x40000000,
				  (uint64_t)HYPERCALL_MAGIC << 32};
	struct exit exit = {.reason = EXIT_HYPERCALL};

	machine(CPUS);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		code(hw_hypercall_insn, sizeof(hw_hypercall_insn));
		cpu->regs.r[RAX] = wrong[i];
		leave(&exit);
		expect_fault(VECTOR_UD);
		assert_int_equal(cpu->regs.r[RAX], wrong[i]);
	}
}

/* --- launches ---------------------------------------------------------------------------------- */

/* Guest 0, as the record of a first entry and by a launch: it has one page, at gpa 0. */
static struct launch launch(uint64_t id)
{
	static const uint64_t state[DIGEST_STATES] = {1, 2, 3};
	static struct guest_table t;
	struct guest_layout layout;
	uint64_t root = GUESTS + PAGE_SIZE;

	t = (struct guest_table){.root = HPA(root)};
	for (unsigned int level = 4; level; level--, root += PAGE_SIZE)
		*(uint64_t *)fake_at(HPA(root), 8) =
			level > 1 ? table_entry(HPA(root + PAGE_SIZE))
				  : table_leaf(HPA(GUESTS), 1, TABLE_RWX, 0);
	assert_int_equal(launch_prepare(&t, &layout), 0);
	assert_int_equal(guest_table_launch(&t), 0);
	assert_int_equal(launch_measure(&t, id, &layout, state), 0);
	return launch_of(0);
}

static void expect_launch(uint64_t id, uint64_t flags, const uint8_t *digest)
{
	const uint64_t *r = cpu->regs.r;

	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], id);
	assert_memory_equal(&r[R8], digest, 32);
	assert_int_equal(r[R12], flags);
	assert_int_equal(r[R13], 1);
	expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11) | R(R12) | R(R13));
}

static void a_launch(void **state)
{
	const uint8_t none[32] = {0};
	struct launch l;

	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	call(HYPERCALL_LAUNCH, 1, 0);
	expect_launch(1, 0, none);
	l = launch(1);
	call(HYPERCALL_LAUNCH, 1, 0);
	expect_launch(1, LAUNCH_PROTECTED, l.digest);
	map(GUESTS, PRESENT | USER);
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_launch(1, LAUNCH_PROTECTED, l.digest);
	call(HYPERCALL_LAUNCH, ADDRESS + PAGE_SIZE - 1, 1);
	expect_launch(1, LAUNCH_PROTECTED, l.digest);
	call(HYPERCALL_LAUNCH, 1, 0); /* an index is none in an address's place */
	expect_launch(1, LAUNCH_PROTECTED, l.digest);
	call(HYPERCALL_LAUNCH, 1, 1);
	expect_error(ERR_FAULT);
	fake_give(HPA(GUESTS), OWNER_SHARED);
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_launch(1, LAUNCH_PROTECTED, l.digest);
}

/* The record is another guest's by now. */
static void a_launch_of_old(void **state)
{
	const uint8_t none[32] = {0};

	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	launch(2);
	call(HYPERCALL_LAUNCH, 1, 0);
	expect_launch(1, 0, none);
}

static void declarations(void **state)
{
	struct launch l;

	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	map(GUESTS, PRESENT | USER);
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_error(ERR_NOENT); /* a page of the host's still */
	call(HYPERCALL_DECLARE, ADDRESS, 1);
	expect_error(0);
	call(HYPERCALL_DECLARE, ADDRESS, 0);
	expect_error(0);
	call(HYPERCALL_DECLARE, ADDRESS + 5, 1);
	expect_error(0);
	l = launch(1);
	assert_true(l.sealed);
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_launch(1, LAUNCH_PROTECTED | LAUNCH_SEALED, l.digest);
	call(HYPERCALL_DECLARE, ADDRESS, 0);
	expect_error(ERR_PERM);
	assert_true(launch_of(0).sealed);
}

/* Who has a guest's page mapped may be somebody who may accept; who has not is told no more than that. */
static void channels_of_the_host(void **state)
{
	const uint64_t at = ADDRESS >> PAGE_SHIFT << 16;

	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	launch(1);
	for (unsigned int f = HYPERCALL_CHANNEL_ACCEPT; f <= HYPERCALL_CHANNEL_CLOSE; f++) {
		const uint64_t what = f | CHANNEL_REASON_CLOSED << 8;

		map(GUESTS, PRESENT | USER);
		call(HYPERCALL_CHANNEL, 7, what | at);
		expect_error(ERR_NOENT); /* no such channel */
		call(HYPERCALL_CHANNEL, 7, what);
		expect_error(ERR_FAULT);
		call(HYPERCALL_CHANNEL, 7, what | 0xffffull << 48);
		expect_error(ERR_FAULT);
		map(GUESTS + PAGE_SIZE, PRESENT | USER); /* a table of the guest's: the monitor's */
		call(HYPERCALL_CHANNEL, 7, what | at);
		expect_error(ERR_PERM);
		map(GUESTS - PAGE_SIZE, PRESENT | USER); /* the host's */
		call(HYPERCALL_CHANNEL, 7, what | at);
		expect_error(ERR_PERM);
	}
	call(HYPERCALL_CHANNEL, 7, HYPERCALL_CHANNEL_CLOSE + 1);
	expect_error(ERR_NOSYS);
}

static void bad_launches(void **state)
{
	machine(CPUS);
	assert_non_null(guest_vcpu_take(cpu, HPA(0x5000), HPA(ROOT), &why));
	launch(1);
	for (unsigned int f = HYPERCALL_LAUNCH; f <= HYPERCALL_DECLARE; f++) {
		map(GUESTS, PRESENT | USER);
		call(f, ADDRESS, 2);
		expect_error(ERR_INVAL);
		call(f, ADDRESS, 1ull << 32);
		expect_error(ERR_INVAL);
		call(f, ADDRESS + PAGE_SIZE, 1);
		expect_error(ERR_FAULT);
		call(f, 1ull << 63, 1); /* not canonical */
		expect_error(ERR_FAULT);
		map(GUESTS, USER);
		call(f, ADDRESS, 1);
		expect_error(ERR_FAULT);
		map(GUESTS, PRESENT); /* its kernel's */
		call(f, ADDRESS, 1);
		expect_error(ERR_FAULT);
		map_at(ADDRESS, GUESTS, PRESENT | USER);
		*(uint64_t *)fake_at(HPA(TABLES + 0xfe * 8), 8) =
			BLOCK | 7; /* our memory as a table */
		call(f, ADDRESS, 1);
		expect_error(ERR_FAULT);
	}
	map(BLOCK, PRESENT | USER);
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_error(ERR_NOENT);
	call(HYPERCALL_DECLARE, ADDRESS, 1);
	expect_error(ERR_PERM);
	map(1ull << 35, PRESENT | USER); /* no memory at all */
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_error(ERR_NOENT);
	call(HYPERCALL_DECLARE, ADDRESS, 1);
	expect_error(ERR_PERM);
	map(GUESTS + PAGE_SIZE, PRESENT | USER); /* a table of the guest's */
	call(HYPERCALL_LAUNCH, ADDRESS, 1);
	expect_error(ERR_NOENT);
	call(HYPERCALL_DECLARE, ADDRESS, 1);
	expect_error(ERR_PERM);
	call(HYPERCALL_LAUNCH, 0, 0); /* the host itself */
	expect_error(ERR_INVAL);
	call(HYPERCALL_LAUNCH, 2, 0); /* a record without a guest */
	expect_error(ERR_NOENT);
	call(HYPERCALL_LAUNCH, GUEST_MAX, 0);
	expect_error(ERR_NOENT);
	call(HYPERCALL_LAUNCH, GUEST_MAX + 1, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_LAUNCH, 1ull << 32 | 1, 0);
	expect_error(ERR_INVAL);
}

/* --- the log ---------------------------------------------------------------------------------- */

/* As netherctl does it: from *pos until nothing comes any more. */
static size_t read_all(uint64_t *pos, char *text, size_t max)
{
	size_t n = 0;

	for (;;) {
		const uint64_t *r = call(HYPERCALL_LOG, *pos, 0);

		assert_int_equal(r[RAX], 0);
		assert_true(r[R8] <= 48 && r[RBX] >= *pos);
		expect_unchanged_but(R(RBX) | R(R8) | R(R9) | R(R10) | R(R11) | R(R12) | R(R13) |
				     R(R14));
		*pos = r[RBX] + r[R8];
		assert_true(n + r[R8] < max);
		memcpy(text + n, &r[R9], r[R8]);
		n += r[R8];
		text[n] = 0;
		if (!r[R8])
			return n;
	}
}

static void the_log(void **state)
{
	static char text[2 * LOG_SIZE];
	uint64_t pos;
	const uint64_t *r;

	machine(CPUS);
	pos = log_end();
	log_line("one %d", 1);
	log_line("%s", "a line of more than 48 characters, so that two calls are needed for it");
	read_all(&pos, text, sizeof(text));
	assert_string_equal(text, "nethervisor: one 1\nnethervisor: a line of more than 48 "
				  "characters, so that two calls are needed for it\n");
	r = call(HYPERCALL_LOG, pos, 0); /* nothing new */
	assert_int_equal(r[RBX], pos);
	assert_int_equal(r[R8], 0);
	r = call(HYPERCALL_LOG, UINT64_MAX, 0); /* from the future */
	assert_int_equal(r[RBX], pos);
	assert_int_equal(r[R8], 0);
}

static void the_log_wraps(void **state)
{
	static char text[2 * LOG_SIZE];
	uint64_t pos = 0, end;
	unsigned int number = 0;
	const char *at;

	machine(CPUS);
	while (log_end() < 3 * LOG_SIZE + 7)
		log_line("line %u", number++);
	end = log_end();
	assert_int_equal(read_all(&pos, text, sizeof(text)), LOG_SIZE);
	assert_int_equal(pos, end);
	/* The first line is cut somewhere; from the second on each is there, up to the last. */
	at = strchr(text, '\n') + 1;
	number = (unsigned int)strtoul(at + strlen("nethervisor: line "), NULL, 10);
	for (; *at; number++) {
		char want[48];

		snprintf(want, sizeof(want), "nethervisor: line %u\n", number);
		assert_memory_equal(at, want, strlen(want));
		at += strlen(want);
	}
	pos = end - LOG_SIZE;
	assert_int_equal(call(HYPERCALL_LOG, pos, 0)[RBX], pos);
	assert_int_equal(call(HYPERCALL_LOG, pos - 1, 0)[RBX], pos);
	assert_int_equal(call(HYPERCALL_LOG, pos + 1, 0)[RBX], pos + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version),
		cmocka_unit_test(info),
		cmocka_unit_test(the_host_itself),
		cmocka_unit_test(a_guest),
		cmocka_unit_test(what_was_refused),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(the_platform),
		cmocka_unit_test(unknown_functions),
		cmocka_unit_test(without_the_magic_it_is_undefined),
		cmocka_unit_test(a_launch),
		cmocka_unit_test(a_launch_of_old),
		cmocka_unit_test(declarations),
		cmocka_unit_test(bad_launches),
		cmocka_unit_test(channels_of_the_host),
		cmocka_unit_test(the_log),
		cmocka_unit_test(the_log_wraps),
	};

	return RUN_APART(tests);
}
