/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/ctl/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ept/base.h"

#define PAGE_BYTES 4096u

/*
 * Guest frames that hold RAM from the builder on: 1 MiB is where hvmloader is and where a PVH
 * kernel begins, 0x9f has an HVM guest's hvm_info. A guest may have given one of them back since.
 */
static const uint64_t frames[] = {0x100, 0x9f, 0x101, 0x200, 0x1000};

/* Linux's struct privcmd_mmapbatch_v2; its header is not complete without the kernel's source. */
struct map_request {
	unsigned int count;
	uint16_t domid;
	uint64_t address;
	const uint64_t *gfn;
	int *error; /* of each page: 0, or a negative errno */
};

#define MAP_REQUEST _IOC(_IOC_NONE, 'P', 4, sizeof(struct map_request))

int domain_open(void)
{
	return open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
}

void *domain_map(int fd, uint16_t domid, uint64_t gfn)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	int error = 0;
	struct map_request request = {1, domid, (uintptr_t)page, &gfn, &error};

	if (page == MAP_FAILED)
		return NULL;
	if (ioctl(fd, MAP_REQUEST, &request) < 0)
		error = -errno;
	if (!error)
		return page;
	domain_unmap(page);
	errno = -error;
	return NULL;
}

void domain_unmap(void *page)
{
	munmap(page, PAGE_BYTES);
}

int domain_ask(int fd, uint16_t domid, domain_fn fn, void *context, int *result)
{
	bool mapped = false;
	int error = 0;

	*result = ERR_NOENT;
	for (size_t i = 0; i < ARRAY_SIZE(frames) && *result == ERR_NOENT; i++) {
		void *page = domain_map(fd, domid, frames[i]);

		if (!page) {
			error = errno;
			continue;
		}
		mapped = true;
		*result = fn(page, context);
		domain_unmap(page);
	}
	return mapped ? 0 : error;
}
