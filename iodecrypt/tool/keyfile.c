/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/tool.h"

int keyfile_random(void *out, size_t n)
{
	ssize_t got;

	do
		got = getrandom(out, n, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? STATUS_OK : fail(STATUS_ERROR, "no random numbers");
}

static int check(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail_file(path);
	if (S_ISFIFO(st.st_mode))
		return STATUS_OK;
	if (!S_ISREG(st.st_mode))
		return fail(STATUS_KEY_FILE, "%s: a key is read from a file or a pipe", path);
	if (st.st_uid && st.st_uid != geteuid())
		return fail(STATUS_KEY_FILE,
			    "%s: a key of another user: chown %u it, or be that user", path,
			    (unsigned int)geteuid());
	if (st.st_mode & 0177)
		return fail(STATUS_KEY_FILE, "%s: others could read this key: chmod 600 %s", path,
			    path);
	return STATUS_OK;
}

static int read_from(int fd, const char *path, uint8_t key[DISK_MASTER_BYTES])
{
	int status = check(fd, path);
	uint8_t more;

	if (status)
		return status;
	if (file_read(fd, key, DISK_MASTER_BYTES) != DISK_MASTER_BYTES ||
	    file_read(fd, &more, 1) != 0)
		return fail(STATUS_KEY_FILE, "%s: a master key is a file of %d bytes", path,
			    DISK_MASTER_BYTES);
	return STATUS_OK;
}

int keyfile_read(const char *path, uint8_t key[DISK_MASTER_BYTES])
{
	int fd = file_open(path, O_RDONLY, STDIN_FILENO), status;

	if (fd < 0)
		return fail_file(path);
	status = read_from(fd, path, key);
	close(fd);
	return status;
}

static int fill(int fd, const char *path)
{
	uint8_t key[DISK_MASTER_BYTES];
	int status = keyfile_random(key, sizeof(key));

	if (!status && (file_write(fd, key, sizeof(key)) || fchmod(fd, 0600) || fsync(fd)))
		status = fail_file(path);
	crypto_wipe(key, sizeof(key));
	return status;
}

int keyfile_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), status;

	if (fd < 0 && errno == EEXIST)
		return fail(STATUS_ERROR,
			    "%s exists; a key that is overwritten takes its images along", path);
	if (fd < 0)
		return fail_file(path);
	status = fill(fd, path);
	if (close(fd) && !status)
		status = fail_file(path);
	if (status)
		unlink(path);
	return status;
}
