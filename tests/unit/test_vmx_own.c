/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of an isolated guest that L1 has no part in. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_vmx_nested.h"

/* Itself, with another function than monitor/fake's. */
#define raise vmx_raise /* signal.h has one, too */
#define hw_guest_complete complete
#pragma clang diagnostic ignored "-Wimplicit-fallthrough" /* its comment is GCC's */
static void complete(struct cpu *c);
#include "monitor/vmx/nested.c" /* NOLINT(bugprone-suspicious-include) */

enum { OTHER, L1, L2 }; /* VMCSs */

static struct cpu cpu;
static struct hw_cpu hw;
static struct hw_vcpu hw_vcpu = {.vmcs = {L2, true}};
static struct guest guest = {.isolated = true};
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest};
static unsigned int completed;

/* --- what nested.c calls ------------------------------------------------------------------------------- */

static void complete(struct cpu *c)
{
	assert_ptr_equal(c, &cpu);
	completed++;
}

#define NOT_CALLED(result, name, ...)                              \
	result name(__VA_ARGS__)                                   \
	{                                                          \
		fail_msg("%s", #name);                             \
		abort(); /* which fail_msg() does not return to */ \
	}

NOT_CALLED(void, current_release, struct cpu *c)
NOT_CALLED(void, shadow_collect, struct hw_cpu *h)
NOT_CALLED(void, shadow_show, struct hw_cpu *h)
NOT_CALLED(void, vmx_load_regs, struct cpu *c)
NOT_CALLED(void, vmx_vmcs_init, struct vmcs *v)
NOT_CALLED(void, vmx_write_host_state, void)

/* R4: it would throw away what others have written, L1, the monitor and other guests. */
static void invd(void **state)
{
	start_l1(&cpu, &hw, L1);
	vmcs_load(L2);
	hw.running = &vcpu;
	vmcs.field[VMCS_EXIT_REASON] = 13;
	vmx_guest_exit(&cpu);
	assert_int_equal(vmcs.writebacks, 1);
	assert_int_equal(completed, 1);
	assert_ptr_equal(hw.running, &vcpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
