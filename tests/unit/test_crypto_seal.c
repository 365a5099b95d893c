/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/seal.h against NIST's vectors and OpenSSL's own library. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "crypto/seal.h"

#define PAGE 4096u
#define SPACE (2 * PAGE + 64)
#define RANDOM_CASES 10000

/* NIST CAVP, 96-bit IV, 128-bit tag. open_only: gcmDecrypt256.rsp, the tag is wrong. */
static const struct {
	const char *key, *iv, *text, *ad, *sealed, *tag;
	bool open_only;
} vector[] = {
	{"b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
	 "516c33929df5a3284ff463d7", "", "", "", "bdc1ac884d332457a1d2664f168c76f0", false},
	{"78dc4e0aaf52d935c3c01eea57428f00ca1fd475f5da86a49c8dd73d68c8e223",
	 "d79cf22d504cc793c3fb6c8a", "", "b96baa8c1c75a671bfb2d08d06be5f36", "",
	 "3e5d486aa2e30b22e040b85723a06e76", false},
	{"31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
	 "0d18e06c7c725ac9e362e1ce", "2db5168e932556f8089a0622981d017d", "",
	 "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489", false},
	{"e4fed339c7b0cd267305d11ab0d5c3273632e8872d35bdc367a1363438239a35",
	 "0365882cf75432cfd23cbd42", "fff39a087de39a03919fbd2f2fa5f513",
	 "8a97d2af5d41160ac2ff7dd8ba098e7aa4d618f0f455957d6a6d0801796747ba57c32dfbaaaf15176528fe3a"
	 "0e4550c9",
	 "8d9e68f03f7e5f4a0ffaa7650d026d08", "3554542c478c0635285a61d1b51f6afa", false},
	{"ff9506b4d46ba54128876fadfcc673a4c927c618ea7d95cfcaa508cbc8f7fc66",
	 "3742ad2208a0484345eee1be", "7fd0d6cadc92cad27bb2d7d8c8",
	 "f1360a27fdc244be8739d85af6491c762a693aafe668c449515fdeeedb6a90aeee3891bbc8b69adc6a6426cb"
	 "12fcdebc32c9f58c5259d128b91efa28620a3a9a0168b0ff5e76951cb41647ba4aa1f87fac0d97ac580e42cf"
	 "fc7e",
	 "bdb8346b28eb4d7226493611a6", "7484d827b767647f44c7f94a39f8175c", false},
	{"5853c020946b35f2c58ec427152b840420c40029636adcbb027471378cfdde0f",
	 "eec313dd07cc1b3e6b068a47",
	 "ce7458e56aef9061cb0c42ec2315565e6168f5a6249ffd31610b6d17ab64935e",
	 "1389b522c24a774181700553f0246bbabdd38d6f",
	 "eadc3b8766a77ded1a58cb727eca2a9790496c298654cda78febf0da16b6903b",
	 "3d49a5b32fde7eafcce90079217ffb57", false},
	{"e5a8123f2e2e007d4e379ba114a2fb66e6613f57c72d4e4f024964053028a831",
	 "51e43385bf533e168427e1ad", "", "", "", "38fe845c66e66bdd884c2aecafd280e6", true},
	{"2c392a5eb1a9c705371beda3a901c7c61dca4d93b4291de1dd0dd15ec11ffc45",
	 "0723fb84a08f4ea09841f32a", "", "140be561b6171eab942c486a94d33d43", "",
	 "aa0e1c9b57975bfc91aa137231977d2c", true},
	{"c997768e2d14e3d38259667a6649079de77beb4543589771e5068e6cd7cd0b14",
	 "835090aed9552dbdd45277e2", "", "", "9f6607d68e22ccf21928db0986be126e",
	 "f32617f67c574fd9f44ef76ff880ab9f", true},
	{"c444d2bc6b0f14b306d7afbf9b0c84d9f2fcd2730df6d656402a184143a4eeb1",
	 "89a840f9fede6fb08cce158e", "", "aaade9efaed6435e3130b9c36d8a82d201cce2a8",
	 "ff15d0cdaf9b5390018a881a759183ae5cf702b9550cac2de78ad2c6d0da5af1",
	 "8655bd8d3213f0873d530c326a2fc15c", true},
};

static uint8_t text[SPACE], sealed[SPACE], opened[SPACE], expected[SPACE], ad[128];

