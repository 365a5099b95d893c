/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device model that lies: preloaded into dom0's QEMU, in the place of what that calls for I/O on the data file. Its
 * buffers are the guest's memory, as Xen lets a device model map it.
 *   drop       a write is claimed to be done
 *   change     a bit of what is written is another
 *   short      a read ends after the first sector, and is claimed to be whole
 *   withhold   a read is claimed to be done, and nothing is put into the guest's memory
 *   flip       a bit of what was read is changed in the guest's memory
 *   exchange   the first two sectors are put into each other's place, as by another PRD list
 *   race BYTE  (where the read begins) a bit of what was read changes all the time, until after the end of the command
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

#include "tests/attack/disk/lie.h"

#define SECTOR 512u
#define WHERE 100 /* the byte that is changed */
#define RACE_NS 10000000

static volatile bool racing;

typedef ssize_t reader(int fd, void *buf, size_t n, off_t offset);
typedef ssize_t writer(int fd, const void *buf, size_t n, off_t offset);
typedef ssize_t mover(int fd, const struct iovec *iov, int count, off_t offset);

static bool lies(int fd)
{
	char link[64], path[256];
	ssize_t n;

	if (access(LIE, F_OK))
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = 0;
	return n > 5 && !strcmp(path + n - 5, "/data");
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *race(void *at)
{
	volatile uint8_t *byte = at;

	for (int64_t end = now_ns() + RACE_NS; now_ns() < end;)
		for (int i = 0; i < 1001; i++, racing = true)
			*byte ^= 1;
	return NULL;
}

static void start_race(uint8_t *at)
{
	pthread_t thread;

	racing = false;
	if (pthread_create(&thread, NULL, race, at))
		_exit(99);
	pthread_detach(thread);
	while (!racing)
		sched_yield();
}

static void exchange(uint8_t *buf)
{
	uint8_t sector[SECTOR];

	memcpy(sector, buf, SECTOR);
	memcpy(buf, buf + SECTOR, SECTOR);
	memcpy(buf + SECTOR, sector, SECTOR);
}

/* True: the buffer was filled as the lie says, of data that is as it should be. */
static bool spoil(uint8_t *buf, const uint8_t *data, size_t n, off_t offset)
{
	unsigned long none, begin;

	if (n < 2 * SECTOR || lie_is("withhold", &none))
		return n >= 2 * SECTOR;
	if (lie_is("short", &none)) {
		memcpy(buf, data, SECTOR);
		return true;
	}
	memcpy(buf, data, n);
	if (lie_is("flip", &none))
		buf[WHERE] ^= 1;
	else if (lie_is("exchange", &none))
		exchange(buf);
	else if (lie_is("race", &begin) && begin == (unsigned long)offset)
		start_race(buf + WHERE);
	else
		return false;
	return true;
}

ssize_t pread64(int fd, void *buf, size_t nbytes, off_t offset)
{
	reader *real = (reader *)dlsym(RTLD_NEXT, "pread64");
	uint8_t *data;
	ssize_t done;

	if (!lies(fd))
		return real(fd, buf, nbytes, offset);
	data = calloc(1, nbytes);
	if (!data)
		_exit(99);
	done = real(fd, data, nbytes, offset);
	if (done == (ssize_t)nbytes && spoil(buf, data, nbytes, offset))
		lie_told();
	else if (done > 0)
		memcpy(buf, data, (size_t)done);
	free(data);
	return done;
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off_t offset)
{
	writer *real = (writer *)dlsym(RTLD_NEXT, "pwrite64");
	unsigned long none;
	uint8_t *data;
	ssize_t done;

	if (!lies(fd))
		return real(fd, buf, n, offset);
	if (lie_is("drop", &none)) {
		lie_told();
		return (ssize_t)n;
	}
	if (n <= WHERE || !lie_is("change", &none))
		return real(fd, buf, n, offset);
	lie_told();
	data = malloc(n);
	if (!data)
		_exit(99);
	memcpy(data, buf, n);
	data[WHERE] ^= 1;
	done = real(fd, data, n, offset);
	free(data);
	return done;
}

/* A list of buffers, one after the other, by the functions above. */
static ssize_t each(int fd, const struct iovec *iovec, int count, off_t offset, bool out)
{
	ssize_t n, done = 0;

	for (int i = 0; i < count; i++, done += n) {
		void *at = iovec[i].iov_base;

		n = out ? pwrite64(fd, at, iovec[i].iov_len, offset + done)
			: pread64(fd, at, iovec[i].iov_len, offset + done);
		if (n < (ssize_t)iovec[i].iov_len)
			return n < 0 ? n : done + n;
	}
	return done;
}

ssize_t preadv64(int fd, const struct iovec *iovec, int count, off_t offset)
{
	mover *real = (mover *)dlsym(RTLD_NEXT, "preadv64");

	return lies(fd) ? each(fd, iovec, count, offset, false) : real(fd, iovec, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iovec, int count, off_t offset)
{
	mover *real = (mover *)dlsym(RTLD_NEXT, "pwritev64");

	return lies(fd) ? each(fd, iovec, count, offset, true) : real(fd, iovec, count, offset);
}
