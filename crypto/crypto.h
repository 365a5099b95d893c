/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all users of the room need: errors, start-up, wiping, comparing.
 *
 * The functions of this room may be called with anybody's values in the x87, SSE, AVX, AVX-512 and
 * MXCSR registers and find them unchanged on return (crypto/simd.h). In the monitor that takes
 * CR0.EM = CR0.TS = 0 and CR4.OSFXSR = 1 in the *monitor's* CR0 and CR4, which monitor/boot/entry.S
 * sets on every CPU and which each exit from L1 or L2 loads; L1's and L2's CR0, CR4 and XCR0 do not
 * matter. They may be called on several CPUs at once, and not from an exception handler.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Negative, with Linux's numbers, as everywhere below Xen. */
enum crypto_error {
	CRYPTO_ERR_SOURCE = -5, /* no random source, or it is dry, or failed its health test */
	CRYPTO_ERR_KEY = -22,   /* a key, or a point, that must not be used */
	CRYPTO_ERR_CPU = -38,   /* the CPU lacks an instruction that is needed */
	CRYPTO_ERR_TAG = -74,   /* not what was sealed under this key, nonce and associated data */
	CRYPTO_ERR_TEST = -80,  /* a known answer did not come out */
};

/*
 * To be called once, before anything else of this room: looks at the CPU, computes known answers,
 * tests and seeds the random generator. Returns 0, or an error with *why set; then nothing may be
 * sealed or drawn.
 */
int crypto_init(const char **why) __attribute__((warn_unused_result));

/* Fills out with n random bytes: 0, or CRYPTO_ERR_SOURCE with out zeroed. For any CPU. */
int crypto_random(void *out, size_t n) __attribute__((warn_unused_result));

/* Overwrites n bytes with zeros; the compiler can not leave it out. */
void crypto_wipe(void *p, size_t n);

/* Whether n bytes are equal, in a time that depends on n only. */
bool crypto_equal(const void *a, const void *b, size_t n);

#endif
