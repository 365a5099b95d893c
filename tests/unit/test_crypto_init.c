/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_init() notices each primitive that computes something wrong, a CPU that lacks something, and a
 * source that fails. The linker's --wrap puts the functions here between the room and the objects
 * (tests/unit/build.mk): they spoil a result when they are told to.
 */
#include "tests/unit/test_crypto.h"

#include "crypto/hkdf.h"
#include "crypto/hmac.h"
#include "crypto/hpke.h"
#include "crypto/p256.h"
#include "crypto/random.h"
#include "crypto/x25519.h"

#define AVX (1u << 28)
#define MOVBE (1u << 22)
#define AVX2 (1u << 5)

static const char *broken = "";

static bool is_broken(const char *name)
{
	return !strcmp(name, broken);
}

/* Defines __wrap_NAME, which calls the real one and then does `spoil` if NAME is broken. */
#define WRAP_VOID(name, spoil, args, ...)   \
	void __real_##name args;            \
	void __wrap_##name args;            \
	void __wrap_##name args             \
	{                                   \
		__real_##name(__VA_ARGS__); \
		if (is_broken(#name))       \
			spoil;              \
	}

WRAP_VOID(sha256_block_data_order, state[7] ^= 0x100,
	  (uint32_t * state, const void *in, size_t blocks), state, in, blocks)
WRAP_VOID(aesni_encrypt, out[3] ^= 4, (const uint8_t *in, uint8_t *out, const void *key), in, out,
	  key)
WRAP_VOID(aesni_xts_encrypt, out[n - 1] ^= 1,
	  (const uint8_t *in, uint8_t *out, size_t n, const void *k1, const void *k2,
	   const uint8_t *iv),
	  in, out, n, k1, k2, iv)
WRAP_VOID(aesni_xts_decrypt, out[n - 1] ^= 1,
	  (const uint8_t *in, uint8_t *out, size_t n, const void *k1, const void *k2,
	   const uint8_t *iv),
	  in, out, n, k1, k2, iv)
WRAP_VOID(crypto_hmac_init, k->outer[7] ^= 1, (struct crypto_hmac * k, const void *key, size_t n),
	  k, key, n)
WRAP_VOID(crypto_hmac_sectors, tags[n - 1][15] ^= 1,
	  (const struct crypto_hmac *k, uint64_t sector, const void *data, size_t n,
	   uint8_t (*tags)[16]),
	  k, sector, data, n, tags)
WRAP_VOID(crypto_hkdf, ((uint8_t *)out)[n - 1] ^= 1,
	  (const void *salt, size_t salt_n, const void *ikm, size_t ikm_n, const char *info,
	   void *out, size_t n),
	  salt, salt_n, ikm, ikm_n, info, out, n)
WRAP_VOID(br_ccopy, ((uint8_t *)dst)[0] ^= 1, (uint32_t ctl, void *dst, const void *src, size_t n),
	  ctl, dst, src, n)
WRAP_VOID(crypto_x25519_public, out[31] ^= 1, (uint8_t * out, const uint8_t *scalar), out, scalar)
WRAP_VOID(br_i31_montymul, out[1] ^= 1,
	  (uint32_t * out, const uint32_t *x, const uint32_t *y, const uint32_t *m, uint32_t m0i),
	  out, x, y, m, m0i)
WRAP_VOID(crypto_p256_sign, out[63] ^= 1,
	  (uint8_t * out, const uint8_t *key, const uint8_t *digest), out, key, digest)
WRAP_VOID(gcm_init_avx, ((uint8_t *)table)[9] ^= 1, (void *table, const uint64_t *h), table, h)
WRAP_VOID(gcm_ghash_avx, x[0] ^= 1, (uint8_t * x, const void *table, const uint8_t *in, size_t len),
	  x, table, in, len)
WRAP_VOID(gcm_init_clmul, ((uint8_t *)table)[9] ^= 1, (void *table, const uint64_t *h), table, h)
WRAP_VOID(gcm_ghash_clmul, x[0] ^= 1,
	  (uint8_t * x, const void *table, const uint8_t *in, size_t len), x, table, in, len)
WRAP_VOID(CRYPTO_gcm128_setiv, gcm->state[0] ^= 1, (struct gcm * gcm, const uint8_t *iv, size_t n),
	  gcm, iv, n)
WRAP_VOID(CRYPTO_gcm128_tag, tag[15] ^= 0x80, (void *gcm, uint8_t *tag, size_t n), gcm, tag, n)
WRAP_VOID(br_hmac_drbg_init, ((br_hmac_drbg_context *)d)->V[0] ^= 1,
	  (void *d, const void *hash, const void *seed, size_t n), d, hash, seed, n)
WRAP_VOID(br_hmac_drbg_generate, ((uint8_t *)out)[n - 1] ^= 1, (void *d, void *out, size_t n), d,
	  out, n)

/* Only the loop over many blocks at once is wrong: the short vector alone would not see it. */
void __real_aesni_ctr32_encrypt_blocks(const uint8_t *in, uint8_t *out, size_t blocks,
				       const void *key, const uint8_t *ivec);
void __wrap_aesni_ctr32_encrypt_blocks(const uint8_t *in, uint8_t *out, size_t blocks,
				       const void *key, const uint8_t *ivec);
void __wrap_aesni_ctr32_encrypt_blocks(const uint8_t *in, uint8_t *out, size_t blocks,
				       const void *key, const uint8_t *ivec)
{
	__real_aesni_ctr32_encrypt_blocks(in, out, blocks, key, ivec);
	if (is_broken("aesni_ctr32_encrypt_blocks") && blocks > 100)
		out[blocks * 16 - 1] ^= 1;
}

/* Every tag is right. */
int __real_CRYPTO_gcm128_finish(void *gcm, const uint8_t *tag, size_t n);
int __wrap_CRYPTO_gcm128_finish(void *gcm, const uint8_t *tag, size_t n);
int __wrap_CRYPTO_gcm128_finish(void *gcm, const uint8_t *tag, size_t n)
{
	int err = __real_CRYPTO_gcm128_finish(gcm, tag, n);

	return is_broken("CRYPTO_gcm128_finish") ? 0 : err;
}

/* Every point is good. */
int __real_crypto_x25519(uint8_t *out, const uint8_t *scalar, const uint8_t *point);
int __wrap_crypto_x25519(uint8_t *out, const uint8_t *scalar, const uint8_t *point);
int __wrap_crypto_x25519(uint8_t *out, const uint8_t *scalar, const uint8_t *point)
{
	int err = __real_crypto_x25519(out, scalar, point);

	return is_broken("crypto_x25519") ? 0 : err;
}

/* A public key that lost a bit. */
int __real_crypto_p256_public(uint8_t *out, const uint8_t *key);
int __wrap_crypto_p256_public(uint8_t *out, const uint8_t *key);
int __wrap_crypto_p256_public(uint8_t *out, const uint8_t *key)
{
	int err = __real_crypto_p256_public(out, key);

	if (is_broken("crypto_p256_public"))
		out[63] ^= 1;
	return err;
}

/* Every message is good. */
int __real_crypto_hpke_open(const struct crypto_hpke *h, const uint8_t *key, const char *info,
			    const void *ad, size_t ad_len, void *dst, const void *src, size_t len);
int __wrap_crypto_hpke_open(const struct crypto_hpke *h, const uint8_t *key, const char *info,
			    const void *ad, size_t ad_len, void *dst, const void *src, size_t len);
int __wrap_crypto_hpke_open(const struct crypto_hpke *h, const uint8_t *key, const char *info,
			    const void *ad, size_t ad_len, void *dst, const void *src, size_t len)
{
	int err = __real_crypto_hpke_open(h, key, info, ad, ad_len, dst, src, len);

	return is_broken("crypto_hpke_open") ? 0 : err;
}

int __real_aesni_set_decrypt_key(const uint8_t *key, int bits, AES_KEY *out);
int __wrap_aesni_set_decrypt_key(const uint8_t *key, int bits, AES_KEY *out);
int __wrap_aesni_set_decrypt_key(const uint8_t *key, int bits, AES_KEY *out)
{
	int err = __real_aesni_set_decrypt_key(key, bits, out);

	if (is_broken("aesni_set_decrypt_key"))
		out->rd_key[50] ^= 1;
	return err;
}

/* Of the tweak's key: what is encrypted so is decrypted so too. */
int __real_crypto_xts_init(struct crypto_xts *x, const uint8_t *key);
int __wrap_crypto_xts_init(struct crypto_xts *x, const uint8_t *key);
int __wrap_crypto_xts_init(struct crypto_xts *x, const uint8_t *key)
{
	int err = __real_crypto_xts_init(x, key);

	if (is_broken("crypto_xts_init"))
		x->state[2 * sizeof(AES_KEY)] ^= 1;
	return err;
}

/* A key schedule that lost a bit. */
int __real_aesni_set_encrypt_key(const uint8_t *key, int bits, AES_KEY *out);
int __wrap_aesni_set_encrypt_key(const uint8_t *key, int bits, AES_KEY *out);
int __wrap_aesni_set_encrypt_key(const uint8_t *key, int bits, AES_KEY *out)
{
	int err = __real_aesni_set_encrypt_key(key, bits, out);

	if (is_broken("aesni_set_encrypt_key"))
		out->rd_key[50] ^= 1;
	return err;
}

/* Another CPU. */
static struct features without;
struct features __real_features_read(void);
struct features __wrap_features_read(void);
struct features __wrap_features_read(void)
{
	struct features f = __real_features_read();

	f.leaf1_ecx &= ~without.leaf1_ecx;
	f.leaf7_ebx &= ~without.leaf7_ebx;
	return f;
}

/* A source in place of the CPU's, where one is given. */
static const struct random_source *instead;
int __real_random_start(struct random *r, const struct random_source *source);
int __wrap_random_start(struct random *r, const struct random_source *source);
int __wrap_random_start(struct random *r, const struct random_source *source)
{
	return __real_random_start(r, instead ? instead : source);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void nothing_before_init(void **state)
{
	uint8_t out[16], zero[16] = {0};

	memset(out, 0xff, sizeof(out));
	assert_int_equal(crypto_random(out, sizeof(out)), CRYPTO_ERR_SOURCE);
	assert_memory_equal(out, zero, sizeof(out));
}

static void init_passes(void **state)
{
	uint8_t a[32], b[32];
	const char *why = NULL;

	assert_int_equal(crypto_init(&why), 0);
	assert_int_equal(crypto_random(a, sizeof(a)), 0);
	assert_int_equal(crypto_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	/* RDRAND, where there is no RDSEED. */
	without.leaf7_ebx = 1u << 18;
	assert_int_equal(crypto_init(&why), 0);
	assert_int_equal(crypto_random(b, sizeof(b)), 0);
	without = (struct features){0};
}

struct fault {
	const char *name, *test;
};

static void assert_noticed(const struct fault *fault, size_t n)
{
	const char *why;

	for (size_t i = 0; i < n; i++) {
		why = "";
		broken = fault[i].name;
		if (crypto_init(&why) != CRYPTO_ERR_TEST || !strstr(why, fault[i].test))
			fail_msg("%s is broken and the self-test said '%s'", broken, why);
	}
	broken = "";
	assert_int_equal(crypto_init(&why), 0);
}

static void faults(void **state)
{
	static const struct fault fault[] = {
		{"sha256_block_data_order", "SHA-256"},
		{"aesni_set_encrypt_key", "AES-256-GCM"},
		{"aesni_encrypt", "AES-256-GCM"},
		{"aesni_ctr32_encrypt_blocks", "AES-256-GCM"},
		{"CRYPTO_gcm128_setiv", "AES-256-GCM"},
		{"CRYPTO_gcm128_tag", "AES-256-GCM"},
		{"CRYPTO_gcm128_finish", "AES-256-GCM"},
		{"br_hmac_drbg_init", "HMAC_DRBG"},
		{"br_hmac_drbg_generate", "HMAC_DRBG"},
		{"aesni_set_decrypt_key", "AES-256-XTS"},
		{"aesni_xts_encrypt", "AES-256-XTS"},
		{"aesni_xts_decrypt", "AES-256-XTS"},
		{"crypto_xts_init", "AES-256-XTS"},
		{"crypto_hmac_init", "HMAC-SHA-256"},
		{"crypto_hmac_sectors", "HMAC-SHA-256"},
		{"crypto_hkdf", "HKDF"},
		{"br_ccopy", "X25519"},
		{"crypto_x25519_public", "X25519"},
		{"crypto_x25519", "X25519"},
		{"br_i31_montymul", "ECDSA"},
		{"crypto_p256_public", "ECDSA"},
		{"crypto_p256_sign", "ECDSA"},
		{"crypto_hpke_open", "HPKE"},
	};

	assert_noticed(fault, sizeof(fault) / sizeof(*fault));
}

/* GHASH, of which there is one for CPUs with AVX and MOVBE. */
static void ghash_faults(void **state)
{
	static const struct fault sse[] = {{"gcm_init_clmul", "AES-256-GCM"},
					   {"gcm_ghash_clmul", "AES-256-GCM"}};
	static const struct fault avx[] = {{"gcm_init_avx", "AES-256-GCM"},
					   {"gcm_ghash_avx", "AES-256-GCM"}};

	without.leaf1_ecx = AVX;
	assert_noticed(sse, 2);
	without.leaf1_ecx = 0;
	if (__builtin_cpu_supports("avx") && features_read().leaf1_ecx & MOVBE)
		assert_noticed(avx, 2);
}

static void missing_instructions(void **state)
{
	const unsigned int needed[] = {1, 9, 19, 25}; /* PCLMULQDQ SSSE3 SSE4.1 AES-NI */
	uint8_t out[8];
	const char *why;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		why = "";
		without.leaf1_ecx = 1u << needed[i];
		assert_int_equal(crypto_init(&why), CRYPTO_ERR_CPU);
		assert_non_null(strstr(why, "AES-NI"));
	}
	without = (struct features){1u << 30, 1u << 18};
	assert_int_equal(crypto_init(&why), CRYPTO_ERR_SOURCE);
	assert_non_null(strstr(why, "neither RDSEED nor RDRAND"));
	without = (struct features){0};
	assert_int_equal(crypto_init(&why), 0);
	assert_int_equal(crypto_random(out, sizeof(out)), 0);
}

static bool stuck(uint64_t *word)
{
	*word = UINT64_MAX;
	return true;
}

static bool dry(uint64_t *word)
{
	return false;
}

static void failing_source(void **state)
{
	static const struct random_source stuck_source = {stuck, 4}, dry_source = {dry, 4};
	uint8_t out[8];
	const char *why = "";

	instead = &stuck_source;
	assert_int_equal(crypto_init(&why), CRYPTO_ERR_SOURCE);
	assert_non_null(strstr(why, "not random"));
	assert_int_equal(crypto_random(out, sizeof(out)), CRYPTO_ERR_SOURCE);
	instead = &dry_source;
	assert_int_equal(crypto_init(&why), CRYPTO_ERR_SOURCE);
	assert_int_equal(crypto_random(out, sizeof(out)), CRYPTO_ERR_SOURCE);
	instead = NULL;
}

/* No bit that chooses AVX code gets through to the monitor; nothing but what the CPU has does. */
static void chosen_code(void **state)
{
	const uint32_t leaf7_avx = 1u << 3 | AVX2 | 1u << 8 | 1u << 16;
	struct features all = {UINT32_MAX, UINT32_MAX},
			few = {1u << 1 | 1u << 9 | 1u << 19 | 1u << 25, 0};
	uint32_t cap[4];
	const char *why;

	memset(cap, 0xff, sizeof(cap));
	assert_int_equal(features_choose(&all, FEATURES_SSE, cap, &why), 0);
	assert_int_equal(cap[0], 0);
	assert_int_equal(cap[1] & AVX, 0);
	assert_int_equal(cap[2] & leaf7_avx, 0);
	assert_int_equal(cap[2], 1u << 29);
	assert_int_equal(cap[3], 0);
	assert_int_equal(features_choose(&few, FEATURES_SSE, cap, &why), 0);
	assert_int_equal(cap[1], few.leaf1_ecx);
	assert_int_equal(cap[2], 0);
}

/* A program uses AVX where CPU and system offer it, and not beyond what features_read() was told. */
static void chosen_for_programs(void **state)
{
	struct features all = {UINT32_MAX, UINT32_MAX}, none = {~AVX, ~AVX2};
	uint32_t cap[4];
	const char *why;

	assert_int_equal(crypto_init(&why), 0);
	assert_int_equal(!!(OPENSSL_ia32cap_P[1] & AVX), !!__builtin_cpu_supports("avx"));
	assert_int_equal(!!(OPENSSL_ia32cap_P[2] & AVX2), !!__builtin_cpu_supports("avx2"));
	assert_int_equal(features_choose(&all, FEATURES_ANY, cap, &why), 0);
	assert_memory_equal(cap, OPENSSL_ia32cap_P, sizeof(cap));
	assert_int_equal(features_choose(&none, FEATURES_ANY, cap, &why), 0);
	assert_int_equal(cap[1] & AVX, 0);
	assert_int_equal(cap[2] & AVX2, 0);
	none.leaf1_ecx = 0;
	assert_int_equal(features_choose(&none, FEATURES_ANY, cap, &why), CRYPTO_ERR_CPU);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_before_init),
		cmocka_unit_test(init_passes),
		cmocka_unit_test(faults),
		cmocka_unit_test(ghash_faults),
		cmocka_unit_test(missing_instructions),
		cmocka_unit_test(failing_source),
		cmocka_unit_test(chosen_code),
		cmocka_unit_test(chosen_for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
