/* SPDX-License-Identifier: Apache-2.0 */
/* scribble FILE MILLISECONDS: a peer that writes anything anywhere into the channel in FILE, more often where indices and descriptors are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "switch-channel/ring.h"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR) : -1;
	struct stat st;
	volatile uint32_t *words;
	unsigned long count = 0;
	int64_t end;

	if (fd < 0 || fstat(fd, &st))
		return 1;
	words = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 1;
	end = now_ms() + atoi(argv[2]);
	srandom(1);
	while (now_ms() < end) {
		for (int i = 0; i < 100; i++, count++) {
			/* Not the header: the other side would only start anew. */
			size_t at = NRING_CONTROL +
				    (size_t)random() %
					    (random() % 4 ? 4 * NRING_PAGE
							  : (size_t)st.st_size - NRING_CONTROL);

			if (random() % 2)
				at &= ~(size_t)(NRING_BLOCK - 1); /* an index */
			words[at / 4] = (uint32_t)random() >> random() % 31;
		}
	}
	printf("%lu words\n", count);
	return 0;
}
