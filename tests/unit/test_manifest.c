/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest is told by CPUID and RDMSR, whatever L1 says. */
#include "monitor/manifest.h"
#include "tests/unit/test_machine.h"

#define AES (1u << 25)
#define RDRAND (1u << 30)
#define SSE3 1u
#define OSXSAVE (1u << 27)
#define SMEP (1u << 7)
#define OSPKE (1u << 4)
#define NX (1u << 20)
#define SYSCALL (1u << 11)
#define CR4_18 ((uint64_t)1 << 18)
#define CR4_22 ((uint64_t)1 << 22)

static struct manifest m;

static int set_up(void **state)
{
	machine(1);
	memset(&m, 0, sizeof(m));
	fake_set_cpuid(1, (struct cpuid){1, 2, AES | RDRAND, 4});
	fake_set_cpuid(7, (struct cpuid){0, SMEP, 0, 0});
	fake_set_cpuid(0x80000001, (struct cpuid){0, 0, 0, NX});
	return 0;
}

static struct cpuid ask(uint32_t leaf, uint32_t subleaf, uint64_t cr4, struct cpuid l1)
{
	manifest_cpuid(cpu, &m, leaf, subleaf, cr4, 0, &l1);
	return l1;
}

static void what_protects_is_the_hardwares(void **state)
{
	struct cpuid r = ask(1, 0, 0, (struct cpuid){9, 8, SSE3 | 1u << 1, 6});

	assert_int_equal(r.c, SSE3 | AES | RDRAND); /* PCLMULQDQ is not there */
	assert_int_equal(r.a, 9);
	assert_int_equal(r.b, 8);
	assert_int_equal(r.d, 6);
	assert_int_equal(ask(7, 0, 0, (struct cpuid){0}).b, SMEP);
	assert_int_equal(ask(7, 1, 0, (struct cpuid){0}).b, 0);
	assert_int_equal(ask(0x80000001, 0, 0, (struct cpuid){0}).d, NX);
}

static void bits_that_mirror_cr4(void **state)
{
	assert_int_equal(ask(1, 0, 0, (struct cpuid){.c = OSXSAVE}).c & OSXSAVE, 0);
	assert_int_equal(ask(1, 0, CR4_18, (struct cpuid){0}).c & OSXSAVE, OSXSAVE);
	assert_int_equal(ask(7, 0, 0, (struct cpuid){.c = OSPKE}).c & OSPKE, 0);
	assert_int_equal(ask(7, 0, CR4_22, (struct cpuid){0}).c & OSPKE, OSPKE);
}

static void the_first_answer_counts(void **state)
{
	struct cpuid first = {0x11, 0x22, 0x33, 0x44}, other = {~0u, ~0u, ~0u, ~0u}, r;

	ask(2, 0, 0, first);
	r = ask(2, 0, 0, other);
	assert_memory_equal(&r, &first, sizeof(r));
	r = ask(2, 7, 0, other); /* the leaf takes no notice of ECX */
	assert_memory_equal(&r, &first, sizeof(r));
	ask(4, 0, 0, first);
	r = ask(4, 1, 0, other);
	assert_memory_equal(&r, &other, sizeof(r));
	r = ask(4, 0, 0, other);
	assert_memory_equal(&r, &first, sizeof(r));
}

static void what_varies_with_the_vcpu(void **state)
{
	struct cpuid r;

	ask(1, 0, 0, (struct cpuid){.b = 0x00120034});
	r = ask(1, 0, 0, (struct cpuid){.b = 0x02ff00ff, .d = 1u << 9 | 1u << 10});
	assert_int_equal(r.b, 0x02120034);
	assert_int_equal(r.d, 1u << 9);
	ask(0xb, 0, 0, (struct cpuid){1, 2, 3, 0});
	r = ask(0xb, 0, 0, (struct cpuid){7, 7, 7, 2});
	assert_int_equal(r.a, 1);
	assert_int_equal(r.d, 2);
	ask(0x80000001, 0, 0, (struct cpuid){0});
	assert_int_equal(ask(0x80000001, 0, 0, (struct cpuid){.d = SYSCALL | 1u << 27}).d,
			 SYSCALL | NX);
}

static void xens_leaves_are_xens(void **state)
{
	struct cpuid first = {1, 2, 3, 4}, other = {5, 6, 7, 8}, r;

	ask(0x40000000, 0, 0, first);
	r = ask(0x40000000, 0, 0, other);
	assert_memory_equal(&r, &other, sizeof(r));
	assert_int_equal(m.pins, 0);
}

static void no_room_is_no_answer(void **state)
{
	struct cpuid some = {1, 2, 3, 4}, none = {0}, r;

	for (uint32_t i = 0; i < MANIFEST_PINS; i++)
		ask(4, i, 0, some);
	r = ask(4, MANIFEST_PINS, 0, some);
	assert_memory_equal(&r, &none, sizeof(r));
	r = ask(4, 1, 0, none);
	assert_memory_equal(&r, &some, sizeof(r));
	r = ask(0xffffffff, 0x10a, 0, some);
	assert_memory_equal(&r, &none, sizeof(r));
}

