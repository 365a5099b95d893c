/* SPDX-License-Identifier: Apache-2.0 */
/* netherd's command line. */
#ifndef ATTEST_NETHERD_OPTIONS_H
#define ATTEST_NETHERD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "iodecrypt/mailbox.h"

#define OPTIONS_STATE_DIR "/run/netherd"

struct disk_option {
	const char *data, *sidecar; /* NULL: no such disk */
	const char *key;            /* NULL: none; "-": stdin */
	const char *release;        /* the same; not both */
	const char *receipt;        /* NULL: none */
	bool consent;
};

struct options {
	const char *domain; /* number or name */
	struct disk_option disk[MAILBOX_DRIVES];
	uint8_t plain; /* bit i: drive i may be one that is not encrypted */
	bool foreground;
	bool help;
	int ready_fd; /* or -1 */
	const char *state_dir;
};

extern const char options_usage[];
extern const char *const options_drive[MAILBOX_DRIVES];

/*
 * 0, or -1 with a line on stderr that says what is wrong. Texts are argv's, in parts of which commas become
 * NULs.
 */
int options_parse(struct options *o, int argc, char **argv);

#endif
