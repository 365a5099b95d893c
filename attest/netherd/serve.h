/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a mailbox (iodecrypt/mailbox.h), carried out on files. Who else writes the mailbox, the guest or another
 * program in dom0, is not trusted: a list is copied, then checked, then done.
 */
#ifndef ATTEST_NETHERD_SERVE_H
#define ATTEST_NETHERD_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "iodecrypt/mailbox.h"

/* No file is as long: the largest disk has 2^44 bytes (iodecrypt/format.h). */
#define SERVE_OFFSET_MAX ((uint64_t)1 << 45)

struct serve_file {
	int fd;
	uint64_t bytes; /* WRITEs end there */
};

struct serve_disk {
	const char *name;          /* in messages */
	struct serve_file file[2]; /* by enum mailbox_file */
	void *mailbox;             /* MAILBOX_PAGES pages */
	int tpm;                   /* descriptor of the TPM's device; -1: not open yet */
	unsigned int complaints;   /* so far, of SERVE_COMPLAINTS_MAX */
	bool full;                 /* that the disk is full was said */
};

#define SERVE_COMPLAINTS_MAX 50u

/* Does the list that the mailbox has and answers it. False: it has none, or it is answered. */
bool serve_list(struct serve_disk *d);

#endif
