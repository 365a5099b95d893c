/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x87 to AVX-512 state of guests and of L1, in the registers of this process. XCR0 and PKRU, which a process
 * cannot change, are variables here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MONITOR_LIB_H /* libc has what it declares */
#include "monitor/arch.h"
#include "monitor/fake/machine.h"

#define COMPONENTS 0xe7u /* x87, SSE, AVX, AVX-512 */
#define PKRU_BIT 0x200u
#define TILES 0x60000u
#define LEGACY 512u
#define XCR0_MAX 16

static struct {
	uint64_t xcr0, set[XCR0_MAX]; /* what XSETBV was given */
	unsigned int sets;
	uint32_t pkru;
	bool trap, xcr0_bad;
} m;

static uint64_t test_xgetbv(void)
{
	return m.xcr0;
}

static void test_xsetbv(uint64_t value)
{
	assert_true(m.sets < XCR0_MAX);
	m.xcr0 = m.set[m.sets++] = value;
}

static uint32_t test_rdpkru(void)
{
	return m.pkru;
}

static void test_wrpkru(uint32_t value)
{
	m.pkru = value;
}

/* A processor that has more than this one. */
static struct cpuid test_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r = arch_cpuid(leaf, subleaf);

	if (leaf == 0xd && subleaf == 0)
		r.a |= PKRU_BIT | TILES;
	if (leaf == 7)
		r.c |= 1u << 3;
	return r;
}

#define arch_xgetbv test_xgetbv
#define arch_xsetbv test_xsetbv
#define arch_rdpkru test_rdpkru
#define arch_wrpkru test_wrpkru
#define arch_cpuid test_cpuid
/* What touches the registers must not do so by itself. */
#pragma clang attribute push(__attribute__((target("general-regs-only"))), apply_to = function)
#include "monitor/fpu.c" /* NOLINT(bugprone-suspicious-include) */

struct area {
	_Alignas(64) uint8_t b[PAGE_SIZE];
};

static uint64_t native; /* components in the real XCR0 */

static void put_registers(const struct area *a)
{
	if (native)
		__asm__ volatile("xrstor64 %0" ::"m"(*a), "a"((uint32_t)native), "d"(0));
	else
		__asm__ volatile("fxrstor64 %0" ::"m"(*a));
}

static void get_registers(struct area *a)
{
	if (native)
		__asm__ volatile("xsave64 %0" : "+m"(*a) : "a"((uint32_t)native), "d"(0));
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*a));
}

static struct area mine, after;
static struct cpu cpus[2], *cpu = &cpus[0];
static struct guest_vcpu vcpus[2], *vcpu = &vcpus[0];

/* fn, with the registers as in `before`; `after` has what it leaves. */
static void with(const struct area *before, void (*fn)(void))
{
	get_registers(&mine);
	put_registers(before);
	fn();
	get_registers(&after);
	put_registers(&mine);
}

static void save(void)
{
	fpu_save(cpu, vcpu);
}

static void load(void)
{
	fpu_load(cpu, vcpu);
}

static void give(void)
{
	fpu_give(cpu);
}

static void nothing(void)
{
}
#pragma clang attribute pop

void hw_fpu_trap(struct cpu *c, bool on)
{
	assert_ptr_equal(c, cpu);
	m.trap = on;
}

int xcr_try_write(uint32_t xcr, uint64_t value)
{
	assert_int_equal(xcr, 0);
	if (m.xcr0_bad || !(value & 1))
		return ERR_INVAL;
	m.xcr0 = value;
	return 0;
}

/* --- patterns ----------------------------------------------------------------------------------------- */

static struct area reset, pattern[3];

/* SDM volume 1, 13.4.3. */
static size_t place(unsigned int component, size_t *size)
{
	struct cpuid r = arch_cpuid(0xd, component);

	*size = r.a;
	return r.b;
}

static void fill(uint8_t *to, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(seed * 37 + i * 11 + 1);
}

/* Table 10-2. */
static void make(struct area *a, unsigned int seed)
{
	const uint16_t x87[] = {0x0e7f, 0x3a42, 0xff};
	uint32_t mxcsr = seed & 1 ? 0x7fad : 0x5f85;
	size_t at, size;

	memset(a, 0, sizeof(*a));
	memcpy(a->b, x87, sizeof(x87));
	memcpy(a->b + 24, &mxcsr, sizeof(mxcsr));
	for (unsigned int i = 0; i < 8; i++)
		fill(a->b + 32 + 16 * i, 10, seed + i);
	fill(a->b + 160, 256, seed + 8);
	for (unsigned int i = 2; i < 8; i++) {
		if (!(native >> i & 1))
			continue;
		at = place(i, &size);
		assert_true(at >= LEGACY + 64 && at + size <= sizeof(a->b));
		fill(a->b + at, size, seed + i);
	}
	memcpy(a->b + LEGACY, &native, sizeof(native));
}

