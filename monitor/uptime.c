/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/uptime.h"

#include "monitor/arch.h"
#include "monitor/log.h"

#define TIMER_RATE 3579545u /* Hz, of at least 24 bits: ACPI 6.4, 4.8.3.3 */
#define TIMER_MASK 0xffffffu
#define SPAN 7159u /* of its ticks: 2 ms */
#define TRIES 3
#define PATIENCE \
	(1u << 30) /* of the counter's ticks until a timer counts as one that stands still */
#define WRITE_TICKS \
	4096u /* more than a write to the counter takes: by many of them L1 only makes the clock faster */

static struct {
	uint64_t start;
	uint64_t rate; /* ticks in a millisecond; 0: not known */
	uint64_t seen; /* ticks since start; atomic */
} uptime;

static uint32_t read_timer(uint16_t port)
{
	return arch_in(port, 4) & TIMER_MASK;
}

/* The counter's ticks in a millisecond, over at least n of the timer's; 0: it does not go on. */
static uint64_t measure(uint16_t port, uint32_t n)
{
	uint32_t from = read_timer(port);
	uint64_t start = arch_rdtsc(), now = start;

	while (now - start < PATIENCE) {
		uint64_t passed = (read_timer(port) - from) & TIMER_MASK;

		now = arch_rdtsc();
		if (passed >= n)
			return (now - start) * TIMER_RATE / (passed * 1000);
	}
	return 0;
}

/* The least of some: if the firmware (SMM) comes between the looks at both, that makes it more, and the clock slower. */
static uint64_t find_rate(uint16_t port)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; least && i < TRIES; i++) {
		uint64_t rate = measure(port, 1) ? measure(port, SPAN) : 0; /* from an edge on */

		least = rate < least ? rate : least;
	}
	return least;
}

void uptime_init(const struct fadt *fadt)
{
	uptime.start = arch_rdtsc();
	uptime.rate = 0;
	if (fadt->timer.space == ACPI_PORT)
		uptime.rate = find_rate((uint16_t)fadt->timer.address);
	if (uptime.rate)
		log_line("the time-stamp counter has %lu kHz", uptime.rate);
	else
		log_line("no timer to measure the time-stamp counter by: no keys can be released");
}

/* Signed: a CPU's may be behind the one that set the start. */
static uint64_t ticks_at(const struct cpu *cpu, uint64_t tsc)
{
	int64_t ticks = (int64_t)(tsc - cpu->tsc_moved - uptime.start);

	return ticks > 0 ? (uint64_t)ticks : 0;
}

void uptime_join(struct cpu *cpu)
{
	uint64_t seen = __atomic_load_n(&uptime.seen, __ATOMIC_ACQUIRE);

	cpu->tsc_moved = arch_rdtsc() - uptime.start - seen;
}

void uptime_moved(struct cpu *cpu, uint64_t before, uint64_t after)
{
	cpu->tsc_moved += after - before - WRITE_TICKS;
}

uint64_t uptime_ticks(void)
{
	uint64_t now = ticks_at(cpu_this(), arch_rdtsc());
	uint64_t seen = __atomic_load_n(&uptime.seen, __ATOMIC_ACQUIRE);

	while (seen < now)
		if (__atomic_compare_exchange_n(&uptime.seen, &seen, now, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return now;
	return seen;
}

uint64_t uptime_rate(void)
{
	return uptime.rate;
}

uint64_t uptime_ms(void)
{
	return uptime.rate ? uptime_ticks() / uptime.rate : 0;
}
