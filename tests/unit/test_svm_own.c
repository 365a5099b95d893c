/* SPDX-License-Identifier: Apache-2.0 */
/* Exits that only the monitor wants, and what it does in the guest's place. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/log.h"
#include "tests/unit/test_svm_cpu.h"

#pragma clang diagnostic ignored "-Wimplicit-fallthrough" /* its comment is GCC's */
/* Itself: monitor/fake has a function of one of its names. */
#include "monitor/svm/own.c" /* NOLINT(bugprone-suspicious-include) */

#define RIP 0x1000

struct svm_features svm_features;
static struct cpu cpu;
static struct hw_cpu hw;
static struct vmcb runs;
static struct hw_vcpu hw_vcpu = {.vmcb = &runs};
static struct guest guest;
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest};
static int insn_len; /* set by tests */

/* --- what own.c calls ---------------------------------------------------------------------------------- */

struct vmcb *svm_current(const struct cpu *c)
{
	return &runs;
}

int svm_insn_len(const struct cpu *c, struct vmcb *vmcb)
{
	return insn_len;
}

void log_provoked(const char *fmt, ...)
{
}

#define NOT_CALLED(result, name, ...)                              \
	result name(__VA_ARGS__)                                   \
	{                                                          \
		fail_msg("%s", #name);                             \
		abort(); /* which fail_msg() does not return to */ \
	}

NOT_CALLED(int, svm_load_save, uint64_t hpa, bool save)
NOT_CALLED(void, svm_nmi_exit, struct cpu *c)
NOT_CALLED(void, svm_reflect, struct cpu *c)
NOT_CALLED(void, svm_end_run, struct cpu *c)
NOT_CALLED(void, svm_hide_debug, struct cpu *c)
NOT_CALLED(void, guest_end, struct guest *g, enum stop_reason reason)
NOT_CALLED(int, msr_access, struct cpu *c, bool write)
NOT_CALLED(bool, exit_may_repeat, struct cpu *c, hpa_t hpa)

/* --- exits --------------------------------------------------------------------------------------------- */

static void comes_out(uint64_t code, bool isolated)
{
	svm_catch();
	memset(&runs, 0, sizeof(runs));
	runs.c.exit_code = code;
	runs.c.int_state = INT_STATE_SHADOW;
	guest.isolated = isolated;
	hw = (struct hw_cpu){.running = &vcpu};
	cpu = (struct cpu){.hw = &hw, .regs.rip = RIP};
	svm_own_exit(&cpu);
}

/* R4: it would throw away what others have written, L1, the monitor and other guests. */
static void invd(void **state)
{
	insn_len = 3; /* a prefix, too */
	for (int isolated = 0; isolated < 2; isolated++) {
		comes_out(VMEXIT_INVD, isolated);
		assert_int_equal(svm_cpu.writebacks, 1);
		assert_int_equal(cpu.regs.rip, RIP + 3);
		assert_int_equal(runs.c.int_state, 0);
		assert_int_equal(runs.c.event_inj, 0);
	}
	/* Its code cannot be read any more. */
	insn_len = ERR_FAULT;
	comes_out(VMEXIT_INVD, true);
	assert_int_equal(cpu.regs.rip, RIP);
	assert_int_equal(runs.c.event_inj,
			 EVENT_VALID | EVENT_ERROR_VALID | EVENT_TYPE_EXCEPTION << 8 | VECTOR_GP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
