/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/sha256.h against NIST's vectors and OpenSSL's own library, on several CPUs. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>

#include "crypto/sha256.h"

#define SPACE 20000

/* NIST CAVP, SHA256ShortMsg.rsp; FIPS 180-2, B.1 and B.2. */
static const struct {
	const char *text, *digest;
} vector[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c6a6b6c6d6b6c6d6e"
	 "6c6d6e6f6d6e6f706e6f7071",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"e2f76e97606a872e317439f1a03fcd92e632e5bd4e7cbc4e97f1afc19a16fde92d77cbe546416b51640cddb9"
	 "2af996534dfd81edb17c4424cf1ac4d75aceeb",
	 "18041bd4665083001fba8c5411d2d748e8abbfdcdfd9218cb02b68a78e7d4c23"},
	{"5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8a650547208251f6d4237e661"
	 "c7bf4c77f335390394c37fa1a9f9be836ac28509",
	 "42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa"},
};

static uint8_t text[SPACE];

static void vectors(void **state)
{
	uint8_t want[32], got[32];
	size_t len;

	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		pretend_cpu(cpu);
		for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
			len = unhex(vector[i].text, text);
			assert_int_equal(unhex(vector[i].digest, want), 32);
			crypto_sha256(text, len, got);
			assert_memory_equal(got, want, 32);
		}
	}
}

/* In pieces of any length, and from a copy of the state taken in the middle. */
static void random_cases(void **state)
{
	for (unsigned int i = 0; i < 3000; i++) {
		size_t len = i % 3 ? (size_t)random() % SPACE : 4096, part;
		struct crypto_sha256 hash, copy;
		uint8_t want[32], got[32];

		pretend_cpu(i % CPUS);
		fill_random(text, len);
		assert_true(EVP_Digest(text, len, want, NULL, EVP_sha256(), NULL));
		crypto_sha256_init(&hash);
		for (size_t at = 0; at < len; at += part) {
			part = 1 + (size_t)random() % (len - at);
			crypto_sha256_update(&hash, text + at, part);
			copy = hash;
			crypto_sha256_final(&hash, got);
			hash = copy;
		}
		crypto_sha256_final(&hash, got);
		assert_memory_equal(got, want, 32);
		assert_int_equal(hash.state[0] | hash.state[4], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
