/* SPDX-License-Identifier: Apache-2.0 */
/* INT 15h as L1's real-mode code meets it: answered by the monitor, or left to the BIOS. */
#include "monitor/bios_call.h"
#include "tests/unit/test_machine.h"

#define LOW 0x9d000u
#define IVT_15 (0x15 * 4)
#define STACK 0x20000u
#define BUFFER 0x30000u
#define SMAP 0x534d4150u
#define FLAGS 0x0203 /* with IF and CF, as INT pushed them */
#define CHAIN 4      /* the far jump in the handler, behind VMMCALL and IRET */
#define IRET 3

static struct memmap map;

static void set_up(void)
{
	const uint16_t old[2] = {0x1234, 0xf000};

	machine(1);
	map.count = 0;
	memmap_add(&map, 0, 0x9d000, REGION_RAM);
	memmap_add(&map, MIB, 7 * MIB, REGION_RAM);
	memcpy(fake_at(HPA(IVT_15), 4), old, 4);
	bios_call_init(HPA(LOW), &map);
	cpu->hw->space.cr0 = CR0_ET;
	cpu->hw->mode = DECODE_16;
	cpu->hw->segment[SEG_CS] = LOW;
	cpu->hw->segment[SEG_SS] = STACK;
	cpu->hw->segment[SEG_ES] = BUFFER;
	cpu->regs.rip = 0;
}

/* Executes INT 15h with AX as given: up to the handler's VMMCALL. */
static void call(uint32_t eax)
{
	const uint16_t frame[3] = {0x7777, 0x0100, FLAGS};
	struct exit exit = {.reason = EXIT_HYPERCALL};
	uint64_t *r = cpu->regs.r;

	for (unsigned int i = 0; i < 16; i++)
		r[i] = 0xaaaaaaaa00000000u | i << 28;
	r[RAX] |= eax;
	r[RBX] &= ~(uint64_t)UINT32_MAX;
	r[RCX] = (r[RCX] & ~(uint64_t)UINT32_MAX) | 20;
	r[RDX] = (r[RDX] & ~(uint64_t)UINT32_MAX) | SMAP;
	r[RSP] = 0xbbbb0000fff0u;
	r[RDI] = 0xcccc00000010u;
	memcpy(fake_at(HPA(STACK + 0xfff0), 6), frame, 6);
	memset(fake_at(HPA(BUFFER), 64), 0xee, 64);
	cpu->regs.rip = 0;
	fake_forget(cpu);
	leave(&exit);
}

static uint16_t stored_flags(void)
{
	uint16_t frame[3];

	memcpy(frame, fake_at(HPA(STACK + 0xfff0), 6), 6);
	assert_int_equal(frame[0], 0x7777);
	assert_int_equal(frame[1], 0x0100);
	return frame[2];
}

static void the_handler(void **state)
{
	const uint8_t *page;
	uint16_t far[2];

	set_up();
	page = fake_at(HPA(LOW), PAGE_SIZE);
	memcpy(far, fake_at(HPA(IVT_15), 4), 4);
	assert_int_equal(far[0], 0); /* the vector: LOW */
	assert_int_equal(far[1], LOW >> 4);
	assert_memory_equal(page, hw_hypercall_insn, 3);
	assert_int_equal(page[IRET], 0xcf);
	assert_int_equal(page[CHAIN], 0xea); /* JMP FAR to the old one */
	memcpy(far, page + CHAIN + 1, 4);
	assert_int_equal(far[0], 0x1234);
	assert_int_equal(far[1], 0xf000);
}

static void a_memory_service_is_answered(void **state)
{
	uint64_t start, len, *r;
	uint32_t type;

	set_up();
	r = cpu->regs.r;
	call(0xe820);
	assert_int_equal(cpu->regs.rip, IRET);
	assert_int_equal(cpu->hw->completed, 1);
	assert_int_equal(cpu->hw->injected, 0);
	assert_int_equal(r[RAX], 0xaaaaaaaa00000000u | SMAP); /* the upper halves stay */
	assert_int_equal(r[RBX], 0xaaaaaaaa00000001u);
	assert_int_equal(r[RCX], 0xaaaaaaaa00000014u);
	assert_int_equal(r[RSP], 0xbbbb0000fff0u);
	assert_int_equal(r[RDI], 0xcccc00000010u);
	assert_int_equal(stored_flags(), FLAGS & ~RFLAGS_CF);
	memcpy(&start, fake_at(HPA(BUFFER + 0x10), 8), 8);
	memcpy(&len, fake_at(HPA(BUFFER + 0x18), 8), 8);
	memcpy(&type, fake_at(HPA(BUFFER + 0x20), 4), 4);
	assert_int_equal(start, 0);
	assert_int_equal(len, 0x9d000);
	assert_int_equal(type, REGION_RAM);
	assert_int_equal(*(uint8_t *)fake_at(HPA(BUFFER + 0xf), 1), 0xee);
	assert_int_equal(*(uint8_t *)fake_at(HPA(BUFFER + 0x24), 1), 0xee);
}

