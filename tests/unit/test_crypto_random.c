/* SPDX-License-Identifier: Apache-2.0 */
/* Health tests, HMAC_DRBG and the generator, with sources that are good, stuck, biased or dry. */
#include "tests/unit/test_crypto.h"

#include "crypto/random.h"

#define DRBG_BYTES 128

/* A good source: splitmix64, which passes for random here and is the same in each run. */
static uint64_t good_state, words_read, dry_after, bad_after;
static bool (*bad)(uint64_t *word);

static uint64_t good_word(void)
{
	uint64_t z = good_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool source_read(uint64_t *word)
{
	if (words_read == dry_after)
		return false;
	if (words_read++ >= bad_after)
		return bad(word);
	*word = good_word();
	return true;
}

static const struct random_source source = {source_read, 4};
static const struct random_source thin_source = {source_read, 1024};

static void set_source(uint64_t seed)
{
	good_state = seed;
	words_read = 0;
	dry_after = bad_after = UINT64_MAX;
}

/* --- sources that are not random -------------------------------------------------------------- */

static bool stuck_at_ones(uint64_t *word)
{
	*word = UINT64_MAX;
	return true;
}

static bool stuck_at_a_value(uint64_t *word)
{
	*word = 0x123456789abcdef0;
	return true;
}

/* Never the same twice in a row. */
static bool alternating(uint64_t *word)
{
	*word = words_read % 2 ? 0x0123456789abcdef : 0xfedcba9876543210;
	return true;
}

static bool few_values(uint64_t *word)
{
	*word = (good_word() >> 58) * 0x0101010101010101;
	return true;
}

static bool counter(uint64_t *word)
{
	*word = words_read;
	return true;
}

/* Each bit is 1 three times out of four. */
static bool biased_bits(uint64_t *word)
{
	*word = good_word();
	*word |= good_word();
	return true;
}

static bool biased_to_zero(uint64_t *word)
{
	*word = good_word();
	*word &= good_word();
	return true;
}

static bool half_dead(uint64_t *word)
{
	*word = good_word() & 0x00000000ffffffff;
	return true;
}

static bool (*const bad_sources[])(uint64_t *) = {stuck_at_ones,  stuck_at_a_value, alternating,
						  few_values,     counter,          biased_bits,
						  biased_to_zero, half_dead};
#define BAD_SOURCES (sizeof(bad_sources) / sizeof(*bad_sources))

/* --- tests ------------------------------------------------------------------------------------ */

static void good_words_pass(void **state)
{
	struct health h;

	set_source(1);
	health_init(&h);
	for (unsigned int i = 0; i < 2000000; i++)
		assert_true(health_feed(&h, good_word()));
}

static void limits(void **state)
{
	struct health h;

	/* Two in a row may be; three may not; and that is for good. */
	health_init(&h);
	assert_true(health_feed(&h, 5));
	assert_true(health_feed(&h, 5));
	assert_false(health_feed(&h, 5));
	assert_false(health_feed(&h, 6));
	/* Twice in a window, far apart, may be; in the next window it may again. */
	set_source(2);
	health_init(&h);
	for (unsigned int i = 0; i < 4 * 512; i++)
		assert_true(health_feed(&h, i % 512 == 0 || i % 512 == 300 ? 5 : good_word()));
	assert_true(health_feed(&h, 5));
	assert_true(health_feed(&h, good_word()));
	assert_true(health_feed(&h, 5));
	assert_true(health_feed(&h, good_word()));
	assert_false(health_feed(&h, 5));
}

/* Bits: 660 of 1024 may be alike, 661 may not, be they ones or zeros. */
static bool bits_pass(unsigned int ones)
{
	struct health h;
	bool good = true;

	health_init(&h);
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int n = ones / 16 + (i < ones % 16);
		uint64_t word = n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;

		good = health_feed(&h, word << i | (i ? word >> (64 - i) : 0));
	}
	return good;
}

static void bit_limits(void **state)
{
	assert_true(bits_pass(512));
	assert_true(bits_pass(660));
	assert_false(bits_pass(661));
	assert_true(bits_pass(1024 - 660));
	assert_false(bits_pass(1024 - 661));
}

