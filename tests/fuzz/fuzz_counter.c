/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte, then messages, each of 16 bits with its size and its bytes: what an agent that relays nothing says in a TPM's
 * place. The byte says which use of a counter they are about, and whether the first is the response by which the
 * key is learned. No counter is ever found or advanced, since the session's key is the TPM's and the monitor's; each command is whole;
 * and it ends.
 */
#include <string.h>

#include "attest/counter.h"
#include "attest/tpm_bytes.h"
#include "crypto/crypto.h"

#define STEPS_MAX 7u /* one for each of counter.c's, and one that says the result */

enum { ADVANCE = 1, LEARN = 2 };

struct input {
	const uint8_t *at;
	size_t left;
};

static struct counter_key genuine = {.known = true};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t private[32];
	const char *why;

	ASSERT(!crypto_init(&why) && !crypto_random(private, sizeof(private)));
	ASSERT(!crypto_p256_public(genuine.point, private));
	return 0;
}

/* Over what is there, as the agent does it: what it does not write stays. */
static void answer(uint8_t message[COUNTER_MESSAGE], struct input *in)
{
	size_t n = 0;

	if (in->left >= 2) {
		n = (size_t)in->at[0] << 8 | in->at[1];
		in->at += 2;
		in->left -= 2;
	}
	if (n > in->left)
		n = in->left;
	if (n > COUNTER_MESSAGE)
		n = COUNTER_MESSAGE;
	memcpy(message, in->at, n);
	in->at += n;
	in->left -= n;
}

static void check_command(uint8_t message[COUNTER_MESSAGE])
{
	struct tpm_cursor r = {message, 0, TPM_HEADER, false};
	uint32_t tag = tpm_get(&r, 2), bytes = tpm_get(&r, 4);

	ASSERT(tag == 0x8001 || tag == 0x8002);
	ASSERT(bytes > TPM_HEADER && bytes <= COUNTER_MESSAGE);
	for (uint32_t i = bytes; i < COUNTER_MESSAGE; i++)
		ASSERT(!message[i]);
}

/* A key of the input's choice, which need be no point of the curve. */
static bool learn(struct counter_key *key, struct input *in)
{
	uint8_t message[COUNTER_MESSAGE] = {0};
	uint32_t handle;
	int err;

	answer(message, in);
	err = counter_key_learn(key, message, &handle);
	ASSERT(err == 0 || err == ERR_IO);
	ASSERT(key->known == !err);
	return key->known;
}

static void use(struct counter *c, struct input *in)
{
	unsigned int steps = 0;
	int err;

	do {
		ASSERT(++steps <= STEPS_MAX);
		check_command(c->message);
		answer(c->message, in);
		err = counter_go_on(c);
		ASSERT(!c->value && !c->advanced);
	} while (err == ERR_AGAIN);
	ASSERT(err == ERR_IO || err == ERR_TAG || err == CRYPTO_ERR_KEY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data + 1, size - 1};
	struct counter_key key = {.known = false};
	static struct counter c;

	if (!size)
		return 0;
	if (!(data[0] & LEARN))
		key = genuine;
	else if (!learn(&key, &in))
		return 0;
	ASSERT(!counter_begin(&c, &key, (const uint8_t *)"of one image....",
			      data[0] & ADVANCE ? 5 : 0));
	use(&c, &in);
	return 0;
}
