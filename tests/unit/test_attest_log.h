/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs that tests make. */
#ifndef TESTS_UNIT_TEST_ATTEST_LOG_H
#define TESTS_UNIT_TEST_ATTEST_LOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tool/log.h"

struct made {
	uint8_t at[1 << 16];
	size_t n;
};

static inline void put(struct made *m, const void *bytes, size_t n)
{
	assert_true(m->n + n <= sizeof(m->at));
	if (n)
		memcpy(m->at + m->n, bytes, n);
	m->n += n;
}

static inline void put_le(struct made *m, uint64_t value, unsigned int bytes)
{
	uint8_t b[8];

	for (unsigned int i = 0; i < bytes; i++)
		b[i] = (uint8_t)(value >> 8 * i);
	put(m, b, bytes);
}

/* The head, with SHA-1 and SHA-256. */
static inline void put_head(struct made *m)
{
	static const uint8_t zeros[20];

	m->n = 0;
	put_le(m, 0, 4);
	put_le(m, EV_NO_ACTION, 4);
	put(m, zeros, sizeof(zeros));
	put_le(m, 16 + 8 + 4 + 8 + 1, 4);
	put(m, "Spec ID Event03", 16);
	put_le(m, 0, 4);
	put_le(m, 0x02000200, 4);
	put_le(m, 2, 4);
	put_le(m, 0x00140004, 4);
	put_le(m, 0x0020000b, 4);
	put_le(m, 0, 1);
}

static inline void put_event(struct made *m, uint32_t pcr, uint32_t type, const uint8_t digest[32],
			     const void *data, size_t n)
{
	static const uint8_t sha1[20];

	put_le(m, pcr, 4);
	put_le(m, type, 4);
	put_le(m, 2, 4);
	put_le(m, 4, 2);
	put(m, sha1, sizeof(sha1));
	put_le(m, 0xb, 2);
	put(m, digest, 32);
	put_le(m, n, 4);
	put(m, data, n);
}

/* One whose digest is its data's. */
static inline void put_hashed(struct made *m, uint32_t pcr, uint32_t type, const void *data,
			      size_t n)
{
	uint8_t digest[32];

	hash(digest, data, n);
	put_event(m, pcr, type, digest, data, n);
}

/* A copy of exactly these bytes, so that the sanitizer sees who reads beyond them. */
static inline int parse_made(struct log *l, const uint8_t *at, size_t n, uint8_t **copy,
			     char why[LOG_WHY])
{
	*copy = malloc(n ? n : 1);
	assert_non_null(*copy);
	if (n)
		memcpy(*copy, at, n);
	return log_parse(l, *copy, n, false, why);
}

#endif
