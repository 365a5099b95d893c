/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions executed by this machine's CPU, as an honest host would emulate them: a guest whose
 * registers go through emulated_accept() goes on as if it had executed them itself. And only the
 * ranges that are announced are touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>

#include "monitor/arch.h"
#include "monitor/emulated.h"

#define ROUNDS 1000
#define MEMORY 0x3000u

/* Registers for the instruction at native_code, and what it leaves; rSP is not loaded. */
struct regs native_regs;
void *native_code;
void native_run(void);

#define LOAD(n, reg) "movq native_regs+8*" #n "(%rip), %" #reg "\n"
#define SAVE(n, reg) "movq %" #reg ", native_regs+8*" #n "(%rip)\n"
/* clang-format off */
#define REGISTERS(X)                                                             \
	X(0, rax) X(1, rcx) X(2, rdx) X(3, rbx) X(5, rbp) X(6, rsi) X(7, rdi) X(8, r8) \
	X(9, r9) X(10, r10) X(11, r11) X(12, r12) X(13, r13) X(14, r14) X(15, r15)

__asm__(".text\n"
	".globl native_run\n"
	"native_run:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"pushq native_regs+8*17(%rip)\npopfq\n"
	REGISTERS(LOAD)
	"call *native_code(%rip)\n"
	"pushfq\npopq native_regs+8*17(%rip)\ncld\n"
	REGISTERS(SAVE)
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

/* rBX and rSI point at the first page, rDI at the second. */
static const char *const rows[] = {
	"8b 0b", "48 8b 0b", "66 8b 0b", "8a 0b", "8a 2b", "8a 3b", "44 8b 0b", "44 8a 3b",
	"0f b6 0b", "66 0f b6 0b", "48 0f b7 0b", "0f be 0b", "66 0f be 0b", "48 0f be 0b",
	"48 0f bf 0b", "48 63 0b", "63 0b", "8b 1b", "48 8b 06", "8b 36", "88 0b", "88 2b",
	"66 89 0b", "48 89 0b", "c6 03 55", "48 c7 03 00 00 00 80", "48 0f c3 0b", "86 2b",
	"66 87 0b", "87 0b", "48 87 03", "0f b0 2b", "66 0f b1 0b", "0f b1 0b", "f0 48 0f b1 0b",
	"84 2b", "48 85 0b", "f6 03 10", "66 f7 03 01 80", "00 2b", "01 0b", "48 09 0b",
	"66 11 0b", "19 0b", "f0 21 0b", "29 0b", "30 0b", "38 0b", "02 2b", "03 0b", "48 0b 0b",
	"66 13 0b", "1b 0b", "23 0b", "2b 0b", "32 2b", "48 3b 0b", "80 03 81", "83 0b 01",
	"66 83 13 ff", "48 81 1b 01 00 00 80", "81 23 0f 0f 0f 0f", "f0 83 2b 01", "80 33 ff",
	"80 3b 00", "f6 13", "f0 48 f7 13", "66 f7 13", "fe 03", "66 ff 03", "f0 ff 0b",
	"48 ff 0b", "0f ba 23 05", "0f ba 2b 05", "f0 0f ba 33 1f", "48 0f ba 3b 3f", "a4",
	"66 a5", "48 a5", "aa", "48 ab", "ac", "66 ad", "ad", "48 ad", "f3 a4", "f3 66 a5",
	"f3 a5", "f2 48 a5", "f3 aa", "f3 ab", "f3 ac", "f3 66 ad", "f3 48 ad", "67 f3 a5",
	"67 ad", "67 f3 aa", "67 8b 0b"
};
/* clang-format on */

static uint8_t *memory, *code;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Registers of a guest whose next instruction is at `code`, operands anywhere in two pages. */
static struct regs random_regs(void)
{
	const uint64_t flags = RFLAGS_STATUS | RFLAGS_DF;
	uint64_t at = (uint64_t)memory + MEMORY / 3 - 64;
	struct regs regs = {.rip = (uint64_t)code,
			    .rflags = RFLAGS_FIXED | RFLAGS_IF | (random64() & flags)};

	for (unsigned int i = 0; i < 16; i++)
		regs.r[i] = random64();
	regs.r[RBX] = at + random64() % 128;
	regs.r[RSI] = at + random64() % 128;
	regs.r[RDI] = at + MEMORY / 3 + random64() % 128;
	regs.r[RCX] = random64() % 8 + 1;
	return regs;
}

/* What compares equal often enough. */
static void random_memory(const struct regs *regs)
{
	for (unsigned int i = 0; i < MEMORY; i++)
		memory[i] = (uint8_t)(random_state >> i % 56);
	random64();
	if (random64() % 2)
		memcpy((void *)regs->r[RBX], &regs->r[RAX], 8);
}

static void check_memory(const struct emulated *e, unsigned int times, const uint8_t *old)
{
	struct emulated_range range[EMULATED_RANGES];
	unsigned int n = emulated_ranges(e, times, range);
	static uint8_t copy[MEMORY];

	memcpy(copy, old, MEMORY);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t from = range[i].gva.a - (uint64_t)memory;

		assert_true(from < MEMORY && range[i].bytes <= MEMORY - from);
		if (range[i].access & EMULATED_WRITE)
			memcpy(copy + from, memory + from, range[i].bytes);
	}
	assert_memory_equal(memory, copy, MEMORY);
}

static void one(const char *text, const struct decode_insn *insn)
{
	const uint64_t base[SEG_COUNT] = {0};
	static uint8_t old[MEMORY];
	struct regs before = random_regs(), after, out;
	struct emulated e;
	uint64_t undefined = 0;
	int times;

	random_memory(&before);
	memcpy(old, memory, MEMORY);
	assert_int_equal(emulated_prepare(insn, &before, base, &e), 0);
	native_regs = before;
	if (insn->rep || insn->repne)
		native_regs.r[RCX] = e.times;
	native_run();
	after = native_regs;
	after.r[RSP] = before.r[RSP];
	after.rip = before.rip;
	if (insn->rep || insn->repne)
		after.r[RCX] = before.r[RCX] - e.times;
	if (insn->addrsize == 4)
		after.r[RCX] = insn->rep ? (uint32_t)after.r[RCX] : after.r[RCX];
	if (!(insn->rep || insn->repne) || !after.r[RCX])
		after.rip += insn->len;
	times = emulated_accept(&e, &before, &after, &out);
	assert_int_equal(times, e.times);
	/* what BT* do with these is undefined */
	if (insn->op >= OP_BT && insn->op <= OP_BTC)
		undefined = RFLAGS_STATUS & ~RFLAGS_CF;
	out.rflags = (out.rflags & ~undefined) | (after.rflags & undefined);
	if (memcmp(&out, &after, sizeof(out)))
		fail_msg("%s: other registers than the processor's", text);
	check_memory(&e, e.times, old);
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct decode_insn insn;
		const char *p = rows[i];
		size_t n = 0;
		char *end;

		for (; *p; p = end)
			code[n++] = (uint8_t)strtoul(p, &end, 16);
		code[n] = 0xc3; /* RET */
		assert_int_equal(decode(code, n, DECODE_64, &insn), 0);
		assert_int_equal(insn.len, n);
		for (unsigned int round = 0; round < ROUNDS; round++)
			one(rows[i], &insn);
	}
}

/* In the first 4 GiB, for 32-bit addresses. */
static int set_up(void **state)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT;

	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, flags, -1, 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
	native_code = code;
	return memory == MAP_FAILED || code == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
