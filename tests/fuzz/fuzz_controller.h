/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers of disk controllers share: a guest whose every word is one secret, and a hostile agent. */
#ifndef FUZZ_CONTROLLER_H
#define FUZZ_CONTROLLER_H

#define GUEST_RAM (64u << 10)
#include "tests/fuzz/fuzz_disk.h"
#include "tests/unit/test_dma.h"

#define SECTORS 300u
#define WORD 0x5ec2e75eu
#define OPERATIONS 200u

static inline int agent(const struct disk_io *io)
{
	uint8_t how = next8();

	if (how == 1)
		return -5;
	honest(io);
	if (how == 2 && io->op == DISK_READ && io->bytes)
		((uint8_t *)io->buf)[next_bytes(2) % io->bytes] ^= 1;
	return 0;
}

/* The device model reads and writes what it sees: pieces of so many bytes. */
static inline void hostile(uint32_t piece)
{
	uint32_t at = (uint32_t)next_bytes(2), n = (uint32_t)next_bytes(1) * piece;

	for (uint32_t i = 0; i < n && at + i < GUEST_RAM; i++)
		view[at + i] = next8() & 0x81; /* it does not guess the secret */
}

#endif
