/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware's event log, and its table of final events, put together byte by byte. */
#ifndef TESTS_UNIT_TEST_FIRMWARELOG_BYTES_H
#define TESTS_UNIT_TEST_FIRMWARELOG_BYTES_H

#include <string.h>

#include "attest/firmwarelog.h"

#define SHA1 4
#define SHA256 11
#define EVENT(data) \
	(12 + 2 + 20 + 2 + 32 + 4 + (uint32_t)(data)) /* bytes of one of put_event()'s */
#define HEADER (32u + 28 + 8 + 1)

struct bytes {
	uint8_t *at;
	uint32_t len;
};

static inline void put(struct bytes *b, const void *data, uint32_t len)
{
	memcpy(b->at + b->len, data, len);
	b->len += len;
}

static inline void put16(struct bytes *b, uint16_t v)
{
	put(b, &v, sizeof(v));
}

static inline void put32(struct bytes *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

static inline void put64(struct bytes *b, uint64_t v)
{
	put(b, &v, sizeof(v));
}

/* EV_NO_ACTION with TCG_EfiSpecIDEvent: SHA-1 and SHA-256. */
static inline void put_header(struct bytes *b)
{
	static const uint8_t zero[20];

	put32(b, 0);
	put32(b, 3);
	put(b, zero, 20);
	put32(b, 28 + 8 + 1);
	put(b, "Spec ID Event03", 16);
	put32(b, 0);
	put32(b, 0x02690002); /* version 2.0, errata 105, 64-bit */
	put32(b, 2);
	put16(b, SHA1);
	put16(b, 20);
	put16(b, SHA256);
	put16(b, 32);
	put(b, zero, 1);
}

static inline void put_event(struct bytes *b, uint32_t pcr, uint32_t data)
{
	uint8_t fill[256];

	memset(fill, (int)pcr, sizeof(fill));
	put32(b, pcr);
	put32(b, 0xd);
	put32(b, 2);
	put16(b, SHA1);
	put(b, fill, 20);
	put16(b, SHA256);
	put(b, fill, 32);
	put32(b, data);
	put(b, fill, data);
}

static inline void put_final_head(struct bytes *b, uint64_t events)
{
	put64(b, 1);
	put64(b, events);
}

#endif
