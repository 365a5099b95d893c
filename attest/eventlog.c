/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/eventlog.h"

#define SHA1_BYTES 20u

/* TCG_EfiSpecIDEvent: 10.4.5.1. Version is its errata, minor and major, and the size of a UINTN, 1: 32 bits, 2: 64. */
#define PLATFORM_CLIENT 0u
#define VERSION_MINOR 0u
#define VERSION_MAJOR 2u
#define UINTN_64 2u

/* Writes with a bound: what would leave it does nothing, and is remembered. */
struct cursor {
	uint8_t *p;
	uint32_t at, end;
	bool past;
};

static uint8_t *take(struct cursor *c, uint32_t n)
{
	if (n > c->end - c->at) {
		c->past = true;
		return NULL;
	}
	c->at += n;
	return c->p + c->at - n;
}

static void put(struct cursor *c, uint32_t value, uint32_t bytes)
{
	uint8_t *p = take(c, bytes);

	for (uint32_t i = 0; p && i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* NULL: zeros. */
static void put_bytes(struct cursor *c, const void *from, uint32_t n)
{
	uint8_t *p = take(c, n);

	if (p && from)
		__builtin_memcpy(p, from, n);
	else if (p)
		__builtin_memset(p, 0, n);
}

/* Zeros or ones in place of an event's PCR, type and number of digests: memory that the firmware has not used. */
static bool unused(const uint8_t *p, uint32_t n)
{
	uint8_t first = n ? p[0] : 0;

	for (uint32_t i = 0; i < n && i < 12; i++)
		if (p[i] != first)
			return false;
	return first == 0 || first == 0xff;
}

int eventlog_continue(struct eventlog *log, uint32_t n, const char **why)
{
	uint32_t at;

	ASSERT(n <= log->size);
	log->used = 0;
	if (!firmwarelog_open(&log->format, log->bytes, n)) {
		*why = "it does not begin as a crypto-agile log with SHA-256";
		return ERR_INVAL;
	}
	at = log->format.first;
	while (!unused(log->bytes + at, n - at)) {
		if (!firmwarelog_skip(&log->format, log->bytes, n, &at)) {
			*why = "one of its events is malformed";
			return ERR_INVAL;
		}
	}
	log->used = at;
	return 0;
}

static int finish(struct eventlog *log, const struct cursor *c)
{
	if (c->past)
		return ERR_2BIG;
	log->used = c->at;
	return 0;
}

int eventlog_begin(struct eventlog *log, const struct tpm *t)
{
	struct cursor c = {log->bytes, 0, log->size, false};

	put(&c, 0, 4);
	put(&c, FIRMWARELOG_NO_ACTION, 4);
	put_bytes(&c, NULL, SHA1_BYTES);
	put(&c, sizeof(FIRMWARELOG_SIGNATURE) + 4 + 3 + 1 + 4 + 4 * t->bank_count + 1, 4);
	put_bytes(&c, FIRMWARELOG_SIGNATURE, sizeof(FIRMWARELOG_SIGNATURE));
	put(&c, PLATFORM_CLIENT, 4);
	put(&c, VERSION_MINOR, 1);
	put(&c, VERSION_MAJOR, 1);
	put(&c, 0, 1);
	put(&c, UINTN_64, 1);
	put(&c, t->bank_count, 4);
	for (unsigned int i = 0; i < t->bank_count; i++) {
		struct firmwarelog_bank *bank = &log->format.bank[i];

		bank->algorithm = t->bank[i];
		bank->bytes = (uint16_t)tpm_digest_bytes(t->bank[i]);
		put(&c, bank->algorithm, 2);
		put(&c, bank->bytes, 2);
	}
	put(&c, 0, 1);
	log->format.first = c.at;
	log->format.banks = t->bank_count;
	return finish(log, &c);
}

int eventlog_add(struct eventlog *log, uint32_t pcr, uint32_t type,
		 const struct tpm_digests *digests, const void *data, uint32_t n)
{
	struct cursor c = {log->bytes, log->used, log->size, false};

	put(&c, pcr, 4);
	put(&c, type, 4);
	put(&c, log->format.banks, 4);
	for (unsigned int i = 0; i < log->format.banks; i++) {
		const struct firmwarelog_bank *bank = &log->format.bank[i];
		const uint8_t *digest = NULL;

		for (unsigned int j = 0; j < digests->count; j++)
			if (digests->of[j].algorithm == bank->algorithm)
				digest = digests->of[j].digest;
		put(&c, bank->algorithm, 2);
		put_bytes(&c, digest, bank->bytes);
	}
	put(&c, n, 4);
	put_bytes(&c, data, n);
	return finish(log, &c);
}
