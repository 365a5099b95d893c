/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be encrypted: a file, a block device, a pipe, or a disk in a format of QEMU's. */
#ifndef IODECRYPT_TOOL_SOURCE_H
#define IODECRYPT_TOOL_SOURCE_H

#include "iodecrypt/tool/nbd.h"

struct source {
	const char *path;
	int fd;
	bool stream; /* a pipe, read in order */
	struct nbd nbd;
	uint64_t bytes;
	uint64_t at;         /* taken up to here */
	uint64_t from, hole; /* of a file: what is known to be without holes */
};

/* Each returns a status. o has size and format. */
int source_open(struct source *s, const struct options *o, const char *path);
void source_close(struct source *s);
/* The next chunk with anything in it; one thread at a time. */
int source_take(struct source *s, struct chunk *c);
/* Its bytes, if source_take() has not brought them: any thread. */
int source_read(const struct source *s, struct chunk *c);
/* After the last chunk: that there is no more. */
int source_end(const struct source *s);

/* "10G": into bytes, a multiple of sectors. */
int source_size(const char *text, uint64_t *bytes);

#endif
