/* SPDX-License-Identifier: Apache-2.0 */
/* Which events L1 may make a guest take: monitor/injection.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/injection.h"

#define IDT 0xfffffe0000000000u
#define CODE_GATE(dpl, type) (0x8000u | (dpl) << 13 | (type) << 8)

static uint8_t idt[256 * 16];
static unsigned int reads;
static struct injection_target target;

static int read_idt(void *context, gva_t gva, void *buf, size_t n)
{
	uint64_t at = gva.a - target.idt_base;

	assert_ptr_equal(context, &target);
	reads++;
	if (at > sizeof(idt) - n)
		return ERR_FAULT;
	memcpy(buf, idt + at, n);
	return 0;
}

static void gate(unsigned int vector, uint32_t word)
{
	memcpy(&idt[vector * (target.efer & EFER_LMA ? 16 : 8) + 4], &word, 4);
}

/* A kernel in long mode, as Linux: programs may INT 0x80. */
static int long_mode(void **state)
{
	target = (struct injection_target){
		.rflags = RFLAGS_FIXED | RFLAGS_IF,
		.cr0 = CR0_PE | CR0_PG,
		.efer = EFER_LME | EFER_LMA,
		.idt_base = IDT,
		.idt_limit = sizeof(idt) - 1,
		.read = read_idt,
		.context = &target,
	};
	memset(idt, 0, sizeof(idt));
	for (unsigned int i = 0; i < 256; i++)
		gate(i, CODE_GATE(i == 0x80 ? 3 : 0, 0xe));
	reads = 0;
	return 0;
}

static bool interrupts(unsigned int vector)
{
	struct injection e = {.type = INJECTION_INTERRUPT, .vector = (uint8_t)vector};

	return injection_allowed(&e, &target);
}

static bool raises(unsigned int vector)
{
	struct injection e = {.type = INJECTION_EXCEPTION,
			      .vector = (uint8_t)vector,
			      .has_error = (1u << vector & 0x227d00u) != 0};

	return injection_allowed(&e, &target);
}

static void nothing(void **state)
{
	assert_true(injection_allowed(&(struct injection){0}, &target));
	assert_int_equal(reads, 0);
}

static void vectors(void **state)
{
	for (unsigned int i = 0; i < 256; i++)
		assert_int_equal(interrupts(i), i >= 32 && i != 0x80);
	assert_int_equal(reads, 224); /* once for each */
}

static void not_deliverable(void **state)
{
	target.shadow = true;
	assert_false(interrupts(0x30));
	target.shadow = false;
	target.rflags &= ~(uint64_t)RFLAGS_IF;
	assert_false(interrupts(0x30));
	assert_int_equal(reads, 0);
}

static void gates(void **state)
{
	static const uint32_t bad[] = {0,
				       CODE_GATE(0, 0xe) & 0x7fff,
				       CODE_GATE(3, 0xe),
				       CODE_GATE(3, 0xf),
				       CODE_GATE(0, 5),
				       CODE_GATE(0, 6),
				       CODE_GATE(0, 0x1e),
				       CODE_GATE(0, 0xc)};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		gate(0x30, bad[i]);
		assert_false(interrupts(0x30));
	}
	gate(0x30, CODE_GATE(0, 0xf));
	assert_true(interrupts(0x30));
	target.idt_limit = 0x31 * 16 - 1;
	assert_true(interrupts(0x30));
	target.idt_limit--;
	assert_false(interrupts(0x30));
}

static int unmapped(void *context, gva_t gva, void *buf, size_t n)
{
	return ERR_FAULT;
}

static void unreadable(void **state)
{
	target.read = unmapped;
	assert_false(interrupts(0x30));
}

static void narrow_gates(void **state)
{
	target.efer = 0;
	memset(idt, 0, sizeof(idt));
	target.idt_base = 0x1000;
	gate(0x41, CODE_GATE(0, 6));
	gate(0x42, CODE_GATE(0, 0xe));
	gate(0x43, CODE_GATE(0, 5));
	assert_true(interrupts(0x41));
	assert_true(interrupts(0x42));
	assert_false(interrupts(0x43));
}

