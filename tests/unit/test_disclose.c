/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of an isolated guest for an instruction that L1 emulates, and for its nested table. */
#include "tests/unit/test_disclose.h"

#define A 0x20u
#define D 0x40u

static void expect_bits(uint64_t gva, unsigned int bits)
{
	for (unsigned int level = 4; level; level--)
		assert_int_equal(*word(pte_at(gva, level)) & (A | D), level == 1 ? bits : bits & A);
}

/* --- one operand ---------------------------------------------------------------------------------- */

static void a_load(void **state)
{
	launch();
	GUEST_CODE_IS(0x8b, 0x07); /* MOV EAX, [RDI] */
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE + 0x10;
	touches_device(false, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(AT_DEVICE);
	expect_seen();
	expect_bits(GUEST_CODE, A);
	expect_bits(AT_DEVICE, A);
	assert_int_equal(*word(pte_at(DATA, 1)) & (A | D), 0);
	spoil_registers(0);
	cpu->regs.r[RAX] = 0x1122334455667788u;
	cpu->regs.rip = regs.rip + 2;
	goes_in();
	expect_registers(R(RAX));
	assert_int_equal(cpu->regs.r[RAX], 0x55667788);
	assert_int_equal(cpu->regs.rip, regs.rip + 2);
	expect_kept();
	expect_seen(); /* no more than it has seen */
}

static void a_narrow_load(void **state)
{
	launch();
	GUEST_CODE_IS(0x8a, 0x67, 0x01); /* MOV AH, [RDI + 1] */
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches_device(false, DISCLOSE_TELL);
	spoil_registers(0);
	cpu->regs.r[RAX] = 0x1122334455667788u;
	cpu->regs.rip = regs.rip + 3;
	goes_in();
	expect_registers(R(RAX));
	assert_int_equal(cpu->regs.r[RAX], (regs.r[RAX] & ~(uint64_t)0xff00) | 0x7700);
}

static void a_store(void **state)
{
	launch();
	GUEST_CODE_IS(0x48, 0x89, 0x07); /* MOV [RDI], RAX */
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches_device(true, DISCLOSE_TELL);
	allow(GUEST_CODE, 3);
	allow_path(GUEST_CODE);
	allow_path(AT_DEVICE);
	expect_seen();
	expect_bits(AT_DEVICE, A | D);
	spoil_registers(0);
	cpu->regs.rip = regs.rip + 3;
	goes_in();
	expect_registers(0);
	expect_kept();
}

/* Across pages, neither of which is all shown. */
static void an_instruction_in_two_pages(void **state)
{
	const uint8_t insn[] = {0x48, 0xc7, 0x87, 4, 3, 2, 1, 8, 7, 6, 5};

	launch();
	fill_registers();
	for (unsigned int i = 0; i < sizeof(insn); i++)
		*(uint8_t *)fake_at(HPA(hpa_at(AT(9) - 3 + i)), 1) = insn[i];
	cpu->regs.rip = AT(9) - 3;
	cpu->regs.r[RDI] = AT_DEVICE - 0x01020304;
	touches_device(true, DISCLOSE_TELL);
	allow(AT(9) - 3, sizeof(insn));
	allow_path(AT(8));
	allow_path(AT(9));
	allow_path(AT_DEVICE);
	expect_seen();
	assert_int_equal(v->disclosure->ranges, 2);
}

/* L1 did nothing: the guest does it again. */
static void not_emulated(void **state)
{
	launch();
	GUEST_CODE_IS(0x8b, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches_device(false, DISCLOSE_TELL);
	spoil_registers(0);
	goes_in();
	expect_registers(0);
	assert_int_equal(cpu->regs.rip, regs.rip);
}

/* --- two operands, and strings ---------------------------------------------------------------------- */

static void from_a_device(void **state)
{
	const uint64_t to = DATA + 0xff0;

	launch();
	GUEST_CODE_IS(0xf3, 0xa4); /* REP MOVSB */
	fill_registers();
	cpu->regs.r[RSI] = AT_DEVICE + 0x80;
	cpu->regs.r[RDI] = to;
	cpu->regs.r[RCX] = 0x30;
	touches_device(false, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(AT_DEVICE);
	allow_path(to);
	allow_in(to, 16); /* up to the end of the page */
	expect_seen();
	expect_bits(to, A | D);
	expect_bits(AT_DEVICE, A);
	l1_writes(hpa_at(to) - 16, "before the range0123456789abcdef", 32);
	spoil_registers(R(RSP));
	cpu->regs.r[RSI] = regs.r[RSI] + 16;
	cpu->regs.r[RDI] = to + 16;
	cpu->regs.r[RCX] = 0x20;
	goes_in();
	expect_registers(R(RSI) | R(RDI) | R(RCX));
	assert_int_equal(cpu->regs.r[RCX], 0x20);
	assert_int_equal(cpu->regs.r[RDI], to + 16);
	assert_int_equal(cpu->regs.rip, regs.rip);
	expect_written(to, "0123456789abcdef", 16);
	expect_kept();
}

/* Half of it was done: the guest gets no more than that. */
static void interrupted(void **state)
{
	launch();
	GUEST_CODE_IS(0xf3, 0xa4);
	fill_registers();
	cpu->regs.r[RSI] = AT_DEVICE;
	cpu->regs.r[RDI] = DATA;
	cpu->regs.r[RCX] = 16;
	touches_device(false, DISCLOSE_TELL);
	l1_writes(hpa_at(DATA), "0123456789abcdef", 16);
	cpu->regs.r[RSI] += 5;
	cpu->regs.r[RDI] += 5;
	cpu->regs.r[RCX] -= 5;
	goes_in();
	expect_written(DATA, "01234", 5);
	expect_kept();
	assert_int_equal(cpu->regs.r[RCX], 11);
}

static void to_a_device(void **state)
{
	launch();
	GUEST_CODE_IS(0x48, 0xa5); /* MOVSQ */
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	cpu->regs.r[RSI] = DATA - 3; /* from two pages */
	touches_device(true, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(AT_DEVICE);
	allow_path(DATA - 3);
	allow_path(DATA);
	allow(DATA - 3, 8);
	expect_seen();
	expect_bits(DATA, A);
	l1_writes(hpa_at(DATA), "hello", 5); /* which is not taken */
	spoil_registers(R(RSP));
	cpu->regs.r[RSI] = DATA + 5;
	cpu->regs.r[RDI] = AT_DEVICE + 8;
	cpu->regs.rip = regs.rip + 2;
	goes_in();
	expect_registers(R(RSI) | R(RDI));
	expect_kept();
}

static void from_memory_of_l1s(void **state)
{
	launch();
	GUEST_CODE_IS(0xf3, 0xa5); /* REP MOVSD: from memory that is L1's anyway, to a device */
	fill_registers();
	cpu->regs.r[RSI] = AT_SHARED;
	cpu->regs.r[RDI] = AT_DEVICE;
	cpu->regs.r[RCX] = 4;
	touches_device(true, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(AT_DEVICE);
	allow_path(AT_SHARED);
	expect_seen();
	assert_int_equal(v->disclosure->ranges, 1);
}

static void string_ports(void **state)
{
	const struct guest_exit x = {.reason = EXIT_PORT, .string = true};

	launch();
	GUEST_CODE_IS(0xf3, 0x6f); /* REP OUTSD */
	fill_registers();
	cpu->regs.r[RSI] = DATA + 8;
	cpu->regs.r[RCX] = 3;
	comes_out(x, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(DATA);
	allow(DATA + 8, 12);
	expect_seen();
	expect_bits(DATA, A);

	launch();
	GUEST_CODE_IS(0x66, 0x6d); /* INSW */
	fill_registers();
	cpu->regs.r[RDI] = DATA + 8;
	comes_out(x, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(DATA);
	allow_in(DATA + 8, 2);
	expect_seen();
	expect_bits(DATA, A | D);
	l1_writes(hpa_at(DATA + 6), "-port-", 6);
	spoil_registers(R(RSP));
	cpu->regs.r[RDI] = DATA + 10;
	cpu->regs.rip = regs.rip + 2;
	goes_in();
	expect_registers(R(RDI));
	expect_written(DATA + 8, "or", 2);
	expect_kept();
}

static void other_ports(void **state)
{
	launch();
	fill_registers();
	comes_out((struct guest_exit){.reason = EXIT_PORT}, DISCLOSE_TELL);
	expect_nothing_seen();
}

/* --- what ends the guest, or lets it try again --------------------------------------------------------- */

static void instructions_that_are_not_emulated(void **state)
{
	const uint8_t insn[][4] = {
		{0xff, 0x37},             /* PUSH [RDI] */
		{0x0f, 0x10, 0x07},       /* MOVUPS XMM0, [RDI] */
		{0x90},                   /* no operand */
		{0x0f, 0x0b},             /* UD2 */
		{0x06},                   /* not in 64-bit code */
		{0xf0, 0x0f, 0xc7, 0x0f}, /* CMPXCHG8B */
	};

	for (size_t i = 0; i < ARRAY_SIZE(insn); i++) {
		launch();
		guest_code(insn[i], 4);
		fill_registers();
		cpu->regs.r[RDI] = AT_DEVICE;
		touches_device(false, DISCLOSE_OVER);
		expect_over(STOP_INSTRUCTION);
	}
}

/* Another CPU of the guest changed the page tables or the code. */
static void code_that_is_gone(void **state)
{
	launch();
	*word(pte_at(GUEST_CODE, 1)) &= ~(uint64_t)1;
	fill_registers();
	touches_device(false, DISCLOSE_OVER);
	expect_over(STOP_INSTRUCTION);
}

static void registers_that_l1_must_not_change(void **state)
{
	for (unsigned int i = 0; i < 6; i++) {
		launch();
		GUEST_CODE_IS(0xf3, 0xa4); /* REP MOVSB */
		fill_registers();
		cpu->regs.r[RSI] = AT_DEVICE;
		cpu->regs.r[RDI] = DATA;
		cpu->regs.r[RCX] = 16;
		touches_device(false, DISCLOSE_TELL);
		l1_writes(hpa_at(DATA), "0123456789abcdef", 16);
		switch (i) {
		case 0:
			cpu->regs.rip++;
			break;
		case 1:
			cpu->regs.rip = AT(12);
			break;
		case 2:
			cpu->regs.r[RCX] = 17; /* more to do than before */
			break;
		case 3:
			cpu->regs.r[RDI] += 8; /* without the others */
			break;
		case 4:
			cpu->regs.r[RCX] -= 8;
			break;
		default: /* done, with some left */
			cpu->regs.rip += 2;
			cpu->regs.r[RCX] = 1;
		}
		assert_int_equal(enter(), GUEST_ENTRY_OVER);
		expect_over(STOP_REGISTERS);
		expect_kept();
	}
}

/* Frames that others have to flush for: the guest tries again, and L1 was shown nothing. */
static void without_frames(void **state)
{
	const uint64_t pages = 12 * MIB >> PAGE_SHIFT;

	launch();
	GUEST_CODE_IS(0x8b, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	/* Another guest's, all of which L1 reads */
	assert_true(owner_take(HPA(SPARE), pages, 40, GPA(0)));
	assert_int_equal(host_set(HPA(SPARE), 12 * MIB, 0), 0);
	for (uint64_t hpa = SPARE; hpa < SPARE + MIB * 4 + 64 * PAGE_SIZE; hpa += PAGE_SIZE)
		window_export(HPA(hpa), owner_of(HPA(hpa)));
	for (unsigned int i = 0; !(seen(SPARE + i * PAGE_SIZE)); i++)
		if (i == pages - 1)
			fail();
	regs = cpu->regs;
	for (unsigned int tries = 0;; tries++) {
		const struct guest_exit x = {.reason = EXIT_NESTED_FAULT, .fault = GPA(DEVICE)};
		enum disclose_result got = leave_guest(&x);

		assert_int_equal(cpu->regs.rip, regs.rip);
		if (got == DISCLOSE_TELL)
			break;
		assert_int_equal(got, DISCLOSE_AGAIN);
		assert_int_equal(v->windows.count, 0);
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		expect_registers(0);
		assert_true(tries < 3);
	}
}

static void without_table_pages(void **state)
{
	launch();
	GUEST_CODE_IS(0x8b, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	cpu->regs.rip = LINEAR + LARGE - SMALL; /* in the large page: its table is split */
	*word(pte_at(cpu->regs.rip, 1)) = LARGE | 3;
	memcpy(fake_at(HPA(hpa_of(LARGE)), 2), "\x8b\x07", 2);
	fake_limit_tables(0);
	touches_device(false, DISCLOSE_OVER);
	expect_over(STOP_NO_MEMORY);
}

/* --- faults of the nested table --------------------------------------------------------------------------- */

#define PAGE (SMALL + 20 * PAGE_SIZE)

static void faults(uint64_t gpa, bool write, bool exec, enum disclose_result want)
{
	comes_out((struct guest_exit){.reason = EXIT_NESTED_FAULT,
				      .fault = GPA(gpa),
				      .write = write,
				      .exec = exec},
		  want);
}

/* L1 marked it, or made it read-only: it repairs that, and learns nothing but where. */
static void a_private_fault(void **state)
{
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t entry;

		launch();
		entry = leaf(hpa_of(PAGE), 1);
		entry = i == 0   ? MARKED(entry)
			: i == 1 ? table_leaf(HPA(hpa_of(PAGE)), 1, TABLE_R | TABLE_X, WB)
				 : table_leaf(HPA(hpa_of(PAGE)), 1, TABLE_R | TABLE_W, WB);
		assert_true(l1_maps(PAGE, 1, entry));
		fill_registers();
		faults(PAGE + 0x123, i == 1, i == 2, DISCLOSE_BARE);
		expect_nothing_seen();
		spoil_registers(0);
		goes_in();
		expect_registers(0);
		assert_int_equal(cpu->regs.rip, regs.rip);
		expect_kept();
	}
}

/* Another CPU was faster. */
static void a_fault_that_is_over(void **state)
{
	launch();
	fill_registers();
	faults(PAGE, true, false, DISCLOSE_AGAIN);
	expect_nothing_seen();
	goes_in();
	expect_registers(0);
}

/* What L1 took away, or never put there, is no device's. */
static void nothing_is_there(void **state)
{
	launch();
	assert_true(l1_maps(PAGE, 1, 0));
	fill_registers();
	GUEST_CODE_IS(0x8b, 0x07);
	cpu->regs.r[RDI] = DATA;
	faults(PAGE, false, false, DISCLOSE_OVER);
	expect_over(STOP_NO_PAGE);
	launch();
	fill_registers();
	faults(3 * GIB + GIB + 5, true, false, DISCLOSE_OVER);
	expect_over(STOP_NO_PAGE);
}

/* A PVH guest has no devices there. */
static void no_devices(void **state)
{
	launch_on(2, false);
	GUEST_CODE_IS(0x8b, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches_device(false, DISCLOSE_OVER);
	expect_over(STOP_NO_PAGE);
}

static void touches_apic(uint64_t at, enum disclose_result want)
{
	launch();
	GUEST_CODE_IS(0x89, 0x07); /* MOV [RDI], EAX */
	fill_registers();
	cpu->regs.r[RDI] = at;
	comes_out((struct guest_exit){.reason = EXIT_APIC, .fault = GPA(SHARED_HVM)}, want);
}

static void the_apic(void **state)
{
	touches_apic(AT_SHARED, DISCLOSE_TELL);
	allow(GUEST_CODE, 2);
	allow_path(GUEST_CODE);
	allow_path(AT_SHARED);
	expect_seen();
}

/* L1 has other memory taken for the APIC: the guest's, or what it shares. */
static void no_apic(void **state)
{
	const uint64_t at[] = {DATA, AT_INFO, AT_DEVICE, GUEST_CODE};

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		touches_apic(at[i], DISCLOSE_OVER);
		expect_over(STOP_INSTRUCTION);
	}
}

/* The guest reads its APIC id from the APIC: as it has it from CPUID, and in the way that is understood. */
static void the_apic_id(void **state)
{
	static const struct {
		uint8_t code, modrm, offset;
		enum disclose_result want;
	} access[] = {{0x8b, 0x07, 0x20, DISCLOSE_TELL}, /* MOV EAX, [RDI] */
		      {0x8a, 0x07, 0x23, DISCLOSE_OVER}, /* MOV AL, [RDI] */
		      {0x8a, 0x07, 0x20, DISCLOSE_OVER},
		      {0x3b, 0x07, 0x20, DISCLOSE_OVER},  /* CMP EAX, [RDI] */
		      {0x8b, 0x07, 0x30, DISCLOSE_TELL}}; /* its version */

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(access); i++) {
		unsigned int offset = access[i / 2].offset, id = i % 2 ? 2 : 0;
		bool other = offset == 0x20 && id;

		launch();
		GUEST_CODE_IS(access[i / 2].code, access[i / 2].modrm);
		fill_registers();
		cpu->regs.r[RDI] = AT_APIC + offset;
		comes_out((struct guest_exit){.reason = EXIT_NESTED_FAULT,
					      .fault = GPA(0xfee00000 + offset)},
			  access[i / 2].want);
		if (access[i / 2].want == DISCLOSE_OVER) {
			expect_over(STOP_INSTRUCTION);
			continue;
		}
		cpu->regs.r[RAX] = (uint64_t)id << 24;
		cpu->regs.rip += 2;
		assert_int_equal(enter(), other ? GUEST_ENTRY_OVER : GUEST_ENTRY_OK);
		if (other)
			expect_over(STOP_IDENTITY);
	}
}

/* --- its APIC ------------------------------------------------------------------------------------ */

/* A store to a register of its APIC, of EAX, or of a number that differs. */
static void stores_to_apic(uint64_t reg, const void *code, size_t n, enum disclose_result want)
{
	const struct guest_exit x = {.reason = EXIT_APIC,
				     .fault = GPA(0xfee00000 + reg),
				     .write = true};
	enum disclose_result got;

	launch();
	*word(pte_at(AT_SHARED, 1)) = 0xfee00003;
	guest_code(code, n);
	fill_registers();
	cpu->regs.r[RDI] = AT_SHARED + reg;
	cpu->regs.r[RSI] = DATA;
	cpu->regs.r[RAX] = 0x81828384;
	v->icr_target = 0x55;
	do /* again, when a frame is still an earlier guest's */
		got = leave_guest(&x);
	while (got == DISCLOSE_AGAIN);
	assert_int_equal(got, want);
	if (want == DISCLOSE_OVER) {
		expect_over(STOP_INSTRUCTION);
	} else {
		assert_int_equal(v->icr_target, reg != 0x310 ? 0x55 : n == 2 ? 0x81 : 0x92);
		goes_in();
	}
}

/* What the monitor has not understood L1 must not carry out: ICR and LVT say which NMIs and start-ups are its. */
static void stores_to_the_apic(void **state)
{
	static const uint16_t noted[] = {0x300, 0x310, 0x320, 0x350, 0x370};
	static const uint16_t other[] = {0x0b0, 0x2e0, 0x380};
	static const struct {
		uint8_t code[8], len;
	} good[] = {{{0x89, 0x07}, 2}, {{0xc7, 0x07, 0x84, 0x83, 0x82, 0x92}, 6}},
	  bad[] = {
		  {{0x88, 0x07}, 2},                               /* MOV [RDI], AL */
		  {{0x66, 0x89, 0x07}, 3},                         /* AX */
		  {{0x48, 0x89, 0x07}, 3},                         /* RAX */
		  {{0xc6, 0x07, 0x84}, 3},                         /* 84h */
		  {{0x66, 0xc7, 0x07, 0x84, 0x83}, 5},             /* 8384h */
		  {{0x48, 0xc7, 0x07, 0x84, 0x83, 0x82, 0x01}, 7}, /* 8 bytes */
		  {{0x87, 0x07}, 2},                               /* XCHG [RDI], EAX */
		  {{0x09, 0x07}, 2},                               /* OR */
		  {{0xa5}, 1},                                     /* MOVSD */
		  {{0xab}, 1},                                     /* STOSD */
	  };

	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		for (size_t c = 0; c < ARRAY_SIZE(good); c++)
			stores_to_apic(noted[i], good[c].code, good[c].len, DISCLOSE_TELL);
		for (size_t c = 0; c < ARRAY_SIZE(bad); c++)
			stores_to_apic(noted[i], bad[c].code, bad[c].len, DISCLOSE_OVER);
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		stores_to_apic(other[i], bad[2].code, bad[2].len, DISCLOSE_TELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load),
		cmocka_unit_test(a_narrow_load),
		cmocka_unit_test(a_store),
		cmocka_unit_test(an_instruction_in_two_pages),
		cmocka_unit_test(not_emulated),
		cmocka_unit_test(from_a_device),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(to_a_device),
		cmocka_unit_test(from_memory_of_l1s),
		cmocka_unit_test(string_ports),
		cmocka_unit_test(other_ports),
		cmocka_unit_test(instructions_that_are_not_emulated),
		cmocka_unit_test(code_that_is_gone),
		cmocka_unit_test(registers_that_l1_must_not_change),
		cmocka_unit_test(without_frames),
		cmocka_unit_test(without_table_pages),
		cmocka_unit_test(a_private_fault),
		cmocka_unit_test(a_fault_that_is_over),
		cmocka_unit_test(nothing_is_there),
		cmocka_unit_test(no_devices),
		cmocka_unit_test(the_apic),
		cmocka_unit_test(no_apic),
		cmocka_unit_test(the_apic_id),
		cmocka_unit_test(stores_to_the_apic),
	};

	return RUN_APART(tests);
}
