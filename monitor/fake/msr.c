/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileged instructions of the monitor in an ordinary process: each raises #GP, which Linux turns
 * into SIGSEGV; the handler carries it out on the software machine and steps over it. Any other
 * SIGSEGV goes to whoever had the signal before.
 */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "monitor/fake/msr.h"
#include "monitor/fake/port.h"
#include "monitor/msr.h"

#define MSRS_MAX 64

static struct {
	struct {
		uint32_t msr;
		uint64_t value;
	} msr[MSRS_MAX];
	unsigned int count;
	unsigned int writes, wbinvds;
	struct sigaction before;
} m;

static uint64_t *find(uint32_t msr)
{
	for (unsigned int i = 0; i < m.count; i++)
		if (m.msr[i].msr == msr)
			return &m.msr[i].value;
	return NULL;
}

int msr_try_read(uint32_t msr, uint64_t *value)
{
	const uint64_t *at = find(msr);

	if (!at)
		return ERR_INVAL;
	*value = *at;
	return 0;
}

int msr_try_write(uint32_t msr, uint64_t value)
{
	uint64_t *at = find(msr);

	if (!at)
		return ERR_INVAL;
	*at = value;
	m.writes++;
	return 0;
}

/* IN or OUT, or one of the three instructions at RIP, all two bytes long, on MSRs that exist. */
static bool execute(greg_t *regs)
{
	const uint8_t *insn = (const uint8_t *)regs[REG_RIP];
	uint32_t msr = (uint32_t)regs[REG_RCX];
	uint64_t value = (uint32_t)regs[REG_RAX] | (uint64_t)regs[REG_RDX] << 32;
	uint64_t rax = (uint64_t)regs[REG_RAX];
	unsigned int len = fake_port_insn(insn, (uint16_t)regs[REG_RDX], &rax);

	regs[REG_RAX] = (greg_t)rax;
	regs[REG_RIP] += len;
	if (len)
		return true;
	if (insn[0] != 0x0f)
		return false;
	switch (insn[1]) {
	case 0x09:
		m.wbinvds++;
		break;
	case 0x30:
		if (msr_try_write(msr, value))
			return false;
		break;
	case 0x32:
		if (msr_try_read(msr, &value))
			return false;
		regs[REG_RAX] = (uint32_t)value;
		regs[REG_RDX] = (greg_t)(value >> 32);
		break;
	default:
		return false;
	}
	regs[REG_RIP] += 2;
	return true;
}

/* What is not ours happens again, with the old handler. A jump to nowhere has no bytes to look at. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	/* A #GP, unlike a page fault, comes without an address. */
	if (info->si_code != SI_KERNEL || !execute(c->uc_mcontext.gregs))
		sigaction(signal, &m.before, NULL);
}

void fake_catch(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction now;

	sigaction(SIGSEGV, NULL, &now);
	if (now.sa_sigaction != on_fault)
		sigaction(SIGSEGV, &action, &m.before);
}

void fake_msr_reset(void)
{
	m.count = 0;
	m.writes = 0;
	m.wbinvds = 0;
}

void fake_set_msr(uint32_t msr, uint64_t value)
{
	uint64_t *at = find(msr);

	if (!at) {
		ASSERT(m.count < MSRS_MAX);
		m.msr[m.count].msr = msr;
		at = &m.msr[m.count++].value;
	}
	*at = value;
}

uint64_t fake_msr(uint32_t msr)
{
	uint64_t value = 0;
	int err = msr_try_read(msr, &value);

	ASSERT(!err);
	return value;
}

unsigned int fake_msr_writes(void)
{
	return m.writes;
}

unsigned int fake_wbinvds(void)
{
	return m.wbinvds;
}
