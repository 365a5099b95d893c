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

/* The registers that the room's code may change. */
enum features_may {
	FEATURES_SSE, /* the low 128 bits of registers 0 to 15: what crypto/simd.h keeps */
	FEATURES_ANY, /* all that the system lets be used: a program's own */
};

/*
 * Fills cap as OPENSSL_ia32cap_P is laid out, with bits that choose between codes that may be used, and
 * none that f has not. Returns 0, or CRYPTO_ERR_CPU with *why set if the CPU lacks an instruction that
 * all of them need.
 */
int features_choose(const struct features *f, enum features_may may, uint32_t cap[4],
		    const char **why);

bool features_rdseed(const struct features *f);
bool features_rdrand(const struct features *f);

#endif
