/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings: APM vol. 3, chapter 1 and appendix A. */
#include "monitor/decode.h"

/* What a byte of the opcode maps means besides an operation. */
enum group {
	GROUP_PREFIX = OP_COUNT,
	GROUP_ALU, /* operation chosen by ModRM.reg, in enum order */
	GROUP_BT,
	GROUP_MOV, /* only ModRM.reg = 0 is ours */
	GROUP_UNARY,
	GROUP_STEP,
	GROUP_0F00,
	GROUP_0F01,
};

enum row_flags {
	MODRM = 1 << 0,
	BYTE = 1 << 1,     /* operands are bytes */
	TO_RM = 1 << 2,    /* mem or rm is the first operand */
	LOCKABLE = 1 << 3, /* LOCK is allowed if memory is written */
	MEMORY = 1 << 4,   /* has no register form */
	IMM8 = 1 << 5,
	IMMZ = 1 << 6,     /* 2 bytes for 16-bit operands, else 4 */
	UNSIGNED = 1 << 7, /* the immediate is not sign-extended */
	STACK = 1 << 8,    /* operands are 8 bytes in 64-bit mode */
	PORT = 1 << 9,     /* operands are never 8 bytes */
	SYSTEM = 1 << 10, /* ModRM names two registers; operands are 4 bytes, or 8 in 64-bit mode */
	MOFFS = 1 << 11,  /* memory is an address in the instruction */
	TO_STRING = 1 << 12, /* memory ES:rDI, written */
	OF_STRING = 1 << 13, /* memory seg:rSI, read */
	WORD_RM = 1 << 14,   /* mem or rm is 2 bytes, whatever the register is */
	BARE = 1 << 15,      /* with 66, F2 or F3 it is another instruction */
	NO_REP = 1 << 16,    /* with F2 or F3 */
};

struct row {
	uint32_t op : 8; /* enum decode_op or enum group; OP_NONE: not ours */
	uint32_t flags : 24;
};

#define ALU(n, op, lock)                                                                     \
	[n] = {op, MODRM | BYTE | TO_RM | (lock)}, [(n) + 1] = {op, MODRM | TO_RM | (lock)}, \
	[(n) + 2] = {op, MODRM | BYTE}, [(n) + 3] = {op, MODRM}
#define BOTH(n, op, flags) [n] = {op, BYTE | (flags)}, [(n) + 1] = {op, flags}
#define PREFIX(n) [n] = {GROUP_PREFIX, 0}

static const struct row one_byte[256] = {
	ALU(0x00, OP_ADD, LOCKABLE),
	ALU(0x08, OP_OR, LOCKABLE),
	ALU(0x10, OP_ADC, LOCKABLE),
	ALU(0x18, OP_SBB, LOCKABLE),
	ALU(0x20, OP_AND, LOCKABLE),
	ALU(0x28, OP_SUB, LOCKABLE),
	ALU(0x30, OP_XOR, LOCKABLE),
	ALU(0x38, OP_CMP, 0),
	PREFIX(0x26),
	PREFIX(0x2e),
	PREFIX(0x36),
	PREFIX(0x3e),
	PREFIX(0x64 ... 0x67),
	PREFIX(0xf0),
	PREFIX(0xf2 ... 0xf3),
	[0x63] = {OP_MOVSX, MODRM},
	BOTH(0x6c, OP_INS, PORT | TO_STRING),
	BOTH(0x6e, OP_OUTS, PORT | OF_STRING),
	[0x80] = {GROUP_ALU, MODRM | BYTE | TO_RM | IMM8},
	[0x81] = {GROUP_ALU, MODRM | TO_RM | IMMZ},
	[0x83] = {GROUP_ALU, MODRM | TO_RM | IMM8},
	BOTH(0x84, OP_TEST, MODRM | TO_RM),
	BOTH(0x86, OP_XCHG, MODRM | TO_RM | LOCKABLE),
	BOTH(0x88, OP_MOV, MODRM | TO_RM),
	BOTH(0x8a, OP_MOV, MODRM),
	[0x90] = {OP_PAUSE, 0},
	[0x9c] = {OP_PUSHF, STACK},
	[0x9d] = {OP_POPF, STACK},
	BOTH(0xa0, OP_MOV, MOFFS),
	BOTH(0xa2, OP_MOV, MOFFS | TO_RM),
	BOTH(0xa4, OP_MOVS, TO_STRING | OF_STRING),
	BOTH(0xaa, OP_STOS, TO_STRING),
	BOTH(0xac, OP_LODS, OF_STRING),
	[0xc6] = {GROUP_MOV, MODRM | BYTE | TO_RM | IMM8},
	[0xc7] = {GROUP_MOV, MODRM | TO_RM | IMMZ},
	[0xcc] = {OP_INT3, 0},
	[0xcd] = {OP_INT, IMM8 | UNSIGNED},
	[0xce] = {OP_INTO, 0},
	[0xcf] = {OP_IRET, 0},
	BOTH(0xe4, OP_IN, PORT | IMM8 | UNSIGNED),
	BOTH(0xe6, OP_OUT, PORT | IMM8 | UNSIGNED),
	BOTH(0xec, OP_IN, PORT),
	BOTH(0xee, OP_OUT, PORT),
	[0xf1] = {OP_ICEBP, 0},
	[0xf4] = {OP_HLT, 0},
	[0xf6] = {GROUP_UNARY, MODRM | BYTE | TO_RM | IMM8},
	[0xf7] = {GROUP_UNARY, MODRM | TO_RM | IMMZ},
	BOTH(0xfe, GROUP_STEP, MODRM | TO_RM | LOCKABLE),
};

