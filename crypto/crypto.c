/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include "crypto/features.h"
#include "crypto/openssl.h"
#include "crypto/random.h"
#include "crypto/selftest.h"

/* A program's AVX registers are its own; the monitor's are L1's or L2's. */
#if __STDC_HOSTED__
#define MAY FEATURES_ANY
#else
#define MAY FEATURES_SSE
#endif

int crypto_init(const char **why)
{
	struct features f = features_read();
	int err = features_choose(&f, MAY, OPENSSL_ia32cap_P, why);

	if (!err)
		err = selftest(why);
	if (!err)
		err = random_init(why);
	return err;
}

void crypto_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return !CRYPTO_memcmp(a, b, n);
}
