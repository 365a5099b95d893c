/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/upload/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/tool.h"

#define HOLE_MIN (64u << 10) /* a smaller one is not worth a request */
#define PIECE (1u << 16)

int upload_file_open(struct upload_file *f, const char *path, const char *name)
{
	*f = (struct upload_file){.path = path, .name = name};
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0 || file_size(f->fd, &f->bytes))
		return fail_file(path);
	if (flock(f->fd, LOCK_SH | LOCK_NB))
		return errno == EWOULDBLOCK ? fail(STATUS_IN_USE, "%s is in use", path)
					    : fail_file(path);
	crypto_sha256_init(&f->hash);
	return STATUS_OK;
}

void upload_file_close(struct upload_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
}

static int hash_zeros(struct upload_file *f, uint64_t n)
{
	static const uint8_t zeros[PIECE];

	for (; n; n -= n < PIECE ? n : PIECE)
		crypto_sha256_update(&f->hash, zeros, n < PIECE ? n : PIECE);
	return STATUS_OK;
}

/* Where there is data at or after `at`; the file's end if there is none. A file system that cannot tell has it everywhere. */
static uint64_t next_data(const struct upload_file *f, uint64_t at)
{
	off_t next = lseek(f->fd, (off_t)at, SEEK_DATA);

	if (next < 0)
		return errno == ENXIO ? f->bytes : at;
	return (uint64_t)next < f->bytes ? (uint64_t)next : f->bytes;
}

static uint64_t next_hole(const struct upload_file *f, uint64_t at)
{
	off_t next = lseek(f->fd, (off_t)at, SEEK_HOLE);

	return next < 0 || (uint64_t)next > f->bytes ? f->bytes : (uint64_t)next;
}

static int read_at(const struct upload_file *f, uint8_t *buf, size_t n, uint64_t at)
{
	ssize_t got = file_pread(f->fd, buf, n, at);

	if (got < 0)
		return fail_file(f->path);
	return (size_t)got == n ? STATUS_OK
				: fail(STATUS_TRUNCATED, "%s has become shorter", f->path);
}

static int hash_to(struct upload_file *f, uint64_t to)
{
	uint8_t piece[PIECE];

	if (to < f->hashed) { /* the host has lost what it had */
		crypto_sha256_init(&f->hash);
		f->hashed = 0;
	}
	while (f->hashed < to) {
		uint64_t data = next_data(f, f->hashed), left;
		int status;

		data = data < to ? data : to;
		hash_zeros(f, data - f->hashed);
		f->hashed = data;
		left = to - data < PIECE ? to - data : PIECE;
		status = read_at(f, piece, left, data);
		if (status)
			return status;
		crypto_sha256_update(&f->hash, piece, left);
		f->hashed += left;
	}
	return STATUS_OK;
}

int upload_file_next(struct upload_file *f, uint8_t buf[CHUNK_MAX], uint64_t *hole, uint32_t *n)
{
	uint64_t at = f->received, data = next_data(f, at), end;

	*hole = data - at;
	*n = 0;
	if (*hole >= HOLE_MIN || data == f->bytes)
		return STATUS_OK;
	*hole = 0;
	/* Over small holes, until a large one, or the chunk is full. */
	for (end = at; end < f->bytes && end - at < CHUNK_MAX;) {
		data = next_data(f, end);
		if (end > at && data - end >= HOLE_MIN)
			break;
		end = next_hole(f, data);
	}
	end = end - at < CHUNK_MAX ? end : at + CHUNK_MAX;
	*n = (uint32_t)(end - at);
	return read_at(f, buf, *n, at);
}

int upload_file_received(struct upload_file *f, uint64_t received, const uint8_t *buf)
{
	uint64_t from = f->received;

	if (received > f->bytes)
		return fail(STATUS_ERROR, "the host says to have more of %s than there is",
			    f->name);
	f->received = received;
	if (buf && f->hashed == from && received >= from && received - from <= CHUNK_MAX) {
		crypto_sha256_update(&f->hash, buf, received - from);
		f->hashed = received;
	}
	return hash_to(f, received);
}

void upload_hex(char out[65], const uint8_t digest[32])
{
	for (unsigned int i = 0; i < 32; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
}

void upload_file_hash(struct upload_file *f, char out[65])
{
	uint8_t digest[32];

	crypto_sha256_final(&f->hash, digest);
	upload_hex(out, digest);
}
