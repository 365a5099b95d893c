/* SPDX-License-Identifier: Apache-2.0 */
/* What iodecrypt/dma.h has of a guest. */
#ifndef MONITOR_DMA_H
#define MONITOR_DMA_H

#include "ept/walk.h"
#include "iodecrypt/dma.h"

struct dma_space {
	const struct walk_space *space; /* nested, with the guest's private memory */
};

#endif
