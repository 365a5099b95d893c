/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/account.h"

#include "monitor/arch.h"

void account_exit(struct cpu *cpu, struct exit_stats *stats, enum exit_reason reason, uint64_t tsc)
{
	stats->count[reason]++;
	cpu->charge = &stats->cycles[reason];
	cpu->exit_tsc = tsc;
}

void account_end(struct cpu *cpu)
{
	if (cpu->charge)
		*cpu->charge += arch_rdtsc() - cpu->exit_tsc;
	cpu->charge = NULL;
}
