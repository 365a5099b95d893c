/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VMCS in an ordinary process: the VMREAD and VMWRITE of the code under test raise a signal, and
 * are carried out here on an array. MOV to CR2 likewise.
 */
#ifndef TESTS_UNIT_TEST_VMX_VMCS_H
#define TESTS_UNIT_TEST_VMX_VMCS_H

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "monitor/vmx/vmcs.h"

#define VMCS_FLAGS 0x8d5 /* CF PF AF ZF SF OF: VMsucceed clears them */

static struct {
	uint64_t field[0x8000]; /* by encoding */
	unsigned int writes;
	uint64_t cr2;
} vmcs;

/* A general-purpose register by its number in instruction encodings. */
static greg_t *vmcs_reg(greg_t *regs, unsigned int number)
{
	static const int at[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15};

	return &regs[at[number]];
}

/* [REX] 0F 78, 79 or 22 with two registers. */
static bool vmcs_execute(greg_t *regs)
{
	const uint8_t *insn = (const uint8_t *)regs[REG_RIP];
	uint8_t rex = (insn[0] & 0xf0) == 0x40 ? *insn++ : 0;
	greg_t *reg = vmcs_reg(regs, (insn[2] >> 3 & 7) | (rex & 4) << 1);
	greg_t *rm = vmcs_reg(regs, (insn[2] & 7) | (rex & 1) << 3);

	if (insn[0] != 0x0f || insn[2] < 0xc0)
		return false;
	if (insn[1] == 0x22 && (insn[2] >> 3 & 7) == 2) {
		vmcs.cr2 = (uint64_t)*rm;
	} else if (insn[1] == 0x78 && (uint64_t)*reg < 0x8000) {
		*rm = (greg_t)vmcs.field[*reg];
	} else if (insn[1] == 0x79 && (uint64_t)*reg < 0x8000) {
		vmcs.field[*reg] = (uint64_t)*rm;
		vmcs.writes++;
	} else {
		return false;
	}
	if (insn[1] != 0x22)
		regs[REG_EFL] &= ~VMCS_FLAGS;
	regs[REG_RIP] = (greg_t)(insn + 3);
	return true;
}

static void vmcs_on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	if (!vmcs_execute(c->uc_mcontext.gregs))
		signal(number, SIG_DFL);
}

/* From here on, in each test: the library takes the signals at its start. */
static inline void vmcs_catch(void)
{
	struct sigaction action = {.sa_sigaction = vmcs_on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	memset(&vmcs, 0, sizeof(vmcs));
}

#endif
