/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/apic.h"

#include "monitor/arch.h"
#include "monitor/mem.h"

hpa_t apic_page(void)
{
	return HPA(arch_rdmsr(MSR_APIC_BASE) & APIC_BASE_MASK);
}

static volatile uint32_t *reg(unsigned int offset)
{
	return (volatile uint32_t *)((char *)mem_at(apic_page()) + offset);
}

uint32_t apic_read(unsigned int offset)
{
	return *reg(offset);
}

void apic_write(unsigned int offset, uint32_t value)
{
	*reg(offset) = value;
}

bool apic_lvt_allowed(uint32_t entry)
{
	switch (entry & ICR_MODE_MASK) {
	case 0:       /* fixed */
	case 1u << 8: /* to the CPU of lowest priority */
	case ICR_MODE_NMI:
	case ICR_MODE_MASK: /* the old interrupt controller's */
		return true;
	default:
		return entry & LVT_MASKED;
	}
}

static void wait_idle(void)
{
	while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
		arch_pause();
}

void apic_send(uint32_t apic_id, uint32_t command)
{
	uint32_t high;

	if (arch_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC) {
		arch_wrmsr(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | command);
		return;
	}
	wait_idle();
	high = apic_read(APIC_ICR_HIGH);
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR_LOW, command);
	wait_idle();
	apic_write(APIC_ICR_HIGH, high);
}
