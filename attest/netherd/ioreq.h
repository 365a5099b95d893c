/* SPDX-License-Identifier: Apache-2.0 */
/* One processor's I/O request to this server (Xen's public interface, hvm/ioreq.h). */
#ifndef ATTEST_NETHERD_IOREQ_H
#define ATTEST_NETHERD_IOREQ_H

#include <stdbool.h>
#include <stdint.h>

struct ioreq;

/* Somebody has written the number of a drive to MAILBOX_PORT. */
typedef void (*ioreq_doorbell)(void *context, uint32_t drive);

/*
 * Does the request that is in the slot, also one that another netherd began, and marks it as done: true; Xen is then to be
 * notified. False: there is none. Others than the doorbell are answered as by a port where nothing is.
 */
bool ioreq_serve(struct ioreq *slot, ioreq_doorbell bell, void *context);

#endif