/* The software machine has one answer for all subleaves: components 0 to 2, of 7 bytes at 576. */
static void sizes_of_xsave(void **state)
{
	struct cpuid r = {7, 1, 2, 3};

	fake_set_cpuid(0xd, (struct cpuid){7, 576, 0, 0});
	/* L1 shows a component that is not there, and sizes of its own. */
	r.a |= 1u << 9;
	manifest_cpuid(cpu, &m, 0xd, 0, 0, 832, &r);
	assert_int_equal(r.a, 7);
	assert_int_equal(r.b, 832);
	assert_int_equal(r.c, 576 + 7);
	assert_int_equal(r.d, 0);
	/* It takes one away later. */
	r = (struct cpuid){3, 576, 576, 0};
	manifest_cpuid(cpu, &m, 0xd, 0, 0, 576, &r);
	assert_int_equal(r.a, 7);
	assert_int_equal(r.b, 576);
	assert_int_equal(r.c, 576 + 7);
	r = ask(0xd, 2, 0, (struct cpuid){0, 0, 0, 0});
	assert_int_equal(r.a, 7);
	assert_int_equal(r.b, 576);
	r = ask(0xd, 5, 0, (struct cpuid){1, 2, 3, 4});
	assert_int_equal(r.a | r.b | r.c | r.d, 0);
	r = ask(0xd, 70, 0, (struct cpuid){1, 2, 3, 4});
	assert_int_equal(r.a | r.b | r.c | r.d, 0);
	/* What there is of XSAVE's forms: no more than the hardware has, and once. */
	r = ask(0xd, 1, 0, (struct cpuid){0xf, 9, 9, 9});
	assert_int_equal(r.a, 7);
	assert_int_equal(r.b | r.c | r.d, 0);
	r = ask(0xd, 1, 0, (struct cpuid){1, 9, 9, 9});
	assert_int_equal(r.a, 7);
}

/* Tiles (17, 18) and what may come: the monitor does not switch them (fpu.h). */
static void components_that_are_not_switched(void **state)
{
	struct cpuid r;

	fake_set_cpuid(0xd, (struct cpuid){0x600e7, 576, 0, 1});
	r = ask(0xd, 17, 0, (struct cpuid){1, 2, 3, 4});
	assert_int_equal(r.a | r.b | r.c | r.d, 0);
	r = ask(0xd, 0, 0, (struct cpuid){0x600e7, 576, 0, 1});
	assert_int_equal(r.a, 0xe7);
	assert_int_equal(r.d, 0);
	r = ask(0xd, 18, 0, (struct cpuid){1, 2, 3, 4});
	assert_int_equal(r.a | r.b | r.c | r.d, 0);
	r = ask(0xd, 5, 0, (struct cpuid){0, 0, 0, 0});
	assert_int_equal(r.b, 576);
}

static void msrs_that_are_facts(void **state)
{
	assert_int_equal(manifest_msr(&m, 0xce, 0x1a3456789), 0x123456789);
	assert_int_equal(manifest_msr(&m, 0xce, 0), 0x123456789);
	assert_int_equal(manifest_msr(&m, 0x10, 5), 5);
	assert_int_equal(manifest_msr(&m, 0x10, 4), 4);
	fake_set_msr(0x10a, 0x9);
	assert_int_equal(manifest_msr(&m, 0x10a, 0x3), 0x1);
	assert_int_equal(manifest_msr(&m, 0x10a, 0x9), 0x1);
	memset(&m, 0, sizeof(m));
}

static void what_is_hashed(void **state)
{
	uint64_t w[MANIFEST_WORDS];
	const uint64_t first[] = {1, 0, 0, 0, 0x42000002, 0, 0, 0, AES | RDRAND, 0};
	const uint64_t last[] = {0x80000001, 0, 0, 0, 0, NX, 0, 0, 0, NX};

	manifest_words(cpu, w);
	assert_memory_equal(w, first, sizeof(first));
	assert_memory_equal(&w[20], last, sizeof(last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_protects_is_the_hardwares, set_up),
		cmocka_unit_test_setup(bits_that_mirror_cr4, set_up),
		cmocka_unit_test_setup(the_first_answer_counts, set_up),
		cmocka_unit_test_setup(what_varies_with_the_vcpu, set_up),
		cmocka_unit_test_setup(xens_leaves_are_xens, set_up),
		cmocka_unit_test_setup(no_room_is_no_answer, set_up),
		cmocka_unit_test_setup(sizes_of_xsave, set_up),
		cmocka_unit_test_setup(components_that_are_not_switched, set_up),
		cmocka_unit_test_setup(msrs_that_are_facts, set_up),
		cmocka_unit_test_setup(what_is_hashed, set_up),
	};

	return RUN_APART(tests);
}
