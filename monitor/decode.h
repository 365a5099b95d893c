/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes the instructions that can exit to the monitor: those the processor can intercept, whose
 * length is their successor's address, and those with a memory operand that device memory or a
 * trapped table page can meet. Everything else is refused.
 */
#ifndef MONITOR_DECODE_H
#define MONITOR_DECODE_H

#include "ept/addr.h"

#define DECODE_MAX 15 /* bytes; longer instructions raise #GP */

/* X(NAME). The order means nothing, except ADD..CMP, INC..DEC and BT..BTC: the encodings' own. */
/* clang-format off */
#define DECODE_OPS(X)                                                                \
	X(NONE)                                                                      \
	/* length is all, or registers are implied */                                \
	X(CPUID) X(HLT) X(RDMSR) X(WRMSR) X(RDTSC) X(RDTSCP) X(RDPMC) X(RDPRU)       \
	X(INVD) X(WBINVD) X(WBNOINVD) X(PAUSE) X(INVLPGA) X(INVLPGB) X(TLBSYNC)      \
	X(VMRUN) X(VMLOAD) X(VMSAVE) X(VMMCALL) X(VMCALL) X(STGI) X(CLGI) X(SKINIT)  \
	X(MONITOR) X(MWAIT) X(MONITORX) X(MWAITX) X(XSETBV) X(PUSHF) X(POPF) X(IRET) \
	X(INT3) X(INTO) X(ICEBP) X(RSM) X(CLTS)                                      \
	/* imm = vector */                                                           \
	X(INT)                                                                       \
	/* opsize bytes; port = imm if has_imm, else DX */                           \
	X(IN) X(OUT)                                                                 \
	/* port DX; INS: mem = ES:rDI, OUTS: mem = seg:rSI */                        \
	X(INS) X(OUTS)                                                               \
	/* reg = control or debug register, rm = general register */                 \
	X(MOV_TO_CR) X(MOV_FROM_CR) X(MOV_TO_DR) X(MOV_FROM_DR)                      \
	/* rm or mem */                                                              \
	X(LMSW) X(SMSW) X(SLDT) X(STR) X(LLDT) X(LTR)                                \
	/* mem; INVPCID: reg too */                                                  \
	X(SGDT) X(SIDT) X(LGDT) X(LIDT) X(INVLPG) X(INVPCID)                         \
	/* reg or imm, and rm or mem */                                              \
	X(MOV) X(MOVZX) X(MOVSX) X(MOVNTI) X(XCHG) X(CMPXCHG) X(TEST)                \
	X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP)                       \
	/* rm or mem */                                                              \
	X(NOT) X(INC) X(DEC)                                                         \
	/* bit = imm, or reg: then any bit of a string in memory */                  \
	X(BT) X(BTS) X(BTR) X(BTC)                                                   \
	/* reg = rAX, mem = seg:rSI */                                               \
	X(LODS)                                                                      \
	/* mem = ES:rDI; STOS: reg = rAX, MOVS: mem2 = seg:rSI */                    \
	X(STOS) X(MOVS)
/* clang-format on */

enum decode_op {
#define X(name) OP_##name,
	DECODE_OPS(X)
#undef X
		OP_COUNT
};

/* What the code segment says; the value is the default address size in bytes. */
enum decode_mode {
	DECODE_16 = 2, /* real mode, virtual 8086, CS.D = 0 */
	DECODE_32 = 4, /* CS.D = 1, compatibility mode included */
	DECODE_64 = 8, /* EFER.LMA and CS.L */
};

/* Numbers as instructions encode them; 8..15 are R8..R15. */
enum decode_gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_NONE = 16
};
enum decode_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

struct decode_mem {
	uint8_t base, index; /* enum decode_gpr */
	uint8_t shift;       /* index is shifted left by 0..3 */
	uint8_t seg;         /* enum decode_seg; in 64-bit mode only FS and GS have a base */
	bool rip;            /* disp counts from the next instruction */
	int64_t disp;
};

struct decode_insn {
	uint8_t op;       /* enum decode_op */
	uint8_t len;      /* 1..DECODE_MAX */
	uint8_t mode;     /* enum decode_mode */
	uint8_t opsize;   /* operand size in bytes: 1, 2, 4, 8; MOVZX/MOVSX: of the destination */
	uint8_t addrsize; /* 2, 4, 8 */
	uint8_t memsize;  /* bytes accessed at mem (one element if rep), 0: none (INVLPG) */
	bool lock, rep, repne; /* prefixes present (the last of F2 and F3 counts) */
	bool has_mem; /* mem is valid; else rm is, if the instruction has such an operand */
	bool has_imm;
	bool to_rm;    /* mem or rm is the first operand: the one written, if the op writes */
	uint8_t reg;   /* general register 0..15; MOV_*_CR/DR: control or debug register */
	uint8_t rm;    /* general register 0..15 */
	bool reg_high; /* bits 15:8 of reg (AH, CH, DH, BH); reg is then 0..3 */
	bool rm_high;  /* the same for rm */
	struct decode_mem mem, mem2;
	uint64_t imm; /* sign-extended to 64 bits; INT, IN, OUT: 0..255; BT*: 0..opsize * 8 - 1 */
};

/*
 * Decodes the instruction at bytes, of which n are known. Returns 0; ERR_NOENT if n is too few
 * (fetch more); ERR_INVAL if the processor itself refuses the encoding (longer than DECODE_MAX,
 * LOCK where it is not allowed, no such register or form in this mode); ERR_NOSYS if it is not one
 * of ours. *out is defined only on 0.
 */
int decode(const uint8_t *bytes, size_t n, enum decode_mode mode, struct decode_insn *out);

/*
 * The length alone, as decode() would give it in out->len, or decode()'s error. Quick for the
 * instructions that hypervisors execute all the time, written without prefixes.
 */
int decode_length(const uint8_t *bytes, size_t n, enum decode_mode mode);

/*
 * Linear address of mem (insn->mem or insn->mem2), wrapped as the mode wraps it: registers in
 * encoding order, segment bases in SEG_* order (used only where the mode uses them), rip = the
 * instruction's own. For BT* with a register bit offset: of the operand-sized word that holds the
 * bit. No limit or canonical check.
 */
gva_t decode_address(const struct decode_insn *insn, const struct decode_mem *mem,
		     const uint64_t gpr[16], uint64_t rip, const uint64_t seg_base[SEG_COUNT]);

#endif
