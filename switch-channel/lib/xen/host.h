/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that a guest offers to the host itself, as the end that dom0 has. Root of dom0 only. docs/channel.md, "User-space endpoints". */
#ifndef SWITCH_CHANNEL_LIB_XEN_HOST_H
#define SWITCH_CHANNEL_LIB_XEN_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host_channel; /* what is mapped */

/*
 * Accepts channel `id` (the monitor's) of Xen's domain `domid`, and maps its pages: *memory, *pages. NULL, and *why in words that need no free: nobody has it
 * then. With a wrong domid it is refused: the monitor says whose the pages are.
 */
struct host_channel *host_channel_accept(uint16_t domid, uint64_t id, void **memory,
					 uint32_t *pages, const char **why);

/* Whether the offerer has left, or is over: nothing will come any more. */
bool host_channel_left(const struct host_channel *c);

/* Closes it with a reason (enum channel_reason), and unmaps it. Nobody writes to it any more: such a write would end the guest. */
void host_channel_close(struct host_channel *c, uint32_t reason);

#endif
