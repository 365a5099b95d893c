/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of an image should know after it is closed, as a file of one line:
 *	uuid=HEX32 generation=DECIMAL root=HEX32
 */
#ifndef ATTEST_NETHERD_RECEIPT_H
#define ATTEST_NETHERD_RECEIPT_H

#include <stdint.h>

struct receipt {
	uint8_t uuid[16];
	uint64_t generation;
	uint8_t root[16];
};

/* 0; -ENOENT: no such file; -EINVAL: another is in its place; or another negative errno. */
int receipt_read(const char *path, struct receipt *r);

/* In the place of the one that is there, or not at all: 0 or a negative errno. */
int receipt_write(const char *path, const struct receipt *r);

/* out has 2 * 16 + 1 bytes. */
void receipt_hex(const uint8_t bytes[16], char *out);

#endif
