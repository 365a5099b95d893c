/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of all that the room computes. */
#ifndef CRYPTO_SELFTEST_H
#define CRYPTO_SELFTEST_H

#include "crypto/crypto.h"

/* Returns 0, or CRYPTO_ERR_TEST with *why naming the first answer that was wrong. */
int selftest(const char **why) __attribute__((warn_unused_result));

/* Of which these are a part: crypto/selftest_keys.c, crypto/selftest_release.c. Each says whether it passes. */
bool selftest_xts(void);
bool selftest_hmac(void);
bool selftest_hkdf(void);
bool selftest_x25519(void);
bool selftest_p256(void);
bool selftest_hpke(void);

#endif
