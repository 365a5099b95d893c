/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"

int source_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	char *end;
	const char *unit;
	unsigned int shift = 0;

	errno = 0;
	*bytes = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
	}
	if (errno || end == text || *text == '-' || *end || *bytes > UINT64_MAX >> shift)
		return fail(STATUS_USAGE, "%s: not a size", text);
	*bytes <<= shift;
	if (!*bytes || *bytes % DISK_SECTOR || *bytes > DISK_SECTORS_MAX * DISK_SECTOR)
		return fail(STATUS_USAGE, "%s: sizes are multiples of 512, up to 16T", text);
	return STATUS_OK;
}

static int open_raw(struct source *s, const struct options *o)
{
	char magic[4];

	s->fd = file_open(s->path, O_RDONLY, STDIN_FILENO);
	if (s->fd < 0)
		return fail_file(s->path);
	if (file_size(s->fd, &s->bytes)) {
		if (errno != ESPIPE)
			return fail_file(s->path);
		s->stream = true;
		if (!o->size)
			return fail(STATUS_USAGE, "%s is a pipe: how many bytes come (--size)?",
				    s->path);
		return source_size(o->size, &s->bytes);
	}
	if (o->size)
		return fail(STATUS_USAGE, "--size is for pipes");
	if (file_pread(s->fd, magic, 4, 0) == 4 && !memcmp(magic, "QFI\xfb", 4))
		say("%s looks like qcow2, and is taken as it is (--format qcow2?)", s->path);
	return STATUS_OK;
}

int source_open(struct source *s, const struct options *o, const char *path)
{
	bool raw = !o->format || !strcmp(o->format, "raw");
	int status;

	*s = (struct source){.path = path, .fd = -1, .nbd.fd = -1};
	if (!raw && strcmp(o->format, "qcow2") != 0)
		return fail(STATUS_USAGE, "--format is raw or qcow2");
	if (!raw && (o->size || !strcmp(path, "-")))
		return fail(STATUS_USAGE, "a qcow2 disk is a file, which knows its size");
	if (!raw && access(path, R_OK))
		return fail_file(path);
	status = raw ? open_raw(s, o) : nbd_open(&s->nbd, path, o->format);
	if (!raw)
		s->bytes = s->nbd.bytes;
	if (!status && (!s->bytes || s->bytes > DISK_SECTORS_MAX * DISK_SECTOR))
		status = fail(STATUS_ERROR, "%s: empty, or larger than 16 TiB", path);
	return status;
}

void source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	nbd_close(&s->nbd);
}

static uint64_t sectors(const struct source *s)
{
	return (s->bytes + DISK_SECTOR - 1) / DISK_SECTOR;
}

static int short_of(const struct source *s)
{
	return fail(STATUS_ERROR, "%s ends before %" PRIu64 " bytes", s->path, s->bytes);
}

/* The bytes of a chunk, of which the last sector may not be whole. */
static size_t bytes_of(const struct source *s, const struct chunk *c)
{
	uint64_t start = chunk_sector(c) * DISK_SECTOR, n = (uint64_t)c->sectors * DISK_SECTOR;

	return (size_t)(s->bytes - start < n ? s->bytes - start : n);
}

static int read_stream(const struct source *s, struct chunk *c)
{
	size_t n = bytes_of(s, c);
	ssize_t got = file_read(s->fd, c->data, n);

	if (got < 0)
		return fail_file(s->path);
	if ((size_t)got < n)
		return short_of(s);
	memset(c->data + n, 0, CHUNK_BYTES - n);
	memset(c->have, HAVE_IT, c->sectors);
	return STATUS_OK;
}

/* Where there is data next. A file system, or a device, that can not tell has it everywhere. */
static int seek(const struct source *s, uint64_t *at)
{
	off_t next = lseek(s->fd, (off_t)*at, SEEK_DATA);

	if (next >= 0)
		*at = (uint64_t)next;
	else if (errno == ENXIO)
		*at = s->bytes;
	else if (errno != EINVAL)
		return fail_file(s->path);
	return STATUS_OK;
}

static uint64_t seek_hole(const struct source *s, uint64_t at)
{
	off_t hole = lseek(s->fd, (off_t)at, SEEK_HOLE);

	return hole > (off_t)at && (uint64_t)hole < s->bytes ? (uint64_t)hole : s->bytes;
}

/* The next hole is remembered: some file systems look at each page on the way to it. */
static int skip_holes(struct source *s)
{
	int status;

	if (s->at < s->hole)
		return STATUS_OK;
	status = seek(s, &s->at);
	if (!status && s->at < s->bytes) {
		s->from = s->at;
		s->hole = seek_hole(s, s->at);
	}
	return status;
}

int source_take(struct source *s, struct chunk *c)
{
	uint64_t start;
	int status = STATUS_OK;

	if (s->at >= s->bytes)
		return STATUS_OK;
	if (s->nbd.fd >= 0)
		status = nbd_skip(&s->nbd, &s->at);
	else if (!s->stream)
		status = skip_holes(s);
	if (status || s->at >= s->bytes)
		return status;
	chunk_at(c, s->at / DISK_SECTOR, sectors(s));
	start = chunk_sector(c) * DISK_SECTOR;
	c->whole = start >= s->from && start + bytes_of(s, c) <= s->hole;
	s->at = start + (uint64_t)c->sectors * DISK_SECTOR;
	if (s->nbd.fd >= 0)
		return nbd_read(&s->nbd, c);
	return s->stream ? read_stream(s, c) : STATUS_OK;
}

/* From byte `at` of the chunk up to the next hole. */
static int read_extent(const struct source *s, struct chunk *c, uint64_t *at, size_t end)
{
	uint64_t start = chunk_sector(c) * DISK_SECTOR, hole = start + end;
	size_t n;

	if (!c->whole)
		hole = ALIGN_UP(seek_hole(s, start + *at), DISK_SECTOR);
	n = (hole < start + end ? hole - start : end) - *at;
	if (file_pread(s->fd, c->data + *at, n, start + *at) != (ssize_t)n)
		return short_of(s);
	memset(c->have + *at / DISK_SECTOR, HAVE_IT, (n + DISK_SECTOR - 1) / DISK_SECTOR);
	*at += n;
	return STATUS_OK;
}

int source_read(const struct source *s, struct chunk *c)
{
	uint64_t start = chunk_sector(c) * DISK_SECTOR, at, next;
	size_t end = bytes_of(s, c);
	int status = STATUS_OK;

	if (s->stream || s->nbd.fd >= 0)
		return STATUS_OK;
	memset(c->have, HAVE_NOT, sizeof(c->have));
	memset(c->data + end, 0, CHUNK_BYTES - end);
	for (at = 0; at < end && !status;) {
		next = start + at;
		status = c->whole ? STATUS_OK : seek(s, &next);
		at = ALIGN_DOWN(next - start, DISK_SECTOR);
		if (!status && at < end)
			status = read_extent(s, c, &at, end);
	}
	return status;
}

int source_end(const struct source *s)
{
	uint8_t more;

	if (s->stream && file_read(s->fd, &more, 1) != 0)
		return fail(STATUS_ERROR, "%s goes on after %" PRIu64 " bytes", s->path, s->bytes);
	return STATUS_OK;
}