static bool same(const struct area *a, const struct area *b)
{
	size_t at, size;

	if (memcmp(a->b, b->b, 5) || memcmp(a->b + 24, b->b + 24, 4))
		return false;
	if (memcmp(a->b + 32, b->b + 32, 384))
		return false;
	for (unsigned int i = 2; i < 8; i++) {
		if (!(native >> i & 1))
			continue;
		at = place(i, &size);
		if (memcmp(a->b + at, b->b + at, size))
			return false;
	}
	return true;
}

#define GUESTS_XCR0 7u
#define L1S_XCR0 3u

static void start_with(bool xsave)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	fake_add_monitor(HPA(16 * MIB), MIB);
	memset(&m, 0, sizeof(m));
	memset(cpus, 0, sizeof(cpus));
	cpu = &cpus[0];
	vcpu = &vcpus[0];
	m.xcr0 = L1S_XCR0;
	fpu_init();
	native = 0;
	if (!xsave)
		has_xsave = false;
	else
		__asm__ volatile("xgetbv; and %1, %%eax"
				 : "=a"(native)
				 : "i"(COMPONENTS), "c"(0)
				 : "edx");
	has_pkru &= has_xsave;
	for (unsigned int i = 0; i < ARRAY_SIZE(pattern); i++)
		make(&pattern[i], i);
	memcpy(&reset, initial, PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(vcpus); i++) {
		fpu_create(&vcpus[i].fpu);
		fpu_begin(&vcpus[i].fpu);
		vcpus[i].fpu.xcr0 = GUESTS_XCR0;
		vcpus[i].fpu.pkru = 0x10 + i;
	}
	m.pkru = 0x77;
}

/* Whether `after` is what a guest finds that has used nothing yet. */
static bool is_reset(void)
{
	return same(&after, &reset);
}

/* The guest runs: what it finds is in `after`, what it leaves is p. Then L1 goes on. */
static void run(const struct area *l1, const struct area *p)
{
	struct area found;

	with(l1, load);
	assert_null(cpu->fpu.holds);
	found = after;
	with(p, save);
	assert_true(same(&after, p)); /* still there */
	assert_true(m.trap);
	after = found;
}

/* --- tests ----------------------------------------------------------------------------------------------- */

static const bool kinds[] = {true, false};

#define EACH_KIND                                      \
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) \
		if (!kinds[k] || (arch_cpuid(1, 0).c & 1u << 27))

static void starts_with_nothing(void **state)
{
	EACH_KIND
	{
		start_with(kinds[k]);
		run(&pattern[0], &pattern[1]);
		assert_true(is_reset());
	}
}

/* L1 does not touch them: they are not loaded again, whatever the area says. */
static void stays_in_the_registers(void **state)
{
	EACH_KIND
	{
		start_with(kinds[k]);
		run(&pattern[0], &pattern[1]);
		assert_memory_equal((uint8_t *)vcpu->fpu.area + 160, pattern[1].b + 160, 256);
		((uint8_t *)vcpu->fpu.area)[160] ^= 1;
		run(&pattern[2], &pattern[1]);
		assert_true(same(&after, &pattern[2]));
	}
}

/* L1 touches them. */
static void given_to_l1(void **state)
{
	EACH_KIND
	{
		start_with(kinds[k]);
		run(&pattern[0], &pattern[1]);
		with(&pattern[1], give);
		assert_true(is_reset());
		assert_false(m.trap);
		assert_null(cpu->fpu.holds);
		with(&pattern[0], give); /* they are L1's */
		assert_true(same(&after, &pattern[0]));
		run(&pattern[0], &pattern[2]);
		assert_true(same(&after, &pattern[1]));
		run(&pattern[2], &pattern[1]);
		assert_true(same(&after, &pattern[2]));
	}
}

static void two_guests(void **state)
{
	EACH_KIND
	{
		start_with(kinds[k]);
		run(&pattern[0], &pattern[1]);
		vcpu = &vcpus[1];
		run(&pattern[1], &pattern[2]);
		assert_true(is_reset());
		vcpu = &vcpus[0];
		run(&pattern[2], &pattern[1]);
		assert_true(same(&after, &pattern[1]));
	}
}

/* On another CPU, and back on the first, whose registers are old by then. */
static void two_cpus(void **state)
{
	start_with(true);
	run(&pattern[0], &pattern[1]);
	cpu = &cpus[1];
	run(&pattern[0], &pattern[2]);
	assert_true(same(&after, &pattern[1]));
	cpu = &cpus[0];
	run(&pattern[1], &pattern[1]);
	assert_true(same(&after, &pattern[2]));
}

/* A record's next guest has nothing of the last, although its registers are there still. */
static void begins_anew(void **state)
{
	start_with(true);
	run(&pattern[0], &pattern[1]);
	fpu_begin(&vcpu->fpu);
	assert_int_equal(vcpu->fpu.pkru, 0);
	m.sets = 0;
	run(&pattern[1], &pattern[1]);
	assert_true(is_reset());
	assert_int_equal(m.set[1], 1); /* XCR0 */
}