static const struct row two_byte[256] = {
	[0x00] = {GROUP_0F00, MODRM},
	[0x01] = {GROUP_0F01, MODRM},
	[0x06] = {OP_CLTS, 0},
	[0x08] = {OP_INVD, 0},
	[0x09] = {OP_WBINVD, 0},
	[0x20] = {OP_MOV_FROM_CR, SYSTEM | TO_RM},
	[0x21] = {OP_MOV_FROM_DR, SYSTEM | TO_RM},
	[0x22] = {OP_MOV_TO_CR, SYSTEM},
	[0x23] = {OP_MOV_TO_DR, SYSTEM},
	[0x30] = {OP_WRMSR, 0},
	[0x31] = {OP_RDTSC, 0},
	[0x32] = {OP_RDMSR, 0},
	[0x33] = {OP_RDPMC, 0},
	[0xa2] = {OP_CPUID, 0},
	[0xa3] = {OP_BT, MODRM | TO_RM},
	[0xaa] = {OP_RSM, 0},
	[0xab] = {OP_BTS, MODRM | TO_RM | LOCKABLE},
	BOTH(0xb0, OP_CMPXCHG, MODRM | TO_RM | LOCKABLE),
	[0xb3] = {OP_BTR, MODRM | TO_RM | LOCKABLE},
	[0xb6] = {OP_MOVZX, MODRM | BYTE},
	[0xb7] = {OP_MOVZX, MODRM | WORD_RM},
	[0xba] = {GROUP_BT, MODRM | TO_RM | IMM8 | UNSIGNED},
	[0xbb] = {OP_BTC, MODRM | TO_RM | LOCKABLE},
	[0xbe] = {OP_MOVSX, MODRM | BYTE},
	[0xbf] = {OP_MOVSX, MODRM | WORD_RM},
	[0xc3] = {OP_MOVNTI, MODRM | TO_RM | MEMORY | BARE},
};

static const struct row group_0f00[8] = {
	{OP_SLDT, TO_RM | WORD_RM},
	{OP_STR, TO_RM | WORD_RM},
	{OP_LLDT, WORD_RM},
	{OP_LTR, WORD_RM},
};

/* Where ModRM.mod = 3 has another meaning, that one is in system_0f01. */
static const struct row group_0f01[8] = {
	{OP_SGDT, TO_RM | MEMORY}, {OP_SIDT, TO_RM | MEMORY},  {OP_LGDT, MEMORY},
	{OP_LIDT, MEMORY},         {OP_SMSW, TO_RM | WORD_RM}, {OP_NONE, 0},
	{OP_LMSW, WORD_RM},        {OP_INVLPG, MEMORY},
};