static void vectors(void **state)
{
	uint8_t key_bytes[32];
	struct crypto_nonce nonce;
	struct crypto_tag tag, made;
	struct crypto_key key;
	size_t len, ad_len;

	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		assert_int_equal(unhex(vector[i].key, key_bytes), 32);
		assert_int_equal(unhex(vector[i].iv, nonce.b), 12);
		assert_int_equal(unhex(vector[i].tag, tag.b), 16);
		len = unhex(vector[i].sealed, expected);
		ad_len = unhex(vector[i].ad, ad);
		crypto_key_init(&key, key_bytes);
		if (vector[i].open_only) {
			assert_int_equal(crypto_open(&key, &nonce, ad, ad_len, opened, expected,
						     len, &tag),
					 CRYPTO_ERR_TAG);
			continue;
		}
		assert_int_equal(unhex(vector[i].text, text), len);
		crypto_seal(&key, &nonce, ad, ad_len, sealed, text, len, &made);
		assert_memory_equal(sealed, expected, len);
		assert_memory_equal(&made, &tag, sizeof(tag));
		assert_int_equal(crypto_open(&key, &nonce, ad, ad_len, opened, expected, len, &tag),
				 0);
		assert_memory_equal(opened, text, len);
	}
}

static void evp_seal(const uint8_t *key, const struct crypto_nonce *nonce, size_t ad_len,
		     size_t len, struct crypto_tag *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce->b));
	if (ad_len)
		assert_true(EVP_EncryptUpdate(ctx, NULL, &n, ad, (int)ad_len));
	if (len)
		assert_true(EVP_EncryptUpdate(ctx, expected, &n, text, (int)len));
	assert_true(EVP_EncryptFinal_ex(ctx, expected + len, &n));
	assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag->b), tag->b));
	EVP_CIPHER_CTX_free(ctx);
}

/* Pages, short pieces, and any length; in place every second time. */
static void one_random_case(unsigned int i)
{
	const size_t lengths[] = {PAGE, i % 300, (size_t)random() % (2 * PAGE + 1)};
	size_t len = lengths[i % 3];
	size_t ad_len = (size_t)random() % (sizeof(ad) + 1);
	struct crypto_tag tag, want;
	struct crypto_nonce nonce;
	uint8_t key_bytes[32];
	struct crypto_key key;
	uint8_t *to = i % 2 ? opened : sealed;

	pretend_cpu(i / 2 % CPUS);
	fill_random(key_bytes, sizeof(key_bytes));
	fill_random(&nonce, sizeof(nonce));
	fill_random(ad, ad_len);
	fill_random(text, len);
	evp_seal(key_bytes, &nonce, ad_len, len, &want);
	crypto_key_init(&key, key_bytes);
	memset(sealed, 0x5a, sizeof(sealed));
	memcpy(sealed, text, len);
	crypto_seal(&key, &nonce, ad, ad_len, sealed, i % 2 ? text : sealed, len, &tag);
	assert_memory_equal(sealed, expected, len);
	assert_memory_equal(&tag, &want, sizeof(tag));
	assert_int_equal(sealed[len], 0x5a);
	to[len] = 0x5a;
	assert_int_equal(crypto_open(&key, &nonce, ad, ad_len, to, sealed, len, &tag), 0);
	assert_memory_equal(to, text, len);
	assert_int_equal(to[len], 0x5a);
}

static void random_cases(void **state)
{
	for (unsigned int i = 0; i < RANDOM_CASES; i++)
		one_random_case(i);
	pretend_cpu(0);
}

struct sample {
	struct crypto_key key;
	struct crypto_nonce nonce;
	struct crypto_tag tag;
	size_t len;
};

static void make_sample(struct sample *s, size_t len)
{
	static const uint8_t zero[32];

	crypto_key_init(&s->key, zero);
	s->nonce = crypto_nonce(1, 7);
	s->len = len;
	fill_random(text, len);
	fill_random(ad, 40);
	crypto_seal(&s->key, &s->nonce, ad, 40, sealed, text, len, &s->tag);
}

/* Refused, and not one byte of the destination has changed. */
static void assert_refused(const struct sample *s, size_t ad_len, size_t len)
{
	memset(opened, 0xa5, sizeof(opened));
	assert_int_equal(crypto_open(&s->key, &s->nonce, ad, ad_len, opened, sealed, len, &s->tag),
			 CRYPTO_ERR_TAG);
	for (size_t i = 0; i < sizeof(opened); i++)
		assert_int_equal(opened[i], 0xa5);
}

static void corrupt_each(const struct sample *s, uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bit = (uint8_t)(1u << (i % 8));

		at[i] ^= bit;
		assert_refused(s, 40, s->len);
		at[i] ^= bit;
	}
}

static void corruption(void **state)
{
	const size_t lengths[] = {16, 77, PAGE};
	struct sample s;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		make_sample(&s, lengths[i]);
		corrupt_each(&s, sealed, s.len);
		corrupt_each(&s, ad, 40);
		corrupt_each(&s, s.nonce.b, sizeof(s.nonce.b));
		corrupt_each(&s, s.tag.b, sizeof(s.tag.b));
		assert_refused(&s, 39, s.len);
		assert_refused(&s, 40, s.len - 1);
		assert_refused(&s, 40, s.len - 16);
		assert_int_equal(crypto_open(&s.key, &s.nonce, ad, 40, opened, sealed, s.len,
					     &s.tag),
				 0);
	}
}

