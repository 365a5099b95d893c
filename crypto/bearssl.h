/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands around each call of BearSSL's objects. They are compiled with the stack protector, which
 * reads its canary at %fs:0x28; in the monitor FS is L1's or L2's, so its base is exchanged meanwhile:
 * four MSR accesses, for what is done when a guest is launched, not when it runs. Only crypto/ includes
 * this.
 */
#ifndef CRYPTO_BEARSSL_H
#define CRYPTO_BEARSSL_H

#include "crypto/simd.h"

struct bearssl_outside {
	struct simd_area simd;
	uint64_t fs;
};

void bearssl_enter(struct bearssl_outside *o);
void bearssl_leave(const struct bearssl_outside *o);

#endif
