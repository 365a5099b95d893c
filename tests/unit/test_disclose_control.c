/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of an isolated guest besides the general ones: what L1 learns and accepts of them, and events. */
#include "monitor/apic.h"
#include "tests/unit/test_disclose.h"

static void privileged(enum exit_reason reason, uint64_t rax, uint64_t rcx,
		       enum disclose_result want)
{
	fill_registers();
	cpu->regs.r[RAX] = rax;
	cpu->regs.r[RCX] = rcx;
	cpu->regs.r[RDX] = 0;
	comes_out((struct guest_exit){.reason = reason}, want);
	expect_nothing_seen();
}

/* With paging off: the guest's code and registers; MOV CR0, RBX. */
static void writes_cr0(uint64_t value)
{
	launch();
	GUEST_CODE_IS(0x0f, 0x22, 0xc3);
	fill_registers();
	cpu->regs.rip = SMALL + (GUEST_CODE - LINEAR);
	cpu->regs.r[RBX] = value;
	cpu->hw->guest_insn_len = 3;
	regs = cpu->regs;
	as_guest();
	cpu->hw->space.cr0 = CR0_PE | CR0_ET;
	cpu->hw->space.efer = EFER_LME;
}

/* With PAE paging Xen loads four entries. */
static void page_directory_pointers(void **state)
{
	const struct guest_exit x = {.reason = EXIT_CR};
	const uint64_t at = DATA + 0x40;

	for (unsigned int i = 0; i < 3; i++) {
		writes_cr0(CR0_PE | CR0_PG);
		cpu->hw->space.efer = 0;
		cpu->hw->space.cr4 = i == 2 ? 0 : CR4_PAE;
		cpu->hw->space.cr3 =
			SMALL + (at - LINEAR) + 0x18; /* bits 4:0 are not of the address */
		if (i == 1) {                         /* long mode, with CR0.WP cleared */
			as_guest();
			cpu->regs.rip = GUEST_CODE;
		}
		assert_int_equal(disclose(cpu, v, &x), DISCLOSE_TELL);
		assert_int_equal(v->disclosure->cr3, i ? 0 : cpu->hw->space.cr3);
		if (!i) {
			allow(at, 32);
			expect_seen();
		} else {
			expect_nothing_seen();
		}
	}
}

/* Xen learns the mode; the value is the guest's, if Xen accepts it. */
static void the_mode(void **state)
{
	const struct guest_exit x = {.reason = EXIT_CR};

	for (unsigned int i = 0; i < 2; i++) {
		writes_cr0(CR0_PE | CR0_PG);
		assert_int_equal(disclose(cpu, v, &x), DISCLOSE_TELL);
		assert_int_equal(cpu->regs.r[RBX], CR0_PE | CR0_PG);
		assert_int_equal(cpu->regs.r[RAX], 0);
		spoil_registers(0);
		cpu->regs.rip = i ? 0 : 3;
		cpu->hw->entry.shadow = true;
		while (guest_enter(cpu, v) == GUEST_ENTRY_AGAIN)
			;
		assert_int_equal(cpu->hw->space.cr0,
				 i ? CR0_PE | CR0_ET : CR0_PE | CR0_PG | CR0_ET);
		assert_int_equal(cpu->hw->space.efer, i ? EFER_LME : EFER_LME | EFER_LMA);
		assert_int_equal(cpu->hw->moved, !i);
		assert_int_equal(cpu->regs.rip, regs.rip + (i ? 0 : 3));
		expect_registers(0);
	}
	writes_cr0(CR0_PG); /* no processor may have that */
	assert_int_equal(disclose(cpu, v, &x), DISCLOSE_TELL);
	cpu->regs.rip = 3;
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_OVER);
	expect_over(STOP_REGISTERS);
}

/* What Xen need not know: CLTS, LMSW, and MOV to CR0 of such bits. */
static void quiet_control_registers(void **state)
{
	const uint8_t code[][3] = {{0x0f, 0x06}, {0x0f, 0x01, 0xf3}, {0x0f, 0x22, 0xc3}};
	const uint64_t want[] = {CR0_PE | CR0_PG | CR0_WP, CR0_PE | CR0_PG | CR0_WP | CR0_MP,
				 CR0_PE | CR0_PG | CR0_WP | CR0_TS | CR0_NE};

	for (size_t i = 0; i < 3; i++) {
		launch();
		guest_code(code[i], 3);
		fill_registers();
		regs = cpu->regs;
		cpu->regs.r[RBX] = i == 1 ? CR0_MP : want[i];
		as_guest();
		cpu->hw->space.cr0 |= CR0_TS;
		assert_int_equal(disclose(cpu, v, &(struct guest_exit){.reason = EXIT_CR}),
				 DISCLOSE_AGAIN);
		assert_int_equal(cpu->hw->space.cr0, want[i]);
		assert_int_equal(cpu->regs.rip, regs.rip + 2);
		expect_nothing_seen();
	}
	launch();
	GUEST_CODE_IS(0x0f, 0x01, 0x37); /* LMSW [RDI] */
	fill_registers();
	cpu->regs.r[RDI] = DATA;
	comes_out((struct guest_exit){.reason = EXIT_CR}, DISCLOSE_OVER);
	expect_over(STOP_INSTRUCTION);
}

