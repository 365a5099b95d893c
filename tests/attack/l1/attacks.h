/* SPDX-License-Identifier: Apache-2.0 */
/* The attacks. What each must meet is in tests/attack/l1/expect.py, in words for people too. */
#ifndef ATTACK_L1_ATTACKS_H
#define ATTACK_L1_ATTACKS_H

struct attack {
	const char *name;
	void (*run)(void);
};

/* Lists that end with a NULL name: by file, and the vendor's own. */
extern const struct attack read_attacks[], write_attacks[], page_attacks[], table_attacks[],
	vcpu_attacks[], race_attacks[], link_attacks[], cpu_attacks[], exit_attacks[],
	event_attacks[], lie_attacks[], hv_attacks[], dma_attacks[], platform_attacks[];

#endif
