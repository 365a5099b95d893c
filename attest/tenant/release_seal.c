/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tenant/release_seal.h"

#include <stddef.h>

#include "crypto/hosted/hpke_seal.h"

int release_seal(struct release_message *m, const struct release *r, const uint8_t monitor[32],
		 const uint8_t tenant[32], const uint8_t ephemeral[32])
{
	struct crypto_hpke h;

	*m = (struct release_message){.version = RELEASE_VERSION, .bytes = sizeof(*m)};
	__builtin_memcpy(m->magic, RELEASE_MAGIC, sizeof(m->magic));
	crypto_x25519_public(m->enc, ephemeral); /* the seal covers both */
	crypto_x25519_public(m->tenant, tenant);
	__builtin_memcpy(h.receiver, monitor, sizeof(h.receiver));
	return crypto_hpke_seal(&h, tenant, ephemeral, RELEASE_INFO, m,
				offsetof(struct release_message, sealed), m->sealed, r, sizeof(*r));
}
