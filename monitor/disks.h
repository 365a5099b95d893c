/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encrypted disks of this machine: from the moment that L1 attaches one to a guest that is not launched yet,
 * until it is closed, after the guest's end. A fixed number of records, each with its share of memory.
 */
#ifndef MONITOR_DISKS_H
#define MONITOR_DISKS_H

#include "monitor/digest.h"
#include "monitor/hypercall.h"
#include "monitor/mailbox.h"

struct guest;

/* Bytes that all records take, on a machine with so much RAM. */
#define DISKS_PAGES \
	1024 /* of one: 4 MiB: the largest command's tags, and nodes for some 58 MiB of the disk besides */
#define DISKS_MAX 64u
#define DISKS(ram)                                                               \
	((ram) / (512 * MIB) < 2           ? 2                                   \
	 : (ram) / (512 * MIB) < DISKS_MAX ? (unsigned int)((ram) / (512 * MIB)) \
					   : DISKS_MAX)

/* At boot. */
void disks_init(void);

/* Under which terms its owner released a disk's keys (attest/release.h). */
struct disks_terms {
	uint8_t tenant[32], release[16];
	uint8_t digest[DIGEST_BYTES]; /* of the only guest that gets it */
	uint64_t lease;               /* by uptime_ticks(), or UINT64_MAX */
	uint8_t anchor;               /* enum disk_anchor_need */
};

/*
 * An image is to be a drive of the guest that will have `page`, which is L1's now. The disk is to be opened by
 * disks_serve(). *number names it. Without terms (development) any guest gets it. 0, or the error that HYPERCALL_DISK_ATTACH has.
 */
int disks_attach(hpa_t page, const struct mailbox_attach *a, const struct disks_terms *terms,
		 uint64_t *number);

/* HYPERCALL_DISK_SERVE. */
int disks_serve(uint64_t number, const struct mailbox_at *m, struct disk_receipt *receipt);

/* Whether a disk was attached to the guest of this number, which is about to be launched. */
bool disks_attached(unsigned int guest);

/*
 * The guest was launched, sealed: it gets its disks. Not one that was released for another digest, whose lease is over, or of
 * another tenant than another one: its keys are wiped, and its drive is refused.
 */
void disks_launch(struct guest *g, const uint8_t digest[DIGEST_BYTES]);

/* Whether the lease of one of its disks is over: it must not be entered any more. */
bool disks_lease_over(const struct guest *g);

/* The guest is over, no CPU enters it. */
void disks_end(struct guest *g);

/* While the guest runs: the disk's requests go to the agent, and the answer comes. As mailbox.h. */
int disks_put(const struct disk *d, const struct walk_space *space);
int disks_take(struct disk *d, const struct walk_space *space);

/* The drive's number, by which the agent finds the mailbox. */
uint32_t disks_drive(const struct disk *d);

/* What HYPERCALL_DISK tells: ERR_NOENT, ERR_INVAL. */
struct disk_summary {
	uint64_t number;
	uint8_t uuid[DISK_UUID_BYTES];
	enum disk_slot_state state;
	uint64_t guest;
	uint32_t drive;
	uint8_t tenant[32], release[16]; /* whose keys; zeros if nobody released them */
	struct disk_stats stats;
};
int disks_summary(uint64_t index, struct disk_summary *out);

#endif
