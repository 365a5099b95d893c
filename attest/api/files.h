/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, whole. */
#ifndef ATTEST_API_FILES_H
#define ATTEST_API_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes, or a negative errno; -EFBIG if there are more than max. */
long file_read(const char *path, void *buf, size_t max);
/* Either the old file is there or the new one, whenever the power goes. 0 or a negative errno. */
int file_write(const char *path, const void *data, size_t bytes);
/* fsync() of a directory. */
int file_sync_dir(const char *path);
/* The errors of a disk that is full. */
bool file_is_full(int err);

#endif
