/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's commands and responses, byte by byte, big-endian. */
#ifndef ATTEST_TPM_BYTES_H
#define ATTEST_TPM_BYTES_H

#include "ept/base.h"

/* A command or response begins with tag, size and code (TPM 2.0 library, part 1, 18). */
#define TPM_HEADER 10u

/* Of a command under construction, or of a response: reading past the end gives zeros, and is remembered. */
struct tpm_cursor {
	uint8_t *p;
	uint32_t at, end;
	bool past;
};

static inline void tpm_put(struct tpm_cursor *c, uint32_t value, uint32_t bytes)
{
	ASSERT(bytes <= c->end - c->at);
	while (bytes--)
		c->p[c->at++] = (uint8_t)(value >> 8 * bytes);
}

static inline void tpm_put_bytes(struct tpm_cursor *c, const void *bytes, uint32_t n)
{
	ASSERT(n <= c->end - c->at);
	__builtin_memcpy(c->p + c->at, bytes, n);
	c->at += n;
}

/* A TPM2B: its size, then its bytes. */
static inline void tpm_put_sized(struct tpm_cursor *c, const void *bytes, uint16_t n)
{
	tpm_put(c, n, 2);
	tpm_put_bytes(c, bytes, n);
}

static inline uint32_t tpm_get(struct tpm_cursor *c, uint32_t bytes)
{
	uint32_t value = 0;

	if (bytes > c->end - c->at) {
		c->past = true;
		return 0;
	}
	while (bytes--)
		value = value << 8 | c->p[c->at++];
	return value;
}

static inline void tpm_get_bytes(struct tpm_cursor *c, void *out, uint32_t n)
{
	if (n > c->end - c->at) {
		c->past = true;
		__builtin_memset(out, 0, n);
		return;
	}
	__builtin_memcpy(out, c->p + c->at, n);
	c->at += n;
}

/* All of it was read, and no more. */
static inline bool tpm_complete(const struct tpm_cursor *c)
{
	return !c->past && c->at == c->end;
}

#endif
