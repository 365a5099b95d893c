/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the monitor has blocks of a sidecar, and sectors of a data file, read and written by an agent in dom0
 * (netherd). The agent is not trusted: it can refuse, and then the guest's disk fails; whatever it says is verified by
 * iodecrypt/disk.h.
 *
 * Each encrypted disk of a guest has a mailbox of MAILBOX_PAGES pages. They are pages of the guest's domain, which the
 * agent has Xen put at MAILBOX_GPA(drive) before the guest's launch; so they stay, and are nobody else's, whatever becomes of
 * the agent. The first has struct mailbox, the others are for data, one behind the other.
 *
 *   while the guest runs     the monitor fills the mailbox in and has the guest's processor write the drive's number, 4 bytes,
 *                            to port MAILBOX_PORT, for which the agent is Xen's I/O request server. The agent does the
 *                            requests and completes the port access; the processor waits for that in Xen.
 *   before, and afterwards   HYPERCALL_DISK_SERVE, again and again, with the agent's own mapping of the mailbox; or of
 *                            any MAILBOX_PAGES pages of its own, zeroed at first, if the guest is over, and with it the mailbox,
 *                            because no agent was there that had it mapped
 */
#ifndef IODECRYPT_MAILBOX_H
#define IODECRYPT_MAILBOX_H

#include <stdint.h>

#define MAILBOX_MAGIC 0x786f626du /* "mbox" */
#define MAILBOX_VERSION 1u
#define MAILBOX_PORT 0x4e48u
#define MAILBOX_PAGES 33u
#define MAILBOX_DRIVES 4u
/* Among the shared addresses of an HVM guest (monitor/layout.c), where no chipset of QEMU's has anything. */
#define MAILBOX_GPA(drive) (0xfed60000u + (drive)*MAILBOX_PAGES * 4096u)
#define MAILBOX_REQUESTS 40u
#define MAILBOX_DATA ((MAILBOX_PAGES - 1) * 4096u)

enum mailbox_op { MAILBOX_READ, MAILBOX_WRITE, MAILBOX_SYNC, MAILBOX_TPM };
enum mailbox_file { MAILBOX_SIDECAR, MAILBOX_IMAGE };

/* Little-endian, as all here. */
struct mailbox_request {
	uint8_t op, file;
	uint16_t zero;
	uint32_t bytes;  /* READ, WRITE */
	uint64_t offset; /* in the file */
	uint32_t at;     /* in the data pages: WRITE takes its bytes there, READ puts them there */
	uint32_t zero2;
};

/*
 * The monitor writes all but the last two words, sequence last; a list is there as long as answered is another number. Requests
 * are to be done in order; the first that fails ends the list. All of it may be done twice: an agent is killed, the next one finds
 * the list unanswered.
 *
 * A READ beyond the end of a file brings zeros. A WRITE makes the sidecar longer, but not the data file. SYNC is
 * fdatasync(): of what anybody has written to the file. TPM: a command, which its own head says the size of, is given to the
 * TPM, and its response takes its place; `bytes` are room for both, file and offset are 0. The agent refuses, with -EINVAL, what does not lie in the data
 * pages, or has zero or zero2 set, or offsets beyond 2^45; with -EPROTO another magic or version, or a larger count.
 */
struct mailbox {
	uint32_t magic, version;
	uint32_t sequence; /* of this list; 0: none yet */
	uint32_t count;
	struct mailbox_request request[MAILBOX_REQUESTS];
	/* The agent's answer: first the status, 0 or a negative errno, then the sequence number. */
	int32_t status;
	uint32_t answered;
};
_Static_assert(sizeof(struct mailbox) <= 4096, "a page");

/* What HYPERCALL_DISK_ATTACH is told. Development only: whoever can read dom0's memory has the keys. */
struct mailbox_attach {
	uint32_t version; /* MAILBOX_VERSION */
	uint8_t drive; /* 0 primary master, 1 primary slave, 2 secondary master, 3 secondary slave */
	uint8_t plain; /* bit i: drive i may be one that is not encrypted, a CD-ROM for instance */
	uint8_t consent; /* 1: also to an image that was not closed, or is newer than generation */
	uint8_t root_known;
	uint64_t generation;
	uint8_t root[16]; /* of the receipt of that generation, if root_known */
	uint8_t uuid[16];
	uint8_t key_id[16];
	uint8_t xts[64];
	uint8_t tag[32];
};

#endif
