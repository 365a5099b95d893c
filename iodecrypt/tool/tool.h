/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of nether-image have in common: docs/nether-image.md. */
#ifndef IODECRYPT_TOOL_TOOL_H
#define IODECRYPT_TOOL_TOOL_H

#include "ept/base.h"

/* How the program ends. Scripts rely on these numbers. */
enum status {
	STATUS_OK = 0,
	STATUS_ERROR = 1, /* what has no number of its own */
	STATUS_USAGE = 2,
	STATUS_KEY = 3,         /* an image of another key */
	STATUS_NOT_IMAGE = 4,   /* or of a version that is not known */
	STATUS_OTHER_IMAGE = 5, /* not the one that the receipt is of */
	STATUS_TRUNCATED = 6,
	STATUS_SIDECAR = 7,  /* a header or node does not verify */
	STATUS_SECTORS = 8,  /* sectors do not verify */
	STATUS_STALE = 9,    /* older than the receipt, or of another history */
	STATUS_UNCLEAN = 10, /* not closed; or newer than the receipt */
	STATUS_FULL = 11,    /* no room for what was to be written */
	STATUS_KEY_FILE = 12,
	STATUS_IN_USE = 13,
};

struct options {
	const char *key, *new_key, *size, *format, *receipt, *receipt_out, *sidecar;
	unsigned int threads;
	bool quiet, force, journal, salvage, newer, readonly;
};

/* Each gets its operands, of the number that main.c's table has, and returns a status. */
int cmd_key_new(const struct options *o, char **args);
int cmd_key_id(const struct options *o, char **args);
int cmd_key_xts(const struct options *o, char **args);
int cmd_create(const struct options *o, char **args);
int cmd_encrypt(const struct options *o, char **args);
int cmd_decrypt(const struct options *o, char **args);
int cmd_verify(const struct options *o, char **args);
int cmd_info(const struct options *o, char **args);
int cmd_rekey(const struct options *o, char **args);
int cmd_recover(const struct options *o, char **args);
int cmd_mount_help(const struct options *o, char **args);

/* Says why on standard error, the first time that it is called: what follows from that is not told. Returns status. */
int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a call on a file that has set errno: STATUS_FULL if there was no room. */
int fail_file(const char *path);
/* A line on standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
