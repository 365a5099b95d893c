/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to bring a word into memory. */
#ifndef ATTACK_L1_STORES_H
#define ATTACK_L1_STORES_H

#include "ept/base.h"

struct store {
	const char *name;
	void (*store)(volatile uint64_t *at, uint64_t value);
};

extern const struct store stores[];
extern const unsigned stores_count;

#endif
