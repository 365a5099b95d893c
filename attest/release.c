/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/release.h"

#include "crypto/hpke.h"
#include "ept/base.h"

#define DRIVES 4 /* as iodecrypt/mailbox.h */

static bool makes_sense(const struct release *r)
{
	return r->drive < DRIVES && r->plain >> DRIVES == 0 && r->consent <= 1 &&
	       r->root_known <= 1 && r->anchor <= 2 && !(r->zero[0] | r->zero[1] | r->zero[2]);
}

int release_open(struct release *out, const struct release_message *m, const uint8_t public[32],
		 const uint8_t key[32])
{
	struct crypto_hpke h;
	int err = ERR_KEY;

	__builtin_memset(out, 0, sizeof(*out));
	if (__builtin_memcmp(m->magic, RELEASE_MAGIC, sizeof(m->magic)) != 0 ||
	    m->version != RELEASE_VERSION || m->bytes != sizeof(*m))
		return ERR_INVAL;
	__builtin_memcpy(h.enc, m->enc, sizeof(h.enc));
	__builtin_memcpy(h.receiver, public, sizeof(h.receiver));
	__builtin_memcpy(h.sender, m->tenant, sizeof(h.sender));
	if (!crypto_hpke_open(&h, key, RELEASE_INFO, m, offsetof(struct release_message, sealed),
			      out, m->sealed, sizeof(*out)))
		err = makes_sense(out) ? 0 : ERR_INVAL;
	if (err)
		crypto_wipe(out, sizeof(*out));
	return err;
}
