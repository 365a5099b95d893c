/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte, then what a tenant may seal, or a whole message. What was sealed opens as it was if it makes sense, and with any one byte
 * changed it does not; a message of the input's own choice never does. Whatever fails leaves zeros.
 */
#include <string.h>

#include "attest/tenant/release_seal.h"
#include "crypto/crypto.h"
#include "crypto/x25519.h"
#include "ept/base.h"

static uint8_t monitor[32] = {1}, monitor_public[32], tenant[32] = {2}, ephemeral[32] = {3};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *why;

	ASSERT(!crypto_init(&why));
	crypto_x25519_public(monitor_public, monitor);
	return 0;
}

static int open_it(struct release *r, const struct release_message *m)
{
	static const struct release none;
	int err;

	memset(r, 0x3c, sizeof(*r));
	err = release_open(r, m, monitor_public, monitor);
	ASSERT(!err || err == ERR_INVAL || err == ERR_KEY);
	ASSERT(!err || !memcmp(r, &none, sizeof(none)));
	return err;
}

static bool makes_sense(const struct release *r)
{
	return r->drive <= 3 && r->plain <= 15 && r->consent < 2 && r->root_known < 2 &&
	       r->anchor < 3 && !(r->zero[0] | r->zero[1] | r->zero[2]);
}

static void check_sealed(const struct release *r, size_t change)
{
	struct release_message m;
	struct release got;
	int err;

	ASSERT(!release_seal(&m, r, monitor_public, tenant, ephemeral));
	err = open_it(&got, &m);
	ASSERT(err == (makes_sense(r) ? 0 : ERR_INVAL));
	ASSERT(err || !memcmp(&got, r, sizeof(got)));
	((uint8_t *)&m)[change % sizeof(m)] ^= 1;
	ASSERT(open_it(&got, &m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct release_message m = {.version = RELEASE_VERSION, .bytes = sizeof(m)};
	struct release r = {.drive = 0};

	if (!size)
		return 0;
	if (data[0] & 1) {
		memcpy(&r, data + 1, size - 1 < sizeof(r) ? size - 1 : sizeof(r));
		check_sealed(&r, data[0] * 5u + size);
		return 0;
	}
	memcpy(m.magic, RELEASE_MAGIC, sizeof(m.magic));
	if (data[0] & 2) /* with a head that is right */
		memcpy(m.enc, data + 1, size - 1 < sizeof(m) - 16 ? size - 1 : sizeof(m) - 16);
	else
		memcpy(&m, data + 1, size - 1 < sizeof(m) ? size - 1 : sizeof(m));
	ASSERT(open_it(&r, &m));
	return 0;
}