/* R5: what is exported in one domain does not come in through another, nor as another version. */
static void domains(void **state)
{
	struct sample s;

	make_sample(&s, PAGE);
	s.nonce = crypto_nonce(2, 7);
	assert_refused(&s, 40, PAGE);
	s.nonce = crypto_nonce(1, 8);
	assert_refused(&s, 40, PAGE);
	s.nonce = crypto_nonce(1, (uint64_t)7 << 32);
	assert_refused(&s, 40, PAGE);
	s.nonce = crypto_nonce(1, 7);
	assert_int_equal(crypto_open(&s.key, &s.nonce, ad, 40, opened, sealed, PAGE, &s.tag), 0);
}

/* A failed opening in place leaves the ciphertext. */
static void refused_in_place(void **state)
{
	struct sample s;

	make_sample(&s, PAGE + 5);
	memcpy(opened, sealed, s.len);
	s.tag.b[0] ^= 1;
	assert_int_equal(crypto_open(&s.key, &s.nonce, ad, 40, opened, opened, s.len, &s.tag),
			 CRYPTO_ERR_TAG);
	assert_memory_equal(opened, sealed, s.len);
}

/* struct gcm stands for a type that OpenSSL does not declare: it must not be smaller. */
static void context_size(void **state)
{
	struct {
		struct gcm gcm;
		uint8_t behind[1024];
	} c;
	AES_KEY aes;
	uint8_t tag[16];

	memset(&c, 0x77, sizeof(c));
	fill_random(text, PAGE);
	assert_int_equal(aesni_set_encrypt_key(text, 256, &aes), 0);
	CRYPTO_gcm128_init(gcm_context(&c.gcm), &aes, (block128_f)aesni_encrypt);
	CRYPTO_gcm128_setiv(gcm_context(&c.gcm), text, 12);
	assert_int_equal(CRYPTO_gcm128_aad(gcm_context(&c.gcm), text, 77), 0);
	assert_int_equal(CRYPTO_gcm128_encrypt_ctr32(gcm_context(&c.gcm), text, sealed, PAGE - 3,
						     (ctr128_f)aesni_ctr32_encrypt_blocks),
			 0);
	CRYPTO_gcm128_tag(gcm_context(&c.gcm), tag, sizeof(tag));
	for (size_t i = 0; i < sizeof(c.behind); i++)
		assert_int_equal(c.behind[i], 0x77);
}

/* One key, several CPUs: crypto_key_init() was the last to write to it. */
static void *seal_many(void *arg)
{
	const struct sample *s = arg;
	static _Thread_local uint8_t mine[PAGE];
	struct crypto_tag tag;

	for (unsigned int i = 0; i < 5000; i++) {
		crypto_seal(&s->key, &s->nonce, ad, 40, mine, text, s->len, &tag);
		if (memcmp(&tag, &s->tag, sizeof(tag)) || memcmp(mine, sealed, s->len) ||
		    crypto_open(&s->key, &s->nonce, ad, 40, mine, mine, s->len, &tag) ||
		    memcmp(mine, text, s->len))
			return arg;
	}
	return NULL;
}

static void at_once(void **state)
{
	pthread_t thread[3];
	struct sample s, before;
	void *failed;

	make_sample(&s, PAGE);
	memcpy(&before, &s, sizeof(s));
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, seal_many, &s), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	assert_memory_equal(&before, &s, sizeof(s));
}

static void wiping(void **state)
{
	struct sample s;
	uint8_t zero[sizeof(s.key)] = {0};

	make_sample(&s, 16);
	assert_memory_not_equal(&s.key, zero, sizeof(zero));
	crypto_wipe(&s.key, sizeof(s.key));
	assert_memory_equal(&s.key, zero, sizeof(zero));
	for (size_t n = 0; n < 40; n++) {
		memset(text, 0xff, 64);
		crypto_wipe(text + 3, n);
		for (size_t i = 0; i < 64; i++)
			assert_int_equal(text[i], i >= 3 && i < 3 + n ? 0 : 0xff);
	}
}

static void comparing(void **state)
{
	uint8_t a[40], b[40];

	fill_random(a, sizeof(a));
	memcpy(b, a, sizeof(a));
	assert_true(crypto_equal(a, b, 0));
	for (size_t n = 1; n <= sizeof(a); n++) {
		assert_true(crypto_equal(a, b, n));
		b[n - 1] ^= 0x80;
		assert_false(crypto_equal(a, b, n));
		assert_true(crypto_equal(a, b, n - 1));
		b[n - 1] ^= 0x80;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),      cmocka_unit_test(random_cases),
		cmocka_unit_test(corruption),   cmocka_unit_test(domains),
		cmocka_unit_test(context_size), cmocka_unit_test(refused_in_place),
		cmocka_unit_test(at_once),      cmocka_unit_test(wiping),
		cmocka_unit_test(comparing),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
