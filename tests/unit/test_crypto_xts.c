/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/xts.h against IEEE 1619-2007's vectors and OpenSSL's own library. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>

#include "crypto/xts.h"

#define SECTOR CRYPTO_SECTOR_BYTES
#define SECTORS 40u
#define AROUND 32u

/* Annex B, vectors 10 and 14: one key, and twice the bytes 0 to 255. */
static const char vector_key[] = "2718281828459045235360287471352662497757247093699959574966967627"
				 "3141592653589793238462643383279502884197169399375105820974944592";
static const struct {
	uint64_t sector;
	const char *sealed;
} vector[] = {
	{0xff,
	 "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276f8fe4a8d66b317f9ac68"
	 "3f44680a86ac35adfc3345befecb4bb188fd5776926c49a3095eb108fd1098baec70aaa66999a72a82f27d848b21"
	 "d4a741b0c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf1000020887891429ca2a3e7a7d7df7b1035516"
	 "5c8b9a6d0a7de8b062c4500dc4cd120c0f7418dae3d0b5781c34803fa75421c790dfe1de1834f280d7667b327f6c"
	 "8cd7557e12ac3a0f93ec05c52e0493ef31a12d3d9260f79a289d6a379bc70c50841473d1a8cc81ec583e9645e07b"
	 "8d9670655ba5bbcfecc6dc3966380ad8fecb17b6ba02469a020a84e18e8f84252070c13e9f1f289be54fbc481457"
	 "778f616015e1327a02b140f1505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae9be6"
	 "9a2ffeceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29a9abc3d4d893927284c58754cce29452"
	 "9f8614dcd2aba991925fedc4ae74ffac6e333b93eb4aff0479da9a410e4450e0dd7ae4c6e2910900575da401fc07"
	 "059f645e8b7e9bfdef33943054ff84011493c27b3429eaedb4ed5376441a77ed43851ad77f16f541dfd269d50d6a"
	 "5f14fb0aab1cbb4c1550be97f7ab4066193c4caa773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6"
	 "e693e148c151"},
	{0xffffffffff,
	 "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed2350eae7e96087c8a0db51ad290bd0"
	 "0c1ac1620857635bf246c176ab463be30b808da548081ac847b158e1264be25bb0910bbc92647108089415d45fab"
	 "1b3d2604e8a8eff1ae4020cfa39936b66827b23f371b92200be90251e6d73c5f86de5fd4a950781933d79a28272b"
	 "782a2ec313efdfcc0628f43d744c2dc2ff3dcb66999b50c7ca895b0c64791eeaa5f29499fb1c026f84ce5b5c72ba"
	 "1083cddb5ce45434631665c333b60b11593fb253c5179a2c8db813782a004856a1653011e93fb6d876c18366dd86"
	 "83f53412c0c180f9c848592d593f8609ca736317d356e13e2bff3a9f59cd9aeb19cd482593d8c46128bb32423b37"
	 "a9adfb482b99453fbe25a41bf6feb4aa0bef5ed24bf73c762978025482c13115e4015aac992e5613a3b5c2f685b8"
	 "4795cb6e9b2656d8c88157e52c42f978d8634c43d06fea928f2822e465aa6576e9bf419384506cc3ce3c54ac1a6f"
	 "67dc66f3b30191e698380bc999b05abce19dc0c6dcc2dd001ec535ba18deb2df1a101023108318c75dc98611a09d"
	 "c48a0acdec676fabdf222f07e026f059b672b56e5cbc8e1d21bbd867dd927212054681d70ea737134cdfce93b6f8"
	 "2ae22423274e58a0821cc5502e2d0ab4585e94de6975be5e0b4efce51cd3e70c25a1fbbbd609d273ad5b0d59631c"
	 "531f6a0a57b9"},
};

static uint8_t text[SECTORS * SECTOR + AROUND], expected[sizeof(text)];

static void vectors(void **state)
{
	uint8_t key[64], want[SECTOR], got[SECTOR];
	struct crypto_xts x;

	assert_int_equal(unhex(vector_key, key), sizeof(key));
	assert_int_equal(crypto_xts_init(&x, key), 0);
	for (unsigned int i = 0; i < SECTOR; i++)
		text[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		assert_int_equal(unhex(vector[i].sealed, want), sizeof(want));
		crypto_xts_encrypt(&x, vector[i].sector, got, text, 1);
		assert_memory_equal(got, want, SECTOR);
		crypto_xts_decrypt(&x, vector[i].sector, got, got, 1);
		assert_memory_equal(got, text, SECTOR);
	}
}

/* OpenSSL's library, sector by sector: `expected` from `text`. */
static void evp_encrypt(const uint8_t *key, uint64_t sector, size_t sectors)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint64_t number[2] = {sector, 0};
	int n;

	for (size_t i = 0; i < sectors; i++, number[0]++) {
		assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_256_xts(), NULL, key,
					       (const uint8_t *)number));
		assert_true(EVP_EncryptUpdate(ctx, expected + i * SECTOR, &n, text + i * SECTOR,
					      SECTOR));
		assert_int_equal(n, SECTOR);
	}
	EVP_CIPHER_CTX_free(ctx);
}

static void assert_around(const uint8_t *space, size_t at, size_t len)
{
	for (size_t i = 0; i < sizeof(text) + AROUND; i++) {
		if (i < at || i >= at + len)
			assert_int_equal(space[i], 0x5a);
	}
}

/* Any numbers, beyond 32 bits too, any alignment; in place every second time. */
static void one_random_case(unsigned int i)
{
	static uint8_t from[sizeof(text) + AROUND], to[sizeof(from)];
	uint64_t sector = (uint64_t)random() << (i % 34);
	size_t sectors = i % 5 ? (size_t)random() % SECTORS : i % 3, len = sectors * SECTOR;
	size_t a = (size_t)random() % AROUND, b = i % 2 ? a : (size_t)random() % AROUND;
	uint8_t *dst = i % 2 ? from : to;
	struct crypto_xts x;
	uint8_t key[64];

	fill_random(key, sizeof(key));
	fill_random(text, len);
	evp_encrypt(key, sector, sectors);
	assert_int_equal(crypto_xts_init(&x, key), 0);
	memset(from, 0x5a, sizeof(from));
	memset(to, 0x5a, sizeof(to));
	memcpy(from + a, text, len);
	crypto_xts_encrypt(&x, sector, dst + b, from + a, sectors);
	assert_memory_equal(dst + b, expected, len);
	assert_around(dst, b, len);
	crypto_xts_decrypt(&x, sector, dst + b, dst + b, sectors);
	assert_memory_equal(dst + b, text, len);
	assert_around(dst, b, len);
	crypto_xts_decrypt(&x, sector, dst + b, expected, sectors);
	assert_memory_equal(dst + b, text, len);
	crypto_wipe(&x, sizeof(x));
}

static void random_cases(void **state)
{
	for (unsigned int i = 0; i < 3000; i++)
		one_random_case(i);
}

/* Two equal halves are refused, and leave no key; halves that differ in one bit are not. */
static void equal_halves(void **state)
{
	struct crypto_xts x, zero = {{0}};
	uint8_t key[64];

	fill_random(key, 32);
	memcpy(key + 32, key, 32);
	memset(&x, 0xff, sizeof(x));
	assert_int_equal(crypto_xts_init(&x, key), CRYPTO_ERR_KEY);
	assert_memory_equal(&x, &zero, sizeof(x));
	for (unsigned int bit = 0; bit < 64 * 8; bit++) {
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(crypto_xts_init(&x, key), 0);
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
		cmocka_unit_test(equal_halves),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
