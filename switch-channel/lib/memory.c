/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "switch-channel/lib/netherchan.h"

void *netherchan_map_fd(int fd, uint32_t *pages)
{
	struct stat st;
	void *memory;

	if (fstat(fd, &st))
		return NULL;
	if (st.st_size < (off_t)(NRING_PAGES_MIN * NRING_PAGE) ||
	    st.st_size > (off_t)(NRING_PAGES_MAX * NRING_PAGE) || st.st_size % NRING_PAGE) {
		errno = EINVAL;
		return NULL;
	}
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	*pages = (uint32_t)(st.st_size / NRING_PAGE);
	return memory;
}

void netherchan_unmap(void *memory, uint32_t pages)
{
	munmap(memory, (size_t)pages * NRING_PAGE);
}
