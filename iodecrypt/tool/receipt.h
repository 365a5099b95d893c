/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of an image knows of it, as a file of one line, which the host's agent writes too:
 *	uuid=HEX32 generation=DECIMAL root=HEX32
 */
#ifndef IODECRYPT_TOOL_RECEIPT_H
#define IODECRYPT_TOOL_RECEIPT_H

#include "iodecrypt/disk.h"

#define HEX_BYTES (2 * 16 + 1)

/* Each returns a status. A receipt is written as an output (output.h). */
int receipt_read(const char *path, struct disk_receipt *r);
int receipt_create(const char *path, bool force, int *fd);
int receipt_write(int fd, const char *path, const struct disk_receipt *r);

/* 16 bytes in hexadecimal, and a 0. */
void receipt_hex(const uint8_t bytes[16], char out[HEX_BYTES]);

#endif
