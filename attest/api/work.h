/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for what may take time, so that those of the connections never wait for a disk or the TPM. */
#ifndef ATTEST_API_WORK_H
#define ATTEST_API_WORK_H

#include <stdbool.h>

struct work {
	struct work *next;
	void (*fn)(struct work *w); /* after which w is no more the worker's */
};

/* 0 or -1. */
int work_start(unsigned int threads);
/* In the order in which it comes. False: the program is about to end, and w is the caller's. */
bool work_put(struct work *w);
/* Takes no more, and waits until all is done. */
void work_stop(void);

#endif
