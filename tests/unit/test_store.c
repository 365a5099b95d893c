/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of L1 that trapped: each form of MOV and MOVNTI, and what is no store of this kind. */
#include "monitor/store.h"
#include "tests/unit/test_machine.h"

#define AT 0x300120u
#define VALUE(n) (0x1111111111111111u * (n)) /* of register n, but for those that address */

struct row {
	const char *name;
	enum decode_mode mode;
	uint8_t insn[12];
	uint8_t len;
	uint8_t size; /* 0: refused */
	uint64_t value;
};

/* RDI (DI) = AT, RBX = AT - 0x20, RCX = 4. */
static void set_up(const struct row *row)
{
	machine(1);
	cpu->hw->mode = row->mode;
	code(row->insn, sizeof(row->insn));
	for (unsigned int i = 0; i < 16; i++)
		cpu->regs.r[i] = VALUE(i);
	cpu->regs.r[RAX] = 0x8877665544332211;
	cpu->regs.r[RDX] = 0xfedcba9876543210;
	cpu->regs.r[RDI] = AT;
	cpu->regs.r[RBX] = AT - 0x20;
	cpu->regs.r[RCX] = 4;
}

#define B64 DECODE_64
#define B32 DECODE_32

static const struct row taken[] = {
	{"mov [rdi], al", B64, {0x88, 0x07}, 2, 1, 0x11},
	{"mov [rdi], ah", B64, {0x88, 0x27}, 2, 1, 0x22},
	{"mov [rdi], dh", B64, {0x88, 0x37}, 2, 1, 0x32},
	{"mov [rdi], ch", B64, {0x88, 0x2f}, 2, 1, 0x00},
	{"mov [rdi], bh", B64, {0x88, 0x3f}, 2, 1, 0x01},
	{"mov [rdi], spl", B64, {0x40, 0x88, 0x27}, 3, 1, 0x44},
	{"mov [rdi], dil", B64, {0x40, 0x88, 0x3f}, 3, 1, 0x20},
	{"mov [rdi], r12b", B64, {0x44, 0x88, 0x27}, 3, 1, 0xcc},
	{"mov [rdi], ax", B64, {0x66, 0x89, 0x07}, 3, 2, 0x2211},
	{"mov [rdi], eax", B64, {0x89, 0x07}, 2, 4, 0x44332211},
	{"mov [rdi], rax", B64, {0x48, 0x89, 0x07}, 3, 8, 0x8877665544332211},
	{"mov [rdi], r9", B64, {0x4c, 0x89, 0x0f}, 3, 8, VALUE(9)},
	{"mov [rbx+0x20], rdx", B64, {0x48, 0x89, 0x53, 0x20}, 4, 8, 0xfedcba9876543210},
	{"mov [rbx+rcx*8], rdx", B64, {0x48, 0x89, 0x14, 0xcb}, 4, 8, 0xfedcba9876543210},
	{"mov byte [rdi], 0x9a", B64, {0xc6, 0x07, 0x9a}, 3, 1, 0x9a},
	{"mov word [rdi], 0x9abc", B64, {0x66, 0xc7, 0x07, 0xbc, 0x9a}, 5, 2, 0x9abc},
	{"mov dword [rdi], 0x9abcdef0",
	 B64,
	 {0xc7, 0x07, 0xf0, 0xde, 0xbc, 0x9a},
	 6,
	 4,
	 0x9abcdef0},
	{"mov qword [rdi], -2", B64, {0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff}, 7, 8, -2ull},
	{"mov [rip+n], eax", B64, {0x89, 0x05, 0x1a, 0xf1, 0x2f, 0}, 6, 4, 0x44332211},
	{"mov [moffs], rax", B64, {0x48, 0xa3, 0x20, 0x01, 0x30}, 10, 8, 0x8877665544332211},
	{"movnti [rdi], eax", B64, {0x0f, 0xc3, 0x07}, 3, 4, 0x44332211},
	{"movnti [rdi], rdx", B64, {0x48, 0x0f, 0xc3, 0x17}, 4, 8, 0xfedcba9876543210},
	{"mov [edi], al", B32, {0x88, 0x07}, 2, 1, 0x11},
	{"mov [moffs], al", B32, {0xa2, 0x20, 0x01, 0x30, 0}, 5, 1, 0x11},
	{"mov [moffs], ax", B32, {0x66, 0xa3, 0x20, 0x01, 0x30, 0}, 6, 2, 0x2211},
	{"mov [edi], 0x12345678", B32, {0xc7, 0x07, 0x78, 0x56, 0x34, 0x12}, 6, 4, 0x12345678},
	{"mov [edi], ds", B32, {0x8c, 0x1f}, 2, 0, 0},
};

