/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three address spaces. Each is a struct of its own, so that the compiler refuses to mix them:
 * hpa host-physical (what the monitor and L1 see), gpa guest-physical (L2), gva guest-virtual
 * (linear, L1 or L2).
 */
#ifndef EPT_ADDR_H
#define EPT_ADDR_H

#include "ept/base.h"

typedef struct {
	uint64_t a;
} hpa_t;

typedef struct {
	uint64_t a;
} gpa_t;

typedef struct {
	uint64_t a;
} gva_t;

#define HPA(x) ((hpa_t){(uint64_t)(x)})
#define GPA(x) ((gpa_t){(uint64_t)(x)})
#define GVA(x) ((gva_t){(uint64_t)(x)})

static inline uint64_t page_offset(uint64_t a)
{
	return a & (PAGE_SIZE - 1);
}

#endif
