/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's side of a mailbox (iodecrypt/mailbox.h), wherever its pages are found. */
#ifndef MONITOR_MAILBOX_H
#define MONITOR_MAILBOX_H

#include "ept/walk.h"
#include "iodecrypt/disk.h"
#include "iodecrypt/mailbox.h"

/* Where it is just now. */
struct mailbox_at {
	const struct walk_space *space;
	bool linear; /* address is a gva, else a gpa */
	uint64_t address;
};

/* The disk's requests, as list number `sequence`. 0; ERR_FAULT: it is not all L1's memory. */
int mailbox_put(const struct mailbox_at *m, const struct disk *d, uint32_t sequence);

/* The answer, with the agent's status in d->io_status. 0; ERR_AGAIN: not answered; ERR_FAULT. */
int mailbox_take(const struct mailbox_at *m, struct disk *d, uint32_t sequence);

/* The same with a command for the TPM at message, of MAILBOX_MESSAGE bytes, whose place the response takes. */
#define MAILBOX_MESSAGE 1024u
int mailbox_put_tpm(const struct mailbox_at *m, const uint8_t *message, uint32_t sequence);
int mailbox_take_tpm(const struct mailbox_at *m, uint8_t *message, uint32_t sequence);

#endif
