/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/netherd/process.h"

/* docs/image-format.md, "Header". */
#define HEADER_MAGIC "NETHDISK"
#define HEADER_UUID 16
#define HEADER_KEY_ID 32
#define HEADER_NAMES 48

#define LOCK_TRIES 20 /* of 100 ms: udev locks block devices for a moment */

static int failed(const char *path, const char *what, int err)
{
	process_say("%s: %s", path, what ? what : strerror(err));
	return -err;
}

static int lock(int fd, const char *path)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK)
			return failed(path, NULL, errno);
		if (i == LOCK_TRIES)
			return failed(path, "in use by another program", EBUSY);
		usleep(100000);
	}
	return 0;
}

static int size_of(int fd, const char *path, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return failed(path, NULL, errno);
	*bytes = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, bytes))
		return failed(path, NULL, errno);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return failed(path, "neither a file nor a block device", EINVAL);
	return 0;
}

static int open_one(const char *path, struct serve_file *file)
{
	int err;

	file->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file->fd < 0)
		return failed(path, NULL, errno);
	err = size_of(file->fd, path, &file->bytes);
	return err ? err : lock(file->fd, path);
}

/*
 * The longest sidecar of a disk of so many bytes (docs/image-format.md): headers, a journal, and a 16th for the leaves and
 * a 256th of that for each level above. The guest reaches the mailbox, and is not to fill dom0's file system.
 */
static uint64_t sidecar_max(uint64_t bytes)
{
	return 2 * DISK_HEADER_BYTES + 2 * (uint64_t)DISK_JOURNAL_MAX + bytes / 15 +
	       2 * DISK_NODE * DISK_LEVELS_MAX;
}

int files_open(struct serve_disk *d, const struct disk_option *option)
{
	int err;

	d->file[MAILBOX_SIDECAR].fd = d->file[MAILBOX_IMAGE].fd = d->tpm = -1;
	err = open_one(option->data, &d->file[MAILBOX_IMAGE]);
	if (!err)
		err = open_one(option->sidecar, &d->file[MAILBOX_SIDECAR]);
	if (err) {
		files_close(d);
		return err;
	}
	/* The sidecar may grow; the data file is as long as the guest's disk. */
	d->file[MAILBOX_SIDECAR].bytes = sidecar_max(d->file[MAILBOX_IMAGE].bytes);
	return 0;
}

void files_close(struct serve_disk *d)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (d->file[i].fd >= 0)
			close(d->file[i].fd);
		d->file[i].fd = -1;
	}
	if (d->tpm >= 0)
		close(d->tpm);
	d->tpm = -1;
}

int files_names(const struct serve_disk *d, uint8_t uuid[DISK_UUID_BYTES],
		uint8_t key_id[DISK_KEY_ID_BYTES])
{
	uint8_t head[HEADER_NAMES];

	for (unsigned int slot = 0; slot < 2; slot++) {
		ssize_t n = pread(d->file[MAILBOX_SIDECAR].fd, head, sizeof(head),
				  slot * DISK_HEADER_BYTES);

		if (n != sizeof(head) || memcmp(head, HEADER_MAGIC, 8) != 0)
			continue;
		memcpy(uuid, head + HEADER_UUID, DISK_UUID_BYTES);
		memcpy(key_id, head + HEADER_KEY_ID, DISK_KEY_ID_BYTES);
		return 0;
	}
	return failed(d->name, "the sidecar is not one of an image", EINVAL);
}

/* Up to n bytes, or fewer at the end. */
static ssize_t read_all(int fd, uint8_t *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, buf + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* All of a file, a pipe, or stdin ("-"): exactly n bytes. */
static int read_exactly(int fd, const char *path, void *buf, size_t n, const char *wrong)
{
	uint8_t more;
	ssize_t got = read_all(fd, buf, n);

	if (got < 0)
		return failed(path, NULL, (int)-got);
	if ((size_t)got < n || read_all(fd, &more, 1) != 0)
		return failed(path, wrong, EINVAL);
	return 0;
}

static int read_key(int fd, const char *path, void *key)
{
	struct stat st;

	if (fstat(fd, &st))
		return failed(path, NULL, errno);
	if (S_ISREG(st.st_mode) && st.st_mode & 0177)
		return failed(path, "a key, but not for its owner alone (chmod 600)", EPERM);
	return read_exactly(fd, path, key, DISK_MASTER_BYTES, "a master key has 32 bytes");
}

static int read_release(int fd, const char *path, void *message)
{
	return read_exactly(fd, path, message, sizeof(struct release_message),
			    "a release has 320 bytes");
}

static int with_file(const char *path, int (*fn)(int fd, const char *path, void *out), void *out)
{
	bool from_stdin = !strcmp(path, "-");
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err;

	if (fd < 0)
		return failed(path, NULL, errno);
	err = fn(fd, path, out);
	if (!from_stdin)
		close(fd);
	return err;
}

int files_key(const char *path, uint8_t key[DISK_MASTER_BYTES])
{
	return with_file(path, read_key, key);
}

int files_release(const char *path, struct release_message *m)
{
	return with_file(path, read_release, m);
}
