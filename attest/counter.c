/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/counter.h"

#include "attest/tpm_bytes.h"
#include "crypto/crypto.h"

/* Part 2: tables 9, 12, 19, 31, 33, 98; all numbers are big-endian. */
#define ALG_AES 0x0006u
#define ALG_SHA256 0x000bu
#define ALG_NULL 0x0010u
#define ALG_ECC 0x0023u
#define ALG_CFB 0x0043u
#define ECC_P256 0x0003u
#define SE_HMAC 0x00u
#define TAG_NO_SESSIONS 0x8001u
#define TAG_SESSIONS 0x8002u
#define RH_OWNER 0x40000001u
#define RH_NULL 0x40000007u
#define RS_PASSWORD 0x40000009u
#define RH_ENDORSEMENT 0x4000000bu
#define CONTINUE_SESSION 0x01u

enum {
	CC_NV_DEFINE_SPACE = 0x12a,
	CC_CREATE_PRIMARY = 0x131,
	CC_NV_INCREMENT = 0x134,
	CC_NV_READ = 0x14e,
	CC_FLUSH_CONTEXT = 0x165,
	CC_START_AUTH_SESSION = 0x176,
};

/* fixedTPM fixedParent sensitiveDataOrigin userWithAuth noDA restricted decrypt (part 2, 8.3) */
#define KEY_ATTRIBUTES 0x00030472u
/* AUTHWRITE, a counter, AUTHREAD, NO_DA (part 2, 13.4) */
#define NV_ATTRIBUTES 0x02040014u
#define NV_WRITTEN 0x20000000u
#define NV_BYTES 8u
#define NV_FIRST 0x01800000u /* of the owner's (TCG's registry of handles, 2.2) */
#define NV_MASK 0x003fffffu

enum step {
	STEP_KEY,
	STEP_SESSION,
	STEP_FLUSH_KEY,
	STEP_READ,
	STEP_DEFINE,
	STEP_INCREMENT,
	STEP_END,
};

/* --- commands -------------------------------------------------------------------------------------------- */

static uint32_t finish(struct tpm_cursor *w, uint16_t tag, uint32_t code)
{
	uint32_t bytes = w->at;

	w->at = 0;
	tpm_put(w, tag, 2);
	tpm_put(w, bytes, 4);
	tpm_put(w, code, 4);
	return bytes;
}

/* An empty password, which hierarchies have. */
static void put_password(struct tpm_cursor *w)
{
	tpm_put(w, 9, 4);
	tpm_put(w, RS_PASSWORD, 4);
	tpm_put(w, 0, 2);
	tpm_put(w, 0, 1);
	tpm_put(w, 0, 2);
}

static struct tpm_cursor begin(uint8_t *message)
{
	__builtin_memset(message, 0, COUNTER_MESSAGE);
	return (struct tpm_cursor){message, TPM_HEADER, COUNTER_MESSAGE, false};
}

/* The public area of the key but for its point (part 2, 12.2.4). */
static void put_template(struct tpm_cursor *w)
{
	tpm_put(w, ALG_ECC, 2);
	tpm_put(w, ALG_SHA256, 2);
	tpm_put(w, KEY_ATTRIBUTES, 4);
	tpm_put(w, 0, 2); /* no policy */
	tpm_put(w, ALG_AES, 2);
	tpm_put(w, 128, 2);
	tpm_put(w, ALG_CFB, 2);
	tpm_put(w, ALG_NULL, 2); /* scheme */
	tpm_put(w, ECC_P256, 2);
	tpm_put(w, ALG_NULL, 2); /* kdf */
}

#define TEMPLATE_BYTES 22u

