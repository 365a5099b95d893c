/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCSs in an ordinary process: VMREAD, VMWRITE, VMPTRLD, VMCLEAR, INVEPT and INVVPID of the code
 * under test raise a signal, and are carried out here on arrays. MOV of CR2 and of debug registers, WBINVD,
 * RDMSR and WRMSR (monitor/fake/msr.h) likewise.
 */
#ifndef TESTS_UNIT_TEST_VMX_VMCS_H
#define TESTS_UNIT_TEST_VMX_VMCS_H

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "monitor/msr.h"
#include "monitor/vmx/vmcs.h"

#define VMCS_FLAGS 0x8d5 /* CF PF AF ZF SF OF: VMsucceed clears them */
#define VMCS_FLAG_ZF 0x40
#define VMCS_COUNT 5
#define VMCS_FIELDS_MAX 0x7000u

static struct {
	uint64_t *field; /* of the current VMCS, by encoding */
	uint64_t of[VMCS_COUNT][VMCS_FIELDS_MAX];
	unsigned int writes, clears[VMCS_COUNT], invepts, invvpids;
	uint64_t inv_type, inv_operand[2]; /* of the last INVEPT or INVVPID */
	bool inv_fails;                    /* set by tests */
	uint64_t cr2, dr[8];
	unsigned int moves; /* to debug registers */
	unsigned int writebacks;
} vmcs;

/* A VMCS's address is its number. */
static inline void vmcs_load(uint64_t hpa)
{
	if (hpa >= VMCS_COUNT)
		abort();
	vmcs.field = vmcs.of[hpa];
}

/* The current VMCS is none after it is cleared: a VMREAD or VMWRITE then ends the test. */
static inline void vmcs_clear(uint64_t hpa)
{
	if (hpa >= VMCS_COUNT)
		abort();
	vmcs.clears[hpa]++;
	if (vmcs.field == vmcs.of[hpa])
		vmcs.field = NULL;
}

/* A general-purpose register by its number in instruction encodings. */
static greg_t *vmcs_reg(greg_t *regs, unsigned int number)
{
	static const int at[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15};

	return &regs[at[number]];
}

/* [REX] 0F 20 to 23 with CR2 or a debug register: 3 bytes. */
static unsigned int vmcs_move(greg_t *regs, const uint8_t *insn, uint8_t rex)
{
	unsigned int number = (insn[2] >> 3 & 7) | (rex & 4) << 1;
	greg_t *rm = vmcs_reg(regs, (insn[2] & 7) | (rex & 1) << 3);
	uint64_t *at = insn[1] & 1 ? &vmcs.dr[number & 7] : &vmcs.cr2;

	if (insn[2] < 0xc0 || number > 7 || (!(insn[1] & 1) && number != 2))
		return 0;
	if (insn[1] & 2)
		*at = (uint64_t)*rm;
	else
		*rm = (greg_t)*at;
	vmcs.moves += insn[1] == 0x23;
	return 3;
}

/* 0F 30 or 32, of an MSR that exists: 2 bytes. */
static unsigned int vmcs_msr(greg_t *regs, bool write)
{
	uint64_t value = (uint32_t)regs[REG_RAX] | (uint64_t)regs[REG_RDX] << 32;
	uint32_t msr = (uint32_t)regs[REG_RCX];

	if (write ? msr_try_write(msr, value) : msr_try_read(msr, &value))
		return 0;
	regs[REG_RAX] = (uint32_t)value;
	regs[REG_RDX] = (greg_t)(value >> 32);
	return 2;
}

/* [REX] 0F 78 or 79 with two registers: 3 bytes. */
static unsigned int vmcs_registers(greg_t *regs, const uint8_t *insn, uint8_t rex)
{
	greg_t *reg = vmcs_reg(regs, (insn[2] >> 3 & 7) | (rex & 4) << 1);
	greg_t *rm = vmcs_reg(regs, (insn[2] & 7) | (rex & 1) << 3);

	if (insn[2] < 0xc0 || !vmcs.field)
		return 0;
	if ((uint64_t)*reg >= VMCS_FIELDS_MAX)
		return 0;
	if (insn[1] == 0x78)
		*rm = (greg_t)vmcs.field[*reg];
	else
		vmcs.field[*reg] = (uint64_t)*rm;
	vmcs.writes += insn[1] == 0x79;
	regs[REG_EFL] &= ~VMCS_FLAGS;
	return 3;
}

