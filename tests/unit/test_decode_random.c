/* SPDX-License-Identifier: Apache-2.0 */
/* Random encodings, decoded by us and by Capstone: both must see the same instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <capstone/capstone.h>

#include "tests/unit/test_decode_text.h"

#define ROUNDS 600000
#define SEEN_AT_LEAST 20 /* times that each operation must have come up */

/* Capstone's names, longest first where one begins another; a * stands for a size suffix. */
static const struct {
	const char *name;
	enum decode_op op;
} names[] = {
	{"cpuid", OP_CPUID},   {"hlt", OP_HLT},         {"rdmsr", OP_RDMSR},
	{"wrmsr", OP_WRMSR},   {"rdtsc", OP_RDTSC},     {"rdtscp", OP_RDTSCP},
	{"rdpmc", OP_RDPMC},   {"invd", OP_INVD},       {"wbinvd", OP_WBINVD},
	{"pause", OP_PAUSE},   {"invlpga", OP_INVLPGA}, {"vmrun", OP_VMRUN},
	{"vmload", OP_VMLOAD}, {"vmsave", OP_VMSAVE},   {"vmmcall", OP_VMMCALL},
	{"vmcall", OP_VMCALL}, {"stgi", OP_STGI},       {"clgi", OP_CLGI},
	{"skinit", OP_SKINIT}, {"monitor", OP_MONITOR}, {"mwait", OP_MWAIT},
	{"xsetbv", OP_XSETBV}, {"pushf*", OP_PUSHF},    {"popf*", OP_POPF},
	{"iret*", OP_IRET},    {"int3", OP_INT3},       {"into", OP_INTO},
	{"int1", OP_ICEBP},    {"int", OP_INT},         {"rsm", OP_RSM},
	{"clts", OP_CLTS},     {"in", OP_IN},           {"out", OP_OUT},
	{"ins*", OP_INS},      {"outs*", OP_OUTS},      {"lmsw", OP_LMSW},
	{"smsw", OP_SMSW},     {"sldt", OP_SLDT},       {"str", OP_STR},
	{"lldt", OP_LLDT},     {"ltr", OP_LTR},         {"sgdt", OP_SGDT},
	{"sidt", OP_SIDT},     {"lgdt", OP_LGDT},       {"lidt", OP_LIDT},
	{"invlpg", OP_INVLPG}, {"invpcid", OP_INVPCID}, {"movabs", OP_MOV},
	{"movzx", OP_MOVZX},   {"movsx", OP_MOVSX},     {"movsxd", OP_MOVSX},
	{"movnti", OP_MOVNTI}, {"xchg", OP_XCHG},       {"cmpxchg", OP_CMPXCHG},
	{"test", OP_TEST},     {"add", OP_ADD},         {"or", OP_OR},
	{"adc", OP_ADC},       {"sbb", OP_SBB},         {"and", OP_AND},
	{"sub", OP_SUB},       {"xor", OP_XOR},         {"cmp", OP_CMP},
	{"bt", OP_BT},         {"bts", OP_BTS},         {"btr", OP_BTR},
	{"btc", OP_BTC},       {"stos*", OP_STOS},      {"movs*", OP_MOVS},
	{"not", OP_NOT},       {"inc", OP_INC},         {"dec", OP_DEC},
	{"lods*", OP_LODS},
};

static csh engines[3]; /* by enum decode_mode / 4 */
static cs_insn *insns[3];
static unsigned int seen[OP_COUNT];
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random32(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33);
}

static bool one_in(unsigned int n)
{
	return random32() % n == 0;
}

static bool is_prefix(uint8_t byte, bool is64)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
					   0x66, 0x67, 0xf0, 0xf2, 0xf3};

	return memchr(prefixes, byte, sizeof(prefixes)) || (is64 && (byte & 0xf0) == 0x40);
}

/*
 * Prefixes, an opcode, and random bytes behind it. Of prefixes that exclude each other, or that
 * Capstone mixes up (66 with F3, several segments), at most one.
 */