uint32_t counter_key_command(uint8_t message[COUNTER_MESSAGE])
{
	struct tpm_cursor w = begin(message);

	tpm_put(&w, RH_ENDORSEMENT, 4);
	put_password(&w);
	tpm_put(&w, 4, 2); /* inSensitive: no authorization, no data */
	tpm_put(&w, 0, 2);
	tpm_put(&w, 0, 2);
	tpm_put(&w, TEMPLATE_BYTES + 4, 2);
	put_template(&w);
	tpm_put(&w, 0, 2); /* unique: x, y */
	tpm_put(&w, 0, 2);
	tpm_put(&w, 0, 2); /* outsideInfo */
	tpm_put(&w, 0, 4); /* creationPCR */
	return finish(&w, TAG_SESSIONS, CC_CREATE_PRIMARY);
}

uint32_t counter_flush_command(uint8_t message[COUNTER_MESSAGE], uint32_t handle)
{
	struct tpm_cursor w = begin(message);

	tpm_put(&w, handle, 4);
	return finish(&w, TAG_NO_SESSIONS, CC_FLUSH_CONTEXT);
}

/* --- responses ------------------------------------------------------------------------------------------- */

/* Behind the header; *code is the response code. ERR_IO: this is none. */
static int open_response(struct tpm_cursor *r, uint8_t *message, uint16_t *tag, uint32_t *code)
{
	uint32_t bytes;

	*r = (struct tpm_cursor){message, 0, TPM_HEADER, false};
	*tag = tpm_get(r, 2);
	bytes = tpm_get(r, 4);
	*code = tpm_get(r, 4);
	if (bytes < TPM_HEADER || bytes > COUNTER_MESSAGE)
		return ERR_IO;
	r->end = bytes;
	return 0;
}

static int open_good(struct tpm_cursor *r, uint8_t *message, uint16_t want)
{
	uint32_t code;
	uint16_t tag;
	int err = open_response(r, message, &tag, &code);

	return err ? err : code || tag != want ? ERR_IO : 0;
}

int counter_key_learn(struct counter_key *key, uint8_t response[COUNTER_MESSAGE], uint32_t *handle)
{
	uint8_t area[TEMPLATE_BYTES + 4 + CRYPTO_P256_PUBLIC_BYTES], digest[32];
	struct tpm_cursor w = {area, 0, sizeof(area), false};
	struct tpm_cursor r;
	int err = open_good(&r, response, TAG_SESSIONS);

	if (err)
		return err;
	*handle = tpm_get(&r, 4);
	tpm_get(&r, 4); /* bytes of parameters */
	if (tpm_get(&r, 2) != sizeof(area))
		return ERR_IO;
	put_template(&w);
	for (uint32_t i = 0; i < TEMPLATE_BYTES; i++)
		if (tpm_get(&r, 1) != area[i])
			return ERR_IO;
	for (unsigned int i = 0; i < 2; i++) {
		tpm_put(&w, 32, 2);
		if (tpm_get(&r, 2) != 32)
			return ERR_IO;
		tpm_get_bytes(&r, key->point + 32 * i, 32);
		tpm_put_bytes(&w, key->point + 32 * i, 32);
	}
	if (r.past)
		return ERR_IO;
	crypto_sha256(area, sizeof(area), digest);
	__builtin_memcpy(key->id, digest, COUNTER_ID);
	key->known = true;
	return 0;
}

/* --- the session (part 1, 19.6) --------------------------------------------------------------------------- */

/* KDFe (part 1, 11.4.10.3), one block: from the shared secret to the salt. */
static void derive_salt(struct counter *c, const uint8_t z[32], const uint8_t ours[64])
{
	static const uint8_t one[4] = {0, 0, 0, 1};
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, one, sizeof(one));
	crypto_sha256_update(&h, z, 32);
	crypto_sha256_update(&h, "SECRET", 7);
	crypto_sha256_update(&h, ours, 32);
	crypto_sha256_update(&h, c->key->point, 32);
	crypto_sha256_final(&h, c->salt);
}

