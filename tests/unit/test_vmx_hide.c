/* SPDX-License-Identifier: Apache-2.0 */
/* What accept.c has changed in an isolated guest's VMCS. */
#include "tests/unit/test_vmx_isolated.h"

/* --- exits that the hardware did not make --------------------------------------------------------------- */

static void hiding(void **state)
{
	start();
	set(VMCS_ENTRY_EVENT, 0x80000b0d);
	set(VMCS_ENTRY_ERROR_CODE, 5);
	assert_true(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
	assert_int_equal(calls.x.reason, EXIT_NMI);
	assert_int_equal(calls.x.interrupted.type, INJECTION_EXCEPTION);
	assert_int_equal(calls.x.interrupted.error, 5);
	/* L1 has had it, and the guest has taken nothing of what L1 left. */
	disclosure.accept = ACCEPT_ROW;
	assert_false(vmx_hide(&cpu, EXIT_NMI, 2));
	disclosure.accept = ACCEPT_OWN;
	vcpu.entered = false;
	assert_false(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
	guest.isolated = false;
	assert_true(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
}

/* Nothing of a guest that is over is left in the registers. */
static void over(void **state)
{
	start();
	memset(cpu.regs.r, 0xff, sizeof(cpu.regs.r));
	vmx_hide(&cpu, EXIT_INVALID, 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], 0);
}

/* --- what accept.c asks for ---------------------------------------------------------------------------- */

static bool change(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return hw_guest_control(&cpu, cr0, cr4, efer);
}

static void expect_control(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	assert_int_equal(vmx_seen_cr0(), cr0 | CR0_ET);
	assert_int_equal(in_l2(VMCS_GUEST_CR0), (cr0 & ~(3ull << 29)) | CR0_ET | CR0_NE);
	assert_int_equal(vmx_seen_cr4(), cr4);
	assert_int_equal(in_l2(VMCS_GUEST_CR4), cr4 | MUST);
	assert_int_equal(in_l2(VMCS_GUEST_EFER), efer);
	assert_int_equal(in_l2(VMCS_ENTRY_CONTROLS), 0x11ff | (efer & EFER_LMA ? 1u << 9 : 0));
}

/* Real mode, protected mode, paging, PAE, long mode, and back. */
static void modes(void **state)
{
	const struct {
		uint64_t cr0, cr4, efer;
	} rows[] = {
		{0, 0, 0},
		{CR0_PE, 0, 0},
		{CR0_PE, CR4_PAE, 0},
		{CR0_PE, CR4_PAE, EFER_LME},
		{CR0_PE | CR0_PG, CR4_PAE, LONG},
		{CR0_PE | CR0_PG | CR0_WP | CR0_NE, CR4_PAE | CR4_PCIDE, LONG | EFER_NXE},
		{CR0_PE | CR0_PG | CR0_CD, CR4_PAE, LONG},
		{CR0_PE, CR4_PAE, EFER_LME},
		{CR0_PE, 0x10, 0},
		{CR0_PE | CR0_PG, 0x10, 0},
	};
	unsigned int flushes;

	start();
	set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
	vmx_set_cr0(CR0_PE);
	vmx_set_cr4(0, 0);
	set(VMCS_GUEST_EFER, 0);
	set(VMCS_ENTRY_CONTROLS, 0x11ff);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		flushes = vmcs.invvpids;
		assert_true(change(rows[i].cr0, rows[i].cr4, rows[i].efer));
		expect_control(rows[i].cr0, rows[i].cr4, rows[i].efer);
		assert_int_equal(vmcs.invvpids, flushes + 1);
		assert_int_equal(vmcs.inv_type, INV_SINGLE);
		assert_int_equal(vmcs.inv_operand[0], 7);
	}
	/* What is no mode flushes nothing. */
	flushes = vmcs.invvpids;
	assert_true(change(CR0_PE | CR0_PG | CR0_TS | CR0_NE, 0x10, 0));
	expect_control(CR0_PE | CR0_PG | CR0_TS | CR0_NE, 0x10, 0);
	assert_int_equal(vmcs.invvpids, flushes);
	assert_int_equal(in_l2(VMCS_GUEST_PDPTE0), guests(F_GUEST_PDPTE0));
}

/* Reserved bits of CR0 are ignored, its upper half is not: SDM volume 3, 2.5. */
static void no_modes(void **state)
{
	const uint64_t on = CR0_PE | CR0_PG;
	const struct {
		uint64_t cr0, cr4, efer;
	} rows[] = {
		{CR0_PG, CR4_PAE, LONG},
		{on | 1ull << 32, CR4_PAE, LONG},
		{on | CR0_NW, CR4_PAE, LONG},
		{on, 0, LONG},
		{on, CR4_PAE | CR4_VMXE, LONG},
		{on, CR4_PAE | 1ull << 23, LONG},
		{on, CR4_PAE | 1ull << 40, LONG},
		{on, CR4_PAE, LONG | 1u << 12},
		{on, CR4_PAE, 0},                 /* LME changes under paging */
		{CR0_PE, CR4_PAE, EFER_LME},      /* paging goes off in 64-bit code */
		{CR0_PE, CR4_PAE | CR4_PCIDE, 0}, /* or with PCIDs */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		set(VMCS_GUEST_CS_RIGHTS, i == 10 ? 0xc09b : 0xa09b);
		assert_false(change(rows[i].cr0, rows[i].cr4, rows[i].efer));
		assert_int_equal(in_l2(VMCS_GUEST_EFER), LONG | EFER_NXE);
		assert_int_equal(vmx_seen_cr0(), CR0_PG | CR0_PE | CR0_WP | CR0_TS | CR0_ET);
	}
	start();
	assert_true(change(on | 1u << 15, CR4_PAE, LONG));
	expect_control(on, CR4_PAE, LONG);
}

static void pae(void **state)
{
	uint64_t *entry;

	for (int bad = 0; bad < 2; bad++) {
		start();
		entry = fake_at(HPA(CR3 & ~31u), 32);
		entry[0] = 0x5001;
		entry[1] = bad ? 1ull << 40 | 1 : 0;
		entry[2] = 1ull << 40; /* not present */
		set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
		vmx_set_cr0(CR0_PE);
		set(VMCS_GUEST_EFER, 0);
		assert_int_equal(change(CR0_PE | CR0_PG, CR4_PAE, 0), !bad);
		if (!bad)
			assert_int_equal(in_l2(VMCS_GUEST_PDPTE0 + 4), 1ull << 40);
	}
	/* Where there is no memory */
	start();
	set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
	vmx_set_cr0(CR0_PE);
	set(VMCS_GUEST_EFER, 0);
	set(VMCS_GUEST_CR3, 0xfffff000);
	assert_false(change(CR0_PE | CR0_PG, CR4_PAE, 0));
}

/* SDM volume 3, table 9-1, and 11.4.4.2. */
static void start_up(void **state)
{
	start();
	memset(cpu.regs.r, 0xff, sizeof(cpu.regs.r));
	set(VMCS_GUEST_DEBUGCTL, 3);
	set(VMCS_GUEST_INTERRUPTIBILITY, 1);
	set(VMCS_GUEST_ACTIVITY, 1);
	set(VMCS_GUEST_PENDING_DEBUG, 0x4000);
	hw_guest_reset(&cpu, 0x9a);
	expect_control(0, 0, 0);
	assert_int_equal(calls.begun, 1);
	assert_int_equal(in_l2(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), 0x9a00);
	assert_int_equal(in_l2(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x9a000);
	assert_int_equal(in_l2(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS), 0xffff);
	assert_int_equal(in_l2(VMCS_GUEST_CS_RIGHTS), 0x9b);
	assert_int_equal(in_l2(VMCS_GUEST_ES_SELECTOR), 0);
	assert_int_equal(in_l2(VMCS_GUEST_ES_RIGHTS), 0x93);
	assert_int_equal(in_l2(VMCS_GUEST_CR3), 0);
	assert_int_equal(in_l2(VMCS_GUEST_IDTR_LIMIT), 0xffff);
	assert_int_equal(in_l2(VMCS_GUEST_PAT), 0x0007040600070406);
	assert_int_equal(in_l2(VMCS_GUEST_DR7), 0x400);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_CS), 0);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_ESP), 0);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_EIP), 0);
	assert_int_equal(in_l2(VMCS_GUEST_DEBUGCTL), 0);
	assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(in_l2(VMCS_GUEST_ACTIVITY), 0);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], i == RDX ? 0x600 : 0);
	assert_int_equal(cpu.regs.rip, 0);
	assert_int_equal(cpu.regs.rflags, 2);
	assert_int_equal(vmcs.invvpids, 1);
	/* What L1 injects is left for guest.c to see. */
	assert_int_equal(in_l2(VMCS_ENTRY_EVENT), guests(F_ENTRY_EVENT));
}

