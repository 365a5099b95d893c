/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of an isolated guest that L1 wants: what it is told, and what not. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/host.h"
#include "monitor/account.h"
#include "monitor/exit.h"
#include "monitor/fake/machine.h"
#include "monitor/log.h"

#pragma clang diagnostic ignored "-Wimplicit-fallthrough" /* its comment is GCC's */
/* Itself: monitor/fake has a function of one of its names. */
#include "monitor/svm/nested.c" /* NOLINT(bugprone-suspicious-include) */
#include "monitor/svm/own.c"    /* NOLINT(bugprone-suspicious-include) */

#define L1_VMCB 0x9000u
#define SHOWN 3 /* bytes of the instruction that L1 emulates */
#define CODE "0123456789abcde"

struct svm_features svm_features;
static struct cpu cpu;
static struct hw_cpu hw;
static struct vmcb own, runs;
static struct hw_vcpu hw_vcpu = {.vmcb = &runs};
static struct guest guest;
static struct disclosure disclosure;
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest, .disclosure = &disclosure};
static enum disclose_result disclosed; /* set by tests */
static unsigned int asked;             /* disclose() */
static enum stop_reason ended;
static const struct guest_vcpu *over;

/* --- what nested.c calls ------------------------------------------------------------------------- */

enum disclose_result disclose(struct cpu *c, struct guest_vcpu *v, const struct guest_exit *x)
{
	asked++;
	return disclosed;
}

void guest_end(struct guest *g, enum stop_reason reason)
{
	assert_ptr_equal(g, &guest);
	ended = reason;
}

bool svm_hide_nmi(struct cpu *c)
{
	return false;
}

void guest_over(struct guest_vcpu *v)
{
	over = v;
}

void guest_vcpu_drop(struct guest_vcpu *v)
{
	assert_ptr_equal(v, &vcpu);
}

struct vmcb *svm_current(const struct cpu *c)
{
	return c->hw->running ? &runs : &own;
}

/* As with decode assists: the hardware has read the code. */
void svm_assist(struct cpu *c, struct vmcb *vmcb)
{
}

int svm_decode(const struct cpu *c, const struct vmcb *vmcb, struct decode_insn *insn)
{
	return ERR_NOSYS;
}

/* hide.c is a matter of real registers. */
static unsigned int hidden, shown_bytes;

void svm_hide(struct cpu *c)
{
	hidden++;
}

void svm_hide_exit(const struct cpu *c, struct vmcb *l1_vmcb, uint8_t shown)
{
	l1_vmcb->c.exit_code = runs.c.exit_code;
	shown_bytes = shown;
}

struct injection svm_injection(uint64_t event)
{
	return (struct injection){0};
}

void svm_hide_debug(struct cpu *c)
{
	hw.running = NULL;
}

void svm_load_regs(struct cpu *c)
{
}

void svm_store_regs(struct cpu *c)
{
}

void svm_gif_clear(struct cpu *c, bool interrupt_waits)
{
}

void account_end(struct cpu *c)
{
}

void log_provoked(const char *fmt, ...)
{
}

/* For entries and for exits that are not the subject. */
#define NOT_CALLED(result, name, ...) \
	result name(__VA_ARGS__);     \
	result name(__VA_ARGS__)      \
	{                             \
		abort();              \
	}

NOT_CALLED(bool, exit_may_repeat, struct cpu *c, hpa_t hpa)
NOT_CALLED(struct guest_vcpu *, guest_vcpu_take, struct cpu *c, hpa_t key, hpa_t root,
	   const char **why)
NOT_CALLED(hpa_t, host_root, void)
NOT_CALLED(void, hw_host_complete, struct cpu *c, unsigned int len)
NOT_CALLED(void, hw_host_inject, struct cpu *c, unsigned int vector, uint32_t error_code)
NOT_CALLED(int, hw_host_insn_len, struct cpu *c)
NOT_CALLED(enum decode_mode, hw_host_mode, const struct cpu *c)
NOT_CALLED(int, msr_access, struct cpu *c, bool write)
NOT_CALLED(bool, msr_watched, uint32_t msr, bool write)
NOT_CALLED(void, svm_gif_set, struct cpu *c)
NOT_CALLED(void, svm_hide_request, struct vmcb_control *r)
NOT_CALLED(void, svm_hide_begin, struct cpu *c, struct guest_vcpu *v)
NOT_CALLED(void, svm_hide_offer, struct cpu *c, const struct vmcb_save *s)
NOT_CALLED(void, fpu_give, struct cpu *c)
NOT_CALLED(int, svm_insn_len, const struct cpu *c, struct vmcb *vmcb)
NOT_CALLED(int, svm_load_save, uint64_t hpa, bool save)
NOT_CALLED(void, svm_nmi_exit, struct cpu *c)

/* --- exits ------------------------------------------------------------------------------------------- */

static struct vmcb *l1(void)
{
	return fake_at(HPA(L1_VMCB), sizeof(struct vmcb));
}

/* The guest comes out with this code, and L1 has asked for every exit. */
static void comes_out(bool isolated, uint64_t code, enum disclose_result result)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	guest = (struct guest){.isolated = isolated, .protection.table.live = isolated};
	disclosure.exposure = (struct exposure){.row = EXPOSURE_EMULATED, .len = SHOWN};
	hw = (struct hw_cpu){.vmcb = &own, .running = &vcpu, .request_hpa = HPA(L1_VMCB)};
	memset(&hw.request, 0xff, sizeof(hw.request));
	if (isolated) /* as svm_hide_request() has it */
		hw.request.exceptions = ~(1u << VECTOR_UD);
	cpu = (struct cpu){.hw = &hw};
	memset(&runs, 0, sizeof(runs));
	runs.c.exit_code = code;
	runs.c.insn_len = DECODE_MAX;
	memcpy(runs.c.insn_bytes, CODE, DECODE_MAX);
	disclosed = result;
	asked = 0;
	ended = STOP_NONE;
	hidden = shown_bytes = 0;
	svm_guest_exit(&cpu);
}

