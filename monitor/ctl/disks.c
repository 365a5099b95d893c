/* SPDX-License-Identifier: Apache-2.0 */
/* netherctl disks: the encrypted disks that the monitor has, a line each. */
#include <inttypes.h>
#include <stdio.h>

#include "ept/base.h"
#include "monitor/ctl/command.h"
#include "monitor/hypercall.h"

static void print_uuid(const uint8_t uuid[16])
{
	for (unsigned int i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static void print_disk(uint64_t index, const struct monitor_disk *d)
{
	static const char *const state[] = {
		[DISK_STATE_OPENING] = "opening",
		[DISK_STATE_READY] = "ready",
		[DISK_STATE_LIVE] = "live",
		[DISK_STATE_OVER] = "to be closed",
	};
	struct monitor_disk part = {.number = 0};

	printf("disk %" PRIu64 ", ", d->number);
	print_uuid(d->uuid);
	printf(": %s", d->state < ARRAY_SIZE(state) && state[d->state] ? state[d->state] : "?");
	if (d->guest)
		printf(", drive %" PRIu64 " of guest %" PRIu64, d->drive, d->guest);
	printf("; sectors read %" PRIu64 ", written %" PRIu64, d->count[0], d->count[1]);
	if (!ask_disk(index, 1, &part))
		printf("; refused: %" PRIu64 " sectors, %" PRIu64 " nodes", part.count[0],
		       part.count[1]);
	if (!ask_disk(index, 2, &part))
		printf("; nodes fetched %" PRIu64 ", checkpoints %" PRIu64, part.count[0],
		       part.count[1]);
	if (!ask_disk(index, 3, &part))
		printf("; journal %" PRIu64 " bytes, %" PRIu64 " syncs", part.count[0],
		       part.count[1]);
	printf("\n");
}

int cmd_disks(int argc)
{
	struct monitor_disk d;
	int err = 0;

	if (argc) {
		fprintf(stderr, "usage: netherctl disks\n");
		return STATUS_ERROR;
	}
	for (uint64_t i = 0; err != ERR_INVAL; i++) {
		err = ask_disk(i, 0, &d);
		if (!err)
			print_disk(i, &d);
	}
	return STATUS_OK;
}
