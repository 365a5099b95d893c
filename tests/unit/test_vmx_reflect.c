/* SPDX-License-Identifier: Apache-2.0 */
/* What L1 finds after an exit of its guest: in its VMCS, and in its own registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

enum { OTHER, L1, L2 }; /* VMCSs */

#define SEGMENTS 8 /* ES CS SS DS FS GS LDTR TR */
#define SELECTOR(i) (0x800 + 2 * (i))
#define LIMIT(i) (0x4800 + 2 * (i))
#define RIGHTS(i) (0x4814 + 2 * (i))
#define SEGMENT_BASE(i) (0x6806 + 2 * (i))
#define UNUSABLE 0x10000

static struct cpu cpu;
static struct hw_cpu hw;
static struct guest guest;
static struct guest_vcpu vcpu = {.guest = &guest};
static uint64_t *f = hw.current.f;

/* --- what reflect.c calls ---------------------------------------------------------------------- */

static struct {
	unsigned int stores, loads, shows;
	uint32_t bad_store, bad_load; /* entries */
	uint64_t list, count;         /* of the store */
	unsigned int states, infos;
	bool stood; /* set by tests */
	enum exit_reason hidden;
	uint8_t vector;
} calls;

bool vmx_hide(struct cpu *c, enum exit_reason reason, uint8_t vector)
{
	assert_ptr_equal(vmcs.field, vmcs.of[L2]);
	calls.hidden = reason;
	calls.vector = vector;
	return !calls.stood;
}

void vmx_shown_state(struct cpu *c)
{
	assert_int_equal(calls.stores, 0);
	calls.states++;
}

void vmx_shown_info(struct cpu *c)
{
	assert_int_equal(calls.stores, 0);
	calls.infos++;
}

uint32_t msrs_store(struct cpu *c, uint64_t list, uint64_t count)
{
	assert_ptr_equal(c, &cpu);
	assert_ptr_equal(vmcs.field, vmcs.of[L2]);
	calls.stores++;
	calls.list = list;
	calls.count = count;
	return calls.bad_store;
}

/* The list is the last word on L1's state. */
uint32_t msrs_load(struct cpu *c, uint64_t list, uint64_t count)
{
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	assert_int_equal(list, f[F_EXIT_MSR_LOAD]);
	assert_int_equal(count, f[F_EXIT_MSR_LOAD_COUNT]);
	assert_int_equal(c->regs.rip, f[F_HOST_RIP]);
	vmcs.field[VMCS_GUEST_PAT] ^= 0x0100;
	calls.loads++;
	return calls.bad_load;
}

static unsigned int hidden, of_host;

/* Before anything of the guest is looked at, or of L1's touched. */
void vmx_regs_hide(struct cpu *c)
{
	assert_ptr_equal(c->hw->running, &vcpu);
	assert_ptr_equal(vmcs.field, vmcs.of[L2]);
	assert_int_equal(calls.stores + calls.loads, 0);
	hidden++;
}

/* L1's CR0 is set. */
void vmx_regs_host(struct cpu *c)
{
	assert_null(c->hw->running);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	assert_int_equal(vmcs.field[VMCS_GUEST_CR0] & CR0_TS, f[F_HOST_CR0] & CR0_TS);
	assert_int_equal(calls.loads, 0);
	of_host++;
}

void shadow_show(struct hw_cpu *h)
{
	assert_ptr_equal(h, &hw);
	calls.shows++;
}

/* --- the guest that left --------------------------------------------------------------------------- */

static bool all(uint64_t encoding)
{
	return true;
}

static uint64_t guests(unsigned int field)
{
	return field_set_value(field_encoding[field], 0, 0x1000100010001 * (field + 1));
}

static uint64_t l1s(unsigned int field)
{
	return field_set_value(field_encoding[field], 0, 0x2000200020002 * (field + 3));
}

