/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain of Xen's, and its mailboxes. By libraries whose interfaces do not change with Xen's version: none of
 * libxenctrl.
 */
#ifndef ATTEST_NETHERD_VM_H
#define ATTEST_NETHERD_VM_H

#include <stdint.h>
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#include "attest/netherd/state.h"

struct vm {
	uint16_t domid;
	char identity[STATE_IDENTITY_MAX]; /* of this domain of this boot */
	struct xs_handle *store; /* watches @releaseDomain; has a thread, and is never closed */
	xencall_handle *call;
	xenforeignmemory_handle *memory;
};

/* By number or name. 0; -ENOENT: there is none; or another negative errno. Messages are the caller's. */
int vm_find(struct vm *vm, const char *name);

/* What can be waited for with poll(), when a domain may have ended, and what is to be called then. */
int vm_watch(struct vm *vm);
void vm_watched(struct vm *vm);

/*
 * The pages of a drive's mailbox (iodecrypt/mailbox.h), made if they are not there, mapped until the process ends. NULL after a
 * message.
 */
void *vm_mailbox(struct vm *vm, unsigned int drive);

#endif
