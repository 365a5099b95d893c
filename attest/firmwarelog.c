/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/firmwarelog.h"

#define EV_NO_ACTION 3u

/* TCG_PCR_EVENT with TCG_EfiSpecIDEvent up to its list of algorithms (10.2.1, 10.4.5.1). */
struct spec_id {
	uint32_t pcr;
	uint32_t type;
	uint8_t sha1[20];
	uint32_t bytes; /* of what follows */
	char signature[16];
	uint32_t platform;
	uint8_t minor, major, errata, uintn;
	uint32_t banks;
};

#define EVENT_HEAD 32u /* up to and with spec_id.bytes */

_Static_assert(offsetof(struct spec_id, signature) == EVENT_HEAD, "TCG_PCR_EVENT");
_Static_assert(sizeof(struct spec_id) == EVENT_HEAD + 28, "TCG_EfiSpecIDEvent");

/* Copies n bytes at *at, and goes on behind them. False: they do not all lie within len. */
static bool take(void *to, const uint8_t *bytes, uint32_t len, uint32_t *at, uint32_t n)
{
	if (*at > len || n > len - *at)
		return false;
	if (to)
		__builtin_memcpy(to, bytes + *at, n);
	*at += n;
	return true;
}

bool firmwarelog_open(struct firmwarelog *log, const uint8_t *bytes, uint32_t len)
{
	struct spec_id id;
	uint32_t at = 0;

	if (!take(&id, bytes, len, &at, sizeof(id)) || id.type != EV_NO_ACTION ||
	    __builtin_memcmp(id.signature, "Spec ID Event03", sizeof(id.signature)) != 0 ||
	    !id.banks || id.banks > FIRMWARELOG_BANKS_MAX || id.bytes > len - EVENT_HEAD ||
	    !take(log->bank, bytes, EVENT_HEAD + id.bytes, &at,
		  id.banks * (uint32_t)sizeof(log->bank[0])))
		return false;
	log->banks = id.banks;
	log->first = EVENT_HEAD + id.bytes;
	return true;
}

static bool digest_bytes(const struct firmwarelog *log, uint16_t algorithm, uint32_t *n)
{
	for (uint32_t i = 0; i < log->banks; i++)
		if (log->bank[i].algorithm == algorithm) {
			*n = log->bank[i].bytes;
			return true;
		}
	return false;
}

/* Goes past one TCG_PCR_EVENT2 (10.2.2). */
static bool skip_event(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		       uint32_t *at)
{
	struct {
		uint32_t pcr, type, digests;
	} head;
	uint32_t n;

	if (!take(&head, bytes, len, at, sizeof(head)) || head.digests > log->banks)
		return false;
	while (head.digests--) {
		uint16_t algorithm;

		if (!take(&algorithm, bytes, len, at, sizeof(algorithm)) ||
		    !digest_bytes(log, algorithm, &n) || !take(NULL, bytes, len, at, n))
			return false;
	}
	if (!take(&n, bytes, len, at, sizeof(n)) || !take(NULL, bytes, len, at, n))
		return false;
	return true;
}

bool firmwarelog_end(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		     uint64_t last, uint32_t *end)
{
	uint32_t at = log->first;
	bool good = true;

	if (last) {
		while (good && at < last)
			good = skip_event(log, bytes, len, &at);
		good = good && at == last && skip_event(log, bytes, len, &at);
	}
	*end = at;
	return good;
}

bool firmwarelog_final(const struct firmwarelog *log, const uint8_t *table, uint32_t len,
		       uint64_t skip, uint32_t *from, uint32_t *to)
{
	struct firmwarelog_final head;
	uint32_t at = 0;

	if (!take(&head, table, len, &at, sizeof(head)) || head.version != 1 || head.events < skip)
		return false;
	for (uint64_t i = 0; i < head.events; i++) {
		if (i == skip)
			*from = at;
		if (!skip_event(log, table, len, &at))
			return false;
	}
	if (head.events == skip)
		*from = at;
	*to = at;
	return true;
}
