/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iodecrypt/dma.h over two arrays: a guest's memory, and what the device model sees in its place where a window is.
 */
#ifndef TESTS_TEST_DMA_H
#define TESTS_TEST_DMA_H

#include <stdlib.h>
#include <string.h>

#include "iodecrypt/dma.h"

#ifndef GUEST_RAM
#define GUEST_RAM (4 * MIB)
#endif

static uint8_t guest[GUEST_RAM], view[GUEST_RAM];
static uint16_t covered[GUEST_RAM]; /* windows over a byte */

struct part {
	uint32_t gpa, len, device; /* address for the device model */
};

static inline struct part *parts_of(const struct dma *d)
{
	return (struct part *)(uintptr_t)d->part[0].a;
}

static int add_at(struct dma *d, gpa_t gpa, gpa_t device, uint32_t len)
{
	struct part *p = realloc(parts_of(d), (d->parts + 1) * sizeof(*p));

	ASSERT(p);
	d->part[0] = HPA((uintptr_t)p);
	if (len > DMA_BYTES_MAX - d->bytes)
		return ERR_2BIG;
	if (gpa.a >= GUEST_RAM || len > GUEST_RAM - gpa.a)
		return ERR_FAULT;
	p[d->parts++] = (struct part){(uint32_t)gpa.a, len, (uint32_t)device.a};
	d->bytes += len;
	for (uint32_t i = 0; i < len; i++)
		covered[device.a + i]++;
	return 0;
}

int dma_add(struct dma *d, const struct dma_space *s, gpa_t gpa, uint32_t len)
{
	return add_at(d, gpa, gpa, len);
}

static inline bool is_covered(uint64_t gpa, uint32_t len)
{
	for (uint32_t i = 0; i < len && gpa + i < GUEST_RAM; i++)
		if (covered[gpa + i])
			return true;
	return false;
}

int dma_add_apart(struct dma *d, const struct dma_space *s, gpa_t *gpa, uint32_t len)
{
	gpa_t at = *gpa;

	if (at.a >= GUEST_RAM || len > GUEST_RAM - at.a)
		return ERR_FAULT;
	while (is_covered(gpa->a, len)) {
		gpa->a += PAGE_SIZE;
		if (gpa->a + len > GUEST_RAM)
			return ERR_BUSY;
	}
	return add_at(d, at, *gpa, len);
}

int dma_peek(const struct dma_space *s, gpa_t gpa, void *buf, size_t n)
{
	if (gpa.a >= GUEST_RAM || n > GUEST_RAM - gpa.a)
		return ERR_FAULT;
	memcpy(buf, guest + gpa.a, n);
	return 0;
}

static inline uint32_t dma_byte(const struct dma *d, uint32_t offset, bool device)
{
	const struct part *p = parts_of(d);

	ASSERT(offset < d->bytes);
	for (; offset >= p->len; p++)
		offset -= p->len;
	return (device ? p->device : p->gpa) + offset;
}

static inline void dma_copy(struct dma *d, uint8_t *memory, uint32_t offset, uint8_t *to,
			    const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t at = dma_byte(d, offset + (uint32_t)i, memory == view);

		if (to)
			to[i] = memory[at];
		else if (from)
			memory[at] = from[i];
	}
}

int dma_read_guest(struct dma *d, uint32_t offset, void *buf, size_t n)
{
	dma_copy(d, guest, offset, buf, NULL, n);
	return 0;
}

int dma_write_guest(struct dma *d, uint32_t offset, const void *buf, size_t n)
{
	dma_copy(d, guest, offset, NULL, buf, n);
	return 0;
}

void dma_read_device(struct dma *d, uint32_t offset, void *buf, size_t n)
{
	dma_copy(d, view, offset, buf, NULL, n);
}

void dma_write_device(struct dma *d, uint32_t offset, const void *buf, size_t n)
{
	dma_copy(d, view, offset, NULL, buf, n);
}

void dma_close(struct dma *d)
{
	for (unsigned int i = 0; i < d->parts; i++)
		for (uint32_t k = 0; k < parts_of(d)[i].len; k++)
			covered[parts_of(d)[i].device + k]--;
	free(parts_of(d));
	memset(d, 0, sizeof(*d));
}

#endif