/* LMSW EBX that switches protected mode on: to Xen the same as a MOV, with the new CR0 in the register. */
static void protected_mode(void **state)
{
	launch();
	GUEST_CODE_IS(0x0f, 0x01, 0xf3);
	fill_registers();
	cpu->regs.rip = SMALL + (GUEST_CODE - LINEAR);
	cpu->regs.r[RBX] = 0xabcd0000 | CR0_PE | CR0_TS;
	cpu->hw->guest_insn_len = 3;
	regs = cpu->regs;
	as_guest();
	cpu->hw->space.cr0 = CR0_ET | CR0_NE | CR0_MP;
	cpu->hw->space.efer = 0;
	assert_int_equal(disclose(cpu, v, &(struct guest_exit){.reason = EXIT_CR}), DISCLOSE_TELL);
	assert_int_equal(cpu->regs.r[RBX], CR0_ET | CR0_NE | CR0_PE | CR0_TS);
	spoil_registers(0);
	cpu->regs.rip = 3;
	while (guest_enter(cpu, v) == GUEST_ENTRY_AGAIN)
		;
	assert_int_equal(cpu->hw->space.cr0, CR0_ET | CR0_NE | CR0_PE | CR0_TS);
	assert_int_equal(cpu->regs.rip, regs.rip + 3);
	expect_registers(0);
}

static void efer(void **state)
{
	launch();
	fill_registers();
	cpu->regs.r[RCX] = MSR_EFER;
	comes_out((struct guest_exit){.reason = EXIT_MSR_READ}, DISCLOSE_AGAIN);
	assert_int_equal(cpu->regs.r[RAX], EFER_LMA | EFER_LME | EFER_NXE);
	assert_int_equal(cpu->regs.r[RDX], 0);
	privileged(EXIT_MSR_WRITE, EFER_LME | EFER_SCE, MSR_EFER, DISCLOSE_TELL);
	spoil_registers(0);
	cpu->regs.rip = 2;
	as_guest();
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_OK);
	expect_registers(0);
	assert_int_equal(cpu->hw->space.efer, EFER_LME | EFER_SCE | EFER_LMA);
}

static void another_identity(void **state)
{
	const uint32_t leaf[] = {1, 0xb};

	for (unsigned int i = 0; i < 4; i++) {
		launch(); /* APIC id 0 */
		privileged(EXIT_CPUID, leaf[i % 2], 0, DISCLOSE_TELL);
		cpu->regs.r[RBX] = i < 2 ? 0 : 2u << 24;
		cpu->regs.r[RDX] = i < 2 ? 0 : 2;
		cpu->regs.rip = 2;
		assert_int_equal(enter(), i < 2 ? GUEST_ENTRY_OK : GUEST_ENTRY_OVER);
		if (i >= 2)
			expect_over(STOP_IDENTITY);
	}
}

/* Other answers that say who a processor is; where Xen has none, neither has L1. */
static void other_names(void **state)
{
	for (unsigned int i = 0; i < 3; i++) {
		launch();
		privileged(EXIT_CPUID, 0x1f, 0, DISCLOSE_TELL);
		cpu->regs.r[RBX] = i != 2;
		cpu->regs.r[RDX] = i ? 2 : 0;
		cpu->regs.rip = 2;
		assert_int_equal(enter(), i == 1 ? GUEST_ENTRY_OVER : GUEST_ENTRY_OK);
		if (i == 2)
			assert_int_equal(cpu->regs.r[RDX], 0);
	}
	launch();
	privileged(EXIT_CPUID, 0x8000001e, 0, DISCLOSE_TELL);
	cpu->regs.r[RAX] = 2;
	cpu->regs.rip = 2;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(cpu->regs.r[RAX], 0);
	for (unsigned int id = 0; id < 4; id += 2) {
		launch();
		privileged(EXIT_MSR_READ, 0, MSR_X2APIC_ID, DISCLOSE_TELL);
		cpu->regs.r[RAX] = id;
		cpu->regs.rip = 2;
		assert_int_equal(enter(), id ? GUEST_ENTRY_OVER : GUEST_ENTRY_OK);
	}
	expect_over(STOP_IDENTITY);
}

static void the_clock_by_rdmsr(void **state)
{
	const uint32_t answer[] = {0x2000, 0x1000, 0x3000}, got[] = {0x2000, 0x2000, 0x3000};

	launch();
	for (unsigned int i = 0; i < ARRAY_SIZE(answer); i++) {
		privileged(EXIT_MSR_READ, 0, 0x10, DISCLOSE_TELL);
		cpu->regs.r[RAX] = answer[i];
		cpu->regs.r[RDX] = 0;
		cpu->regs.rip = 2;
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		assert_int_equal(cpu->regs.r[RAX], got[i]);
	}
}

