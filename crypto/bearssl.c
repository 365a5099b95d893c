/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bearssl.h"

#include "crypto/stack.h"

/* What FS points at meanwhile. The canary guards against bugs of this room, not against anybody. */
static struct {
	uint8_t before[0x28];
	uint64_t canary;
} thread = {.canary = 0x8d1f62a90c57e300};

void bearssl_enter(struct bearssl_outside *o)
{
	simd_save(&o->simd);
	o->fs = simd_fs_swap((uintptr_t)&thread);
}

void bearssl_leave(const struct bearssl_outside *o)
{
	simd_fs_swap(o->fs);
	simd_restore(&o->simd);
	stack_wipe();
}
