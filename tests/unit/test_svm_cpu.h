/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AMD's processor has besides a VMCB, in an ordinary process: VMLOAD, VMSAVE, WBINVD and MOV of DR0 to
 * DR7 of the code under test raise a signal, and are carried out here.
 */
#ifndef TESTS_UNIT_TEST_SVM_CPU_H
#define TESTS_UNIT_TEST_SVM_CPU_H

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "monitor/mem.h"
#include "monitor/svm/vmcb.h"

static struct {
	struct vmcb_save s; /* of it only what VMLOAD and VMSAVE move */
	uint64_t dr[8];
	unsigned int loads, saves, moves, writebacks;
} volatile svm_cpu;

/* APM volume 3, VMLOAD. */
static void svm_move(volatile struct vmcb_save *to, const volatile struct vmcb_save *from)
{
	to->fs = from->fs;
	to->gs = from->gs;
	to->ldtr = from->ldtr;
	to->tr = from->tr;
	to->star = from->star;
	to->lstar = from->lstar;
	to->cstar = from->cstar;
	to->sfmask = from->sfmask;
	to->kernel_gs_base = from->kernel_gs_base;
	to->sysenter_cs = from->sysenter_cs;
	to->sysenter_esp = from->sysenter_esp;
	to->sysenter_eip = from->sysenter_eip;
}

/* [REX] 0F 21 or 23 with two registers: 3 bytes. */
static unsigned int svm_move_debug(greg_t *regs, const uint8_t *insn, uint8_t rex)
{
	static const int at[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15};
	greg_t *rm = &regs[at[(insn[2] & 7) | (rex & 1) << 3]];
	unsigned int number = insn[2] >> 3 & 7;

	if (insn[2] < 0xc0 || (rex & 4))
		return 0;
	if (insn[1] == 0x23)
		svm_cpu.dr[number] = (uint64_t)*rm;
	else
		*rm = (greg_t)svm_cpu.dr[number];
	svm_cpu.moves++;
	return 3;
}

/* Its length, or 0. */
static unsigned int svm_execute(greg_t *regs)
{
	const uint8_t *insn = (const uint8_t *)regs[REG_RIP];
	uint8_t rex = (*insn & 0xf0) == 0x40 ? *insn++ : 0;
	struct vmcb *vmcb;
	unsigned int len;

	if (insn[0] != 0x0f)
		return 0;
	if (insn[1] == 0x09) {
		svm_cpu.writebacks++;
		return 2 + !!rex;
	}
	if (insn[1] == 0x21 || insn[1] == 0x23) {
		len = svm_move_debug(regs, insn, rex);
		return len ? len + !!rex : 0;
	}
	if (insn[1] != 0x01 || (insn[2] != 0xda && insn[2] != 0xdb))
		return 0;
	vmcb = mem_at(HPA((uint64_t)regs[REG_RAX]));
	if (insn[2] == 0xda)
		svm_move(&svm_cpu.s, &vmcb->s);
	else
		svm_move(&vmcb->s, &svm_cpu.s);
	svm_cpu.loads += insn[2] == 0xda;
	svm_cpu.saves += insn[2] == 0xdb;
	return 3 + !!rex;
}

static void svm_on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	unsigned int len = svm_execute(c->uc_mcontext.gregs);

	if (len)
		c->uc_mcontext.gregs[REG_RIP] += len;
	else
		signal(number, SIG_DFL);
}

/* From here on, in each test: the library takes the signals at its start. */
static inline void svm_catch(void)
{
	struct sigaction action = {.sa_sigaction = svm_on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	memset((void *)&svm_cpu, 0, sizeof(svm_cpu));
}

#endif
