/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a disk. */
#ifndef ATTEST_NETHERD_FILES_H
#define ATTEST_NETHERD_FILES_H

#include "attest/netherd/options.h"
#include "attest/netherd/serve.h"
#include "attest/release.h"
#include "iodecrypt/keys.h"

/*
 * Opens data file and sidecar, and keeps other programs that lock them (flock) out until the end. They are regular
 * files, or block devices. 0, or a negative errno after a message.
 */
int files_open(struct serve_disk *d, const struct disk_option *option);
void files_close(struct serve_disk *d);

/* Whose image it says to be: nothing of this is verified here. 0 or a negative errno after a message. */
int files_names(const struct serve_disk *d, uint8_t uuid[DISK_UUID_BYTES],
		uint8_t key_id[DISK_KEY_ID_BYTES]);

/*
 * A master key of exactly DISK_MASTER_BYTES bytes from a file that its owner alone may read, a pipe, or "-". 0, or a
 * negative errno after a message; key is then not to be used, but wiped all the same.
 */
int files_key(const char *path, uint8_t key[DISK_MASTER_BYTES]);

/* A release, of exactly so many bytes, from any file, a pipe, or "-"; dom0 cannot read it. 0, or a negative errno after a message. */
int files_release(const char *path, struct release_message *m);

#endif
