/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX (STATE_IDENTITY_MAX + 32)

static int path_of(char *path, size_t size, const char *dir, uint16_t domid)
{
	int n = snprintf(path, size, "%s/domain-%u", dir, domid);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int state_open(const char *dir, uint16_t domid)
{
	char path[PATH_MAX];
	int err = path_of(path, sizeof(path), dir, domid);
	int fd;

	if (err)
		return err;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int state_read(int fd, const char *identity, uint16_t *server)
{
	char text[TEXT_MAX], expected[TEXT_MAX];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned int id;

	if (n <= 0)
		return -ENOENT;
	text[n] = '\0';
	/* The whole has to be what state_write() writes. */
	if (sscanf(text, "server=%5u", &id) != 1 || id > UINT16_MAX)
		return -ENOENT;
	snprintf(expected, sizeof(expected), "server=%u domain=%s\n", id, identity);
	if (strcmp(text, expected) != 0)
		return -ENOENT;
	*server = (uint16_t)id;
	return 0;
}

int state_write(int fd, const char *identity, uint16_t server)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), "server=%u domain=%s\n", server, identity);

	if (len < 0 || (size_t)len >= sizeof(text))
		return -ENAMETOOLONG;
	if (ftruncate(fd, 0))
		return -errno;
	if (pwrite(fd, text, (size_t)len, 0) != len)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

void state_remove(const char *dir, uint16_t domid)
{
	char path[PATH_MAX];

	if (!path_of(path, sizeof(path), dir, domid))
		unlink(path);
}
