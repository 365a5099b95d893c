/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of L1's VMX instructions: where they are, and which fault there is if they are not. */
#include "tests/unit/test_machine.h"
#include "tests/unit/test_vmx_vmcs.h"

/* From monitor/vmx/vmx.h, where hw_cpu is another one than the software machine's. */
bool operand_is_register(void);
uint64_t *operand_reg(struct cpu *cpu, unsigned int shift);
int operand_read(struct cpu *cpu, void *buf, size_t n);
int operand_write(struct cpu *cpu, const void *buf, size_t n);

/* Instruction information: SDM volume 3, table 28-13. */
#define SCALE(n) ((n) << 0)
#define SIZE_16 (0u << 7)
#define SIZE_32 (1u << 7)
#define SIZE_64 (2u << 7)
#define SEGMENT(s) ((unsigned int)(s) << 15)
#define INDEX(r) ((unsigned int)(r) << 18)
#define NO_INDEX (1u << 22)
#define BASE(r) ((unsigned int)(r) << 23)
#define NO_BASE (1u << 27)
#define ABSOLUTE (SIZE_64 | SEGMENT(SEG_DS) | NO_INDEX | NO_BASE)

/* L1's tables and pages, identity but for VIRTUAL. */
#define PML4 0x10000u
#define PDPT 0x11000u
#define PD 0x12000u
#define PT 0x13000u
#define VIRTUAL 0x400000u /* 512 pages from here on, by PT */
#define FIRST 0x20000u    /* where the first two lie: the other way round */
#define SECOND 0x1f000u
#define HOLE (12 * MIB)

static void put64(uint64_t at, uint64_t value)
{
	memcpy(fake_at(HPA(at), sizeof(value)), &value, sizeof(value));
}

static uint64_t get64(uint64_t at)
{
	uint64_t value;

	memcpy(&value, fake_at(HPA(at), sizeof(value)), sizeof(value));
	return value;
}

/* 64-bit L1 in ring 0. */
static void start(void)
{
	machine(1);
	put64(PML4, PDPT | 3);
	put64(PDPT, PD | 3);
	put64(PD, 0x83);
	put64(PD + 8, 0x200083);
	put64(PD + 8 * 2, PT | 3);
	put64(PD + 8 * 6, HOLE | 0x83);
	put64(PT, FIRST | 3);
	put64(PT + 8, SECOND | 3);
	cpu->hw->mode = DECODE_64;
	cpu->hw->space.cr0 = CR0_PE | CR0_PG | CR0_WP;
	cpu->hw->space.cr3 = PML4;
	cpu->hw->space.cr4 = CR4_PAE;
	cpu->hw->space.efer = EFER_LMA | EFER_LME;
	vmcs_catch();
}

static void start_32(void)
{
	start();
	cpu->hw->mode = DECODE_32;
	cpu->hw->space.cr0 = CR0_PE;
	cpu->hw->space.cr4 = 0;
	cpu->hw->space.efer = 0;
}

static void operand(uint32_t info, uint64_t displacement)
{
	vmcs.field[VMCS_EXIT_INSN_INFO] = info;
	vmcs.field[VMCS_EXIT_QUALIFICATION] = displacement;
}

/* The operand is at this address. */
static void expect_at(uint64_t at)
{
	static uint64_t mark = 0x1122334455667788;
	uint64_t value = 0;

	put64(at, ++mark);
	assert_int_equal(operand_read(cpu, &value, sizeof(value)), 0);
	assert_int_equal(value, mark);
	value = ++mark;
	assert_int_equal(operand_write(cpu, &value, sizeof(value)), 0);
	assert_int_equal(get64(at), mark);
	assert_int_equal(cpu->hw->injected, 0);
}

