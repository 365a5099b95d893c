/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A netherd that lies: linked with its sources, in the place of what they call for I/O (-Wl,--wrap).
 *   node OFFSET   a node in the two slots at OFFSET of the sidecar is answered with the one behind
 *   drop          what is to be written, or made durable, is forgotten
 *   die           half of a WRITE is done, and then it is dead
 */
#include <signal.h>

#include "tests/attack/disk/lie.h"

#define NODE 4096u
#define SLOTS (2 * NODE)

ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t offset);
int __real_fdatasync(int fd);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t offset);
int __wrap_fdatasync(int fd);

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset)
{
	unsigned long node;

	if (n == NODE && lie_is("node", &node) && (unsigned long)offset / SLOTS == node / SLOTS) {
		lie_told();
		offset += SLOTS;
	}
	return __real_pread(fd, buf, n, offset);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	unsigned long none;

	if (lie_is("drop", &none)) {
		lie_told();
		return (ssize_t)n;
	}
	if (lie_is("die", &none)) {
		lie_told();
		(void)!__real_pwrite(fd, buf, n / 2, offset);
		(void)raise(SIGKILL);
	}
	return __real_pwrite(fd, buf, n, offset);
}

int __wrap_fdatasync(int fd)
{
	unsigned long none;

	return lie_is("drop", &none) ? 0 : __real_fdatasync(fd);
}
