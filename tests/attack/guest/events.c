/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/guest/events.h"

#include <stddef.h>
#include <stdint.h>

#define APIC 0xfee00000u
#define APIC_SPURIOUS 0xf0u
#define APIC_TIMER 0x320u
#define APIC_COUNT 0x380u
#define APIC_DIVIDE 0x3e0u
#define APIC_ENABLED 0x1ffu
#define TIMER_VECTOR 0x40u
#define TIMER_PERIODIC 0x20000u
#define TIMER_BY_1 0xbu
#define PAUSE 1000000u

#define CODE_SELECTOR 8
#define GATE_INTERRUPT 0x8e00u
#define GATE_PROGRAMS 0x6000u /* DPL 3 */
#define SYSTEM_CALL 0x80

struct gate {
	uint16_t low, selector, bits, middle;
	uint32_t high, zero;
};

extern char vector_stubs[];

static struct gate idt[256];
static uint32_t pause_ticks = PAUSE;

static void apic_write(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(APIC + offset) = value;
}

void events_prepare(uint32_t ticks)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(idt) - 1, (uintptr_t)idt};

	for (size_t i = 0; i < 256; i++) {
		uint32_t stub = (uint32_t)(uintptr_t)(vector_stubs + i * 16);

		idt[i] = (struct gate){.low = (uint16_t)stub,
				       .selector = CODE_SELECTOR,
				       .bits = GATE_INTERRUPT,
				       .middle = (uint16_t)(stub >> 16)};
	}
	idt[SYSTEM_CALL].bits |= GATE_PROGRAMS;
	__asm__ volatile("lidt %0" ::"m"(table));
	apic_write(APIC_SPURIOUS, APIC_ENABLED);
	if (ticks)
		pause_ticks = ticks;
}

/* Again and again: an emulator may let the first come between STI and HLT. */
void events_pause(void)
{
	apic_write(APIC_DIVIDE, TIMER_BY_1);
	apic_write(APIC_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
	apic_write(APIC_COUNT, pause_ticks);
	__asm__ volatile("sti; hlt; cli" ::: "memory");
	apic_write(APIC_COUNT, 0);
}