/* By bits 5:0 of ModRM. */
static const uint8_t system_0f01[64] = {
	[0x01] = OP_VMCALL,  [0x08] = OP_MONITOR,  [0x09] = OP_MWAIT,  [0x11] = OP_XSETBV,
	[0x18] = OP_VMRUN,   [0x19] = OP_VMMCALL,  [0x1a] = OP_VMLOAD, [0x1b] = OP_VMSAVE,
	[0x1c] = OP_STGI,    [0x1d] = OP_CLGI,     [0x1e] = OP_SKINIT, [0x1f] = OP_INVLPGA,
	[0x39] = OP_RDTSCP,  [0x3a] = OP_MONITORX, [0x3b] = OP_MWAITX, [0x3d] = OP_RDPRU,
	[0x3e] = OP_INVLPGB, [0x3f] = OP_TLBSYNC,
};

/* 16-bit addressing (APM vol. 3, 1.4.1), by ModRM.rm. */
static const struct {
	uint8_t base, index, seg;
} narrow_rm[8] = {
	{GPR_RBX, GPR_RSI, SEG_DS},  {GPR_RBX, GPR_RDI, SEG_DS},  {GPR_RBP, GPR_RSI, SEG_SS},
	{GPR_RBP, GPR_RDI, SEG_SS},  {GPR_RSI, GPR_NONE, SEG_DS}, {GPR_RDI, GPR_NONE, SEG_DS},
	{GPR_RBP, GPR_NONE, SEG_SS}, {GPR_RBX, GPR_NONE, SEG_DS},
};

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u
#define NO_OVERRIDE SEG_COUNT

struct reader {
	const uint8_t *bytes;
	unsigned int n, at;
	int err; /* sticky; then nothing is left, and what is read is 0 */
	uint8_t rex, modrm, seg;
	bool size66, address67;
};

/* A little-endian number of n bytes (1, 2, 4, 8), sign-extended. */
static int64_t take(struct reader *r, unsigned int n)
{
	unsigned int unused = (64 - 8 * n) % 64;
	uint64_t v = 0;

	if (!r->err && r->at + n > r->n) {
		r->err = r->at + n > DECODE_MAX ? ERR_INVAL : ERR_NOENT;
		r->n = r->at;
	}
	if (r->err)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)r->bytes[r->at + i] << 8 * i;
	r->at += n;
	return (int64_t)(v << unused) >> unused;
}

static uint8_t take_byte(struct reader *r)
{
	return r->at < r->n ? r->bytes[r->at++] : (uint8_t)take(r, 1);
}

static void set_prefix(struct reader *r, struct decode_insn *insn, uint8_t byte)
{
	/* Bits 4:3 of 26, 2E, 36, 3E number the segment; 64-bit mode ignores these four. */
	switch (byte) {
	case 0x64:
	case 0x65:
		r->seg = byte & 7;
		break;
	case 0x66:
		r->size66 = true;
		break;
	case 0x67:
		r->address67 = true;
		break;
	case 0xf0:
		insn->lock = true;
		break;
	case 0xf2:
	case 0xf3:
		insn->rep = byte == 0xf3;
		insn->repne = byte == 0xf2;
		break;
	default:
		if (insn->mode != DECODE_64)
			r->seg = byte >> 3 & 3;
	}
}

/* Takes prefixes and opcode; a REX prefix counts only right before the opcode. */
static struct row take_opcode(struct reader *r, struct decode_insn *insn)
{
	struct row row;
	uint8_t byte;

	for (;;) {
		byte = take_byte(r);
		if (r->err)
			return (struct row){0};
		if (insn->mode == DECODE_64 && (byte & 0xf0) == 0x40) {
			r->rex = byte;
			continue;
		}
		row = one_byte[byte];
		if (row.op != GROUP_PREFIX)
			break;
		r->rex = 0;
		set_prefix(r, insn, byte);
	}
	if (byte == 0x63 && insn->mode != DECODE_64)
		return (struct row){0};
	if (byte != 0x0f)
		return row;
	byte = take_byte(r);
	if (byte != 0x38)
		return two_byte[byte];
	if (take_byte(r) == 0x82 && r->size66 && !insn->rep && !insn->repne)
		return (struct row){OP_INVPCID, MODRM | MEMORY};
	return (struct row){0};
}

