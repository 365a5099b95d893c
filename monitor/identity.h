/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who this monitor is, from boot to reset: a key to sign by, and one to receive by. Both are measured (R23), neither private
 * half is ever given out.
 */
#ifndef MONITOR_IDENTITY_H
#define MONITOR_IDENTITY_H

#include "attest/measured.h"
#include "attest/release.h"

/* At boot, after crypto_init(): draws the keys. Returns 0, or an error with *why set. */
int identity_init(const char **why) __attribute__((warn_unused_result));

/* The public halves. */
void identity_public(struct measured_keys *out);

/* As release_open(), with this monitor's key. */
int identity_open(struct release *out, const struct release_message *m)
	__attribute__((warn_unused_result));

/* ECDSA of a SHA-256 digest: r and s, big-endian. */
void identity_sign(uint8_t out[64], const uint8_t digest[32]);

#endif