/* Length of ModRM, SIB and displacement, and the address; no index. 0: not understood. */
static unsigned int vmcs_memory(greg_t *regs, const uint8_t *modrm, uint8_t rex, const void **at)
{
	unsigned int base = modrm[0] & 7, mod = modrm[0] >> 6, len = 1;
	int32_t displacement = 0;

	if (base == 4) {
		if ((modrm[1] >> 3 & 7) != 4)
			return 0;
		base = modrm[1] & 7;
		len = 2;
	}
	if (mod == 3 || (mod == 0 && base == 5))
		return 0;
	if (mod == 1)
		displacement = (modrm[len] ^ 0x80) - 0x80;
	else if (mod == 2)
		memcpy(&displacement, modrm + len, sizeof(displacement));
	*at = (const void *)(*vmcs_reg(regs, base | (rex & 1) << 3) + displacement);
	return len + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static void vmcs_invalidate(greg_t *regs, const uint8_t *insn, uint8_t rex, const void *operand)
{
	*(insn[2] & 1 ? &vmcs.invvpids : &vmcs.invepts) += 1;
	vmcs.inv_type = (uint64_t)*vmcs_reg(regs, (insn[3] >> 3 & 7) | (rex & 4) << 1);
	memcpy(vmcs.inv_operand, operand, sizeof(vmcs.inv_operand));
}

/* Its length, or 0. */
static unsigned int vmcs_execute(greg_t *regs)
{
	const uint8_t *start = (const uint8_t *)regs[REG_RIP], *insn = start;
	bool prefix = *insn == 0x66, inv = false;
	uint8_t rex;
	const void *operand;
	unsigned int len;

	insn += prefix;
	rex = (*insn & 0xf0) == 0x40 ? *insn++ : 0;
	if (insn[0] != 0x0f)
		return 0;
	vmcs.writebacks += insn[1] == 0x09;
	if (insn[1] == 0x09)
		return 2;
	if (insn[1] == 0x30 || insn[1] == 0x32)
		return vmcs_msr(regs, insn[1] == 0x30);
	if (insn[1] >= 0x20 && insn[1] <= 0x23) {
		len = vmcs_move(regs, insn, rex);
		return len ? (unsigned int)(insn - start) + len : 0;
	}
	if (insn[1] == 0x78 || insn[1] == 0x79) {
		len = vmcs_registers(regs, insn, rex);
	} else if (insn[1] == 0xc7 && (insn[2] >> 3 & 7) == 6) {
		len = 2 + vmcs_memory(regs, insn + 2, rex, &operand);
		if (len > 2)
			(prefix ? vmcs_clear : vmcs_load)(*(const uint64_t *)operand);
	} else if (prefix && insn[1] == 0x38 && (insn[2] & 0xfe) == 0x80) {
		len = 3 + vmcs_memory(regs, insn + 3, rex, &operand);
		inv = len > 3;
		if (inv)
			vmcs_invalidate(regs, insn, rex, operand);
	} else {
		return 0;
	}
	regs[REG_EFL] &= ~VMCS_FLAGS;
	if (inv && vmcs.inv_fails)
		regs[REG_EFL] |= VMCS_FLAG_ZF;
	return len > 2 ? (unsigned int)(insn - start) + len : 0;
}

static void vmcs_on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	unsigned int len = vmcs_execute(c->uc_mcontext.gregs);

	if (len)
		c->uc_mcontext.gregs[REG_RIP] += len;
	else
		signal(number, SIG_DFL);
}

/* From here on, in each test: the library takes the signals at its start. VMCS 0 is current. */
static inline void vmcs_catch(void)
{
	struct sigaction action = {.sa_sigaction = vmcs_on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	memset(&vmcs, 0, sizeof(vmcs));
	vmcs_load(0);
}

#endif
