/* SPDX-License-Identifier: Apache-2.0 */
/* L1's VMCSs: current one after the other, and in L1's memory in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_nested.h"

enum { OTHER, L1, L2 }; /* VMCSs */

#define A 0x9000u
#define B 0xa000u
#define HEADER 16u /* bytes before the fields */
#define LAUNCHED_AT 8u

static struct cpu cpu;
static struct hw_cpu hw;
static struct hw_vcpu hw_vcpu;
static struct guest_vcpu vcpu;
static uint64_t *f = hw.current.f;

/* --- what nested.c calls ------------------------------------------------------------------------ */

void vmx_vmcs_init(struct vmcs *v)
{
	abort();
}

void vmx_write_host_state(void)
{
}

void vmx_load_regs(struct cpu *c)
{
}

/* --- L1's memory ---------------------------------------------------------------------------------- */

static void start(void)
{
	start_l1(&cpu, &hw, L1);
	hw_vcpu = (struct hw_vcpu){.vmcs = {L2, true}};
	vcpu = (struct guest_vcpu){.cpu = 1, .hw = &hw_vcpu};
}

static uint64_t *field_in(uint64_t region, unsigned int field)
{
	return fake_at(HPA(region + HEADER + 8 * field), 8);
}

static uint32_t launched_in(uint64_t region)
{
	return *(uint32_t *)fake_at(HPA(region + LAUNCHED_AT), 4);
}

/* --- launch state --------------------------------------------------------------------------------- */

/* SDM volume 3, 25.1 and 31.4: a VMCS that was launched stays so until VMCLEAR. */
static void launched(void **state)
{
	start();
	current_load(&cpu, A);
	vmx_launch(&cpu, false);
	assert_int_equal(failed, 5);
	hw.current.launched = true; /* what an exit of L2 does */
	current_load(&cpu, B);
	assert_int_equal(launched_in(A), 1);
	vmx_launch(&cpu, false);
	assert_int_equal(failed, 5);
	current_load(&cpu, A);
	assert_int_equal(launched_in(B), 0);
	vmx_launch(&cpu, true);
	assert_int_equal(failed, 4);
	vmx_launch(&cpu, false);
	assert_int_equal(failed, 8); /* no more than what is wrong in an empty VMCS */
	current_store(&cpu);
	assert_int_equal(hw.current.hpa, NO_VMCS);
	assert_int_equal(launched_in(A), 1);
	region_clear(A);
	assert_int_equal(launched_in(A), 0);
	current_load(&cpu, A);
	vmx_launch(&cpu, false);
	assert_int_equal(failed, 5);
	vmx_launch(&cpu, true);
	assert_int_equal(failed, 8);
}

/* --- fields ---------------------------------------------------------------------------------------- */

/* SDM volume 3, table 25-21: 16, 64, 32 bits, natural. */
static uint64_t width_of(unsigned int field)
{
	static const uint64_t mask[] = {UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX};

	return mask[field_encoding[field] >> 13 & 3];
}

/* Whatever L1 put into its memory. */
static void fields_keep_their_widths(void **state)
{
	start();
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		*field_in(A, i) = UINT64_MAX - i;
	current_load(&cpu, A);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		assert_int_equal(f[i], (UINT64_MAX - i) & width_of(i));
		assert_int_equal(current_read(&cpu, i), f[i]);
		assert_true(set_has(&hw.current.dirty, i)); /* to be checked, all of it */
		assert_false(set_has(&hw.current.stale, i));
	}
	current_store(&cpu);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		assert_int_equal(*field_in(A, i), (UINT64_MAX - i) & width_of(i));
}

static void one_after_the_other(void **state)
{
	start();
	current_load(&cpu, A);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		current_write(&cpu, i, 0x100 + i);
	current_load(&cpu, B);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		assert_int_equal(current_read(&cpu, i), 0);
		current_write(&cpu, i, 0x200 + i);
	}
	current_load(&cpu, A);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		assert_int_equal(current_read(&cpu, i), 0x100 + i);
		assert_int_equal(*field_in(B, i), 0x200 + i);
	}
}

