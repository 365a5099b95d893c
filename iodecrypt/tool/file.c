/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, int flags, int std)
{
	char *end;

	if (!strcmp(path, "-"))
		return fcntl(std, F_DUPFD_CLOEXEC, 3);
	if (!strncmp(path, "/dev/fd/", 8) && path[8] >= '0' && path[8] <= '9') {
		long fd = strtol(path + 8, &end, 10);

		if (!*end && fd <= 1 << 20)
			return fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
	}
	return open(path, flags | O_CLOEXEC | O_NOCTTY);
}

ssize_t file_read(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, (uint8_t *)buf + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

ssize_t file_pread(int fd, void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (uint8_t *)buf + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* A write of nothing, where there was something to write, is taken for a full disk. */
static int wrote(ssize_t n, size_t *done)
{
	if (n > 0)
		*done += (size_t)n;
	else if (n == 0)
		errno = ENOSPC;
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : -1;
}

int file_write(int fd, const void *buf, size_t n)
{
	for (size_t done = 0; done < n;)
		if (wrote(write(fd, (const uint8_t *)buf + done, n - done), &done))
			return -1;
	return 0;
}

int file_pwrite(int fd, const void *buf, size_t n, uint64_t offset)
{
	for (size_t done = 0; done < n;)
		if (wrote(pwrite(fd, (const uint8_t *)buf + done, n - done, (off_t)(offset + done)),
			  &done))
			return -1;
	return 0;
}

int file_size(int fd, uint64_t *bytes)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		errno = ESPIPE;
		return -1;
	}
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return -1;
	*bytes = (uint64_t)end;
	return 0;
}
