/* SPDX-License-Identifier: Apache-2.0 */
/* A disk as the monitor has it, from the agent's side: found or attached, opened, closed. */
#ifndef ATTEST_NETHERD_DISKS_H
#define ATTEST_NETHERD_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/netherd/options.h"
#include "attest/netherd/serve.h"

struct disk {
	const struct disk_option *option;
	uint8_t drive;
	uint8_t uuid[16], key_id[16];
	struct serve_disk serve;
	uint64_t number; /* the monitor's */
};

struct disk_guest {
	uint16_t domid;
	uint8_t plain; /* as options.h has it */
	bool known;    /* a netherd before us has begun with this domain */
};

/* The files. 0 or negative, after a message, as all of these. */
int disk_files(struct disk *d, const struct disk_option *option, unsigned int drive);

/*
 * The image is attached to the guest, of this netherd or the one before, and open. The mailbox is mapped. What another domain
 * has left is closed first.
 */
int disk_start(struct disk *d, const struct disk_guest *g);

/* Whether the monitor has the image, of a guest that is over or was not launched: for who finds no domain. */
bool disk_is_orphan(struct disk *d);

/*
 * The guest is over: closes the image and writes the receipt. 1: the monitor does not know yet that it is over: to be called
 * again later.
 */
int disk_close(struct disk *d);

#endif
