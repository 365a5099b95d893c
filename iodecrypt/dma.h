/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers in a guest's memory that its disk controller is told to use. While one is open, the device model
 * finds frames of the monitor's in the place of its pages (monitor/window.h), so that the guest's bytes and
 * the device's are two things: what passes between them, and how it is changed, is the caller's business.
 * Implemented by the monitor (monitor/dma.c) and by tests.
 */
#ifndef IODECRYPT_DMA_H
#define IODECRYPT_DMA_H

#include "ept/addr.h"

#define DMA_BYTES_MAX (32 * MIB) /* what one command can move: 65536 sectors */
#define DMA_PARTS_PAGES 56       /* 512 descriptors of 64 KiB each, none page-aligned */

/* One buffer; the caller's, zeroed at first. */
struct dma {
	unsigned int parts; /* each in one page */
	uint32_t bytes;
	hpa_t part[DMA_PARTS_PAGES]; /* tables of the monitor's (ept/phys.h); 0: none */
	/* Where the last access ended, for the next one. */
	unsigned int at;
	uint32_t at_offset;
};

/* Of one guest: what its addresses mean just now. */
struct dma_space;

/*
 * Adds [gpa, gpa + len) to the end of the buffer. Returns 0; ERR_FAULT if it is not all the guest's own memory;
 * ERR_NOMEM. On an error the caller closes the buffer.
 */
int dma_add(struct dma *d, const struct dma_space *s, gpa_t gpa, uint32_t len);

/*
 * The same with pages that no other buffer has, so that one page may be in several, or several times in one, with
 * other bytes for the device each time: where a page of the region is in a buffer already, the device model finds the
 * region elsewhere in the guest's memory, at *gpa. ERR_BUSY: there is no such place.
 */
int dma_add_apart(struct dma *d, const struct dma_space *s, gpa_t *gpa, uint32_t len);

/* Copies n bytes of the guest's memory that no buffer need have. 0 or ERR_FAULT. */
int dma_peek(const struct dma_space *s, gpa_t gpa, void *buf, size_t n);

/* Copies n bytes of the guest's memory, or to it, at this offset in the buffer. 0 or ERR_FAULT: not its any more. */
int dma_read_guest(struct dma *d, uint32_t offset, void *buf, size_t n);
int dma_write_guest(struct dma *d, uint32_t offset, const void *buf, size_t n);

/* The same with what the device model sees, and may change at any time. */
void dma_read_device(struct dma *d, uint32_t offset, void *buf, size_t n);
void dma_write_device(struct dma *d, uint32_t offset, const void *buf, size_t n);

/* No window is over it any more on the caller's account; all memory is given back. */
void dma_close(struct dma *d);

#endif
