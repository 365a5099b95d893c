/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's commands and responses, byte by byte, big-endian, within bounds. */
#ifndef ATTEST_TPM_BYTES_H
#define ATTEST_TPM_BYTES_H

#include "ept/base.h"

#define TPM_HEAD 10u /* tag, size, code (TPM 2.0 library, part 1, 18) */

struct tpm_writer {
	uint8_t *to;
	uint32_t room, at;
	bool full; /* something had no room */
};

static inline void tpm_put(struct tpm_writer *w, const void *bytes, uint32_t n)
{
	if (w->full || n > w->room - w->at) {
		w->full = true;
		return;
	}
	__builtin_memcpy(w->to + w->at, bytes, n);
	w->at += n;
}

static inline void tpm_put8(struct tpm_writer *w, uint8_t value)
{
	tpm_put(w, &value, 1);
}

static inline void tpm_put16(struct tpm_writer *w, uint16_t value)
{
	tpm_put8(w, (uint8_t)(value >> 8));
	tpm_put8(w, (uint8_t)value);
}

static inline void tpm_put32(struct tpm_writer *w, uint32_t value)
{
	tpm_put16(w, (uint16_t)(value >> 16));
	tpm_put16(w, (uint16_t)value);
}

/* A TPM2B: its size, then its bytes. */
static inline void tpm_put_sized(struct tpm_writer *w, const void *bytes, uint16_t n)
{
	tpm_put16(w, n);
	tpm_put(w, bytes, n);
}

struct tpm_reader {
	const uint8_t *from;
	uint32_t bytes, at;
	bool bad; /* something was not there: zeros were read */
};

static inline uint8_t tpm_get8(struct tpm_reader *r)
{
	if (r->at >= r->bytes) {
		r->bad = true;
		return 0;
	}
	return r->from[r->at++];
}

static inline uint16_t tpm_get16(struct tpm_reader *r)
{
	uint16_t high = tpm_get8(r);

	return (uint16_t)(high << 8 | tpm_get8(r));
}

static inline uint32_t tpm_get32(struct tpm_reader *r)
{
	uint32_t high = tpm_get16(r);

	return high << 16 | tpm_get16(r);
}

static inline void tpm_get(struct tpm_reader *r, uint8_t *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = tpm_get8(r);
}

#endif
