/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/apic.h"

#include "lib/cpu.h"

#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define ICR_BUSY 0x1000u
#define DIVIDE_BY_1 0xbu

void apic_init(void)
{
	apic_write(APIC_SVR, SVR_ENABLE | APIC_SPURIOUS_VECTOR);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

void apic_send(uint32_t apic_id, uint32_t icr)
{
	while (apic_read(APIC_ICR_LOW) & ICR_BUSY)
		cpu_pause();
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR_LOW, icr | ICR_ASSERT);
}

bool apic_pending(unsigned vector)
{
	return apic_read(APIC_IRR + vector / 32 * 16) >> vector % 32 & 1;
}

void apic_timer(unsigned vector, uint32_t ticks)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, ticks ? vector : LVT_MASKED);
	apic_write(APIC_TIMER_COUNT, ticks);
}