/* L1's words, not what the vCPU has. */
static void offer(void **state)
{
	struct hw_offer o;

	start();
	f[F_GUEST_CS_BASE] = 0x9a000;
	f[F_GUEST_CS_SELECTOR] = 0x9a00;
	f[F_GUEST_RIP] = 0x12;
	f[F_GUEST_CR0] = 0x30;
	f[F_GUEST_EFER] = 0x100;
	hw_guest_offer(&cpu, &o);
	assert_int_equal(o.cs_base, 0x9a000);
	assert_int_equal(o.cs_selector, 0x9a00);
	assert_int_equal(o.rip, 0x12);
	assert_int_equal(o.cr0, 0x30);
	assert_int_equal(o.efer, 0x100);
}

/* SDM volume 3, 27.3.1.5. */
static void single_steps(void **state)
{
	const uint64_t step = 1u << 14;

	for (unsigned int i = 0; i < 16; i++) {
		bool tf = i & 1, btf = i & 2, blocked = i & 4;

		start();
		cpu.regs.rflags |= tf ? RFLAGS_TF : 0;
		set(VMCS_GUEST_DEBUGCTL, btf ? 2 : 0);
		set(VMCS_GUEST_INTERRUPTIBILITY, blocked ? 1 + (i >> 3) : 8);
		set(VMCS_GUEST_PENDING_DEBUG, i & 8 ? step | 1 : 1);
		vmx_unhide(&cpu);
		assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG),
				 blocked ? (tf && !btf ? step | 1 : 1)
				 : i & 8 ? step | 1
					 : 1);
		/* An instruction that L1 carried out. */
		set(VMCS_GUEST_PENDING_DEBUG, 0);
		set(VMCS_GUEST_ACTIVITY, 1);
		hw_guest_moved(&cpu);
		assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), blocked ? 0 : 8);
		assert_int_equal(in_l2(VMCS_GUEST_ACTIVITY), 0);
		assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), tf && !btf ? step : 0);
	}
}

