/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/eventlog.h"

#define EV_NO_ACTION 3u
#define SHA1_BYTES 20u
/* Intel's events of a TXT launch (315168, "TPM Event Log"), and the PCR of those that only tell. */
#define EV_TXT_FIRST 0x400u
#define EV_TXT_LAST 0x4ffu
#define TXT_NO_PCR 0xffu
#define SIGNATURE "Spec ID Event03" /* with its NUL: 16 bytes */

/* TCG_EfiSpecIDEvent: 10.4.5.1. version is its errata, minor and major, and the size of a UINTN, 1: 32 bits, 2: 64. */
#define PLATFORM_CLIENT 0u
#define VERSION_MINOR 0u
#define VERSION_MAJOR 2u
#define UINTN_64 2u

/* Reads and writes with a bound: what would leave it does nothing, and is remembered. */
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

static uint32_t get(struct cursor *c, uint32_t bytes)
{
	const uint8_t *p = take(c, bytes);
	uint32_t value = 0;

	while (p && bytes--)
		value = value << 8 | p[bytes];
	return value;
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

static bool is_zero(const uint8_t *p, uint32_t n)
{
	while (n && !*p) {
		p++;
		n--;
	}
	return !n;
}

static bool lists(const struct eventlog *log, unsigned int n, uint16_t algorithm, unsigned int *i)
{
	for (*i = 0; *i < n; ++*i)
		if (log->of[*i].algorithm == algorithm)
			return true;
	return false;
}

/* The header event's data. */
static bool read_spec_id(struct eventlog *log, struct cursor *c)
{
	const uint8_t *signature = take(c, sizeof(SIGNATURE));
	unsigned int i;

	take(c, 4 + 3 + 1); /* platform's class, version, size of a UINTN */
	log->count = get(c, 4);
	if (c->past || __builtin_memcmp(signature, SIGNATURE, sizeof(SIGNATURE)) != 0 ||
	    !log->count || log->count > EVENTLOG_ALGORITHMS_MAX)
		return false;
	for (unsigned int n = 0; n < log->count; n++) {
		uint16_t algorithm = (uint16_t)get(c, 2), bytes = (uint16_t)get(c, 2);
		uint32_t known = tpm_digest_bytes(algorithm);

		if (!bytes || bytes > TPM_DIGEST_MAX || (known && known != bytes) ||
		    lists(log, n, algorithm, &i))
			return false;
		log->of[n].algorithm = algorithm;
		log->of[n].bytes = bytes;
	}
	take(c, get(c, 1)); /* the vendor's */
	return !c->past && c->at == c->end && lists(log, log->count, TPM_SHA256, &i);
}

/* TCG_PCClientPCREvent, of the old format, with the header as its data. */
static bool read_header(struct eventlog *log, struct cursor *c)
{
	uint32_t pcr = get(c, 4), type = get(c, 4);
	const uint8_t *digest = take(c, SHA1_BYTES);
	uint32_t size = get(c, 4);
	struct cursor event = {c->p, c->at, c->at + size, false};

	if (!take(c, size) || c->past || pcr || type != EV_NO_ACTION ||
	    !is_zero(digest, SHA1_BYTES))
		return false;
	return read_spec_id(log, &event);
}

/* One of each algorithm that the header lists. */
static bool read_digests(const struct eventlog *log, struct cursor *c)
{
	uint32_t count = get(c, 4), seen = 0;
	unsigned int i;

	if (count != log->count)
		return false;
	while (count--) {
		if (!lists(log, log->count, (uint16_t)get(c, 2), &i) || seen & 1u << i ||
		    !take(c, log->of[i].bytes))
			return false;
		seen |= 1u << i;
	}
	return true;
}

static bool read_event(const struct eventlog *log, struct cursor *c)
{
	uint32_t pcr = get(c, 4), type = get(c, 4);

	if (!read_digests(log, c) || !take(c, get(c, 4)))
		return false;
	return !c->past && (pcr < TPM_PCRS || type == EV_NO_ACTION ||
			    (pcr == TXT_NO_PCR && type >= EV_TXT_FIRST && type <= EV_TXT_LAST));
}

/* Zeros or ones in place of an event's PCR, type and number of digests: memory that the firmware has not used. */
static bool unused(const struct cursor *c)
{
	uint32_t n = c->end - c->at < 12 ? c->end - c->at : 12;
	uint8_t first = n ? c->p[c->at] : 0;

	for (uint32_t i = 0; i < n; i++)
		if (c->p[c->at + i] != first)
			return false;
	return first == 0 || first == 0xff;
}

int eventlog_continue(struct eventlog *log, uint32_t n, const char **why)
{
	struct cursor c = {log->bytes, 0, n, false};

	ASSERT(n <= log->size);
	log->used = 0;
	if (!read_header(log, &c)) {
		*why = "it does not begin as a crypto-agile log with SHA-256";
		return ERR_INVAL;
	}
	while (!unused(&c)) {
		if (!read_event(log, &c)) {
			*why = "one of its events is malformed";
			return ERR_INVAL;
		}
	}
	log->used = c.at;
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
	put(&c, EV_NO_ACTION, 4);
	put_bytes(&c, NULL, SHA1_BYTES);
	put(&c, sizeof(SIGNATURE) + 4 + 3 + 1 + 4 + 4 * t->bank_count + 1, 4);
	put_bytes(&c, SIGNATURE, sizeof(SIGNATURE));
	put(&c, PLATFORM_CLIENT, 4);
	put(&c, VERSION_MINOR, 1);
	put(&c, VERSION_MAJOR, 1);
	put(&c, 0, 1);
	put(&c, UINTN_64, 1);
	put(&c, t->bank_count, 4);
	for (unsigned int i = 0; i < t->bank_count; i++) {
		log->of[i].algorithm = t->bank[i];
		log->of[i].bytes = (uint16_t)tpm_digest_bytes(t->bank[i]);
		put(&c, log->of[i].algorithm, 2);
		put(&c, log->of[i].bytes, 2);
	}
	put(&c, 0, 1);
	log->count = t->bank_count;
	return finish(log, &c);
}

int eventlog_add(struct eventlog *log, uint32_t pcr, uint32_t type,
		 const struct tpm_digests *digests, const void *data, uint32_t n)
{
	struct cursor c = {log->bytes, log->used, log->size, false};

	put(&c, pcr, 4);
	put(&c, type, 4);
	put(&c, log->count, 4);
	for (unsigned int i = 0; i < log->count; i++) {
		const uint8_t *digest = NULL;

		for (unsigned int j = 0; j < digests->count; j++)
			if (digests->of[j].algorithm == log->of[i].algorithm)
				digest = digests->of[j].digest;
		put(&c, log->of[i].algorithm, 2);
		put_bytes(&c, digest, log->of[i].bytes);
	}
	put(&c, n, 4);
	put_bytes(&c, data, n);
	return finish(log, &c);
}
