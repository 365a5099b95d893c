/* SPDX-License-Identifier: Apache-2.0 */
/* One of an image's files as it goes to a host: what of it is data, and its hash up to where it has come. */
#ifndef IODECRYPT_TOOL_UPLOAD_FILE_H
#define IODECRYPT_TOOL_UPLOAD_FILE_H

#include "crypto/sha256.h"
#include "ept/base.h"

#define CHUNK_MAX (4u << 20) /* docs/api.md */

struct upload_file {
	const char *path;
	const char *name; /* "data", "sidecar" */
	int fd;
	uint64_t bytes;
	uint64_t received; /* what the host has */
	struct crypto_sha256 hash;
	uint64_t hashed; /* bytes that are in it */
};

/* A status, each. The file is locked: nobody who heeds locks writes to it meanwhile. */
int upload_file_open(struct upload_file *f, const char *path, const char *name);
void upload_file_close(struct upload_file *f);

/* What comes at f->received: *hole bytes of zeros, or, if that is 0, *n of data in buf. */
int upload_file_next(struct upload_file *f, uint8_t buf[CHUNK_MAX], uint64_t *hole, uint32_t *n);

/* The host has the file up to there: hashes what it has; buf is what upload_file_next() brought for that, or NULL. */
int upload_file_received(struct upload_file *f, uint64_t received, const uint8_t *buf);

/* Of the whole file, in hexadecimal. */
void upload_file_hash(struct upload_file *f, char out[65]);
void upload_hex(char out[65], const uint8_t digest[32]);

#endif
