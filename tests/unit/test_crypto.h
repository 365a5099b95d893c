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

#define CPUS 4

/*
 * Makes the objects choose what they would on another CPU: 0 this one, 1 without SHA instructions, 2
 * without MOVBE and XSAVE, 3 an Atom (MOVBE, no XSAVE). Only bits that this CPU has are left.
 */
static inline void pretend_cpu(unsigned int which)
{
	struct features f = features_read();
	const char *why;

	if (which)
		f.leaf7_ebx = 0;
	if (which == 2)
		f.leaf1_ecx &= ~(1u << 22 | 1u << 26);
	if (which == 3)
		f.leaf1_ecx &= ~(1u << 26);
	assert_int_equal(features_choose(&f, OPENSSL_ia32cap_P, &why), 0);
}

#endif
