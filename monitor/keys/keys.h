/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How keys of disks come to the monitor. One of two is linked in: none.c, or dev.c, which takes them from whoever
 * asks, for development. An image with that one says so, in its version and at boot.
 */
#ifndef MONITOR_KEYS_KEYS_H
#define MONITOR_KEYS_KEYS_H

#include "ept/addr.h"

struct cpu;

/* The version's text, with what it has to say of that. */
extern const char keys_version[32];

/* What is to be said at boot; NULL. */
extern const char *const keys_warning;

/* HYPERCALL_DISK_ATTACH, for the guest that will have `page`. */
int keys_attach(struct cpu *cpu, hpa_t page, uint64_t *number);

#endif
