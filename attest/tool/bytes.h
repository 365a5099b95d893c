/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that others have sent: with their bounds, and read only within them. */
#ifndef ATTEST_TOOL_BYTES_H
#define ATTEST_TOOL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Allocated; the owner's. */
struct bytes {
	uint8_t *at;
	size_t n;
};

/* What is left to be read. Once something was not there, bad, and all that is taken is zeros or NULL. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static inline const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->at;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return at;
}

/* A little-endian number of up to 8 bytes. */
static inline uint64_t take_le(struct cursor *c, unsigned int bytes)
{
	const uint8_t *at = take(c, bytes);
	uint64_t value = 0;

	for (unsigned int i = 0; at && i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/* The pointer, or the end of the program: no memory. */
void *need(void *allocated);

void bytes_free(struct bytes *b);
struct bytes bytes_copy(const void *at, size_t n);

/* 2 * n lower-case digits and a 0. */
void hex_encode(char *out, const uint8_t *in, size_t n);
/* Exactly 2 * n digits, of either case, and nothing after. */
bool hex_decode(uint8_t *out, const char *text, size_t n);

/* RFC 4648, 4, with padding and nothing else: false if it is not that, or of more than max bytes. */
bool base64_decode(struct bytes *out, const char *text, size_t max);
char *base64_encode(const uint8_t *in, size_t n);

void hash(uint8_t out[32], const void *data, size_t n);

#endif
