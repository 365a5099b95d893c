/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/identity.h"

#include "crypto/p256.h"
#include "crypto/x25519.h"

/* Zero until drawn, so that it lies where mem_wipe() comes at a reset. */
static struct {
	uint8_t receive[CRYPTO_X25519_BYTES];
	uint8_t sign[CRYPTO_P256_KEY_BYTES];
	struct measured_keys public;
} identity;

int identity_init(const char **why)
{
	int err;

	*why = "no random numbers for the monitor's keys";
	err = crypto_random(identity.receive, sizeof(identity.receive));
	if (err)
		return err;
	crypto_x25519_public(identity.public.receive, identity.receive);
	do { /* one key in 2^32 is none */
		err = crypto_random(identity.sign, sizeof(identity.sign));
		if (err)
			return err;
	} while (crypto_p256_public(identity.public.sign, identity.sign));
	return 0;
}

void identity_public(struct measured_keys *out)
{
	*out = identity.public;
}

void identity_sign(uint8_t out[64], const uint8_t digest[32])
{
	crypto_p256_sign(out, identity.sign, digest);
}

int identity_open(struct release *out, const struct release_message *m)
{
	return release_open(out, m, identity.public.receive, identity.receive);
}
