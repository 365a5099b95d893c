/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/digest.h"

#include "ept/phys.h"

#define BEGINNING "nether-launch v2" /* 16 bytes: the NUL is not hashed */

enum record {
	RECORD_MODE = 1,
	RECORD_SHARED = 2,
	RECORD_ZEROES = 3,
	RECORD_PAGE = 4,
	RECORD_STATE = 5,
	RECORD_MANIFEST = 6,
};

static void put(struct digest *d, const uint64_t *words, size_t n)
{
	crypto_sha256_update(&d->hash, words, n * sizeof(*words));
}

#define PUT(d, ...) \
	put(d, (const uint64_t[]){__VA_ARGS__}, ARRAY_SIZE(((const uint64_t[]){__VA_ARGS__})))

void digest_begin(struct digest *d, bool sealed)
{
	d->zeroes = 0;
	crypto_sha256_init(&d->hash);
	crypto_sha256_update(&d->hash, BEGINNING, sizeof(BEGINNING) - 1);
	PUT(d, RECORD_MODE, sealed);
}

void digest_shared(struct digest *d, const struct guest_layout *layout)
{
	PUT(d, RECORD_SHARED, layout->count);
	for (unsigned int i = 0; i < layout->count; i++)
		PUT(d, layout->shared[i].start.a, layout->shared[i].end.a, layout->reason[i]);
}

static void end_zeroes(struct digest *d)
{
	if (d->zeroes)
		PUT(d, RECORD_ZEROES, d->zero.a, d->zeroes);
	d->zeroes = 0;
}

static bool is_zero(const uint64_t *page)
{
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*page); i += 8)
		if (page[i] | page[i + 1] | page[i + 2] | page[i + 3] | page[i + 4] | page[i + 5] |
		    page[i + 6] | page[i + 7])
			return false;
	return true;
}

int digest_page(void *context, gpa_t gpa, hpa_t page)
{
	struct digest *d = context;
	const void *bytes = phys_at(page);

	phys_relax();
	if (d->zeroes && gpa.a != d->zero.a + d->zeroes * PAGE_SIZE)
		end_zeroes(d);
	if (is_zero(bytes)) {
		if (!d->zeroes++)
			d->zero = gpa;
		return 0;
	}
	end_zeroes(d);
	PUT(d, RECORD_PAGE, gpa.a);
	crypto_sha256_update(&d->hash, bytes, PAGE_SIZE);
	return 0;
}

void digest_state(struct digest *d, const uint64_t state[DIGEST_STATES])
{
	end_zeroes(d);
	PUT(d, RECORD_STATE, DIGEST_STATES);
	put(d, state, DIGEST_STATES);
}

void digest_manifest(struct digest *d, const void *bytes, size_t len)
{
	PUT(d, RECORD_MANIFEST, len);
	crypto_sha256_update(&d->hash, bytes, len);
}

void digest_end(struct digest *d, uint8_t out[DIGEST_BYTES])
{
	crypto_sha256_final(&d->hash, out);
}