/* Everything differs: in L2's VMCS, in L1's and in what L1 reads. */
static void start(void)
{
	vmcs_catch();
	fields_init(all);
	reflect_init();
	memset(&hw, 0, sizeof(hw));
	memset(&calls, 0, sizeof(calls));
	hidden = of_host = 0;
	guest.isolated = false;
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		vmcs.of[L2][field_encoding[i]] = guests(i);
		vmcs.of[L1][field_encoding[i]] = 0x3000300030003 * i;
		f[i] = l1s(i);
	}
	cpu.hw = &hw;
	hw.l1.hpa = L1;
	hw.running = &vcpu;
	vmcs_load(L2);
	cpu.regs.r[RSP] = 0x5111;
	cpu.regs.rip = 0x5222;
	cpu.regs.rflags = 0x5202;
	for (unsigned int i = F_HOST_ES_SELECTOR; i <= F_HOST_TR_SELECTOR; i++)
		f[i] = 8 * (i + 1);
	f[F_HOST_CR0] = 0x80050033;
	f[F_EXIT_CONTROLS] = 0;
	f[F_CPU_CONTROLS] = CPU_SECONDARY;
	f[F_CPU2_CONTROLS] = CPU2_VPID;
}

static uint64_t in_l1(uint16_t encoding)
{
	return vmcs.of[L1][encoding];
}

/* --- L1's VMCS ------------------------------------------------------------------------------------ */

static bool one_of(unsigned int field, enum field_kind kind)
{
	return set_has(&fields_of[kind], field);
}

static uint64_t expected_guest(unsigned int field)
{
	return field == F_GUEST_RSP      ? 0x5111
	       : field == F_GUEST_RIP    ? 0x5222
	       : field == F_GUEST_RFLAGS ? 0x5202
					 : guests(field);
}

static void what_l1_reads(void **state)
{
	uint64_t before[FIELD_COUNT];

	start();
	memcpy(before, f, sizeof(before));
	vmx_reflect(&cpu);
	assert_int_equal(hidden, 1);
	assert_int_equal(of_host, 1);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		if (one_of(i, GUEST))
			assert_int_equal(f[i], expected_guest(i));
		else if (one_of(i, INFO) && i != F_INSN_ERROR)
			assert_int_equal(f[i], guests(i));
		else if (i != F_ENTRY_EVENT && i != F_ENTRY_CONTROLS)
			assert_int_equal(f[i], before[i]);
		assert_int_equal(set_has(&hw.current.stale, i), one_of(i, COLD));
	}
	assert_null(hw.running);
	assert_int_equal(calls.stores, 1);
	assert_int_equal(calls.list, before[F_EXIT_MSR_STORE]);
	assert_int_equal(calls.count, before[F_EXIT_MSR_STORE_COUNT]);
	assert_int_equal(calls.loads, 1);
	assert_int_equal(calls.shows, 1);
}

