/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an image from the leaves up: each node is written once, and there is no journal, since nobody has the files
 * until they are whole.
 */
#ifndef IODECRYPT_TOOL_BUILD_H
#define IODECRYPT_TOOL_BUILD_H

#include "iodecrypt/disk.h"
#include "iodecrypt/tool/pool.h"
#include "iodecrypt/tool/tree.h"

struct build {
	const char *data_path, *sidecar_path;
	int data, sidecar, receipt;
	struct disk_header h;
	struct crypto_xts xts;
	struct crypto_hmac sector_key, node_key, header_key;
	struct tree tree;
};

/*
 * A new image of so many sectors under the master key in this file, in outputs (output.h) that it creates: paths are
 * of data file and sidecar. Each function returns a status.
 */
int build_start(struct build *b, const struct options *o, const char *key, uint64_t sectors,
		char **paths);
/* Encrypts what the chunk has, and writes it and its leaves. Any thread. */
int build_chunk(struct build *b, struct chunk *c);
/* The rest of the tree, the header and the receipt; then the outputs have their names. */
int build_finish(struct build *b, const struct options *o);
/* In any case. */
void build_end(struct build *b);

#endif
