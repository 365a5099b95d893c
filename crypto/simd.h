/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the registers that the ciphers use, which in the monitor are L1's or L2's.
 *
 * In the monitor only integer code in the legacy SSE encoding is let run (crypto/features.c): it changes the low
 * 128 bits of registers 0 to 15 and leaves the bits above them alone (Intel SDM vol. 2, the operation of
 * each: "DEST[MAXVL-1:128] (Unmodified)"), as well as MXCSR, x87 and the mask registers. So 256 bytes are
 * all there is to keep, whatever XCR0 says. Out of line, so that the compiler takes the registers for
 * changed.
 */
#ifndef CRYPTO_SIMD_H
#define CRYPTO_SIMD_H

#include <stdint.h>

struct simd_area {
	_Alignas(16) uint8_t xmm[16][16];
};

void simd_save(struct simd_area *area);
void simd_restore(const struct simd_area *area);

/*
 * Sets the FS base, which BearSSL's objects read a stack canary by and which the monitor leaves to L1
 * and L2; returns the old one. Does nothing in a hosted program, where FS is the C library's.
 */
uint64_t simd_fs_swap(uint64_t base);

#endif