static unsigned int modrm_reg(const struct reader *r)
{
	return r->modrm >> 3 & 7;
}

static bool modrm_is_register(const struct reader *r)
{
	return r->modrm >> 6 == 3;
}

/* Replaces a group by its member. */
static void choose_member(const struct reader *r, struct row *row)
{
	unsigned int reg = modrm_reg(r);
	struct row member;

	switch (row->op) {
	case GROUP_ALU:
		row->op = OP_ADD + reg;
		row->flags |= row->op == OP_CMP ? 0 : LOCKABLE;
		break;
	case GROUP_BT:
		row->op = reg < 4 ? OP_NONE : OP_BT + (reg - 4);
		row->flags |= row->op == OP_BT ? 0 : LOCKABLE;
		break;
	case GROUP_MOV:
		row->op = reg ? OP_NONE : OP_MOV;
		break;
	case GROUP_UNARY:
		row->op = reg == 0 ? OP_TEST : reg == 2 ? OP_NOT : OP_NONE;
		if (row->op == OP_NOT)
			row->flags = (row->flags & ~(uint32_t)(IMM8 | IMMZ)) | LOCKABLE;
		break;
	case GROUP_STEP:
		row->op = reg < 2 ? OP_INC + reg : OP_NONE;
		break;
	case GROUP_0F00:
	case GROUP_0F01:
		member = row->op == GROUP_0F00 ? group_0f00[reg] : group_0f01[reg];
		row->op = member.op;
		row->flags |= member.flags;
		if (modrm_is_register(r) && (member.flags & MEMORY))
			*row = (struct row){system_0f01[r->modrm & 63], NO_REP};
		break;
	}
}

/* Prefixes and REX bits that choose another instruction under the same opcode. */
static void choose_variant(const struct reader *r, const struct decode_insn *insn, struct row *row)
{
	bool rep = insn->rep || insn->repne;

	if (row->op == OP_PAUSE && (!insn->rep || (r->rex & REX_B)))
		row->op = OP_NONE;
	else if (row->op == OP_WBINVD && insn->rep)
		row->op = OP_WBNOINVD;
	else if ((row->flags & BARE) && (rep || r->size66))
		row->op = OP_NONE;
	else if ((row->flags & NO_REP) && rep && row->op != OP_VMMCALL)
		row->op = OP_NONE;
}

static bool widens(const struct decode_insn *insn)
{
	return insn->op == OP_MOVZX || insn->op == OP_MOVSX;
}

static uint8_t operand_size(const struct reader *r, const struct decode_insn *insn, uint32_t flags)
{
	bool is64 = insn->mode == DECODE_64;
	bool small = r->size66 != (insn->mode == DECODE_16);

	if ((flags & BYTE) && !widens(insn))
		return 1;
	if ((flags & SYSTEM) || insn->op == OP_INVPCID)
		return is64 ? 8 : 4;
	if (r->rex & REX_W)
		return flags & PORT ? 4 : 8;
	if (small && insn->op != OP_MOVNTI)
		return 2;
	return is64 && (flags & STACK) ? 8 : 4;
}

static uint8_t memory_size(const struct decode_insn *insn, uint32_t flags)
{
	switch (insn->op) {
	case OP_INVLPG:
		return 0;
	case OP_INVPCID:
		return 16;
	case OP_SGDT:
	case OP_SIDT:
	case OP_LGDT:
	case OP_LIDT:
		return insn->mode == DECODE_64 ? 10 : 6;
	}
	if (flags & BYTE)
		return 1;
	if (flags & WORD_RM)
		return 2;
	return insn->op == OP_MOVSX && insn->opsize == 8 ? 4 : insn->opsize;
}

static void take_memory_narrow(struct reader *r, struct decode_mem *m)
{
	unsigned int mod = r->modrm >> 6, rm = r->modrm & 7;

	m->base = narrow_rm[rm].base;
	m->index = narrow_rm[rm].index;
	m->seg = narrow_rm[rm].seg;
	if (mod == 0 && rm == 6) {
		m->base = GPR_NONE;
		m->seg = SEG_DS;
		mod = 2;
	}
	if (mod)
		m->disp = take(r, mod);
}

