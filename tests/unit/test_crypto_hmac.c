/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/hmac.h against RFC 4231's vectors and OpenSSL's own library, on several CPUs. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypto/hmac.h"

#define SECTOR CRYPTO_SECTOR_BYTES
#define SPACE 20000

/* RFC 4231, 4.2 to 4.8; 4.6 gives the first 16 bytes only. */
static const struct {
	const char *key, *text, *tag;
} vector[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	 "dddddddddddddddddddddddddddddddddddd",
	 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"0102030405060708090a0b0c0d0e0f10111213141516171819",
	 "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	 "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	 "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
	 "a3b6167473100ee06e0c796c2955552b"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaa",
	 "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	 "65204b6579202d2048617368204b6579204669727374",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaa",
	 "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d"
	 "73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174"
	 "612e20546865206b6579206e6565647320746f20626520686173686564206265666f7265206265696e"
	 "67207573656420627920746865"
	 "20484d414320616c676f726974686d2e",
	 "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static uint8_t text[SPACE];

static void vectors(void **state)
{
	uint8_t key[200], want[32], got[32];
	struct crypto_hmac k;
	size_t len, n;

	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		pretend_cpu((unsigned int)i % CPUS);
		crypto_hmac_init(&k, key, unhex(vector[i].key, key));
		len = unhex(vector[i].text, text);
		n = unhex(vector[i].tag, want);
		for (size_t a = 0; a <= len; a++) {
			crypto_hmac(&k, text, a, text + a, len - a, got);
			assert_memory_equal(got, want, n);
		}
	}
}

/* Keys and messages of any length, in pieces, and from a copy taken in the middle. */
static void one_random_case(unsigned int i)
{
	size_t len = i % 3 ? (size_t)random() % SPACE : i % 200, key_len = i % 150, part;
	struct crypto_hmac_stream s, copy;
	uint8_t key[150], want[32], got[32];
	struct crypto_hmac k;

	pretend_cpu(i % CPUS);
	fill_random(key, sizeof(key));
	fill_random(text, len);
	assert_non_null(HMAC(EVP_sha256(), key, (int)key_len, text, len, want, NULL));
	crypto_hmac_init(&k, key_len ? key : NULL, key_len);
	crypto_hmac_start(&s, &k);
	for (size_t at = 0; at < len; at += part) {
		part = 1 + (size_t)random() % (len - at);
		crypto_hmac_update(&s, text + at, part);
		copy = s;
		crypto_hmac_final(&s, got);
		s = copy;
	}
	crypto_hmac_final(&s, got);
	assert_memory_equal(got, want, 32);
	assert_int_equal(s.hash.state[0] | s.hash.state[3], 0);
	part = len ? (size_t)random() % len : 0;
	crypto_hmac(&k, part ? text : NULL, part, text + part, len - part, got);
	assert_memory_equal(got, want, 32);
}

static void random_cases(void **state)
{
	for (unsigned int i = 0; i < 3000; i++)
		one_random_case(i);
	pretend_cpu(0);
}

/* The fast path gives what the definition in the header does, and writes nothing behind. */
static void sectors(void **state)
{
	uint8_t message[SECTOR + 8], key[32], want[32], tags[20][16];
	struct crypto_hmac k;

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t sector = (uint64_t)random() << (i % 34);
		size_t n = i % 20, at = (size_t)random() % 64;

		pretend_cpu(i % CPUS);
		fill_random(key, sizeof(key));
		fill_random(text, sizeof(text));
		memset(tags, 0x5a, sizeof(tags));
		crypto_hmac_init(&k, key, sizeof(key));
		crypto_hmac_sectors(&k, sector, text + at, n, tags);
		for (size_t j = 0; j < n; j++) {
			memcpy(message, text + at + j * SECTOR, SECTOR);
			for (unsigned int b = 0; b < 8; b++)
				message[SECTOR + b] = (uint8_t)((sector + j) >> 8 * b);
			assert_non_null(HMAC(EVP_sha256(), key, sizeof(key), message,
					     sizeof(message), want, NULL));
			assert_memory_equal(tags[j], want, 16);
		}
		for (size_t j = n * 16; j < sizeof(tags); j++)
			assert_int_equal(((const uint8_t *)tags)[j], 0x5a);
	}
	pretend_cpu(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
		cmocka_unit_test(sectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
