/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's /dev/xen/privcmd as far as netherctl uses it, with a Xen behind it that has the
 * domains 3 to 5. 5 has only frames from 0x200 on. With FAKE=domu there is no such device.
 */
#include "tests/ctl/fake_privcmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MMAPBATCH_V2 0x205004u /* no direction, 32 bytes, type P, number 4 */

static struct {
	int fd;
	bool open;
	void *page;
	bool mapped;
	uint16_t domid;
	uint64_t gfn;
} m;

bool fake_mapped(const void *page, uint16_t *domid, uint64_t *gfn)
{
	*domid = m.domid;
	*gfn = m.gfn;
	return m.open && m.mapped && page == m.page;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	const char *fake = getenv("FAKE");

	if (strcmp(path, "/dev/xen/privcmd") != 0 || (flags & O_ACCMODE) != O_RDWR || m.open)
		abort();
	if (fake && !strcmp(fake, "domu")) {
		errno = ENOENT;
		return -1;
	}
	m.fd = memfd_create("privcmd", 0);
	if (m.fd < 0 || ftruncate(m.fd, 4096))
		abort();
	m.open = true;
	return m.fd;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	if (!m.open || fd != m.fd || m.page)
		abort(); /* a mapping was forgotten */
	m.open = false;
	return __real_close(fd);
}

void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (!m.open || fd != m.fd || m.page || len != 4096 || prot != PROT_READ ||
	    !(flags & MAP_SHARED))
		abort();
	/* Nobody may look into the page. */
	m.page = __real_mmap(at, len, PROT_NONE, flags, fd, offset);
	return m.page;
}

int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len)
{
	if (at != m.page || len != 4096)
		abort();
	m.page = NULL;
	m.mapped = false;
	return __real_munmap(at, len);
}

/* Offsets of Linux's struct privcmd_mmapbatch_v2. */
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const uint64_t *gfn;
	__builtin_va_list ap;
	const char *arg;
	uint64_t address;
	uint32_t n;
	int *error;

	__builtin_va_start(ap, request);
	arg = __builtin_va_arg(ap, const char *);
	__builtin_va_end(ap);
	memcpy(&n, arg, sizeof(n));
	memcpy(&m.domid, arg + 4, sizeof(m.domid));
	memcpy(&address, arg + 8, sizeof(address));
	memcpy(&gfn, arg + 16, sizeof(gfn));
	memcpy(&error, arg + 24, sizeof(error));
	if (fd != m.fd || request != MMAPBATCH_V2 || n != 1 || address != (uintptr_t)m.page)
		abort();
	m.gfn = *gfn;
	*error = m.domid < 3 || m.domid > 5 ? -ESRCH : 0;
	if (m.domid == 5 && m.gfn < 0x200)
		*error = -EINVAL;
	if (m.domid == 4 && m.gfn == 0x9f) {
		errno = ENOENT; /* the call fails as a whole, as for a page that is paged out */
		return -1;
	}
	m.mapped = !*error;
	return 0;
}