static void take_memory_wide(struct reader *r, bool is64, struct decode_mem *m)
{
	unsigned int mod = r->modrm >> 6;
	uint8_t sib;

	m->base = r->modrm & 7;
	if (m->base == 4) {
		sib = take_byte(r);
		m->base = sib & 7;
		m->index = (sib >> 3 & 7) | (r->rex & REX_X ? 8 : 0);
		m->shift = sib >> 6;
		if (m->index == GPR_RSP)
			m->index = GPR_NONE;
	}
	if (mod == 0 && m->base == 5) {
		m->base = GPR_NONE;
		m->rip = is64 && (r->modrm & 7) == 5;
		mod = 2;
	} else if (r->rex & REX_B) {
		m->base += 8;
	}
	if (m->base == GPR_RSP || m->base == GPR_RBP)
		m->seg = SEG_SS;
	if (mod)
		m->disp = take(r, mod == 1 ? 1 : 4);
}

static struct decode_mem plain_memory(const struct reader *r, uint8_t base)
{
	uint8_t seg = r->seg == NO_OVERRIDE ? SEG_DS : r->seg;

	return (struct decode_mem){.base = base, .index = GPR_NONE, .seg = seg};
}

/* AH, CH, DH, BH are numbers 4..7 of a byte operand without REX. */
static uint8_t split_high(const struct reader *r, uint8_t reg, unsigned int size, bool *high)
{
	*high = size == 1 && !r->rex && reg >= 4 && reg < 8;
	return *high ? reg - 4 : reg;
}

static void take_modrm_operands(struct reader *r, struct decode_insn *insn, uint32_t flags)
{
	uint8_t reg = modrm_reg(r) | (r->rex & REX_R ? 8 : 0);
	uint8_t rm = (r->modrm & 7) | (r->rex & REX_B ? 8 : 0);

	if (flags & SYSTEM) {
		insn->reg = reg;
		insn->rm = rm;
		return;
	}
	insn->reg = split_high(r, reg, insn->opsize, &insn->reg_high);
	if (modrm_is_register(r)) {
		insn->rm = split_high(r, rm, insn->memsize, &insn->rm_high);
		return;
	}
	insn->has_mem = true;
	insn->mem = plain_memory(r, GPR_NONE);
	if (insn->addrsize == 2)
		take_memory_narrow(r, &insn->mem);
	else
		take_memory_wide(r, insn->mode == DECODE_64, &insn->mem);
	if (r->seg != NO_OVERRIDE)
		insn->mem.seg = r->seg;
}

static void take_memory(struct reader *r, struct decode_insn *insn, uint32_t flags)
{
	const uint32_t any = MODRM | MOFFS | TO_STRING | OF_STRING;

	insn->memsize = flags & any ? memory_size(insn, flags) : 0;
	if (flags & (MODRM | SYSTEM)) {
		take_modrm_operands(r, insn, flags);
	} else if (flags & any) {
		insn->has_mem = true;
		insn->mem = plain_memory(r, flags & MOFFS ? GPR_NONE : GPR_RSI);
	}
	if (flags & MOFFS)
		insn->mem.disp = take(r, insn->addrsize);
	if (flags & TO_STRING) {
		insn->mem2 = insn->mem;
		insn->mem = plain_memory(r, GPR_RDI);
		insn->mem.seg = SEG_ES;
	}
}

static void take_immediate(struct reader *r, struct decode_insn *insn, uint32_t flags)
{
	insn->has_imm = flags & (IMM8 | IMMZ);
	if (flags & IMM8)
		insn->imm = (uint64_t)take(r, 1);
	else if (flags & IMMZ)
		insn->imm = (uint64_t)take(r, insn->opsize == 2 ? 2 : 4);
	if (flags & UNSIGNED)
		insn->imm &= 0xff;
	if (insn->op >= OP_BT && insn->op <= OP_BTC)
		insn->imm &= insn->opsize * 8u - 1;
}