static void a_failure_sets_carry(void **state)
{
	struct exit exit = {.reason = EXIT_HYPERCALL};

	set_up();
	call(0xe820);
	cpu->regs.rip = 0;
	cpu->regs.r[RAX] = 0xe820;
	cpu->regs.r[RBX] = 77; /* no such entry */
	memset(fake_at(HPA(BUFFER), 64), 0xee, 64);
	leave(&exit);
	assert_int_equal(cpu->regs.rip, IRET);
	assert_int_equal(stored_flags(), FLAGS);
	assert_int_equal(*(uint8_t *)fake_at(HPA(BUFFER + 0x10), 1), 0xee);
}

static void other_services_are_the_bioss(void **state)
{
	uint64_t before[16];

	set_up();
	call(0xe820);
	for (uint32_t ah = 0; ah < 256; ah++) {
		if (ah == 0xe8 || ah == 0x88)
			continue;
		call(ah << 8);
		assert_int_equal(cpu->regs.rip, CHAIN);
		assert_int_equal(stored_flags(), FLAGS);
		memcpy(before, cpu->regs.r, sizeof(before));
		assert_int_equal(before[RAX] & UINT32_MAX, ah << 8);
		assert_int_equal(before[RBX], 0xaaaaaaaa00000000u);
	}
}

/* A stack or a buffer that is not memory: nothing is changed, and the BIOS may try. */
static void no_memory_there(void **state)
{
	const struct {
		unsigned int seg;
		uint64_t base;
	} row[] = {
		{SEG_SS, RAM_SIZE},
		{SEG_ES, RAM_SIZE},
		{SEG_SS, BLOCK},
		{SEG_ES, BLOCK},
		{SEG_ES, RAM_SIZE - 0x10 - 19},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		set_up();
		cpu->hw->segment[row[i].seg] = row[i].base;
		call(0xe820);
		assert_int_equal(cpu->regs.rip, CHAIN);
		assert_int_equal(cpu->regs.r[RAX], 0xaaaaaaaa0000e820u);
		assert_int_equal(cpu->regs.r[RBX], 0xaaaaaaaa00000000u);
		assert_int_equal(stored_flags(), FLAGS);
		assert_int_equal(*(uint8_t *)fake_at(HPA(BUFFER + 0x10), 1), 0xee);
	}
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		assert_int_equal(*((char *)mem_at(HPA(BLOCK)) + i), 0);
}

/* The same instruction elsewhere, or not in real mode, is an ordinary hypercall. */
static void from_elsewhere(void **state)
{
	struct exit exit = {.reason = EXIT_HYPERCALL};

	set_up();
	call(0xe820);
	cpu->hw->space.cr0 |= CR0_PE;
	cpu->regs.rip = 0;
	fake_forget(cpu);
	leave(&exit);
	assert_int_equal(cpu->hw->injected, 1);
	assert_int_equal(cpu->hw->vector, VECTOR_UD);
	cpu->hw->space.cr0 &= ~(uint64_t)CR0_PE;
	cpu->hw->segment[SEG_CS] = LOW + 0x10;
	fake_forget(cpu);
	leave(&exit);
	assert_int_equal(cpu->hw->vector, VECTOR_UD);
	/* another segment, but the same place */
	cpu->hw->segment[SEG_CS] = LOW - 0x100;
	cpu->regs.rip = 0x100;
	fake_forget(cpu);
	leave(&exit);
	assert_int_equal(cpu->hw->completed, 1);
	assert_true(cpu->regs.rip > 0x100);
}

/* The stack's top is at the end of its 64 KiB: the flags are at offset 2, not beyond it. */
static void the_stack_wraps(void **state)
{
	struct exit exit = {.reason = EXIT_HYPERCALL};
	const uint16_t flags = FLAGS;
	uint16_t now;

	set_up();
	call(0xe820);
	memcpy(fake_at(HPA(STACK + 2), 2), &flags, 2);
	cpu->regs.r[RAX] = 0xe820;
	cpu->regs.r[RBX] = 0;
	cpu->regs.r[RCX] = 20;
	cpu->regs.r[RDX] = SMAP;
	cpu->regs.r[RSP] = 0xfffe;
	cpu->regs.rip = 0;
	leave(&exit);
	memcpy(&now, fake_at(HPA(STACK + 2), 2), 2);
	assert_int_equal(now, FLAGS & ~RFLAGS_CF);
	memcpy(&now, fake_at(HPA(STACK + 0x10002), 2), 2);
	assert_int_equal(now, 0xeeee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_handler),
		cmocka_unit_test(a_memory_service_is_answered),
		cmocka_unit_test(a_failure_sets_carry),
		cmocka_unit_test(other_services_are_the_bioss),
		cmocka_unit_test(no_memory_there),
		cmocka_unit_test(from_elsewhere),
		cmocka_unit_test(the_stack_wraps),
	};

	return RUN_APART(tests);
}
