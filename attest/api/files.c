/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool file_is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

long file_read(const char *path, void *buf, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t done = 0;
	ssize_t n = 1;
	char more;

	if (fd < 0)
		return -errno;
	while (done < max && (n = read(fd, (char *)buf + done, max - done)) > 0)
		done += (size_t)n;
	if (n > 0 && read(fd, &more, 1) > 0) {
		n = -1;
		errno = EFBIG;
	}
	n = n < 0 ? -errno : (ssize_t)done;
	close(fd);
	return n;
}

int file_sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	int err = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

int file_write(const char *path, const void *data, size_t bytes)
{
	char fresh[PATH_MAX], dir[PATH_MAX];
	int fd, err;

	if (snprintf(fresh, sizeof(fresh), "%s~", path) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	memcpy(dir, fresh, sizeof(dir));
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, data, bytes);
	close(fd);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err) {
		unlink(fresh);
		return err;
	}
	return file_sync_dir(dirname(dir));
}
