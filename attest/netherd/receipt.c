/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/receipt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 160

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each of these moves *text behind what it has read. */
static bool word(const char **text, const char *expected)
{
	size_t n = strlen(expected);

	if (strncmp(*text, expected, n) != 0)
		return false;
	*text += n;
	return true;
}

static bool hex(const char **text, uint8_t out[16])
{
	for (unsigned int i = 0; i < 16; i++) {
		int high = digit((*text)[0]);
		int low = high < 0 ? -1 : digit((*text)[1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		*text += 2;
	}
	return true;
}

static bool number(const char **text, uint64_t *out)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*out = strtoull(*text, &end, 10);
	*text = end;
	return errno == 0;
}

static bool parse(const char *text, struct receipt *r)
{
	return word(&text, "uuid=") && hex(&text, r->uuid) && word(&text, " generation=") &&
	       number(&text, &r->generation) && word(&text, " root=") && hex(&text, r->root) &&
	       (!*text || !strcmp(text, "\n"));
}

int receipt_read(const char *path, struct receipt *r)
{
	char line[LINE_MAX_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = read(fd, line, sizeof(line));
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if (n == sizeof(line) || memchr(line, '\0', (size_t)n))
		return -EINVAL;
	line[n] = '\0';
	return parse(line, r) ? 0 : -EINVAL;
}

void receipt_hex(const uint8_t bytes[16], char *out)
{
	for (unsigned int i = 0; i < 16; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
}

/* That the name is there after a power cut too. */
static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int err = 0;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int fill(const char *path, const char *line)
{
	size_t len = strlen(line);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, line, len);
	if (n < 0)
		err = -errno;
	else if ((size_t)n < len)
		err = -ENOSPC;
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int receipt_write(const char *path, const struct receipt *r)
{
	char uuid[33], root[33], line[LINE_MAX_BYTES], new[PATH_MAX];
	int err;

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return -ENAMETOOLONG;
	receipt_hex(r->uuid, uuid);
	receipt_hex(r->root, root);
	snprintf(line, sizeof(line), "uuid=%s generation=%" PRIu64 " root=%s\n", uuid,
		 r->generation, root);
	err = fill(new, line);
	if (!err && rename(new, path))
		err = -errno;
	if (err) {
		unlink(new);
		return err;
	}
	return sync_directory(path);
}
