/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the channels that guests offer to the host is this program's: dom0 has several programs, and one may have been killed. Root of
 * dom0 only. docs/channel.md, "User-space endpoints".
 */
#ifndef SWITCH_CHANNEL_LIB_XEN_CLAIM_H
#define SWITCH_CHANNEL_LIB_XEN_CLAIM_H

#include <stdint.h>

/* Byte ID of this file is locked by the program that has channel ID; the kernel drops the lock with the program, after its mappings. */
#ifndef HOST_CLAIMS /* a test's own */
#define HOST_CLAIMS "/run/nether-port.lock"
#endif

/* Xen's number of a domain, by that number or the domain's name. 0, -ESRCH: Xen has none such now, or another negative errno: of xenstore. */
int host_domain(const char *text, uint16_t *domid);

/*
 * To be called before host_channel_accept(). Finds the channel that Xen's domain `domid` offers to the host by the name of `service`, or (service NULL) the one
 * with the monitor's number *id, and keeps other programs from it. What a program that is no more has left open of that guest's is closed: the
 * channel waits to be accepted.
 *
 * *id, and a file descriptor that the caller closes after host_channel_close(); or a negative errno: -EAGAIN: the domain offers none such; -EBUSY:
 * another program has it; -ESRCH: Xen has no such domain; -ENODEV: no monitor, or another one; others: of Xen's device or of HOST_CLAIMS.
 */
int host_channel_claim(uint16_t domid, const char *service, uint64_t *id);

#endif
