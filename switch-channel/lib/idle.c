/* SPDX-License-Identifier: Apache-2.0 */
/* Polling that becomes rarer: busy, then giving the processor up, then asleep. */
#include <sched.h>

#include "switch-channel/lib/netherchan.h"

#define BUSY_ROUNDS 1000u
#define YIELD_ROUNDS 100u
#define SHORTEST_US 20u
#define LONGEST_US 1000u

uint32_t netherchan_idle(struct netherchan_idle *idle, bool worked)
{
	uint32_t busy = idle->busy ? idle->busy : BUSY_ROUNDS;
	uint32_t longest = idle->longest ? idle->longest : LONGEST_US;

	if (worked) {
		idle->rounds = 0;
		idle->sleep = 0;
		return 0;
	}
	if (idle->rounds < busy) {
		idle->rounds++;
		__builtin_ia32_pause();
		return 0;
	}
	if (idle->rounds < busy + YIELD_ROUNDS) {
		idle->rounds++;
		sched_yield();
		return 0;
	}
	idle->sleep = idle->sleep ? idle->sleep * 2 : SHORTEST_US;
	if (idle->sleep > longest)
		idle->sleep = longest;
	return idle->sleep;
}