static void exceptions_of_l1(void **state)
{
	start();
	set(VMCS_GUEST_PENDING_DEBUG, 1u << 14 | 1);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_GP, true, 0});
	assert_int_equal(calls.debug, 0);
	assert_int_equal(calls.cr2, 0);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_PF, true, 2});
	assert_int_equal(calls.cr2, 0xc2);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 1u << 14 | 1);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_DB, false, 0});
	assert_int_equal(calls.debug, 1);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 1);
}

/* The guest's own shadow and IDT, and L1's event. */
static void entries(void **state)
{
	struct hw_entry e;

	for (uint64_t blocked = 0; blocked < 16; blocked++) {
		start();
		set(VMCS_GUEST_INTERRUPTIBILITY, blocked);
		f[F_GUEST_INTERRUPTIBILITY] = ~blocked;
		set(VMCS_ENTRY_EVENT, 0x80000041);
		hw_guest_entry(&cpu, &e);
		assert_int_equal(e.shadow, (blocked & 3) != 0);
		assert_int_equal(e.nmi_masked, (blocked & 8) != 0);
		assert_int_equal(e.event.type, INJECTION_INTERRUPT);
		assert_int_equal(e.event.vector, 0x41);
		assert_int_equal(e.idt_base, guests(F_GUEST_IDTR_BASE));
		assert_int_equal(e.idt_limit, guests(F_GUEST_IDTR_LIMIT));
	}
	for (uint32_t type = 4; type < 8; type++) { /* and the pending trap flag */
		set(VMCS_ENTRY_EVENT, 0x80000001 | type << 8);
		hw_guest_entry(&cpu, &e);
		assert_int_equal(e.event.type, INJECTION_SOFTWARE);
	}
}

/* By the monitor itself; what L1 is told of is read back as it was. */
static void delivered(void **state)
{
	const struct injection events[] = {{INJECTION_INTERRUPT, 0x41, false, 0},
					   {INJECTION_NMI, VECTOR_NMI, false, 0},
					   {INJECTION_EXCEPTION, VECTOR_PF, true, 6}};
	const uint32_t as[] = {0x80000041, 0x80000202, 0x80000b0e};

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		struct hw_entry e;

		start();
		hw_guest_deliver(&cpu, &events[i]);
		assert_int_equal(in_l2(VMCS_ENTRY_EVENT), as[i]);
		assert_int_equal(in_l2(VMCS_ENTRY_ERROR_CODE), events[i].error);
		hw_guest_entry(&cpu, &e);
		assert_true(injection_same(&e.event, &events[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hiding),
		cmocka_unit_test(over),
		cmocka_unit_test(modes),
		cmocka_unit_test(no_modes),
		cmocka_unit_test(pae),
		cmocka_unit_test(start_up),
		cmocka_unit_test(offer),
		cmocka_unit_test(single_steps),
		cmocka_unit_test(exceptions_of_l1),
		cmocka_unit_test(entries),
		cmocka_unit_test(delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