/* MOV CR and MOV DR: which registers exist. LOCK MOV CR0 is AMD's other name of CR8. */
static int check_system_register(struct decode_insn *insn)
{
	const unsigned int exist = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 8;

	if (insn->op == OP_MOV_TO_DR || insn->op == OP_MOV_FROM_DR)
		return insn->reg < 8 && !insn->lock ? 0 : ERR_INVAL;
	if (insn->lock) {
		if (insn->reg)
			return ERR_INVAL;
		insn->reg = 8;
	}
	return exist >> insn->reg & 1 ? 0 : ERR_INVAL;
}

static int check(const struct reader *r, struct decode_insn *insn, uint32_t flags)
{
	if (flags & SYSTEM)
		return check_system_register(insn);
	if (insn->lock && !((flags & LOCKABLE) && insn->has_mem && insn->to_rm))
		return ERR_INVAL;
	if ((flags & MEMORY) && modrm_is_register(r))
		return ERR_INVAL;
	return insn->op == OP_INTO && insn->mode == DECODE_64 ? ERR_INVAL : 0;
}

int decode(const uint8_t *bytes, size_t n, enum decode_mode mode, struct decode_insn *out)
{
	struct reader r = {
		.bytes = bytes,
		.n = n < DECODE_MAX ? (unsigned int)n : DECODE_MAX,
		.seg = NO_OVERRIDE,
	};
	struct row row;

	*out = (struct decode_insn){.mode = mode};
	row = take_opcode(&r, out);
	if (row.op && (row.flags & (MODRM | SYSTEM)))
		r.modrm = take_byte(&r);
	if (r.err)
		return r.err;
	choose_member(&r, &row);
	choose_variant(&r, out, &row);
	if (!row.op)
		return ERR_NOSYS;

	out->op = row.op;
	out->to_rm = row.flags & (TO_RM | TO_STRING);
	out->opsize = operand_size(&r, out, row.flags);
	out->addrsize = !r.address67 ? mode : mode == DECODE_32 ? 2 : 4;
	take_memory(&r, out, row.flags);
	take_immediate(&r, out, row.flags);
	out->len = r.at;
	return r.err ? r.err : check(&r, out, row.flags);
}

/* Bytes from the operand to the word that holds the bit of a BT* with a register offset. */
static uint64_t bit_string_offset(const struct decode_insn *insn, uint64_t offset)
{
	unsigned int unused = 64 - insn->opsize * 8u;
	unsigned int shift = insn->opsize == 2 ? 4 : insn->opsize == 4 ? 5 : 6;
	int64_t bit = (int64_t)(offset << unused) >> unused;

	return (uint64_t)(bit >> shift) * insn->opsize;
}

gva_t decode_address(const struct decode_insn *insn, const struct decode_mem *mem,
		     const uint64_t gpr[16], uint64_t rip, const uint64_t seg_base[SEG_COUNT])
{
	uint64_t a = (uint64_t)mem->disp;

	if (mem->rip)
		a += rip + insn->len;
	if (mem->base != GPR_NONE)
		a += gpr[mem->base];
	if (mem->index != GPR_NONE)
		a += gpr[mem->index] << mem->shift;
	if (insn->op >= OP_BT && insn->op <= OP_BTC && !insn->has_imm)
		a += bit_string_offset(insn, gpr[insn->reg]);
	if (insn->addrsize < 8)
		a &= ((uint64_t)1 << insn->addrsize * 8) - 1;
	if (insn->mode == DECODE_64)
		return GVA(mem->seg >= SEG_FS ? a + seg_base[mem->seg] : a);
	return GVA((uint32_t)(a + seg_base[mem->seg]));
}

int decode_length(const uint8_t *bytes, size_t n, enum decode_mode mode)
{
	struct decode_insn insn;
	int err;

	if (n >= 3 && bytes[0] == 0x0f) {
		/* CPUID, WRMSR, RDTSC, RDMSR, RDPMC */
		if (bytes[1] == 0xa2 || (bytes[1] & 0xfc) == 0x30)
			return 2;
		/* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA */
		if (bytes[1] == 0x01 && (bytes[2] & 0xf8) == 0xd8)
			return 3;
	}
	err = decode(bytes, n, mode, &insn);
	return err ? err : insn.len;
}
