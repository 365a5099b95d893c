/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on files that go on until all is done. */
#ifndef IODECRYPT_TOOL_FILE_H
#define IODECRYPT_TOOL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * As open(), but "-" is `std`, and /dev/fd/N is that descriptor itself: the kernel lets a process whose memory is not
 * to be dumped open its own no more. A descriptor of the caller's to close, or -1 with errno.
 */
int file_open(const char *path, int flags, int std);

/* Up to n bytes, fewer at the end; or -1 with errno. */
ssize_t file_read(int fd, void *buf, size_t n);
ssize_t file_pread(int fd, void *buf, size_t n, uint64_t offset);
/* All of it: 0, or -1 with errno. */
int file_write(int fd, const void *buf, size_t n);
int file_pwrite(int fd, const void *buf, size_t n, uint64_t offset);

/* Of a file or block device: 0, or -1 with errno (ESPIPE: of neither). */
int file_size(int fd, uint64_t *bytes);

#endif
