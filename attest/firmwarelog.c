/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/firmwarelog.h"

#include "attest/tpm.h"

/* Intel's events of a TXT launch (315168, "TPM Event Log"), and the PCR of those that only tell. */
#define EV_TXT_FIRST 0x400u
#define EV_TXT_LAST 0x4ffu
#define TXT_NO_PCR 0xffu

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

/* Whether one of the first n banks has this algorithm: number *i. */
static bool find_bank(const struct firmwarelog *log, uint32_t n, uint16_t algorithm, uint32_t *i)
{
	for (*i = 0; *i < n; ++*i)
		if (log->bank[*i].algorithm == algorithm)
			return true;
	return false;
}

/* Sizes are right as far as we know them, nothing is there twice, and SHA-256 is. */
static bool banks_good(const struct firmwarelog *log)
{
	uint32_t ignored;

	for (uint32_t i = 0; i < log->banks; i++) {
		const struct firmwarelog_bank *bank = &log->bank[i];
		uint32_t known = tpm_digest_bytes(bank->algorithm);

		if (!bank->bytes || bank->bytes > TPM_DIGEST_MAX ||
		    (known && known != bank->bytes) || find_bank(log, i, bank->algorithm, &ignored))
			return false;
	}
	return find_bank(log, log->banks, TPM_SHA256, &ignored);
}

bool firmwarelog_open(struct firmwarelog *log, const uint8_t *bytes, uint32_t len)
{
	static const uint8_t zeros[sizeof(((struct spec_id *)NULL)->sha1)];
	struct spec_id id;
	uint32_t at = 0;
	uint8_t vendor;

	if (!take(&id, bytes, len, &at, sizeof(id)) || id.pcr || id.type != FIRMWARELOG_NO_ACTION ||
	    __builtin_memcmp(id.sha1, zeros, sizeof(zeros)) != 0 ||
	    __builtin_memcmp(id.signature, FIRMWARELOG_SIGNATURE, sizeof(id.signature)) != 0 ||
	    !id.banks || id.banks > FIRMWARELOG_BANKS_MAX || id.bytes > len - EVENT_HEAD)
		return false;
	log->banks = id.banks;
	log->first = EVENT_HEAD + id.bytes;
	return take(log->bank, bytes, log->first, &at, id.banks * (uint32_t)sizeof(log->bank[0])) &&
	       take(&vendor, bytes, log->first, &at, sizeof(vendor)) &&
	       take(NULL, bytes, log->first, &at, vendor) && at == log->first && banks_good(log);
}

static bool pcr_good(uint32_t pcr, uint32_t type)
{
	return pcr < TPM_PCRS || type == FIRMWARELOG_NO_ACTION ||
	       (pcr == TXT_NO_PCR && type >= EV_TXT_FIRST && type <= EV_TXT_LAST);
}

/* TCG_PCR_EVENT2 (10.2.2). */
bool firmwarelog_skip(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		      uint32_t *at)
{
	struct {
		uint32_t pcr, type, digests;
	} head;
	uint32_t n, i, seen = 0;
	uint16_t algorithm;

	if (!take(&head, bytes, len, at, sizeof(head)) || !pcr_good(head.pcr, head.type) ||
	    head.digests != log->banks)
		return false;
	while (head.digests--) {
		if (!take(&algorithm, bytes, len, at, sizeof(algorithm)) ||
		    !find_bank(log, log->banks, algorithm, &i) || seen & 1u << i ||
		    !take(NULL, bytes, len, at, log->bank[i].bytes))
			return false;
		seen |= 1u << i;
	}
	return take(&n, bytes, len, at, sizeof(n)) && take(NULL, bytes, len, at, n);
}

bool firmwarelog_end(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		     uint64_t last, uint32_t *end)
{
	uint32_t at = log->first;
	bool good = true;

	if (last) {
		while (good && at < last)
			good = firmwarelog_skip(log, bytes, len, &at);
		good = good && at == last && firmwarelog_skip(log, bytes, len, &at);
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
		if (!firmwarelog_skip(log, table, len, &at))
			return false;
	}
	if (head.events == skip)
		*from = at;
	*to = at;
	return true;
}