/* A program of the guest's is not its kernel, whatever L1 accepts. */
static void xsetbv(void **state)
{
	for (unsigned int cpl = 0; cpl < 4; cpl += 3) {
		launch();
		privileged(EXIT_XSETBV, 3, 0, DISCLOSE_TELL);
		cpu->regs.rip = 2;
		as_guest();
		cpu->hw->space.cpl = (uint8_t)cpl;
		assert_int_equal(guest_enter(cpu, v), cpl ? GUEST_ENTRY_OVER : GUEST_ENTRY_OK);
	}
	expect_over(STOP_REGISTERS);
}

/* L1 is told of a HLT, and then injects something. */
static enum guest_entry injects(struct injection event, bool done, uint64_t rflags)
{
	launch();
	fill_registers();
	cpu->regs.rflags = rflags;
	comes_out((struct guest_exit){.reason = EXIT_HLT}, DISCLOSE_TELL);
	cpu->regs.rip = done ? 2 : 0;
	cpu->hw->entry.event = event;
	cpu->hw->entry.idt_base = DATA;
	cpu->hw->entry.idt_limit = PAGE_SIZE - 1;
	*word(hpa_at(DATA + 0x30 * 16)) = (uint64_t)0x8e00 << 32;
	*word(hpa_at(DATA + 0x80 * 16)) = (uint64_t)0xee00 << 32;
	return enter();
}

static void events(void **state)
{
	const uint64_t on = RFLAGS_FIXED | RFLAGS_IF;
	const struct injection good = {INJECTION_INTERRUPT, 0x30, false, 0};
	const struct injection bad[] = {{INJECTION_INTERRUPT, 0x80, false, 0},
					{INJECTION_INTERRUPT, 18, false, 0},
					{INJECTION_EXCEPTION, 18, false, 0},
					{INJECTION_EXCEPTION, 14, true, 6},
					{INJECTION_EXCEPTION, 6, false, 0},
					{INJECTION_NMI, 2, false, 0},
					{INJECTION_SOFTWARE, 0x30, false, 0}};

	assert_int_equal(injects(good, true, on), GUEST_ENTRY_OK);
	assert_int_equal(injects(good, false, RFLAGS_FIXED), GUEST_ENTRY_OVER);
	expect_over(STOP_EVENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(injects(bad[i], true, on), GUEST_ENTRY_OVER);
		expect_over(STOP_EVENT);
	}
	assert_int_equal(injects((struct injection){INJECTION_EXCEPTION, 1, false, 0}, true,
				 on | RFLAGS_TF),
			 GUEST_ENTRY_OK);
	assert_int_equal(cpu->hw->took, 1);
}

/* What an exit cut short is delivered, if L1 says nothing about it. */
static void kept_events(void **state)
{
	const struct injection e[] = {{INJECTION_INTERRUPT, 0x30, false, 0},
				      {INJECTION_NMI, 2, false, 0},
				      {INJECTION_EXCEPTION, 14, true, 2},
				      {INJECTION_EXCEPTION, 3, false, 0},
				      {INJECTION_SOFTWARE, 0x80, false, 0}};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(e); i++) {
		const struct injection *now, *was = &e[i / 2];
		bool done = i % 2;

		launch();
		fill_registers();
		comes_out((struct guest_exit){.reason = EXIT_HLT, .interrupted = *was},
			  DISCLOSE_TELL);
		cpu->regs.rip = done ? 2 : 0;
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		assert_int_equal(cpu->hw->took, 0);
		now = &cpu->hw->entry.event;
		if (done || i / 2 >= 3)
			assert_int_equal(now->type, INJECTION_NONE);
		else
			assert_true(injection_same(now, was));
	}
}

/* Expected once; not while another is handled; not in an interrupt shadow. */
static void nmis(void **state)
{
	const struct injection e = {INJECTION_NMI, 2, false, 0};

	for (unsigned int i = 0; i < 5; i++) {
		launch();
		fill_registers();
		comes_out((struct guest_exit){.reason = EXIT_HLT}, DISCLOSE_TELL);
		if (i)
			startup_note(&v->guest->protection.startup, 2, ICR_MODE_NMI);
		cpu->hw->entry.nmi_masked = i == 2;
		cpu->hw->entry.shadow = i == 3;
		cpu->hw->entry.event = e;
		cpu->regs.rip = 0;
		assert_int_equal(enter(), i == 1 || i == 4 ? GUEST_ENTRY_OK : GUEST_ENTRY_OVER);
		if (i != 4)
			continue;
		assert_int_equal(cpu->hw->took, 1);
		comes_out((struct guest_exit){.reason = EXIT_HLT}, DISCLOSE_TELL);
		cpu->hw->entry.event = e;
		assert_int_equal(enter(), GUEST_ENTRY_OVER);
	}
	expect_over(STOP_EVENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_directory_pointers),
		cmocka_unit_test(the_mode),
		cmocka_unit_test(other_names),
		cmocka_unit_test(the_clock_by_rdmsr),
		cmocka_unit_test(xsetbv),
		cmocka_unit_test(kept_events),
		cmocka_unit_test(nmis),
		cmocka_unit_test(quiet_control_registers),
		cmocka_unit_test(efer),
		cmocka_unit_test(protected_mode),
		cmocka_unit_test(another_identity),
		cmocka_unit_test(events),
	};

	return RUN_APART(tests);
}
