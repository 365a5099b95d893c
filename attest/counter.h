/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counter for each image in the TPM's NV memory, which nobody can put back (R26): the anchor of docs/image-format.md. By then the
 * TPM is L1's: an agent there relays commands, and may lie. So what is done and read is authenticated by a session whose
 * key only the TPM and the monitor have: its salt is encrypted to a key of the TPM's that the monitor got to know at boot, when nobody else
 * had the TPM (TPM 2.0 library, part 1, 19.6 and 47; structures: part 2; commands: part 3).
 *
 * Whoever has the owner's authorization can remove a counter. One that is made again starts above all that the TPM ever had
 * (part 3, 31.3), so that is no way back.
 */
#ifndef ATTEST_COUNTER_H
#define ATTEST_COUNTER_H

#include "crypto/hmac.h"
#include "crypto/p256.h"
#include "ept/base.h"

#define COUNTER_MESSAGE 1024u /* the longest command or response here is shorter */
#define COUNTER_UUID 16u
#define COUNTER_ID 16u

/* A primary key of the endorsement hierarchy: as long as the TPM lives, the same. */
struct counter_key {
	bool known;
	uint8_t point[CRYPTO_P256_PUBLIC_BYTES];
	uint8_t id
		[COUNTER_ID]; /* of the TPM: the beginning of the key's name, behind its algorithm */
};

/* The command that makes the key; its bytes. */
uint32_t counter_key_command(uint8_t message[COUNTER_MESSAGE]);
/* What the response, which came from the TPM directly, says: 0 or ERR_IO. *handle: of the key, to be flushed. */
int counter_key_learn(struct counter_key *key, uint8_t response[COUNTER_MESSAGE], uint32_t *handle);
uint32_t counter_flush_command(uint8_t message[COUNTER_MESSAGE], uint32_t handle);

/* One use of a counter. All is private but message and value. Ends with crypto_wipe(). */
struct counter {
	const struct counter_key *key;
	uint8_t message[COUNTER_MESSAGE]; /* a command for the agent, then its response */
	uint64_t value;

	uint8_t step;
	bool advanced, written, defined;
	uint64_t target;
	int result;
	uint32_t index, code, tpm_key, session;
	uint8_t policy[32];
	uint8_t caller[32], tpm[32], salt[32];
	struct crypto_hmac hmac;
};

/*
 * Starts: finds out what the counter of this image is, and makes it if there is none; or (target not 0) has it become
 * target, if it is that, or one less. Then counter_go_on() does all. ERR_NOENT: no key is known; CRYPTO_ERR_SOURCE.
 */
int counter_begin(struct counter *c, const struct counter_key *key,
		  const uint8_t uuid[COUNTER_UUID], uint64_t target);

/*
 * ERR_AGAIN: there is a command in message; once the agent has put the response there, to be called again. 0: value is the counter's
 * value. ERR_TAG: the response was not the TPM's; ERR_IO: the TPM refuses; ERR_STALE: the counter is neither target nor one less.
 */
int counter_go_on(struct counter *c);

#endif
