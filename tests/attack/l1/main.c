/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile L1: README.md. */
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"

void l1_main(void)
{
	static const struct attack *const lists[] = {read_attacks,  write_attacks,    page_attacks,
						     table_attacks, vcpu_attacks,     race_attacks,
						     link_attacks,  cpu_attacks,      exit_attacks,
						     event_attacks, lie_attacks,      hv_attacks,
						     dma_attacks,   platform_attacks, NULL};

	vendor_start();
	world_run(lists);
}