static void real_mode(void **state)
{
	for (unsigned int vm = 0; vm < 2; vm++) {
		long_mode(NULL);
		target.efer = 0;
		target.cr0 = vm ? CR0_PE : 0;
		target.rflags |= vm ? RFLAGS_VM : 0;
		for (unsigned int i = 0; i < 256; i++)
			assert_int_equal(interrupts(i),
					 (i >= 8 && i < 16) || (i >= 0x70 && i < 0x78));
		assert_int_equal(reads, 0);
	}
}

static void nmi(void **state)
{
	struct injection e = {.type = INJECTION_NMI, .vector = 2};

	assert_false(injection_allowed(&e, &target));
	target.nmi = true;
	assert_true(injection_allowed(&e, &target));
	target.shadow = true;
	assert_false(injection_allowed(&e, &target));
	target.shadow = false;
	e.vector = 3;
	assert_false(injection_allowed(&e, &target));
	assert_false(raises(2));
}

static void exceptions(void **state)
{
	for (unsigned int i = 0; i < 32; i++)
		assert_false(raises(i));
	target.raises = 1u << VECTOR_GP | 1u << VECTOR_UD | 1u << 18;
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(raises(i), i == VECTOR_GP || i == VECTOR_UD);
	/* Never both: that would leave an instruction out. */
	target.done = true;
	assert_false(raises(VECTOR_GP));
}

static void error_codes(void **state)
{
	struct injection e = {.type = INJECTION_EXCEPTION, .vector = VECTOR_GP};

	target.raises = 1u << VECTOR_GP | 1u << VECTOR_UD;
	assert_false(injection_allowed(&e, &target));
	e.vector = VECTOR_UD;
	assert_true(injection_allowed(&e, &target));
	e.has_error = true;
	assert_false(injection_allowed(&e, &target));
	e = (struct injection){.type = INJECTION_INTERRUPT, .vector = 0x30, .has_error = true};
	assert_false(injection_allowed(&e, &target));
}

static void single_step(void **state)
{
	assert_false(raises(1));
	target.done = true;
	assert_false(raises(1));
	target.rflags |= RFLAGS_TF;
	assert_true(raises(1));
	target.done = false;
	assert_false(raises(1));
}

static void interrupted(void **state)
{
	struct injection e = {INJECTION_EXCEPTION, VECTOR_PF, true, 6};

	assert_false(injection_allowed(&e, &target));
	target.interrupted = e;
	target.rflags = RFLAGS_FIXED;
	assert_true(injection_allowed(&e, &target));
	e.error = 4;
	assert_false(injection_allowed(&e, &target));
	e.error = 6;
	target.done = true;
	assert_false(injection_allowed(&e, &target));
	target.done = false;
	e = (struct injection){INJECTION_INTERRUPT, 0x30, false, 0};
	assert_false(injection_allowed(&e, &target));
	target.interrupted = e;
	assert_true(injection_allowed(&e, &target));
	e.vector = 0x31;
	assert_false(injection_allowed(&e, &target));
}

static void software(void **state)
{
	struct injection e = {.type = INJECTION_SOFTWARE, .vector = 0x80};

	assert_false(injection_allowed(&e, &target));
	target.interrupted = e;
	assert_false(injection_allowed(&e, &target));
	e.type = INJECTION_SOFTWARE + 1;
	assert_false(injection_allowed(&e, &target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing, long_mode),
		cmocka_unit_test_setup(vectors, long_mode),
		cmocka_unit_test_setup(not_deliverable, long_mode),
		cmocka_unit_test_setup(gates, long_mode),
		cmocka_unit_test_setup(unreadable, long_mode),
		cmocka_unit_test_setup(narrow_gates, long_mode),
		cmocka_unit_test_setup(real_mode, long_mode),
		cmocka_unit_test_setup(nmi, long_mode),
		cmocka_unit_test_setup(exceptions, long_mode),
		cmocka_unit_test_setup(error_codes, long_mode),
		cmocka_unit_test_setup(single_step, long_mode),
		cmocka_unit_test_setup(interrupted, long_mode),
		cmocka_unit_test_setup(software, long_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
