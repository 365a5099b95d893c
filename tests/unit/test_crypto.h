/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of crypto/ share: numbers from text, and the CPUs that OpenSSL's objects may meet. */
#ifndef TEST_CRYPTO_H
#define TEST_CRYPTO_H

// clang-format off: cmocka wants these first
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/features.h"
#include "crypto/openssl.h"

/* Bytes from hexadecimal text; returns how many. */
static inline size_t unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		out[n++] = (uint8_t)byte;
	return n;
}

static inline void fill_random(void *p, size_t n)
{
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(random() >> 8);
}

#define SSE_CPUS 4 /* as in the monitor */
#define CPUS 7     /* and as in a program */

/*
 * Makes the objects choose what they would on another CPU: 0 this one, 1 without SHA instructions, 2
 * without MOVBE and XSAVE, 3 an Atom (MOVBE, no XSAVE); for a program, 4 this one, 5 without SHA
 * instructions (AVX2), 6 without AVX2 either. Only bits that this CPU has are left.
 */
static inline void pretend_cpu(unsigned int which)
{
	static const struct features less[CPUS] = {
		{0, 0}, {0, UINT32_MAX}, {1u << 22 | 1u << 26, UINT32_MAX}, {1u << 26, UINT32_MAX},
		{0, 0}, {0, 1u << 29},   {0, 1u << 29 | 1u << 5},
	};
	struct features f = features_read();
	const char *why;

	f.leaf1_ecx &= ~less[which].leaf1_ecx;
	f.leaf7_ebx &= ~less[which].leaf7_ebx;
	assert_int_equal(features_choose(&f, which < SSE_CPUS ? FEATURES_SSE : FEATURES_ANY,
					 OPENSSL_ia32cap_P, &why),
			 0);
}

#endif
