/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of a guest on AMD: when it takes no NMI, from one that L1 injects to behind the IRET that ends its handler; and
 * what the monitor delivers itself.
 */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"

#include "monitor/svm/hide.c" /* NOLINT(bugprone-suspicious-include): monitor/fake has some of it */

#define IRET INTERCEPT1(VMEXIT_IRET)
#define HANDLER 0x1000u

struct svm_features svm_features;
static struct vmcb vmcb;
static struct disclosure disclosure;
static struct guest guest;
static struct hw_vcpu hw_vcpu = {.vmcb = &vmcb};
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest, .disclosure = &disclosure};
static struct hw_cpu hw;
static struct cpu cpu = {.hw = &hw};

struct vmcb *svm_current(const struct cpu *c)
{
	return &vmcb;
}

#define NOT_CALLED(result, name, ...) \
	result name(__VA_ARGS__)      \
	{                             \
		__builtin_trap();     \
	}

NOT_CALLED(void, svm_reset_state, struct vmcb_save *s)
NOT_CALLED(const char *, svm_check_state, const struct vmcb_save *s, const struct svm_features *f)
NOT_CALLED(void, fpu_begin, struct fpu *f)
NOT_CALLED(void, fpu_load, struct cpu *c, const struct guest_vcpu *v)
NOT_CALLED(void, fpu_save, struct cpu *c, struct guest_vcpu *v)

static bool masked(void)
{
	struct hw_entry entry;

	hw_guest_entry(&cpu, &entry);
	return entry.nmi_masked;
}

static bool comes_out(uint64_t code, uint64_t rip)
{
	vmcb.c.exit_code = code;
	cpu.regs.rip = rip;
	return svm_hide_nmi(&cpu);
}

static int takes_one(void **state)
{
	const struct injection nmi = {.type = INJECTION_NMI, .vector = VECTOR_NMI};

	memset(&vmcb, 0, sizeof(vmcb));
	memset(&hw, 0, sizeof(hw));
	hw.running = &vcpu;
	hw_vcpu.nmi = NMI_OPEN;
	assert_false(masked());
	hw_guest_takes(&cpu, &nmi);
	assert_true(masked());
	assert_true(vmcb.c.intercept1 & IRET);
	return 0;
}

static void to_its_iret(void **state)
{
	assert_false(comes_out(VMEXIT_INTR, HANDLER + 4));
	assert_true(masked());
	assert_true(comes_out(VMEXIT_IRET, HANDLER + 8)); /* nobody else asked for it */
	assert_false(vmcb.c.intercept1 & IRET);
	assert_true(masked());
	assert_false(comes_out(VMEXIT_NPF, HANDLER + 8)); /* the IRET itself */
	assert_true(masked());
	assert_false(comes_out(VMEXIT_INTR, 0x2000));
	assert_false(masked());
}

static void l1_wants_the_exit(void **state)
{
	hw.request.intercept1 = IRET;
	assert_false(comes_out(VMEXIT_IRET, HANDLER + 8));
	assert_true(masked());
	assert_false(comes_out(VMEXIT_IRET, HANDLER + 8)); /* and again: it is not over */
	assert_true(masked());
	assert_false(comes_out(VMEXIT_HLT, 0x2000));
	assert_false(masked());
}

static void an_iret_without(void **state)
{
	hw_vcpu.nmi = NMI_OPEN;
	assert_false(comes_out(VMEXIT_IRET, HANDLER + 8));
	assert_false(masked());
}

static void delivered(void **state)
{
	const struct injection e[] = {{INJECTION_INTERRUPT, 0x41, false, 0},
				      {INJECTION_NMI, VECTOR_NMI, false, 0},
				      {INJECTION_EXCEPTION, VECTOR_PF, true, 6}};
	const uint64_t as[] = {0x80000041, 0x80000202, 0x600000b0e};

	for (unsigned int i = 0; i < ARRAY_SIZE(e); i++) {
		struct injection got;

		hw_guest_deliver(&cpu, &e[i]);
		assert_int_equal(vmcb.c.event_inj, as[i] | EVENT_VALID);
		got = svm_injection(vmcb.c.event_inj);
		assert_true(injection_same(&got, &e[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(to_its_iret, takes_one),
		cmocka_unit_test_setup(l1_wants_the_exit, takes_one),
		cmocka_unit_test_setup(an_iret_without, takes_one),
		cmocka_unit_test(delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
