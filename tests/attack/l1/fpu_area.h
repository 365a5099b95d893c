/* SPDX-License-Identifier: Apache-2.0 */
/* x87, SSE and AVX registers, for the victim and for L1, by XSAVE or, where `wide` is false, by FXSAVE. */
#ifndef ATTACK_L1_FPU_AREA_H
#define ATTACK_L1_FPU_AREA_H

#include "lib/cpu.h"

/* SDM volume 1, 10.5.1 and 13.4. */
#define FPU_BYTES 832
#define FPU_X87 32
#define FPU_SSE 160
#define FPU_HEADER 512
#define FPU_AVX 576
#define FPU_XCR0 7u

struct fpu_area {
	uint8_t b[FPU_BYTES] __attribute__((aligned(64)));
};

static inline void fpu_on(bool wide)
{
	write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (wide ? CR4_OSXSAVE : 0));
	if (wide)
		__asm__ volatile("xsetbv" : : "c"(0), "a"(FPU_XCR0), "d"(0) : "memory");
}

static inline void fpu_put(const struct fpu_area *a, bool wide)
{
	if (wide)
		__asm__ volatile("xrstor64 %0" : : "m"(*a), "a"(FPU_XCR0), "d"(0));
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(*a));
}

static inline void fpu_get(struct fpu_area *a, bool wide)
{
	if (wide)
		__asm__ volatile("xsave64 %0" : "+m"(*a) : "a"(FPU_XCR0), "d"(0));
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*a));
}

/* Eight of x87, and 16 of SSE and AVX, with these words in turn from `first` on. */
static inline void fpu_fill(struct fpu_area *a, const uint64_t words[8], unsigned first)
{
	uint64_t *at = (uint64_t *)(void *)a->b;

	for (unsigned i = 0; i < FPU_BYTES / 8; i++)
		at[i] = 0;
	at[0] = 0xff0000037full; /* FCW; all registers in use */
	at[3] = 0x5f80;          /* MXCSR: rounding up */
	for (unsigned i = 0; i < 8; i++) {
		at[FPU_X87 / 8 + 2 * i] = words[(first + i) % 8];
		at[FPU_X87 / 8 + 2 * i + 1] = 0xffff;
	}
	for (unsigned i = 0; i < 32; i++) {
		at[FPU_SSE / 8 + i] = words[(first + i) % 8];
		at[FPU_AVX / 8 + i] = words[(first + i + 3) % 8];
	}
	at[FPU_HEADER / 8] = FPU_XCR0;
}

static inline bool fpu_same(const struct fpu_area *x, const struct fpu_area *y, unsigned from,
			    unsigned n)
{
	bool same = true;

	for (unsigned i = from; i < from + n; i++)
		same &= x->b[i] == y->b[i];
	return same;
}

#endif