/* SDM volume 3, 28.3.1: by the exit controls. */
static void what_is_saved_by_choice(void **state)
{
	static const struct {
		uint32_t control;
		uint8_t field;
	} row[] = {
		{1u << 2, F_GUEST_DR7},
		{1u << 2, F_GUEST_DEBUGCTL},
		{1u << 18, F_GUEST_PAT},
		{1u << 20, F_GUEST_EFER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		start();
		f[F_EXIT_CONTROLS] = row[i].control;
		vmx_reflect(&cpu);
		for (size_t j = 0; j < ARRAY_SIZE(row); j++)
			assert_int_equal(f[row[j].field], row[j].control == row[i].control
								  ? guests(row[j].field)
								  : l1s(row[j].field));
	}
}

/* SDM volume 3, 28.2.4 and 28.3.1: nothing is injected twice; the guest's mode is its EFER.LMA. */
static void entry_controls(void **state)
{
	for (uint32_t mode = 0; mode <= 1u << 9; mode += 1u << 9) {
		start();
		f[F_ENTRY_EVENT] = 0x80000b0e;
		f[F_ENTRY_CONTROLS] = 0x11ff ^ mode;
		vmcs.field[VMCS_ENTRY_CONTROLS] = 0xd1ff | mode;
		vmx_reflect(&cpu);
		assert_int_equal(f[F_ENTRY_EVENT], 0xb0e);
		assert_int_equal(f[F_ENTRY_CONTROLS], 0x11ff | mode);
	}
}

/* --- L1's registers ------------------------------------------------------------------------------- */

/* SDM volume 3, 28.5.2. */
static void segments(void **state)
{
	static const uint8_t selector[SEGMENTS] = {
		F_HOST_ES_SELECTOR,
		F_HOST_CS_SELECTOR,
		F_HOST_SS_SELECTOR,
		F_HOST_DS_SELECTOR,
		F_HOST_FS_SELECTOR,
		F_HOST_GS_SELECTOR,
		0,
		F_HOST_TR_SELECTOR,
	};
	static const uint8_t base[SEGMENTS] = {
		[4] = F_HOST_FS_BASE, [5] = F_HOST_GS_BASE, [7] = F_HOST_TR_BASE};

	for (int null = 0; null < 2; null++) {
		start();
		if (null)
			f[F_HOST_ES_SELECTOR] = f[F_HOST_SS_SELECTOR] = f[F_HOST_DS_SELECTOR] =
				f[F_HOST_FS_SELECTOR] = f[F_HOST_GS_SELECTOR] = 0;
		vmx_reflect(&cpu);
		for (unsigned int i = 0; i < SEGMENTS; i++) {
			uint64_t s = selector[i] ? f[selector[i]] : 0;
			uint64_t rights = i == 1 ? 0xa09b : i == 7 ? 0x8b : 0xc093;

			assert_int_equal(in_l1(SELECTOR(i)), s);
			assert_int_equal(in_l1(SEGMENT_BASE(i)), base[i] ? f[base[i]] : 0);
			assert_int_equal(in_l1(RIGHTS(i)), s ? rights : UNUSABLE);
			if (s)
				assert_int_equal(in_l1(LIMIT(i)), i == 7 ? 0x67 : 0xffffffff);
		}
	}
	assert_int_equal(in_l1(VMCS_GUEST_GDTR_BASE), f[F_HOST_GDTR_BASE]);
	assert_int_equal(in_l1(VMCS_GUEST_IDTR_BASE), f[F_HOST_IDTR_BASE]);
	assert_int_equal(in_l1(VMCS_GUEST_GDTR_LIMIT), 0xffff);
	assert_int_equal(in_l1(VMCS_GUEST_IDTR_LIMIT), 0xffff);
}

/* SDM volume 3, 28.5.1. */
static void control_registers(void **state)
{
	start();
	vmx_reflect(&cpu);
	assert_int_equal(in_l1(VMCS_GUEST_CR3), f[F_HOST_CR3]);
	assert_int_equal(in_l1(VMCS_GUEST_CR4), f[F_HOST_CR4]);
	assert_int_equal(in_l1(VMCS_CR4_SHADOW), f[F_HOST_CR4]);
	assert_int_equal(in_l1(VMCS_GUEST_DR7), 0x400);
	assert_int_equal(in_l1(VMCS_GUEST_DEBUGCTL), 0);
	assert_int_equal(in_l1(VMCS_GUEST_SYSENTER_CS), f[F_HOST_SYSENTER_CS]);
	assert_int_equal(in_l1(VMCS_GUEST_SYSENTER_ESP), f[F_HOST_SYSENTER_ESP]);
	assert_int_equal(in_l1(VMCS_GUEST_SYSENTER_EIP), f[F_HOST_SYSENTER_EIP]);
	assert_true(in_l1(VMCS_ENTRY_CONTROLS) & ENTRY_GUEST_64);
	assert_int_equal(cpu.regs.r[RSP], f[F_HOST_RSP]);
	assert_int_equal(cpu.regs.rip, f[F_HOST_RIP]);
	assert_int_equal(cpu.regs.rflags, 2);
	assert_int_equal(in_l1(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(in_l1(VMCS_GUEST_ACTIVITY), 0);
	assert_int_equal(in_l1(VMCS_GUEST_PENDING_DEBUG), 0);
	assert_int_equal(vmcs.of[L2][VMCS_HOST_CR0], guests(F_HOST_CR0)); /* the monitor's */
}

/* ET, NW, CD and the reserved bits stay as they were while L1 ran last. */
static void cr0(void **state)
{
	const uint64_t kept = 1u << 4 | 0xffc0 | 1u << 17 | 0xff80000 | 1u << 28 | 3u << 29;

	for (unsigned int bit = 0; bit < 32; bit++) {
		uint64_t mask = 1u << bit;

		start();
		f[F_HOST_CR0] = mask;
		vmcs.of[L1][VMCS_GUEST_CR0] = ~mask & UINT32_MAX;
		vmx_reflect(&cpu);
		assert_int_equal(in_l1(VMCS_GUEST_CR0), kept & mask ? kept & ~mask : kept | mask);
		assert_int_equal(in_l1(VMCS_CR0_SHADOW), in_l1(VMCS_GUEST_CR0));
	}
}

/* Loaded, or left as the guest had them, but for the mode; the list of MSRs comes behind. */
static void pat_and_efer(void **state)
{
	start();
	vmx_reflect(&cpu);
	assert_int_equal(in_l1(VMCS_GUEST_PAT), guests(F_GUEST_PAT) ^ 0x100);
	assert_int_equal(in_l1(VMCS_GUEST_EFER), guests(F_GUEST_EFER) | 0x500);
	start();
	f[F_EXIT_CONTROLS] = 1u << 19;
	vmx_reflect(&cpu);
	assert_int_equal(in_l1(VMCS_GUEST_PAT), l1s(F_HOST_PAT) ^ 0x100);
	assert_int_equal(in_l1(VMCS_GUEST_EFER), guests(F_GUEST_EFER) | 0x500);
	start();
	f[F_EXIT_CONTROLS] = 1u << 21;
	vmx_reflect(&cpu);
	assert_int_equal(in_l1(VMCS_GUEST_PAT), guests(F_GUEST_PAT) ^ 0x100);
	assert_int_equal(in_l1(VMCS_GUEST_EFER), l1s(F_HOST_EFER));
}

/* SDM volume 3, 28.5.5: without a VPID for its guest, L1 comes back to an empty TLB. */
static void translations(void **state)
{
	start();
	vmx_reflect(&cpu);
	assert_int_equal(vmcs.invvpids, 0);
	start();
	f[F_CPU2_CONTROLS] = 0;
	vmx_reflect(&cpu);
	assert_int_equal(vmcs.invvpids, 1);
	start();
	f[F_CPU_CONTROLS] = 0;
	vmx_reflect(&cpu);
	assert_int_equal(vmcs.invvpids, 1);
	assert_int_equal(vmcs.invepts, 0);
}

/* --- exits that the hardware did not make ---------------------------------------------------------- */

static void an_event(void **state)
{
	const uint32_t nmi = 0x80000202, fault = 0x80000b0d;

	for (int pending = 0; pending < 2; pending++) {
		start();
		vmcs.field[VMCS_ENTRY_EVENT] = pending ? 0x80000b0e : 0xb0e;
		vmcs.field[VMCS_ENTRY_ERROR_CODE] = 0x17;
		vmcs.field[VMCS_ENTRY_INSN_LEN] = 3;
		vmx_reflect_event(&cpu, REASON_EXCEPTION, pending ? nmi : fault, 0x99);
		assert_int_equal(f[F_EXIT_REASON], 0);
		assert_int_equal(f[F_EXIT_QUALIFICATION], 0);
		assert_int_equal(f[F_EXIT_EVENT], pending ? nmi : fault);
		assert_int_equal(f[F_EXIT_ERROR_CODE], 0x99);
		assert_int_equal(f[F_VECTORING_EVENT], pending ? 0x80000b0e : 0);
		assert_int_equal(vmcs.of[L2][VMCS_ENTRY_EVENT], 0);
		assert_int_equal(in_l1(VMCS_GUEST_INTERRUPTIBILITY), pending ? 8 : 0);
		if (pending)
			assert_int_equal(f[F_VECTORING_ERROR_CODE], 0x17);
		assert_int_equal(f[F_EXIT_INSN_LEN], 3);
		assert_int_equal(f[F_GUEST_RIP], 0x5222);
		assert_int_equal(f[F_GUEST_CR3], guests(F_GUEST_CR3));
		assert_true(hw.current.launched);
		assert_int_equal(calls.stores, 1);
		assert_int_equal(cpu.regs.rip, f[F_HOST_RIP]);
	}
	start();
	vmx_reflect_event(&cpu, REASON_INIT, 0, 0);
	assert_int_equal(hidden, 1);
	assert_int_equal(of_host, 1);
	assert_int_equal(f[F_EXIT_REASON], 3);
	assert_int_equal(f[F_EXIT_EVENT], 0);
	assert_int_equal(in_l1(VMCS_GUEST_INTERRUPTIBILITY), 0);
}

/* SDM volume 3, 27.8: L1 is told, its host state is loaded, and nothing else has happened. */
static void a_failed_entry(void **state)
{
	uint64_t before[FIELD_COUNT];
	struct field_set stale = {{0}};

	start();
	vmcs.of[L1][VMCS_GUEST_PAT] = 0x7;
	vmcs.of[L1][VMCS_GUEST_EFER] = 0xd01;
	set_add(&hw.current.stale, F_GUEST_ES_BASE);
	set_add(&stale, F_GUEST_ES_BASE);
	memcpy(before, f, sizeof(before));
	vmx_reflect_failure(&cpu, REASON_BAD_MSR, 7);
	assert_int_equal(hidden, 1);
	assert_int_equal(of_host, 1);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		uint64_t want = i == F_EXIT_REASON          ? 0x80000022
				: i == F_EXIT_QUALIFICATION ? 7
							    : before[i];

		assert_int_equal(f[i], want);
		assert_true(set_has(&hw.current.dirty, i));
	}
	assert_memory_equal(&hw.current.stale, &stale, sizeof(stale));
	assert_int_equal(vmcs.of[L2][VMCS_ENTRY_EVENT], 0);
	assert_int_equal(calls.stores, 0);
	assert_int_equal(calls.loads, 1);
	assert_false(hw.current.launched);
	assert_null(hw.running);
	assert_int_equal(cpu.regs.rip, f[F_HOST_RIP]);
	assert_int_equal(in_l1(SELECTOR(1)), f[F_HOST_CS_SELECTOR]);
	assert_int_equal(in_l1(VMCS_GUEST_PAT), 0x107); /* L1's own: the guest's were not loaded */
	assert_int_equal(in_l1(VMCS_GUEST_EFER), 0xd01);
}

/* SDM volume 3, 28.7: a VMX abort. The software machine aborts its process for a reset. */
static void expect_reset(uint32_t bad_store, uint32_t bad_load)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		start();
		signal(SIGABRT, SIG_DFL);
		calls.bad_store = bad_store;
		calls.bad_load = bad_load;
		vmx_reflect(&cpu);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (bad_store || bad_load)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	else
		assert_int_equal(status, 0);
}

static void bad_lists(void **state)
{
	expect_reset(0, 0);
	expect_reset(1, 0);
	expect_reset(0, 1);
	expect_reset(0, 512);
}

/* --- isolated guests ------------------------------------------------------------------------------- */

/* Of an isolated guest's state and exit, what shown.c says. */
static void expect_untouched(unsigned int field)
{
	if (field != F_ENTRY_EVENT && field != F_ENTRY_CONTROLS)
		assert_int_equal(f[field], l1s(field));
}

static void what_l1_reads_of_isolated_guests(void **state)
{
	start();
	guest.isolated = true;
	f[F_EXIT_CONTROLS] = UINT32_MAX;
	vmx_reflect(&cpu);
	assert_int_equal(calls.states, 1);
	assert_int_equal(calls.infos, 1);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		if ((field_encoding[i] >> 10 & 3) == 2 || one_of(i, INFO))
			expect_untouched(i);
	assert_int_equal(set_next(&hw.current.stale, -1), -1);
	assert_null(hw.running);
}

/* One that has not gone on yet stands as L1 left it, and L1 has its event back. */
static void one_that_stands(void **state)
{
	for (int stood = 0; stood < 2; stood++) {
		start();
		guest.isolated = true;
		calls.stood = stood;
		vmcs.of[L2][VMCS_ENTRY_EVENT] = f[F_ENTRY_EVENT] = 0x80000041;
		vmx_reflect_event(&cpu, REASON_EXCEPTION, 0x80000202, 0);
		assert_int_equal(calls.hidden, EXIT_NMI);
		assert_int_equal(calls.vector, 2);
		assert_int_equal(calls.states, !stood);
		for (unsigned int i = 0; i < FIELD_COUNT; i++)
			if ((field_encoding[i] >> 10 & 3) == 2)
				expect_untouched(i);
		assert_int_equal(f[F_ENTRY_EVENT], 0x41);
		assert_int_equal(f[F_EXIT_REASON], REASON_EXCEPTION);
		assert_int_equal(f[F_VECTORING_EVENT], 0x80000041);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_l1_reads),
		cmocka_unit_test(what_is_saved_by_choice),
		cmocka_unit_test(entry_controls),
		cmocka_unit_test(segments),
		cmocka_unit_test(control_registers),
		cmocka_unit_test(cr0),
		cmocka_unit_test(pat_and_efer),
		cmocka_unit_test(translations),
		cmocka_unit_test(an_event),
		cmocka_unit_test(a_failed_entry),
		cmocka_unit_test(bad_lists),
		cmocka_unit_test(what_l1_reads_of_isolated_guests),
		cmocka_unit_test(one_that_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
