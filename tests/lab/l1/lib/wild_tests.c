/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/wild_tests.h"

#include "lib/apic.h"
#include "lib/attacks.h"
#include "lib/test.h"
#include "wild.h"

#define TIMER_VECTOR 0x61
#define WAYS_MAX 256

/* A run whose entries are nearly all refused, or come out all in one way, would test little. */
static void check_variety(uint64_t n, uint64_t refused, const bool seen[WAYS_MAX], unsigned wanted)
{
	unsigned ways = 0;

	for (unsigned i = 0; i < WAYS_MAX; i++)
		ways += seen[i];
	print("%u exit codes, %u refused\n", U64(ways), refused);
	if (n >= 10000)
		CHECK(refused > n / 100 && refused < n / 4 * 3 && ways > wanted,
		      "too little variety");
}

void wild_entries(const struct wild_test *t)
{
	uint64_t n = option("entries", t->entries), refused = 0;
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	uint64_t trace = option("trace", UINT64_MAX);
	static bool seen[WAYS_MAX];
	static struct wild w;

	wild_start(&w, attack_seed);
	print("seed 0x%x, %u entries\n", attack_seed, n);
	apic_timer(TIMER_VECTOR | APIC_TIMER_PERIODIC, (uint32_t)option("timer", t->timer));
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t before = w.random.state, exit;

		wild_next(&w);
		if (i >= trace)
			print("entry %u, generator 0x%x\n", i, before);
		exit = wild_run(&w);
		if (wild_refused(exit))
			refused++;
		else
			seen[exit % WAYS_MAX] = true;
		CHECK(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4 &&
			      rdmsr(MSR_EFER) == efer,
		      "entry %u (generator 0x%x), exit 0x%x: CR0 0x%x CR3 0x%x CR4 0x%x EFER 0x%x",
		      i, before, exit, read_cr0(), read_cr3(), read_cr4(), rdmsr(MSR_EFER));
		if (i % 1000 == 0)
			t->good_guest_runs();
		if (i % t->progress == 0) {
			print("%u entries, %u refused\n", i, refused);
			attack_survived();
		}
	}
	apic_timer(TIMER_VECTOR, 0);
	attack_survived();
	check_variety(n, refused, seen, t->ways);
}