static void base_and_index(void **state)
{
	start();
	for (unsigned int i = 0; i < 16; i++)
		cpu->regs.r[i] = 0x30000 + 0x1100 * i;
	for (unsigned int base = 0; base < 16; base++) {
		const uint64_t b = cpu->regs.r[base];

		operand(SIZE_64 | SEGMENT(SEG_DS) | NO_INDEX | BASE(base), 0);
		expect_at(b);
		operand(SIZE_64 | SEGMENT(SEG_DS) | NO_INDEX | BASE(base), (uint64_t)-0x88);
		expect_at(b - 0x88);
		for (unsigned int index = 0; index < 16; index++) {
			for (unsigned int scale = 0; scale < 4; scale++) {
				const uint64_t x = cpu->regs.r[index] << scale;

				operand(SIZE_64 | SEGMENT(SEG_SS) | BASE(base) | INDEX(index) |
						SCALE(scale),
					0x13);
				expect_at(b + x + 0x13);
				operand(SIZE_64 | SEGMENT(SEG_DS) | NO_BASE | BASE(base) |
						INDEX(index) | SCALE(scale),
					0);
				expect_at(x);
			}
		}
	}
	operand(ABSOLUTE | BASE(RBX) | INDEX(RCX), 0x31234);
	expect_at(0x31234);
}

static void address_sizes(void **state)
{
	start();
	cpu->regs.r[RBX] = 0xfffffffff0030010;
	operand(SIZE_32 | SEGMENT(SEG_DS) | NO_INDEX | BASE(RBX), 0x10000000);
	expect_at(0x30010);
	operand(SIZE_32 | SEGMENT(SEG_DS) | NO_INDEX | BASE(RBX), 0x7000000010000008);
	expect_at(0x30018);
	cpu->regs.r[RBX] = 0x30020;
	operand(3u << 7 | SEGMENT(SEG_DS) | NO_INDEX | BASE(RBX), 0); /* is none */
	expect_at(0x30020);
	start_32();
	cpu->regs.r[RBX] = 0x31010;
	operand(SIZE_16 | SEGMENT(SEG_DS) | NO_INDEX | BASE(RBX), 0x20000);
	expect_at(0x1010);
}

static void segments(void **state)
{
	start();
	for (unsigned int s = 0; s < SEG_COUNT; s++)
		cpu->hw->segment[s] = 0x40000 + 0x1000 * s;
	for (unsigned int s = 0; s < SEG_COUNT; s++) {
		operand(SIZE_64 | SEGMENT(s) | NO_INDEX | NO_BASE, 0x28);
		expect_at((s == SEG_FS || s == SEG_GS ? cpu->hw->segment[s] : 0) + 0x28);
	}
	start_32();
	for (unsigned int s = 0; s < SEG_COUNT; s++)
		cpu->hw->segment[s] = 0xfff40000 + 0x1000 * s;
	for (unsigned int s = 0; s < SEG_COUNT; s++) {
		operand(SIZE_32 | SEGMENT(s) | NO_INDEX | NO_BASE, 0x100028);
		expect_at((uint32_t)(cpu->hw->segment[s] + 0x100028));
	}
}

static void registers(void **state)
{
	start();
	for (unsigned int i = 0; i < 16; i++) {
		operand(i << 3 | (15 - i) << 28, 0);
		assert_ptr_equal(operand_reg(cpu, 3), &cpu->regs.r[i]);
		assert_ptr_equal(operand_reg(cpu, 28), &cpu->regs.r[15 - i]);
	}
	operand(1u << 10, 0);
	assert_true(operand_is_register());
	operand(~(1u << 10), 0);
	assert_false(operand_is_register());
}

/* 16 bytes of L1's, 5 of them in the first page. */
static void across_pages(void **state)
{
	uint8_t bytes[16], got[16];

	start();
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	operand(ABSOLUTE, VIRTUAL + PAGE_SIZE - 5);
	assert_int_equal(operand_write(cpu, bytes, sizeof(bytes)), 0);
	assert_memory_equal(fake_at(HPA(FIRST + PAGE_SIZE - 5), 5), bytes, 5);
	assert_memory_equal(fake_at(HPA(SECOND), 11), bytes + 5, 11);
	assert_int_equal(operand_read(cpu, got, sizeof(got)), 0);
	assert_memory_equal(got, bytes, sizeof(got));
	operand(ABSOLUTE, VIRTUAL + PAGE_SIZE - 16); /* ends with the page */
	put64(PT + 8, 0);
	assert_int_equal(operand_write(cpu, bytes, sizeof(bytes)), 0);
	assert_int_equal(operand_read(cpu, got, sizeof(got)), 0);
	assert_memory_equal(got, bytes, sizeof(got));
	assert_int_equal(cpu->hw->injected, 0);
}