static const struct row refused[] = {
	{"mov rax, [rdi]", B64, {0x48, 0x8b, 0x07}, 3, 0, 0},
	{"mov rax, rdi", B64, {0x48, 0x89, 0xf8}, 3, 0, 0},
	{"mov eax, imm", B64, {0xb8, 0x20, 0x01, 0x30, 0}, 5, 0, 0},
	{"mov rax, [moffs]", B64, {0x48, 0xa1, 0x20, 0x01, 0x30}, 10, 0, 0},
	{"xchg [rdi], rax", B64, {0x48, 0x87, 0x07}, 3, 0, 0},
	{"cmpxchg [rdi], rdx", B64, {0x48, 0x0f, 0xb1, 0x17}, 4, 0, 0},
	{"lock cmpxchg [rdi], rdx", B64, {0xf0, 0x48, 0x0f, 0xb1, 0x17}, 5, 0, 0},
	{"or [rdi], rax", B64, {0x48, 0x09, 0x07}, 3, 0, 0},
	{"stosq", B64, {0x48, 0xab}, 2, 0, 0},
	{"rep movsq", B64, {0xf3, 0x48, 0xa5}, 3, 0, 0},
	{"push rax", B64, {0x50}, 1, 0, 0},
	{"movups [rdi], xmm0", B64, {0x0f, 0x11, 0x07}, 3, 0, 0},
	{"lock mov [rdi], rax", B64, {0xf0, 0x48, 0x89, 0x07}, 4, 0, 0},
	{"another place in the page", B64, {0x48, 0x89, 0x47, 0x08}, 4, 0, 0},
	{"another, by a byte", B64, {0x88, 0x47, 0x01}, 3, 0, 0},
};

static void every_form_is_read(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		const struct row *row = &taken[i];
		struct store s;

		set_up(row);
		if (!row->size) {
			assert_true(store_decode(cpu, HPA(AT), &s) < 0);
			continue;
		}
		print_message("%s\n", row->name);
		assert_int_equal(store_decode(cpu, HPA(AT), &s), 0);
		assert_int_equal(s.hpa.a, AT);
		assert_int_equal(s.size, row->size);
		assert_int_equal(s.insn_len, row->len);
		assert_int_equal(s.value & UINT64_MAX >> (64 - 8 * s.size), row->value);
	}
}

/* Exactly size bytes change, RIP moves behind the instruction. */
static void every_form_is_performed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		const struct row *row = &taken[i];
		uint8_t want[24], *page;
		struct store s;

		if (!row->size)
			continue;
		set_up(row);
		page = fake_at(HPA(AT - 8), 24);
		memset(page, 0xee, 24);
		memset(want, 0xee, 24);
		memcpy(want + 8, &row->value, row->size);
		assert_int_equal(store_decode(cpu, HPA(AT), &s), 0);
		store_perform(cpu, &s, fake_at(HPA(AT), 8));
		assert_memory_equal(page, want, 24);
		expect_done(row->len);
	}
}

static void others_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct store s;

		set_up(&refused[i]);
		print_message("%s\n", refused[i].name);
		assert_true(store_decode(cpu, HPA(AT), &s) < 0);
		expect_nothing();
	}
}

