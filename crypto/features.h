/* SPDX-License-Identifier: Apache-2.0 */
/* Which code of OpenSSL's objects this CPU may run, and where it has randomness. */
#ifndef CRYPTO_FEATURES_H
#define CRYPTO_FEATURES_H

#include "crypto/crypto.h"

/* CPUID's answers that matter here (Intel SDM vol. 2, CPUID; AMD APM vol. 3, E.3). */
struct features {
	uint32_t leaf1_ecx;
	uint32_t leaf7_ebx; /* 0 where there is no leaf 7 */
};

/* Of the CPU that executes this. */
struct features features_read(void);

/*
 * Fills cap as OPENSSL_ia32cap_P is laid out: the bits that choose between legacy SSE codes, and none
 * that chooses an AVX one (crypto/simd.h says why). Returns 0, or CRYPTO_ERR_CPU with *why set if the
 * CPU lacks an instruction that all of them need.
 */
int features_choose(const struct features *f, uint32_t cap[4], const char **why);

bool features_rdseed(const struct features *f);
bool features_rdrand(const struct features *f);

#endif