static void expect_sets(unsigned int n, ...)
{
	va_list args;

	assert_int_equal(m.sets, n);
	va_start(args, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(m.set[i], va_arg(args, uint64_t));
	va_end(args);
	m.sets = 0;
}

/* SSE can be used whatever XCR0 says, so all is saved and loaded under an XCR0 with everything in it. */
static void xcr0(void **state)
{
	start_with(true);
	all = COMPONENTS;
	vcpu->fpu.xcr0 = 1;
	load();
	expect_sets(2, (uint64_t)COMPONENTS, 1ul);
	m.xcr0 = GUESTS_XCR0; /* as QEMU lets it */
	save();
	expect_sets(2, (uint64_t)COMPONENTS, (uint64_t)L1S_XCR0);
	assert_int_equal(vcpu->fpu.xcr0, GUESTS_XCR0);
	m.xcr0 = 1; /* L1's */
	load();
	expect_sets(1, (uint64_t)GUESTS_XCR0);
	save();
	expect_sets(2, (uint64_t)COMPONENTS, 1ul);
	m.xcr0 = 0x207;
	give();
	expect_sets(2, 0x2e7ul, 0x207ul);
	give();
	expect_sets(0);
	vcpu->fpu.xcr0 = m.xcr0 = COMPONENTS | PKRU_BIT; /* the same everywhere */
	load();
	save();
	give();
	expect_sets(0);
}

static void protection_keys(void **state)
{
	start_with(true);
	load();
	assert_int_equal(m.pkru, 0x10);
	m.pkru = 0x99;
	save();
	assert_int_equal(m.pkru, 0x77);
	m.pkru = 0x78; /* L1 does not have to touch the FPU for that */
	load();
	assert_int_equal(m.pkru, 0x99);
	save();
	assert_int_equal(m.pkru, 0x78);
	has_pkru = false;
	load();
	assert_int_equal(m.pkru, 0x78);
}

static void what_a_guest_may_have(void **state)
{
	start_with(true);
	m.sets = 0;
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_int_equal(fpu_xsetbv(cpu, vcpu, 0, 1ul << bit | 1),
				 FPU_XCR0 >> bit % 32 & (bit < 32));
	assert_int_equal(vcpu->fpu.xcr0, 0x201);
	assert_true(fpu_xsetbv(cpu, vcpu, 0, GUESTS_XCR0));
	assert_false(fpu_xsetbv(cpu, vcpu, 1, 1));
	assert_false(fpu_xsetbv(cpu, vcpu, 0, 0));
	m.xcr0_bad = true;
	assert_false(fpu_xsetbv(cpu, vcpu, 0, 3));
	assert_int_equal(vcpu->fpu.xcr0, GUESTS_XCR0);
	assert_int_equal(m.xcr0, L1S_XCR0);
	m.xcr0_bad = false;
	has_xsave = false;
	assert_false(fpu_xsetbv(cpu, vcpu, 0, 3));
}

/* A component that was given up is as at first when it comes back; but SSE is used without XCR0, too. */
static void given_up(void **state)
{
	size_t at, size;

	start_with(true);
	if (!(native & 4))
		skip();
	at = place(2, &size);
	run(&pattern[0], &pattern[1]);
	assert_true(fpu_xsetbv(cpu, vcpu, 0, 1));
	assert_int_equal(m.xcr0, L1S_XCR0);
	assert_true(fpu_xsetbv(cpu, vcpu, 0, 7));
	run(&pattern[1], &pattern[2]);
	assert_memory_equal(after.b + at, reset.b + at, size);
	assert_memory_equal(after.b + 160, pattern[1].b + 160, 256);
}

/* Where the last x87 instruction was is nobody else's business, on processors that do not load that, too. */
static void last_instruction(void **state)
{
	uint64_t fip = 0x5ec0de, now;
	struct area with_fip;

	EACH_KIND
	{
		start_with(kinds[k]);
		with_fip = pattern[1];
		memcpy(with_fip.b + 8, &fip, sizeof(fip));
		run(&pattern[0], &with_fip);
		with(&with_fip, give);
		memcpy(&now, after.b + 8, sizeof(now));
		assert_int_not_equal(now, fip);
	}
}

static void what_there_is(void **state)
{
	start_with(true);
	assert_true(has_pkru);
	assert_false(all & PKRU_BIT);
	assert_int_equal(all & ~(uint64_t)FPU_XCR0, 0);
	assert_int_equal(all & native, native);
	with(&pattern[1], nothing);
	assert_true(same(&after, &pattern[1])); /* else nothing is tested here */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_there_is),
		cmocka_unit_test(starts_with_nothing),
		cmocka_unit_test(stays_in_the_registers),
		cmocka_unit_test(given_to_l1),
		cmocka_unit_test(two_guests),
		cmocka_unit_test(two_cpus),
		cmocka_unit_test(begins_anew),
		cmocka_unit_test(xcr0),
		cmocka_unit_test(protection_keys),
		cmocka_unit_test(what_a_guest_may_have),
		cmocka_unit_test(given_up),
		cmocka_unit_test(last_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