static void try_fault(uint64_t at, bool write, unsigned int vector, uint32_t code, uint64_t cr2)
{
	uint8_t bytes[16] = {0};
	int err;

	operand(ABSOLUTE, at);
	fake_forget(cpu);
	vmcs.cr2 = 0xc2;
	err = write ? operand_write(cpu, bytes, sizeof(bytes))
		    : operand_read(cpu, bytes, sizeof(bytes));
	assert_int_equal(err, ERR_FAULT);
	expect_fault(vector);
	assert_int_equal(vmcs.cr2, cr2);
	assert_int_equal(cpu->hw->error_code, code);
}

/* The address in CR2 is the first byte that cannot be reached. */
static void page_faults(void **state)
{
	start();
	try_fault(VIRTUAL + 2 * PAGE_SIZE, false, VECTOR_PF, 0, VIRTUAL + 2 * PAGE_SIZE);
	try_fault(VIRTUAL + 2 * PAGE_SIZE + 8, true, VECTOR_PF, 2, VIRTUAL + 2 * PAGE_SIZE + 8);
	memset(fake_at(HPA(SECOND), PAGE_SIZE), 0xee, PAGE_SIZE);
	try_fault(VIRTUAL + 2 * PAGE_SIZE - 4, false, VECTOR_PF, 0, VIRTUAL + 2 * PAGE_SIZE);
	try_fault(VIRTUAL + 2 * PAGE_SIZE - 4, true, VECTOR_PF, 2, VIRTUAL + 2 * PAGE_SIZE);
	assert_int_equal(get64(SECOND + PAGE_SIZE - 8), 0xeeeeeeeeeeeeeeee);
	put64(PT, FIRST | 1);
	try_fault(VIRTUAL, true, VECTOR_PF, 3, VIRTUAL);
	cpu->hw->space.cr0 &= ~(uint64_t)CR0_WP;
	operand(ABSOLUTE, VIRTUAL);
	assert_int_equal(operand_write(cpu, "1234567", 8), 0);
}

/* What translates, but not to L1's memory, and what is no address: #GP, CR2 as it was. */
static void protection_faults(void **state)
{
	start();
	for (int write = 0; write < 2; write++) {
		try_fault(6 * 2 * MIB, write, VECTOR_GP, 0, 0xc2);
		try_fault(1ull << 47, write, VECTOR_GP, 0, 0xc2);
		try_fault(0xffff7ffffffffff0, write, VECTOR_GP, 0, 0xc2);
	}
	put64(PT + 8 * 2, (BLOCK + PAGE_SIZE) | 3); /* the monitor's memory */
	try_fault(VIRTUAL + 2 * PAGE_SIZE, true, VECTOR_GP, 0, 0xc2);
	try_fault(VIRTUAL + 2 * PAGE_SIZE, false, VECTOR_GP, 0, 0xc2);
	try_fault(VIRTUAL + 2 * PAGE_SIZE - 8, true, VECTOR_GP, 0, 0xc2);
}

/* The monitor writes nothing for L1 that L1 cannot write. */
static void a_page_that_is_not_l1s(void **state)
{
	start();
	put64(FIRST, 0x77);
	fake_give(HPA(FIRST), OWNER_TABLE);
	try_fault(VIRTUAL, true, VECTOR_GP, 0, 0xc2);
	assert_int_equal(get64(FIRST), 0x77);
	fake_give(HPA(FIRST), OWNER_HOST);
	fake_give(HPA(SECOND), OWNER_TABLE);
	put64(FIRST + PAGE_SIZE - 8, 0x88);
	try_fault(VIRTUAL + PAGE_SIZE - 8, true, VECTOR_GP, 0, 0xc2);
	assert_int_equal(get64(FIRST + PAGE_SIZE - 8), 0x88);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_and_index),    cmocka_unit_test(address_sizes),
		cmocka_unit_test(segments),          cmocka_unit_test(registers),
		cmocka_unit_test(across_pages),      cmocka_unit_test(page_faults),
		cmocka_unit_test(protection_faults), cmocka_unit_test(a_page_that_is_not_l1s),
	};

	return RUN_APART(tests);
}
