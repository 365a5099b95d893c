/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hmac_drbg.h"

#include "crypto/bearssl.h"

void hmac_drbg_init(struct hmac_drbg *d, const void *seed, size_t len)
{
	struct bearssl_outside outside;

	bearssl_enter(&outside);
	br_hmac_drbg_init(&d->state, &br_sha256_vtable, seed, len);
	bearssl_leave(&outside);
}

void hmac_drbg_reseed(struct hmac_drbg *d, const void *seed, size_t len)
{
	struct bearssl_outside outside;

	bearssl_enter(&outside);
	br_hmac_drbg_update(&d->state, seed, len);
	bearssl_leave(&outside);
}

void hmac_drbg_generate(struct hmac_drbg *d, void *out, size_t n)
{
	struct bearssl_outside outside;

	if (n > HMAC_DRBG_MAX)
		__builtin_trap();
	bearssl_enter(&outside);
	br_hmac_drbg_generate(&d->state, out, n);
	bearssl_leave(&outside);
}
