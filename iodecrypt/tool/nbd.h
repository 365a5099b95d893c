/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks in formats that QEMU knows, as its qemu-nbd shows them: so that no plaintext is written to any file on the way,
 * and what is sparse is known. The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
#ifndef IODECRYPT_TOOL_NBD_H
#define IODECRYPT_TOOL_NBD_H

#include "iodecrypt/tool/pool.h"

struct nbd {
	int fd;
	uint64_t bytes;
	uint64_t cookie;
};

/* Starts qemu-nbd for this file, which ends with nbd_close(). All return a status. */
int nbd_open(struct nbd *n, const char *path, const char *format);
void nbd_close(struct nbd *n);

/* Moves *offset ahead to where there may be something else than zeros, or to the end. */
int nbd_skip(struct nbd *n, uint64_t *offset);

/* Fills data and have of a chunk whose place is set. */
int nbd_read(struct nbd *n, struct chunk *c);

#endif
