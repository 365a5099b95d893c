/* SPDX-License-Identifier: Apache-2.0 */
/* HYPERCALL_RELEASE: a tenant's message with the keys of a disk (attest/release.h). */
#ifndef MONITOR_RELEASE_H
#define MONITOR_RELEASE_H

#include "ept/walk.h"

/* The message at gva of the caller's, for the guest that will have `page`. 0, or an error as the hypercall has them. */
int release_take(const struct walk_space *caller, gva_t gva, hpa_t page, uint64_t *number);

#endif
