/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/msr.h"

#include "monitor/apic.h"
#include "monitor/hw.h"
#include "monitor/icr.h"
#include "monitor/msr_list.h"
#include "monitor/refusal.h"
#include "monitor/types.h"
#include "monitor/uptime.h"

#define BANK_REPORTS 0x6u       /* of four registers: STATUS and ADDR */
#define BANK_NEW 0xc0002000u    /* from here on a bank has sixteen */
#define BANK_NEW_REPORTS 0x346u /* STATUS, ADDR, SYND, DESTAT, DEADDR */

/* The APICs stay where they are: the page that is watched, and the monitor's own way to them (R20). */
static int write_apic_base(uint64_t value)
{
	uint64_t now = arch_rdmsr(MSR_APIC_BASE);

	if (((value ^ now) & APIC_BASE_MASK) || !(value & APIC_BASE_ENABLE)) {
		refusal_note(REFUSAL_APIC, MSR_APIC_BASE, value);
		return ERR_INVAL;
	}
	return msr_try_write(MSR_APIC_BASE, value);
}

static int write_icr(struct cpu *cpu, uint64_t value)
{
	if (!(arch_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC))
		return ERR_INVAL;
	return icr_msr_write(cpu, value);
}

static int write_lvt(uint32_t msr, uint64_t value)
{
	uint64_t now;

	if (apic_lvt_allowed((uint32_t)value) || msr_try_read(msr, &now))
		return msr_try_write(msr, value);
	refusal_note(REFUSAL_APIC, msr, value);
	return 0;
}

/* To what the backend keeps for L1, or to the hardware. */
static int store(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	int err = hw_host_msr_write(cpu, msr, value);

	return err == ERR_NOENT ? msr_try_write(msr, value) : err;
}

/* Whether a change of `changed` to `value` is one the rule says nothing against. */
static uint64_t allowed(const struct msr_rule *rule, uint32_t msr, uint64_t changed, uint64_t value)
{
	unsigned int reports =
		msr >= BANK_NEW ? BANK_NEW_REPORTS >> msr % 16 : BANK_REPORTS >> msr % 4;

	if (rule->kind == RULE_BANK)
		return reports & 1 ? changed & ~value : changed;
	return (changed & value & rule->set) | (changed & ~value & rule->clear);
}

/* Writes as much of it as the rule leaves to L1. */
static int write_part(struct cpu *cpu, const struct msr_rule *rule, uint32_t msr, uint64_t value)
{
	uint64_t now, change;
	int err = msr_read(cpu, msr, &now);

	if (err)
		return err;
	change = allowed(rule, msr, value ^ now, value);
	if ((now ^ change) != value)
		refusal_note(rule->why, msr, value);
	return change ? store(cpu, msr, now ^ change) : 0;
}

/* Whatever the hardware makes of it: what the counter reads is what counts. */
static int write_counter(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	uint64_t before = arch_rdtsc();
	int err = msr_try_write(msr, value);

	uptime_moved(cpu, before, arch_rdtsc());
	return err;
}

bool msr_watched(uint32_t msr, bool write)
{
	return types_is_mtrr(msr) || (write && msr_rule(msr)->kind != RULE_OPEN);
}

int msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	int err = hw_host_msr_read(cpu, msr, value);

	if (err != ERR_NOENT)
		return err;
	return types_is_mtrr(msr) ? types_get(msr, value) : msr_try_read(msr, value);
}

int msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	const struct msr_rule *rule = msr_rule(msr);

	if (types_is_mtrr(msr))
		return types_set(msr, value);
	switch (rule->kind) {
	case RULE_BASE:
		return write_apic_base(value);
	case RULE_ICR:
		return write_icr(cpu, value);
	case RULE_LVT:
		return write_lvt(msr, value);
	case RULE_COUNTER:
		return write_counter(cpu, msr, value);
	case RULE_OPEN:
	case RULE_BACKEND:
		return store(cpu, msr, value);
	case RULE_COMMAND:
		refusal_note(rule->why, msr, value);
		return 0;
	default:
		return write_part(cpu, rule, msr, value);
	}
}

int msr_access(struct cpu *cpu, bool write)
{
	uint64_t *r = cpu->regs.r;
	uint32_t msr = (uint32_t)r[RCX];
	uint64_t value = (uint32_t)r[RAX] | r[RDX] << 32;
	int err = write ? msr_write(cpu, msr, value) : msr_read(cpu, msr, &value);

	if (!err && !write) {
		r[RAX] = (uint32_t)value;
		r[RDX] = value >> 32;
	}
	return err;
}