/* KDFa (part 1, 11.4.10.2), one block: from the salt to the session's key. */
static void derive_session(struct counter *c)
{
	static const uint8_t one[4] = {0, 0, 0, 1}, bits[4] = {0, 0, 1, 0};
	struct crypto_hmac_stream s;
	struct crypto_hmac salt;
	uint8_t key[32];

	crypto_hmac_init(&salt, c->salt, sizeof(c->salt));
	crypto_hmac_start(&s, &salt);
	crypto_hmac_update(&s, one, sizeof(one));
	crypto_hmac_update(&s, "ATH", 4);
	crypto_hmac_update(&s, c->tpm, sizeof(c->tpm));
	crypto_hmac_update(&s, c->caller, sizeof(c->caller));
	crypto_hmac_update(&s, bits, sizeof(bits));
	crypto_hmac_final(&s, key);
	crypto_hmac_init(&c->hmac, key, sizeof(key));
	crypto_wipe(key, sizeof(key));
	crypto_wipe(&salt, sizeof(salt));
	crypto_wipe(c->salt, sizeof(c->salt));
}

static int start_session(struct counter *c)
{
	uint8_t private[32], ours[64], z[32];
	struct tpm_cursor w = begin(c->message);
	int err;

	do { /* all but one of 2^32 are keys */
		err = crypto_random(private, sizeof(private));
		if (err)
			return err;
	} while (crypto_p256_public(ours, private));
	err = crypto_random(c->caller, sizeof(c->caller));
	if (!err)
		err = crypto_p256_shared(z, private, c->key->point);
	if (!err)
		derive_salt(c, z, ours);
	crypto_wipe(private, sizeof(private));
	crypto_wipe(z, sizeof(z));
	if (err)
		return err;
	tpm_put(&w, c->tpm_key, 4);
	tpm_put(&w, RH_NULL, 4);
	tpm_put_sized(&w, c->caller, sizeof(c->caller));
	tpm_put(&w, 2 + 32 + 2 + 32, 2);
	tpm_put_sized(&w, ours, 32);
	tpm_put_sized(&w, ours + 32, 32);
	tpm_put(&w, SE_HMAC, 1);
	tpm_put(&w, ALG_NULL, 2);
	tpm_put(&w, ALG_SHA256, 2);
	finish(&w, TAG_NO_SESSIONS, CC_START_AUTH_SESSION);
	return 0;
}

static int session_started(struct counter *c)
{
	struct tpm_cursor r;
	int err = open_good(&r, c->message, TAG_NO_SESSIONS);

	if (err)
		return err;
	c->session = tpm_get(&r, 4);
	if (tpm_get(&r, 2) != sizeof(c->tpm))
		return ERR_IO;
	tpm_get_bytes(&r, c->tpm, sizeof(c->tpm));
	if (!tpm_complete(&r))
		return ERR_IO;
	derive_session(c);
	return 0;
}

/* --- the index ------------------------------------------------------------------------------------------- */

/* The index' public area (part 2, 13.6). Its policy, which nobody can fulfil, says whose it is. */
static void put_nv_public(const struct counter *c, struct tpm_cursor *w, bool written)
{
	tpm_put(w, c->index, 4);
	tpm_put(w, ALG_SHA256, 2);
	tpm_put(w, NV_ATTRIBUTES | (written ? NV_WRITTEN : 0), 4);
	tpm_put_sized(w, c->policy, sizeof(c->policy));
	tpm_put(w, NV_BYTES, 2);
}

#define NV_PUBLIC_BYTES (4 + 2 + 4 + 2 + 32 + 2)
#define NAME_BYTES (2 + 32)

static void nv_name(const struct counter *c, uint8_t name[NAME_BYTES])
{
	uint8_t area[NV_PUBLIC_BYTES];
	struct tpm_cursor w = {area, 0, sizeof(area), false};

	put_nv_public(c, &w, c->written);
	name[0] = ALG_SHA256 >> 8;
	name[1] = ALG_SHA256 & 0xff;
	crypto_sha256(area, sizeof(area), name + 2);
}

static void define_index(struct counter *c)
{
	struct tpm_cursor w = begin(c->message);

	tpm_put(&w, RH_OWNER, 4);
	put_password(&w);
	tpm_put(&w, 0, 2); /* no authorization value: whoever may relay may advance it */
	tpm_put(&w, NV_PUBLIC_BYTES, 2);
	put_nv_public(c, &w, false);
	finish(&w, TAG_SESSIONS, CC_NV_DEFINE_SPACE);
}