static void random_encoding(uint8_t bytes[16], bool is64)
{
	static const uint8_t segs[] = {0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
	static const uint8_t others[] = {0x66, 0xf3, 0xf2, 0xf0};
	size_t n = 0;

	for (size_t i = 0; i < 16; i++)
		do
			bytes[i] = (uint8_t)random32();
		while (i < 5 && is_prefix(bytes[i], is64));
	if (one_in(4))
		bytes[n++] = segs[random32() % sizeof(segs)];
	if (one_in(2))
		bytes[n++] = others[random32() % sizeof(others)];
	if (one_in(4))
		bytes[n++] = 0x67;
	if (is64 && one_in(2))
		bytes[n++] = 0x40 | random32() % 16;
	if (one_in(2))
		bytes[n++] = 0x0f;
	if (n && bytes[n - 1] == 0x0f && one_in(3))
		bytes[n++] = one_in(10) ? 0x38 : one_in(2);
	if (n && bytes[n - 1] == 0x38)
		bytes[n++] = 0x82;
}

static bool matches(const char *name, const char *pattern)
{
	const char *star = strchr(pattern, '*');
	size_t n;

	if (!star)
		return !strcmp(name, pattern);
	n = (size_t)(star - pattern);
	return !strncmp(name, pattern, n) &&
	       (!name[n] || (strchr("bwdq", name[n]) && !name[n + 1]));
}

static bool is_system_register(csh engine, const cs_x86_op *operand, const char *kind)
{
	return operand->type == X86_OP_REG && !strncmp(cs_reg_name(engine, operand->reg), kind, 2);
}

/* The operation Capstone saw, or OP_NONE if it is not one of ours. */
static enum decode_op capstone_op(csh engine, const cs_insn *c)
{
	const cs_x86_op *operand = c->detail->x86.operands;
	const char *name = strrchr(c->mnemonic, ' ');

	name = name ? name + 1 : c->mnemonic;
	if (!strcmp(name, "mov")) {
		if (is_system_register(engine, &operand[0], "cr"))
			return OP_MOV_TO_CR;
		if (is_system_register(engine, &operand[1], "cr"))
			return OP_MOV_FROM_CR;
		if (is_system_register(engine, &operand[0], "dr"))
			return OP_MOV_TO_DR;
		if (is_system_register(engine, &operand[1], "dr"))
			return OP_MOV_FROM_DR;
		return OP_MOV;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (matches(name, names[i].name))
			return names[i].op;
	return OP_NONE;
}

static const char *register_name(uint8_t reg, bool high, unsigned int size)
{
	static const char *const low[4][16] = {
		{"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b",
		 "r12b", "r13b", "r14b", "r15b"},
		{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w",
		 "r12w", "r13w", "r14w", "r15w"},
		{"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d",
		 "r11d", "r12d", "r13d", "r14d", "r15d"},
		{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
		 "r12", "r13", "r14", "r15"},
	};
	static const char *const highs[] = {"ah", "ch", "dh", "bh"};

	return high ? highs[reg] : low[size == 8 ? 3 : size / 2][reg];
}

static bool same_register(csh engine, unsigned int theirs, const char *ours)
{
	return theirs != X86_REG_INVALID && !strcmp(cs_reg_name(engine, theirs), ours);
}

/* In memory operands Capstone names no base as "riz" or not at all, and rip and eip as bases. */
static bool same_address_register(csh engine, unsigned int theirs, uint8_t ours, unsigned int size)
{
	if (ours == GPR_NONE)
		return theirs == X86_REG_INVALID || theirs == X86_REG_RIZ || theirs == X86_REG_EIZ;
	return same_register(engine, theirs, register_name(ours, false, size));
}

static bool same_segment(const struct decode_insn *i, unsigned int theirs, unsigned int ours)
{
	static const unsigned int segs[] = {X86_REG_ES, X86_REG_CS, X86_REG_SS,
					    X86_REG_DS, X86_REG_FS, X86_REG_GS};

	if (i->mode == DECODE_64 && theirs != X86_REG_FS && theirs != X86_REG_GS)
		return ours < SEG_FS;
	if (theirs == X86_REG_INVALID) /* the default of its base */
		return ours == SEG_DS || ours == SEG_SS;
	return theirs == segs[ours];
}

static bool same_memory(csh engine, const struct decode_insn *i, const struct decode_mem *ours,
			const cs_x86_op *operand)
{
	const x86_op_mem *theirs = &operand->mem;
	uint64_t mask = UINT64_MAX >> (64 - i->addrsize * 8);

	if (operand->type != X86_OP_MEM)
		return false;
	if (ours->rip != (theirs->base == X86_REG_RIP || theirs->base == X86_REG_EIP))
		return false;
	if (!ours->rip && !same_address_register(engine, theirs->base, ours->base, i->addrsize))
		return false;
	if (!same_address_register(engine, theirs->index, ours->index, i->addrsize))
		return false;
	if (ours->index != GPR_NONE && theirs->scale != 1 << ours->shift)
		return false;
	return ((uint64_t)theirs->disp & mask) == ((uint64_t)ours->disp & mask) &&
	       same_segment(i, theirs->segment, ours->seg);
}

static bool same_immediate(const struct decode_insn *i, const cs_x86_op *operand)
{
	uint64_t mask = UINT64_MAX >> (64 - i->opsize * 8);

	if (i->op >= OP_BT && i->op <= OP_BTC)
		mask = i->opsize * 8u - 1;
	if (i->op == OP_INT || i->op == OP_IN || i->op == OP_OUT)
		mask = 0xff;
	return operand->type == X86_OP_IMM && ((uint64_t)operand->imm & mask) == (i->imm & mask);
}

static bool same_rm(csh engine, const struct decode_insn *i, const cs_x86_op *operand)
{
	bool word = i->op == OP_LMSW || i->op == OP_LLDT || i->op == OP_LTR;
	bool widens = i->op == OP_MOVZX || i->op == OP_MOVSX;
	unsigned int size = word ? 2 : widens ? i->memsize : i->opsize;

	if (i->has_mem)
		return same_memory(engine, i, &i->mem, operand);
	return operand->type == X86_OP_REG &&
	       same_register(engine, operand->reg, register_name(i->rm, i->rm_high, size));
}

static bool same_reg(csh engine, const struct decode_insn *i, const cs_x86_op *operand)
{
	char name[8];

	if (i->has_imm)
		return same_immediate(i, operand);
	if (operand->type != X86_OP_REG)
		return false;
	if (i->op >= OP_MOV_TO_CR && i->op <= OP_MOV_FROM_DR) {
		snprintf(name, sizeof(name), "%cr%u", i->op <= OP_MOV_FROM_CR ? 'c' : 'd', i->reg);
		return same_register(engine, operand->reg, name);
	}
	return same_register(engine, operand->reg, register_name(i->reg, i->reg_high, i->opsize));
}

static bool same_operands(csh engine, const struct decode_insn *i, const cs_x86 *x)
{
	const cs_x86_op *operand = x->operands;

	if (i->op == OP_MOVS)
		return same_memory(engine, i, &i->mem, &operand[0]) &&
		       same_memory(engine, i, &i->mem2, &operand[1]);
	if (i->op == OP_INS || i->op == OP_STOS)
		return same_memory(engine, i, &i->mem, &operand[0]);
	if (i->op == OP_OUTS || i->op == OP_LODS)
		return same_memory(engine, i, &i->mem, &operand[1]);
	if (i->op == OP_IN)
		return same_register(engine, operand[0].reg, register_name(0, false, i->opsize)) &&
		       (!i->has_imm || same_immediate(i, &operand[1]));
	if (i->op == OP_OUT)
		return same_register(engine, operand[1].reg, register_name(0, false, i->opsize)) &&
		       (!i->has_imm || same_immediate(i, &operand[0]));
	if (i->op == OP_INT)
		return same_immediate(i, &operand[0]);
	if (i->op < OP_MOV_TO_CR)
		return true;
	if (x->op_count == 1)
		return same_rm(engine, i, &operand[0]);
	return same_rm(engine, i, &operand[!i->to_rm]) && same_reg(engine, i, &operand[i->to_rm]);
}

/* What Capstone 4.0.2 does not know: newer AMD instructions, CR8 by LOCK, INVPCID with prefixes. */
static bool unknown_to_capstone(const struct decode_insn *i)
{
	return i->op == OP_RDPRU || i->op == OP_MONITORX || i->op == OP_MWAITX ||
	       i->op == OP_INVLPGB || i->op == OP_TLBSYNC || i->op == OP_INVPCID ||
	       (i->lock && i->op == OP_MOV_TO_CR) || (i->lock && i->op == OP_MOV_FROM_CR);
}

/* What it names otherwise. */
static bool misnamed_by_capstone(const struct decode_insn *i, const cs_insn *c)
{
	const uint8_t *opcode = c->detail->x86.opcode;

	if (c->size != i->len)
		return false;
	if (i->op == OP_WBNOINVD)
		return !strcmp(c->mnemonic, "wbinvd");
	if (i->op == OP_PAUSE) /* F3 90 is PAUSE in every mode and with every other prefix */
		return !strcmp(c->mnemonic, "nop") || !strcmp(c->mnemonic, "xchg");
	if (i->op == OP_IN || i->op == OP_OUT) /* REX.W overrides 66 */
		return c->detail->x86.rex & 8;
	return opcode[0] == 0x63 && i->opsize < 8; /* MOVSXD without REX.W is a plain MOV */
}

static bool has_lock_or_rep(const uint8_t *bytes)
{
	for (; is_prefix(*bytes, false); bytes++)
		if (*bytes >= 0xf0)
			return true;
	return false;
}

/*
 * Whether an instruction that we refuse ought to be known. Capstone accepts LOCK, F2 and F3, register
 * numbers, INVPCID without 66 and MOVNTI with it where the processor raises #UD.
 */
static bool should_be_known(enum decode_op op, const cs_insn *c)
{
	const cs_x86 *x = &c->detail->x86;
	uint8_t opcode = x->opcode[0];

	if (op == OP_NONE || op == OP_INVPCID || has_lock_or_rep(c->bytes))
		return false;
	if ((op >= OP_MOV_TO_CR && op <= OP_MOV_FROM_DR) || op == OP_MOVNTI)
		return false;
	if (op < OP_MOV)
		return true;
	for (size_t i = 0; i < x->op_count; i++)
		if (x->operands[i].type ==
		    X86_OP_MEM) /* MOV Sreg; 82, an alias; TEST /1, another */
			return opcode != 0x8c && opcode != 0x8e && opcode != 0x82 &&
			       !((opcode | 1) == 0xf7 && (x->modrm >> 3 & 7) == 1);
	return false;
}

static void complain(unsigned int mode, const uint8_t *bytes, const char *ours, const cs_insn *c)
{
	char hex[64], *p = hex;

	for (size_t i = 0; i < DECODE_MAX; i++)
		p += sprintf(p, "%02x ", bytes[i]);
	fail_msg("%u: %s: we say %s, Capstone %s %s, %u bytes", mode * 8, hex, ours,
		 c ? c->mnemonic : "nothing", c ? c->op_str : "", c ? c->size : 0);
}

static void compare(enum decode_mode mode, const uint8_t bytes[16])
{
	csh engine = engines[mode / 4];
	cs_insn *c = insns[mode / 4];
	const uint8_t *code = bytes;
	size_t left = DECODE_MAX;
	uint64_t address = 0;
	struct decode_insn i;
	char text[DECODE_TEXT_MAX];
	int err = decode(bytes, 16, mode, &i);
	bool known = cs_disasm_iter(engine, &code, &left, &address, c);
	enum decode_op op = known ? capstone_op(engine, c) : OP_NONE;

	if (err) {
		snprintf(text, sizeof(text), "error %d", err);
		if (should_be_known(op, c))
			complain(mode, bytes, text, c);
		return;
	}
	seen[i.op]++;
	decode_text(text, &i);
	if (known ? misnamed_by_capstone(&i, c) : unknown_to_capstone(&i))
		return;
	if (op != i.op || c->size != i.len || !same_operands(engine, &i, &c->detail->x86))
		complain(mode, bytes, text, known ? c : NULL);
}

static void test_random(void **state)
{
	static const enum decode_mode modes[] = {DECODE_16, DECODE_32, DECODE_64, DECODE_64};
	uint8_t bytes[16];

	for (unsigned int n = 0; n < ROUNDS; n++) {
		enum decode_mode mode = modes[random32() % 4];

		random_encoding(bytes, mode == DECODE_64);
		compare(mode, bytes);
	}
	for (unsigned int op = OP_NONE + 1; op < OP_COUNT; op++)
		if (seen[op] < SEEN_AT_LEAST)
			fail_msg("%s came up only %u times", decode_op_names[op], seen[op]);
}

static int open_engines(void **state)
{
	static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};

	for (size_t i = 0; i < 3; i++) {
		if (cs_open(CS_ARCH_X86, modes[i], &engines[i]) ||
		    cs_option(engines[i], CS_OPT_DETAIL, CS_OPT_ON))
			return -1;
		insns[i] = cs_malloc(engines[i]);
	}
	return 0;
}

static int close_engines(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		cs_free(insns[i], 1);
		cs_close(&engines[i]);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, open_engines, close_engines);
}
