/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "attest/netherd/process.h"

const char options_usage[] =
	"usage: netherd [--foreground] [--ready-fd N] [--state-dir DIR] --domain NUMBER|NAME\n"
	"               --disk DRIVE=DATAFILE,SIDECAR[,release=FILE|,key=FILE][,receipt=FILE]\n"
	"               [,consent]...\n"
	"               [--plain DRIVE]...\n"
	"DRIVE is hda, hdb, hdc or hdd. Files' names have no commas.\n";

const char *const options_drive[MAILBOX_DRIVES] = {"hda", "hdb", "hdc", "hdd"};

static int drive_named(const char *text)
{
	for (int i = 0; i < (int)MAILBOX_DRIVES; i++) {
		if (!strcmp(text, options_drive[i]))
			return i;
	}
	process_say("'%s' is no drive: hda, hdb, hdc or hdd", text);
	return -1;
}

/* Of a disk, what follows its files. */
static int detail(struct disk_option *disk, char *text)
{
	char *value = strchr(text, '=');
	const char **where;

	if (!strcmp(text, "consent") && !disk->consent) {
		disk->consent = true;
		return 0;
	}
	if (value)
		*value++ = '\0';
	if (!strcmp(text, "key"))
		where = &disk->key;
	else if (!strcmp(text, "release"))
		where = &disk->release;
	else if (!strcmp(text, "receipt"))
		where = &disk->receipt;
	else
		where = NULL;
	if (!where || !value || !*value || *where) {
		process_say("'%s' is no option of a disk, has no value, or is there twice", text);
		return -1;
	}
	*where = value;
	return 0;
}

static int add_disk(struct options *o, char *text)
{
	char *rest = strchr(text, '=');
	struct disk_option *disk;
	int drive;

	if (!rest) {
		process_say("--disk %s: DRIVE=DATAFILE,SIDECAR is needed", text);
		return -1;
	}
	*rest++ = '\0';
	drive = drive_named(text);
	if (drive < 0)
		return -1;
	disk = &o->disk[drive];
	if (disk->data) {
		process_say("%s is there twice", text);
		return -1;
	}
	disk->data = strsep(&rest, ",");
	disk->sidecar = strsep(&rest, ",");
	if (!*disk->data || !disk->sidecar || !*disk->sidecar) {
		process_say("%s: DATAFILE,SIDECAR are needed", text);
		return -1;
	}
	while (rest) {
		if (detail(disk, strsep(&rest, ",")))
			return -1;
	}
	return 0;
}

static int add_plain(struct options *o, const char *text)
{
	int drive = drive_named(text);

	if (drive < 0)
		return -1;
	o->plain |= (uint8_t)(1u << drive);
	return 0;
}

static int descriptor(struct options *o, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || fd > 0xffff) {
		process_say("'%s' is no descriptor", text);
		return -1;
	}
	o->ready_fd = (int)fd;
	return 0;
}

static bool is_stdin(const char *path)
{
	return path && !strcmp(path, "-");
}

/* What a message says, netherd cannot say otherwise. */
static int check_release(const struct disk_option *disk, const char *name)
{
	if (disk->release && (disk->key || disk->consent)) {
		process_say("%s: release= has the key, and says what its owner consents to", name);
		return -1;
	}
	return 0;
}

static int check(const struct options *o)
{
	unsigned int disks = 0, from_stdin = 0;

	for (unsigned int i = 0; i < MAILBOX_DRIVES; i++) {
		const struct disk_option *disk = &o->disk[i];

		if (disk->data && o->plain & 1u << i) {
			process_say("%s cannot be both encrypted and plain", options_drive[i]);
			return -1;
		}
		if (check_release(disk, options_drive[i]))
			return -1;
		disks += disk->data != NULL;
		from_stdin += is_stdin(disk->key) || is_stdin(disk->release);
	}
	if (!o->domain || !*o->domain || !disks) {
		process_say("--domain and --disk are needed");
		return -1;
	}
	if (from_stdin > 1) {
		process_say("one key or release can come from stdin");
		return -1;
	}
	return 0;
}

static int take(struct options *o, int which)
{
	switch (which) {
	case 'd':
		o->domain = optarg;
		return 0;
	case 'k':
		return add_disk(o, optarg);
	case 'p':
		return add_plain(o, optarg);
	case 'f':
		o->foreground = true;
		return 0;
	case 'r':
		return descriptor(o, optarg);
	case 's':
		o->state_dir = optarg;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	default:
		process_say("unknown option, or one without its value");
		return -1;
	}
}

int options_parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{"domain", required_argument, NULL, 'd'},
		{"disk", required_argument, NULL, 'k'},
		{"plain", required_argument, NULL, 'p'},
		{"foreground", no_argument, NULL, 'f'},
		{"ready-fd", required_argument, NULL, 'r'},
		{"state-dir", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int which;

	*o = (struct options){.ready_fd = -1, .state_dir = OPTIONS_STATE_DIR};
	optind = 0;
	opterr = 0;
	while ((which = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (take(o, which))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind != argc) {
		process_say("'%s' is not an option", argv[optind]);
		return -1;
	}
	return check(o);
}