static void expect_bytes(unsigned int n)
{
	uint8_t want[DECODE_MAX] = {0};

	memcpy(want, CODE, n);
	assert_int_equal(l1()->c.insn_len, n);
	assert_memory_equal(l1()->c.insn_bytes, want, DECODE_MAX);
}

/* Exits that L1 has no part in, if the guest is isolated: SVM's instructions, debug registers, INVALID. */
static bool has_no_part(uint64_t code)
{
	return (code >= VMEXIT_VMRUN && code <= VMEXIT_SKINIT && code != VMEXIT_VMMCALL) ||
	       code == VMEXIT_INVLPGA || (code >= VMEXIT_DR_READ && code < VMEXIT_EXCEPTION);
}

/* APM volume 2, 15.8.4: what the hardware has read at RIP. */
static void code_of_the_guest(void **state)
{
	for (uint64_t code = 0; code <= VMEXIT_NPF; code++) {
		bool of_monitor = code == VMEXIT_NMI || code == VMEXIT_INIT;

		if (of_monitor || code == VMEXIT_MSR || code == VMEXIT_IOIO ||
		    code == VMEXIT_EXCEPTION + VECTOR_UD)
			continue;
		runs.c.exit_code = code;
		if (svm_reason(&runs) == EXIT_UNKNOWN)
			continue;
		comes_out(true, code, DISCLOSE_TELL);
		assert_int_equal(asked, !has_no_part(code));
		assert_int_equal(hidden, !has_no_part(code));
		if (!has_no_part(code)) {
			assert_int_equal(l1()->c.exit_code, code);
			assert_int_equal(shown_bytes, SHOWN);
			comes_out(true, code, DISCLOSE_BARE);
			assert_int_equal(shown_bytes, 0);
		}
		comes_out(false, code, DISCLOSE_TELL);
		assert_null(hw.running);
		expect_bytes(DECODE_MAX);
		assert_int_equal(asked + hidden, 0);
	}
}

/* They raise #UD, as if there were no SVM. */
static void no_virtualization(void **state)
{
	for (uint64_t code = VMEXIT_VMRUN; code <= VMEXIT_SKINIT; code++) {
		if (!has_no_part(code))
			continue;
		fake_reset();
		comes_out(true, code, DISCLOSE_TELL);
		assert_int_equal(runs.c.event_inj,
				 EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | VECTOR_UD);
	}
}

/* CR write traps, INVLPGB, INVPCID and others that the monitor has no words for. */
static void unknown_exits(void **state)
{
	for (uint64_t code = VMEXIT_RDPRU + 1; code < VMEXIT_WORD3 + 32; code++) {
		comes_out(true, code, DISCLOSE_TELL);
		assert_int_equal(asked, 0);
		assert_int_equal(ended, STOP_UNKNOWN_EXIT);
		assert_int_equal(l1()->c.exit_code, VMEXIT_INVALID);
		comes_out(false, code, DISCLOSE_TELL);
		assert_int_equal(ended, STOP_NONE);
		assert_int_equal(l1()->c.exit_code, code);
	}
}

/*
 * An NMI before the guest goes on: L1 finds it as it left it, with its event. Not if the vCPU has been measured
 * meanwhile, or started: then L1 gets an exit of the guest's, and what it changes does not count.
 */
static void nmi_before_an_entry(void **state)
{
	const uint64_t event = EVENT_VALID | 0x41;

	for (unsigned int i = 0; i < 8; i++) {
		bool stands = (i & 1) && (!(i & 2) || (i & 4));

		comes_out(true, VMEXIT_INTR, DISCLOSE_AGAIN);
		disclosed = DISCLOSE_TELL;
		asked = 0;
		cpu.nmi_pending = true;
		hw_vcpu.hidden = i & 1;
		vcpu.entered = i & 2;
		disclosure.accept = i & 4 ? ACCEPT_ROW : ACCEPT_OWN;
		runs.c.event_inj = event;
		svm_interrupt_guest(&cpu);
		assert_int_equal(l1()->c.exit_code, VMEXIT_NMI);
		assert_int_equal(asked, !stands);
		assert_int_equal(l1()->c.exit_int_info, stands ? event : 0);
		assert_null(hw.running);
	}
	hw_vcpu.hidden = vcpu.entered = false;
	disclosure.accept = ACCEPT_OWN;
}

/* guest_enter() has put the guest's registers where L1's were, has refused L1's event, and the guest ended. */
static void over_after_acceptance(void **state)
{
	comes_out(true, VMEXIT_INTR, DISCLOSE_AGAIN);
	hw.running = &vcpu;
	hw_vcpu.hidden = vcpu.entered = true;
	disclosure.accept = ACCEPT_OWN;
	memset(cpu.regs.r, 0xa5, sizeof(cpu.regs.r));
	svm_end_run(&cpu);
	assert_ptr_equal(over, &vcpu);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_after_acceptance), cmocka_unit_test(code_of_the_guest),
		cmocka_unit_test(no_virtualization),     cmocka_unit_test(unknown_exits),
		cmocka_unit_test(nmi_before_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