/* The monitor does not write for L1 where L1 cannot write. */
static void memory_that_is_not_l1s(void **state)
{
	start();
	current_load(&cpu, A);
	current_write(&cpu, F_GUEST_RIP, 0x77);
	hw.current.launched = true;
	fake_give(HPA(A), OWNER_TABLE);
	current_store(&cpu);
	assert_int_equal(*field_in(A, F_GUEST_RIP), 0);
	assert_int_equal(launched_in(A), 0);
	*(uint32_t *)fake_at(HPA(A + LAUNCHED_AT), 4) = 1;
	region_clear(A);
	assert_int_equal(launched_in(A), 1);
}

/* A launch on another CPU takes the page while VMPTRLD looks at it. */
static void a_region_that_is_taken(void **state)
{
	start();
	assert_true(current_load(&cpu, A));
	current_write(&cpu, F_GUEST_RIP, 0x77);
	assert_true(owner_take(HPA(B), 1, 3, GPA(0)));
	assert_false(current_load(&cpu, B));
	assert_int_equal(hw.current.hpa, A);
	assert_int_equal(current_read(&cpu, F_GUEST_RIP), 0x77);
}

/* --- fields that are newer in the VMCS that ran ------------------------------------------------------- */

static void start_held(void)
{
	start();
	current_load(&cpu, A);
	memset(&hw.current.dirty, 0, sizeof(hw.current.dirty));
	hw.held = &vcpu;
	for (int i = -1; (i = set_next(&fields_of[COLD], i)) >= 0;)
		vmcs.of[L2][field_encoding[i]] = 0x300 + (unsigned int)i;
	hw.current.stale = fields_of[COLD];
}

static void read_late(void **state)
{
	start_held();
	assert_int_equal(current_read(&cpu, F_GUEST_ES_BASE), 0x300 + F_GUEST_ES_BASE);
	assert_int_equal(current_read(&cpu, F_GUEST_RIP), 0);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	vmcs.of[L2][VMCS_GUEST_ES_BASE] = 0;
	assert_int_equal(current_read(&cpu, F_GUEST_ES_BASE), 0x300 + F_GUEST_ES_BASE);
	current_write(&cpu, F_GUEST_CS_BASE, 0x55);
	assert_int_equal(current_read(&cpu, F_GUEST_CS_BASE), 0x55);
	assert_true(set_has(&hw.current.dirty, F_GUEST_CS_BASE));
	assert_false(set_has(&hw.current.dirty, F_GUEST_ES_BASE));
}

/* Then the VMCS may run on another CPU: nothing of it is left on this one. */
static void released(void **state)
{
	start_held();
	current_write(&cpu, F_GUEST_CS_BASE, 0x55);
	current_store(&cpu);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		assert_int_equal(*field_in(A, i), i == F_GUEST_CS_BASE           ? 0x55
						  : set_has(&fields_of[COLD], i) ? 0x300 + i
										 : 0);
	assert_null(hw.held);
	assert_int_equal(vcpu.cpu, 0);
	assert_int_equal(vmcs.clears[L2], 1);
	assert_false(hw_vcpu.vmcs.launched);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	assert_int_equal(hw.current.hpa, NO_VMCS);
	start_held();
	current_release(&cpu);
	assert_int_equal(set_next(&hw.current.stale, -1), -1);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		assert_true(set_has(&hw.current.dirty, i)); /* the next one starts with nothing */
	current_release(&cpu);
	assert_int_equal(vmcs.clears[L2], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(launched),
		cmocka_unit_test(fields_keep_their_widths),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(memory_that_is_not_l1s),
		cmocka_unit_test(a_region_that_is_taken),
		cmocka_unit_test(read_late),
		cmocka_unit_test(released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
