/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/msr.h"

#include "monitor/apic.h"
#include "monitor/hw.h"
#include "monitor/icr.h"
#include "monitor/log.h"

/* The APICs stay where they are: the page that is watched, and the monitor's own way to them (R20). */
static int write_apic_base(uint64_t value)
{
	uint64_t now = arch_rdmsr(MSR_APIC_BASE);

	if ((value ^ now) & APIC_BASE_MASK) {
		log_provoked("refused: moving the local APIC to %lx", value & APIC_BASE_MASK);
		return ERR_INVAL;
	}
	if (!(value & APIC_BASE_ENABLE)) {
		log_provoked("refused: switching the local APIC off");
		return ERR_INVAL;
	}
	return msr_try_write(MSR_APIC_BASE, value);
}

bool msr_watched(uint32_t msr, bool write)
{
	return write && (msr == MSR_APIC_BASE || msr == MSR_X2APIC_ICR);
}

int msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	int err = hw_host_msr_read(cpu, msr, value);

	return err == ERR_NOENT ? msr_try_read(msr, value) : err;
}

int msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	int err;

	if (msr == MSR_APIC_BASE)
		return write_apic_base(value);
	if (msr == MSR_X2APIC_ICR) {
		if (!(arch_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC))
			return ERR_INVAL;
		return icr_msr_write(cpu, value);
	}
	err = hw_host_msr_write(cpu, msr, value);
	return err == ERR_NOENT ? msr_try_write(msr, value) : err;
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