/* cpHash (part 1, 16.7): a command about the index, whose name stands twice, authorizing and authorized. */
static void hash_command(const struct counter *c, const uint8_t *parameters, uint32_t n,
			 uint8_t digest[32])
{
	const uint8_t code[4] = {0, 0, (uint8_t)(c->code >> 8), (uint8_t)c->code};
	uint8_t name[NAME_BYTES];
	struct crypto_sha256 h;

	nv_name(c, name);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, code, sizeof(code));
	crypto_sha256_update(&h, name, sizeof(name));
	crypto_sha256_update(&h, name, sizeof(name));
	crypto_sha256_update(&h, parameters, n);
	crypto_sha256_final(&h, digest);
}

/* HMAC over a hash, the newer and the older nonce, the session's attributes (part 1, 19.6.5). */
static void authorize(const struct counter *c, const uint8_t digest[32], const uint8_t newer[32],
		      const uint8_t older[32], uint8_t out[32])
{
	static const uint8_t attributes = CONTINUE_SESSION;
	struct crypto_hmac_stream s;

	crypto_hmac_start(&s, &c->hmac);
	crypto_hmac_update(&s, digest, 32);
	crypto_hmac_update(&s, newer, 32);
	crypto_hmac_update(&s, older, 32);
	crypto_hmac_update(&s, &attributes, 1);
	crypto_hmac_final(&s, out);
}

static int nv_command(struct counter *c, uint32_t code)
{
	static const uint8_t read_all[4] = {0, NV_BYTES, 0, 0}; /* size, offset */
	uint32_t n = code == CC_NV_READ ? sizeof(read_all) : 0;
	struct tpm_cursor w = begin(c->message);
	uint8_t digest[32], mac[32];
	int err = crypto_random(c->caller, sizeof(c->caller));

	if (err)
		return err;
	c->code = code;
	hash_command(c, read_all, n, digest);
	authorize(c, digest, c->caller, c->tpm, mac);
	tpm_put(&w, c->index, 4);
	tpm_put(&w, c->index, 4);
	tpm_put(&w, 4 + 2 + 32 + 1 + 2 + 32, 4);
	tpm_put(&w, c->session, 4);
	tpm_put_sized(&w, c->caller, sizeof(c->caller));
	tpm_put(&w, CONTINUE_SESSION, 1);
	tpm_put_sized(&w, mac, sizeof(mac));
	tpm_put_bytes(&w, read_all, n);
	finish(&w, TAG_SESSIONS, code);
	return 0;
}

/*
 * The response to that, which is the TPM's if its HMAC is right; a response that only says an error has none. ERR_IO: that; ERR_TAG:
 * it is not the TPM's.
 */
static int nv_answer(struct counter *c, uint8_t *parameters, uint32_t n)
{
	uint8_t hashed[8 + 2 + NV_BYTES] = {
		0, 0, 0, 0, 0, 0, (uint8_t)(c->code >> 8), (uint8_t)c->code};
	uint8_t digest[32], mac[32], got[32];
	uint32_t code;
	struct tpm_cursor r;
	uint16_t tag;
	int err = open_response(&r, c->message, &tag, &code);

	ASSERT(n <= sizeof(hashed) - 8);
	if (err || code)
		return ERR_IO;
	if (tag != TAG_SESSIONS || tpm_get(&r, 4) != n)
		return ERR_TAG;
	tpm_get_bytes(&r, hashed + 8, n);
	if (tpm_get(&r, 2) != sizeof(c->tpm))
		return ERR_TAG;
	tpm_get_bytes(&r, got, sizeof(got)); /* the TPM's new nonce, if this is genuine */
	if (tpm_get(&r, 1) != CONTINUE_SESSION || tpm_get(&r, 2) != sizeof(mac))
		return ERR_TAG;
	crypto_sha256(hashed, 8 + n, digest);
	authorize(c, digest, got, c->caller, mac);
	tpm_get_bytes(&r, digest, sizeof(digest));
	if (!tpm_complete(&r) || !crypto_equal(mac, digest, sizeof(mac)))
		return ERR_TAG;
	__builtin_memcpy(c->tpm, got, sizeof(c->tpm));
	for (uint32_t i = 0; i < n; i++)
		parameters[i] = hashed[8 + i];
	return 0;
}

