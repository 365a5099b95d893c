/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input, then bytes that are split into associated data and text. What was sealed opens; with
 * any one byte of ciphertext, associated data, tag or nonce changed, or a length, it does not, and the
 * destination stays as it was. Ciphertext and tag of the input's own choice never open.
 */
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/seal.h"
#include "ept/base.h"

#define TEXT_MAX 8192u
#define AROUND 32u

struct input {
	uint8_t key[CRYPTO_KEY_BYTES];
	struct crypto_nonce nonce;
	struct crypto_tag tag;
	uint8_t ad_len;
	uint8_t in_place;
	uint8_t change; /* bits to change, 0: none of them */
	uint8_t what;
	uint16_t where;
};

static struct message {
	struct crypto_key key;
	struct crypto_nonce nonce;
	struct crypto_tag tag;
	uint8_t ad[256];
	size_t ad_len, len;
	uint8_t text[TEXT_MAX], sealed[TEXT_MAX];
} m;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *why;

	ASSERT(!crypto_init(&why));
	return 0;
}

/* Into the middle of a larger space, of which not a byte around the text may change. */
static int open_message(bool in_place)
{
	static uint8_t space[TEXT_MAX + 2 * AROUND], before[sizeof(space)];
	uint8_t *dst = space + AROUND;
	int err;

	memset(space, 0x3c, sizeof(space));
	if (in_place)
		memcpy(dst, m.sealed, m.len);
	memcpy(before, space, sizeof(space));
	err = crypto_open(&m.key, &m.nonce, m.ad, m.ad_len, dst, in_place ? dst : m.sealed, m.len,
			  &m.tag);
	if (!err) {
		ASSERT(!memcmp(dst, m.text, m.len));
		memcpy(dst, before + AROUND, m.len);
	}
	ASSERT(!memcmp(space, before, sizeof(space)));
	return err;
}

/* False where there is nothing to change. */
static bool change(const struct input *in)
{
	struct {
		uint8_t *at;
		size_t n;
	} part[] = {{m.sealed, m.len},
		    {m.ad, m.ad_len},
		    {m.tag.b, sizeof(m.tag.b)},
		    {m.nonce.b, sizeof(m.nonce.b)}};
	unsigned int i = in->what % 6;
	size_t *length = i == 4 ? &m.len : &m.ad_len;

	if (i < 4 && part[i].n && in->change) {
		part[i].at[in->where % part[i].n] ^= in->change;
		return true;
	}
	if (i < 4 || !*length)
		return false;
	*length = in->where % *length;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;

	if (size < sizeof(in) || size > sizeof(in) + TEXT_MAX)
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);
	crypto_key_init(&m.key, in.key);
	m.nonce = in.nonce;
	m.ad_len = in.ad_len < size ? in.ad_len : size;
	m.len = size - m.ad_len;
	memcpy(m.ad, data, m.ad_len);
	memcpy(m.text, data + m.ad_len, m.len);
	memcpy(m.sealed, m.text, m.len);
	m.tag = in.tag;
	ASSERT(open_message(in.in_place % 2) == CRYPTO_ERR_TAG);
	crypto_seal(&m.key, &m.nonce, m.ad, m.ad_len, m.sealed, in.in_place & 2 ? m.sealed : m.text,
		    m.len, &m.tag);
	ASSERT(open_message(in.in_place % 2) == 0);
	if (change(&in))
		ASSERT(open_message(in.in_place % 2) == CRYPTO_ERR_TAG);
	return 0;
}