/* The linear page may be any: only the offset can be compared. */
static void the_page_is_the_faults(void **state)
{
	struct store s;

	set_up(&taken[10]);
	assert_int_equal(store_decode(cpu, HPA(0x7ff120), &s), 0);
	assert_int_equal(s.hpa.a, 0x7ff120);
	assert_int_equal(store_decode(cpu, HPA(0x7ff128), &s), ERR_INVAL);
}

static void misaligned_stores_are_refused(void **state)
{
	struct store s;

	for (uint64_t off = 1; off < 8; off++) {
		set_up(&taken[10]); /* 8 bytes */
		cpu->regs.r[RDI] += off;
		assert_int_equal(store_decode(cpu, HPA(AT + off), &s), ERR_INVAL);
		set_up(&taken[9]); /* 4 bytes */
		cpu->regs.r[RDI] += off;
		assert_int_equal(store_decode(cpu, HPA(AT + off), &s), off == 4 ? 0 : ERR_INVAL);
		set_up(&taken[8]); /* 2 bytes */
		cpu->regs.r[RDI] += off;
		assert_int_equal(store_decode(cpu, HPA(AT + off), &s), off % 2 ? ERR_INVAL : 0);
		set_up(&taken[0]);
		cpu->regs.r[RDI] += off;
		assert_int_equal(store_decode(cpu, HPA(AT + off), &s), 0);
	}
	set_up(&taken[10]); /* the rest would be on the next page */
	cpu->regs.r[RDI] = 0x300ffc;
	assert_int_equal(store_decode(cpu, HPA(0x300ffc), &s), ERR_INVAL);
}

static void segments_have_bases(void **state)
{
	static const struct row plain = {"", B32, {0x89, 0x07}, 2, 4, 0};
	static const struct row fs = {"", B64, {0x64, 0x48, 0x89, 0x07}, 4, 8, 0};
	static const struct row ds64 = {"", B64, {0x48, 0x89, 0x07}, 3, 8, 0};
	struct store s;

	set_up(&plain);
	cpu->hw->segment[SEG_DS] = 0x40;
	assert_int_equal(store_decode(cpu, HPA(AT), &s), ERR_INVAL);
	assert_int_equal(store_decode(cpu, HPA(AT + 0x40), &s), 0);
	set_up(&ds64); /* none in long mode */
	cpu->hw->segment[SEG_DS] = 0x40;
	assert_int_equal(store_decode(cpu, HPA(AT), &s), 0);
	set_up(&fs);
	cpu->hw->segment[SEG_FS] = 0x40;
	assert_int_equal(store_decode(cpu, HPA(AT + 0x40), &s), 0);
	set_up(&plain); /* CS moves the code */
	memcpy(fake_at(HPA(0x2000), 12), plain.insn, 12);
	memset(fake_at(HPA(CODE), 12), 0xf4, 12);
	assert_true(store_decode(cpu, HPA(AT), &s) < 0);
	cpu->hw->segment[SEG_CS] = 0x1000;
	assert_int_equal(store_decode(cpu, HPA(AT), &s), 0);
}

static void code_that_cannot_be_read(void **state)
{
	struct store s;

	set_up(&taken[10]);
	cpu->regs.rip = RAM_SIZE; /* not memory */
	assert_true(store_decode(cpu, HPA(AT), &s) < 0);
	cpu->regs.rip = BLOCK; /* the monitor's */
	memcpy(mem_at(HPA(BLOCK)), taken[10].insn, 12);
	assert_true(store_decode(cpu, HPA(AT), &s) < 0);
	memcpy(fake_at(HPA(RAM_SIZE - 2), 2), taken[10].insn, 2); /* cut off */
	cpu->regs.rip = RAM_SIZE - 2;
	assert_true(store_decode(cpu, HPA(AT), &s) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(every_form_is_performed),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(the_page_is_the_faults),
		cmocka_unit_test(misaligned_stores_are_refused),
		cmocka_unit_test(segments_have_bases),
		cmocka_unit_test(code_that_cannot_be_read),
	};

	return RUN_APART(tests);
}
