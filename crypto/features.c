/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/features.h"

#include <cpuid.h>

#include "crypto/openssl.h"

/* CPUID 1, ECX. */
#define PCLMULQDQ (1u << 1)
#define SSSE3 (1u << 9)
#define SSE41 (1u << 19)
#define MOVBE (1u << 22)
#define AESNI (1u << 25)
#define XSAVE (1u << 26)
#define RDRAND (1u << 30)
/* CPUID 7.0, EBX. */
#define RDSEED (1u << 18)
#define SHA (1u << 29)

#define NEEDED (PCLMULQDQ | SSSE3 | SSE41 | AESNI)
/* MOVBE without XSAVE means to OpenSSL an Atom, and a loop of another shape; both end there. */
#define CHOOSING (NEEDED | MOVBE | XSAVE)
/* Where OpenSSL says that this is an AMD CPU with XOP: reserved by Intel, never set in CPUID by AMD. */
#define XOP (1u << 11)

struct features features_read(void)
{
	struct features f = {0};
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d))
		f.leaf1_ecx = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		f.leaf7_ebx = b;
	return f;
}

/* What OpenSSL's library itself would choose by, on this CPU and system (XCR0), less what f has not. */
static void choose_any(const struct features *f, uint32_t cap[4])
{
	uint64_t leaf1 = OPENSSL_ia32_cpuid(cap);

	cap[0] = (uint32_t)leaf1;
	cap[1] = (uint32_t)(leaf1 >> 32) & (f->leaf1_ecx | XOP);
	cap[2] &= f->leaf7_ebx;
}

/* The bits that choose between legacy SSE codes, and none that chooses an AVX one. */
static void choose_sse(const struct features *f, uint32_t cap[4])
{
	cap[0] = 0;
	cap[1] = f->leaf1_ecx & CHOOSING;
	cap[2] = f->leaf7_ebx & SHA;
	cap[3] = 0;
}

int features_choose(const struct features *f, enum features_may may, uint32_t cap[4],
		    const char **why)
{
	if ((f->leaf1_ecx & NEEDED) != NEEDED) {
		*why = "this CPU lacks AES-NI, PCLMULQDQ, SSSE3 or SSE4.1";
		return CRYPTO_ERR_CPU;
	}
	if (may == FEATURES_ANY)
		choose_any(f, cap);
	else
		choose_sse(f, cap);
	return 0;
}

bool features_rdseed(const struct features *f)
{
	return f->leaf7_ebx & RDSEED;
}

bool features_rdrand(const struct features *f)
{
	return f->leaf1_ecx & RDRAND;
}
