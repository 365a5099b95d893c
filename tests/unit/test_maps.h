/* SPDX-License-Identifier: Apache-2.0 */
/* Permission maps, bit by bit: L1's in memory, the monitor's as bytes. A bit that is 0 is open. */
#ifndef TESTS_UNIT_TEST_MAPS_H
#define TESTS_UNIT_TEST_MAPS_H

#include "monitor/fake/machine.h"

static void set_bit(uint64_t map, unsigned int bit, bool on)
{
	uint8_t *byte = fake_at(HPA(map + bit / 8), 1);

	*byte = (uint8_t)((*byte & ~(1u << bit % 8)) | (unsigned int)on << bit % 8);
}

static bool get_bit(const uint8_t *map, unsigned int bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

/* How many bits are open in all. */
static unsigned int open_in(const uint8_t *map, size_t bytes)
{
	unsigned int n = 0;

	for (unsigned int bit = 0; bit < bytes * 8; bit++)
		n += !get_bit(map, bit);
	return n;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

#endif