/* NIST CAVP, HMAC_DRBG.rsp, SHA-256, count 0: without and with reseeding. */
static void drbg_vectors(void **state)
{
	const char *plain =
		"e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89d54fbb978a15b5c4"
		"43c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc107694bb7547bb0995f70de25d6b29e2d"
		"3011bb19d27676c07162c8b5ccde0668961df86803482cb37ed6d5c0bb8d50cf1f50d476aa0458bd"
		"aba806f48be9dcb8";
	const char *reseeded =
		"76fc79fe9b50beccc991a11b5635783a83536add03c157fb30645e611c2898bb2b1bc215000209208cd"
		"506cb28da2a51bdb03826aaf2bd2335d576d519160842e7158ad0949d1a9ec3e66ea1b1a064b005de9"
		"14eac2e9d4f2d72a8616a80225422918250ff66a41bd2f864a6a38cc5b6499dc43f7f2bd09e1e0f8f5"
		"885935124";
	uint8_t seed[64], out[DRBG_BYTES], want[DRBG_BYTES];
	struct hmac_drbg d;
	size_t n;

	n = unhex("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488"
		  "659ba96c601dc69fc902940805ec0ca8",
		  seed);
	hmac_drbg_init(&d, seed, n);
	hmac_drbg_generate(&d, out, sizeof(out));
	hmac_drbg_generate(&d, out, sizeof(out));
	assert_int_equal(unhex(plain, want), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	n = unhex("06032cd5eed33f39265f49ecb142c511da9aff2af71203bffaf34a9ca5bd9c0d"
		  "0e66f71edc43e42a45ad3c6fc6cdc4df",
		  seed);
	hmac_drbg_init(&d, seed, n);
	n = unhex("01920a4e669ed3a85ae8a33b35a74ad7fb2a6bb4cf395ce00334a9c9a5a5d552", seed);
	hmac_drbg_reseed(&d, seed, n);
	hmac_drbg_generate(&d, out, sizeof(out));
	hmac_drbg_generate(&d, out, sizeof(out));
	assert_int_equal(unhex(reseeded, want), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static void good_source(void **state)
{
	struct random r, other;
	uint8_t a[6000], b[6000];

	set_source(3);
	assert_int_equal(random_start(&r, &source), 0);
	assert_int_equal(words_read, HEALTH_STARTUP);
	assert_int_equal(random_read(&r, a, sizeof(a)), 0);
	assert_int_equal(random_read(&r, b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	/* Another seed, another stream; a thin source is read until it has given enough. */
	set_source(4);
	assert_int_equal(random_start(&other, &thin_source), 0);
	assert_int_equal(words_read, 3 * 1024);
	assert_int_equal(random_read(&other, b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void assert_gives_nothing(struct random *r)
{
	uint8_t out[100], zero[100] = {0};

	memset(out, 0xff, sizeof(out));
	assert_int_equal(random_read(r, out, sizeof(out)), CRYPTO_ERR_SOURCE);
	assert_memory_equal(out, zero, sizeof(zero));
}

static void bad_at_start(void **state)
{
	struct random r;

	for (size_t i = 0; i < BAD_SOURCES; i++) {
		set_source(i);
		bad = bad_sources[i];
		bad_after = 0;
		assert_int_equal(random_start(&r, &source), CRYPTO_ERR_SOURCE);
		assert_gives_nothing(&r);
	}
}

/* The source goes bad later: the first reseeding that sees it fails, and so does all that follows. */
static void bad_later(void **state)
{
	uint8_t out[32];
	unsigned int good;
	struct random r;

	for (size_t i = 0; i < BAD_SOURCES; i++) {
		set_source(i);
		bad = bad_sources[i];
		bad_after = HEALTH_STARTUP;
		assert_int_equal(random_start(&r, &thin_source), CRYPTO_ERR_SOURCE);
		set_source(i);
		bad_after = 3 * 1024;
		assert_int_equal(random_start(&r, &thin_source), 0);
		for (good = 0; !random_read(&r, out, sizeof(out)); good++)
			assert_true(good < 2000);
		assert_int_equal(good, 1024);
		assert_true(r.health.failed);
		bad_after = UINT64_MAX;
		assert_gives_nothing(&r);
	}
}

/* Dry is not broken: nothing is given out, but the next call tries again. */
static void dry_source(void **state)
{
	uint8_t out[5000];
	struct random r;

	set_source(5);
	dry_after = 100;
	assert_int_equal(random_start(&r, &source), CRYPTO_ERR_SOURCE);
	assert_gives_nothing(&r);
	set_source(5);
	dry_after = HEALTH_STARTUP + 3;
	assert_int_equal(random_start(&r, &source), 0);
	for (unsigned int i = 0; i < 1023; i++)
		assert_int_equal(random_read(&r, out, 8), 0);
	/* The second half of a long request would need fresh words. */
	memset(out, 0xff, sizeof(out));
	assert_int_equal(random_read(&r, out, sizeof(out)), CRYPTO_ERR_SOURCE);
	for (size_t i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], 0);
	assert_gives_nothing(&r);
	dry_after = UINT64_MAX;
	assert_int_equal(random_read(&r, out, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_words_pass), cmocka_unit_test(limits),
		cmocka_unit_test(bit_limits),      cmocka_unit_test(drbg_vectors),
		cmocka_unit_test(good_source),     cmocka_unit_test(bad_at_start),
		cmocka_unit_test(bad_later),       cmocka_unit_test(dry_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