/* --- the steps ------------------------------------------------------------------------------------------- */

int counter_begin(struct counter *c, const struct counter_key *key,
		  const uint8_t uuid[COUNTER_UUID], uint64_t target)
{
	if (!key->known)
		return ERR_NOENT;
	*c = (struct counter){.key = key, .target = target, .written = true};
	crypto_sha256(uuid, COUNTER_UUID, c->policy);
	c->index = NV_FIRST |
		   (((uint32_t)c->policy[0] << 16 | (uint32_t)c->policy[1] << 8 | c->policy[2]) &
		    NV_MASK);
	c->step = STEP_KEY;
	counter_key_command(c->message);
	return 0;
}

/* The command of the step is in message. */
static int ask(struct counter *c, enum step step, int err)
{
	c->step = (uint8_t)step;
	return err ? err : ERR_AGAIN;
}

static int end(struct counter *c, int result)
{
	c->result = result;
	crypto_wipe(&c->hmac, sizeof(c->hmac));
	counter_flush_command(c->message, c->session);
	return ask(c, STEP_END, 0);
}

static int key_made(struct counter *c)
{
	struct tpm_cursor r;
	int err = open_good(&r, c->message, TAG_SESSIONS);

	if (err)
		return err;
	c->tpm_key = tpm_get(&r, 4); /* another key's: then no session comes of it */
	return ask(c, STEP_SESSION, start_session(c));
}

/* What to do by the value that was read. */
static int judge(struct counter *c)
{
	if (!c->target || c->value == c->target)
		return end(c, 0);
	if (c->advanced || c->value + 1 != c->target)
		return end(c, ERR_STALE);
	return ask(c, STEP_INCREMENT, nv_command(c, CC_NV_INCREMENT));
}

static int was_read(struct counter *c)
{
	uint8_t data[2 + NV_BYTES];
	int err = nv_answer(c, data, sizeof(data));

	if (err == ERR_IO && !c->defined && !c->target) { /* there is none, or so L1 says */
		c->defined = true;
		define_index(c);
		return ask(c, STEP_DEFINE, 0);
	}
	if (!err && (data[0] || data[1] != NV_BYTES))
		err = ERR_TAG;
	if (err)
		return end(c, err);
	c->value = 0;
	for (unsigned int i = 0; i < NV_BYTES; i++)
		c->value = c->value << 8 | data[2 + i];
	return judge(c);
}

static int was_advanced(struct counter *c)
{
	int err = nv_answer(c, NULL, 0);

	if (err)
		return end(c, err);
	c->written = true;
	c->advanced = true;
	return ask(c, STEP_READ, nv_command(c, CC_NV_READ));
}

int counter_go_on(struct counter *c)
{
	uint32_t handle = c->tpm_key;
	int err;

	switch ((enum step)c->step) {
	case STEP_KEY:
		return key_made(c);
	case STEP_SESSION:
		err = session_started(c);
		if (err)
			return err;
		counter_flush_command(c->message, handle);
		return ask(c, STEP_FLUSH_KEY, 0);
	case STEP_FLUSH_KEY:
		return ask(c, STEP_READ, nv_command(c, CC_NV_READ));
	case STEP_READ:
		return was_read(c);
	case STEP_DEFINE: /* it may have been there, never written */
		c->written = false;
		return ask(c, STEP_INCREMENT, nv_command(c, CC_NV_INCREMENT));
	case STEP_INCREMENT:
		return was_advanced(c);
	case STEP_END:
		break;
	}
	return c->result;
}
