/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors of encrypted disks in the TPM (R26): the engine's requests for one (iodecrypt/disk.h), carried out by commands that the
 * agent relays (attest/counter.h). Without a TPM, or an agent that relays, a disk has none: who opens it after a crash needs its
 * owner's consent.
 */
#ifndef MONITOR_ANCHOR_H
#define MONITOR_ANCHOR_H

#include "attest/counter.h"
#include "iodecrypt/disk.h"

struct tpm;

/* Between two of a session's, in milliseconds: what was flushed before that cannot be rolled back. A TPM's memory wears. */
#define ANCHOR_INTERVAL (10u * 60 * 1000)

/* Of a disk; zeros at first. */
struct anchor {
	struct counter counter;
	bool busy;     /* counter.message is a command, or its response */
	bool found;    /* it was looked for */
	bool made;     /* and there was none */
	uint64_t last; /* uptime at the last one */
};

/* At boot, while the TPM is the monitor's: its key. */
void anchor_learn(struct tpm *tpm);

/* Whether it has one: for the evidence. */
bool anchor_there(void);

/*
 * Before a disk is opened: finds its counter, and puts it into *expect. ERR_AGAIN: anchor_command() has something for the
 * agent, and it is to be called again after the answer. 0: expect->anchored says whether there is one.
 */
int anchor_find(struct anchor *a, const uint8_t uuid[DISK_UUID_BYTES], struct disk_expect *expect);

/* A command of COUNTER_MESSAGE bytes for the agent, if there is one under way or the disk's requests are for one; else NULL. */
const uint8_t *anchor_command(struct anchor *a, const struct disk *d,
			      const uint8_t uuid[DISK_UUID_BYTES]);

/*
 * The response is in counter.message, or (err) the agent has none. ERR_AGAIN: the next command is there. 0: done; if the disk waits for
 * that, its io_status says how it went.
 */
int anchor_answer(struct anchor *a, struct disk *d, int err);

/* Before requests of the disk go out: whether it is time for one. */
void anchor_time(const struct anchor *a, struct disk *d);

#endif
