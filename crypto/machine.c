/* SPDX-License-Identifier: Apache-2.0 */
/* This machine's random generator: its source, and the one instance. */
#include "crypto/features.h"
#include "crypto/random.h"

/*
 * RDSEED is dry for a while when other CPUs draw too; RDRAND practically never is (Intel's guide to its
 * DRNG, 5.2.1 and 5.3.1.1). The 64-bit forms: on some AMD CPUs the shorter ones of RDSEED say that a 0
 * is a random number (AMD-SB-7055).
 */
#define TRIES 100000

static bool rdseed(uint64_t *word)
{
	bool good;

	for (unsigned int i = 0; i < TRIES; i++) {
		__asm__ volatile("rdseed %1" : "=@ccc"(good), "=r"(*word)::"cc");
		if (good)
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static bool rdrand(uint64_t *word)
{
	bool good;

	for (unsigned int i = 0; i < TRIES; i++) {
		__asm__ volatile("rdrand %1" : "=@ccc"(good), "=r"(*word)::"cc");
		if (good)
			return true;
	}
	return false;
}

/* RDSEED's words are taken for half as good as they are said to be. */
static const struct random_source source_rdseed = {rdseed, 4};
/* RDRAND is a generator itself, reseeded after 511 outputs of 128 bits at the latest (5.3.1.3). */
static const struct random_source source_rdrand = {rdrand, 1024};

static struct random machine;
static bool taken;

int random_init(const char **why)
{
	struct features f = features_read();

	*why = "this CPU has neither RDSEED nor RDRAND: there would be no secret keys";
	if (!features_rdseed(&f) && !features_rdrand(&f))
		return CRYPTO_ERR_SOURCE;
	*why = "the CPU's random numbers are not random, or there are none: replace the CPU, update "
	       "its microcode";
	return random_start(&machine, features_rdseed(&f) ? &source_rdseed : &source_rdrand);
}

int crypto_random(void *out, size_t n)
{
	int err;

	while (__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	err = random_read(&machine, out, n);
	__atomic_clear(&taken, __ATOMIC_RELEASE);
	return err;
}
