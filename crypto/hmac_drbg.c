/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BearSSL's objects are compiled with the stack protector, which reads its canary at %fs:0x28. In the
 * monitor FS is L1's or L2's, so the base is exchanged around each call: four MSR accesses, for
 * something that is done when a guest is launched, not when it runs.
 */
#include "crypto/hmac_drbg.h"

#include "crypto/simd.h"

/* What FS points at meanwhile. The canary guards against bugs of this room, not against anybody. */
static struct {
	uint8_t before[0x28];
	uint64_t canary;
} thread = {.canary = 0x8d1f62a90c57e300};

struct outside {
	struct simd_area simd;
	uint64_t fs;
};

static void enter(struct outside *o)
{
	simd_save(&o->simd);
	o->fs = simd_fs_swap((uintptr_t)&thread);
}

static void leave(const struct outside *o)
{
	simd_fs_swap(o->fs);
	simd_restore(&o->simd);
}

void hmac_drbg_init(struct hmac_drbg *d, const void *seed, size_t len)
{
	struct outside outside;

	enter(&outside);
	br_hmac_drbg_init(&d->state, &br_sha256_vtable, seed, len);
	leave(&outside);
}

void hmac_drbg_reseed(struct hmac_drbg *d, const void *seed, size_t len)
{
	struct outside outside;

	enter(&outside);
	br_hmac_drbg_update(&d->state, seed, len);
	leave(&outside);
}

void hmac_drbg_generate(struct hmac_drbg *d, void *out, size_t n)
{
	struct outside outside;

	if (n > HMAC_DRBG_MAX)
		__builtin_trap();
	enter(&outside);
	br_hmac_drbg_generate(&d->state, out, n);
	leave(&outside);
}
