/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/dma.h"

#include "ept/phys.h"
#include "monitor/lib.h"
#include "monitor/window.h"

#define PARTS_PER_PAGE (PAGE_SIZE / sizeof(struct dma_part))
#define LOW_MEMORY 0x100000u
#define UNUSED_LOOKS 65536u /* at pages, for one region */
#define TRIES 1000 /* a page is somebody else's for a moment, or CPUs were served meanwhile */

/* A part of a buffer, in one page. */
struct dma_part {
	hpa_t hpa;
	owner_t owner;
	uint16_t len, frame;
	uint32_t offset; /* in the buffer */
};

static struct dma_part *part_at(const struct dma *d, unsigned int i)
{
	return (struct dma_part *)(void *)phys_table(d->part[i / PARTS_PER_PAGE]) +
	       i % PARTS_PER_PAGE;
}

/* The next one, not counted yet; NULL. */
static struct dma_part *new_part(struct dma *d)
{
	unsigned int page = d->parts / PARTS_PER_PAGE;

	if (page == ARRAY_SIZE(d->part))
		return NULL;
	if (!d->part[page].a && phys_table_alloc(&d->part[page]))
		return NULL;
	return part_at(d, d->parts);
}

/* The guest's own memory at gpa. ERR_BUSY: for a moment it is nobody's. */
static int own(const struct dma_space *s, gpa_t gpa, hpa_t *hpa, owner_t *owner)
{
	struct walk_result at;

	if (walk_gpa(s->space, gpa, WALK_WRITE, &at))
		return ERR_FAULT;
	*hpa = at.hpa;
	*owner = owner_of(at.hpa);
	if (owner_kind(*owner) == OWNER_BUSY)
		return ERR_BUSY;
	return owner_kind(*owner) == OWNER_GUEST && owner_guest(*owner) == s->space->guest
		       ? 0
		       : ERR_FAULT;
}

static hpa_t page_of(hpa_t hpa)
{
	return HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE));
}

/* The guest's page at gpa gets a frame, or (lend) the one at `device` gets one for it. */
static int hold(struct dma_part *p, const struct dma_space *s, gpa_t gpa, gpa_t device)
{
	bool lend = device.a != gpa.a;
	owner_t owner;
	hpa_t at;
	int frame = ERR_BUSY;

	for (unsigned int i = 0; frame == ERR_BUSY && i < TRIES; i++) {
		if (i)
			phys_relax();
		frame = own(s, gpa, &p->hpa, &p->owner);
		at = p->hpa;
		owner = p->owner;
		if (!frame && lend)
			frame = own(s, device, &at, &owner);
		if (!frame)
			frame = window_hold(page_of(at), owner, lend);
	}
	if (frame >= 0)
		p->frame = (uint16_t)frame;
	return frame < 0 ? frame : 0;
}

static int add_part(struct dma *d, const struct dma_space *s, gpa_t gpa, gpa_t device, uint32_t len)
{
	struct dma_part *p = new_part(d);
	int err = p ? hold(p, s, gpa, device) : ERR_NOMEM;

	if (err)
		return err;
	p->len = (uint16_t)len;
	p->offset = d->bytes;
	d->parts++;
	d->bytes += len;
	return 0;
}

static int add(struct dma *d, const struct dma_space *s, gpa_t gpa, gpa_t device, uint32_t len)
{
	uint32_t left = len, n;
	int err = 0;

	if (len > DMA_BYTES_MAX - d->bytes)
		return ERR_2BIG;
	for (; !err && left; left -= n, gpa.a += n, device.a += n) {
		n = (uint32_t)(PAGE_SIZE - page_offset(gpa.a));
		n = n < left ? n : left;
		err = add_part(d, s, gpa, device, n);
	}
	return err;
}

int dma_add(struct dma *d, const struct dma_space *s, gpa_t gpa, uint32_t len)
{
	return add(d, s, gpa, gpa, len);
}

/* 0: the page has no window. ERR_BUSY: it has; ERR_FAULT: it is not the guest's. */
static int unused(const struct dma_space *s, gpa_t gpa)
{
	owner_t owner;
	hpa_t hpa;
	int err = own(s, gpa, &hpa, &owner);

	return !err && window_is_held(page_of(hpa)) ? ERR_BUSY : err;
}

/* So many pages in a row that have no window: from *start on, or below it if there are none. *start becomes the first. */
static int find_unused(const struct dma_space *s, uint64_t pages, gpa_t *start)
{
	gpa_t at = *start;
	unsigned int wraps = 0;
	uint64_t row = 0;
	int err;

	for (unsigned int i = 0; i < UNUSED_LOOKS && wraps < 2; i++, at.a += PAGE_SIZE) {
		err = unused(s, at);
		row = err ? 0 : row + 1;
		if (row == pages) {
			*start = GPA(at.a - (pages - 1) * PAGE_SIZE);
			return 0;
		}
		if (err == ERR_FAULT) { /* the end of its memory, likely */
			at = GPA(LOW_MEMORY);
			wraps++;
		}
	}
	return ERR_BUSY;
}

int dma_add_apart(struct dma *d, const struct dma_space *s, gpa_t *gpa, uint32_t len)
{
	uint64_t offset = page_offset(gpa->a);
	uint64_t pages = (offset + len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	gpa_t device = *gpa, end = GPA(gpa->a - offset + pages * PAGE_SIZE);
	int err = 0;

	for (uint64_t i = 0; !err && i < pages; i++)
		err = unused(s, GPA(gpa->a + i * PAGE_SIZE));
	if (err == ERR_BUSY) {
		err = find_unused(s, pages, &end);
		device = GPA(end.a + offset); /* where they begin */
	}
	if (!err)
		err = add(d, s, *gpa, device, len);
	*gpa = device;
	return err;
}

int dma_peek(const struct dma_space *s, gpa_t gpa, void *buf, size_t n)
{
	struct walk_result at;
	const void *src;

	for (size_t part, done = 0; done < n; done += part) {
		part = PAGE_SIZE - page_offset(gpa.a + done);
		part = part < n - done ? part : n - done;
		if (walk_gpa(s->space, GPA(gpa.a + done), 0, &at))
			return ERR_FAULT;
		src = phys_seen(at.hpa, part, s->space->guest);
		if (!src)
			return ERR_FAULT;
		memcpy((char *)buf + done, src, part);
	}
	__asm__ volatile("" ::: "memory"); /* once */
	return 0;
}

/* The part that has this offset; the search goes on where the last one ended. */
static const struct dma_part *find(struct dma *d, uint32_t offset)
{
	const struct dma_part *p;

	ASSERT(offset < d->bytes);
	if (offset < d->at_offset)
		d->at = 0;
	for (p = part_at(d, d->at); offset - p->offset >= p->len; p = part_at(d, d->at))
		d->at++;
	d->at_offset = p->offset;
	return p;
}

/* What is in one part of [offset, offset + n). */
struct piece {
	const struct dma_part *part;
	hpa_t hpa;
	size_t len;
};

static struct piece piece_at(struct dma *d, uint32_t offset, size_t n)
{
	const struct dma_part *p = find(d, offset);
	uint32_t skip = offset - p->offset;
	size_t len = p->len - skip;

	return (struct piece){p, HPA(p->hpa.a + skip), len < n ? len : n};
}

int dma_read_guest(struct dma *d, uint32_t offset, void *buf, size_t n)
{
	struct piece p;

	for (size_t done = 0; done < n; done += p.len) {
		p = piece_at(d, offset + (uint32_t)done, n - done);
		if (!window_take(p.part->frame, p.hpa, p.part->owner, (char *)buf + done, p.len))
			return ERR_FAULT;
	}
	return 0;
}

int dma_write_guest(struct dma *d, uint32_t offset, const void *buf, size_t n)
{
	struct piece p;

	for (size_t done = 0; done < n; done += p.len) {
		p = piece_at(d, offset + (uint32_t)done, n - done);
		if (!window_give(p.part->frame, p.hpa, p.part->owner, (const char *)buf + done,
				 p.len))
			return ERR_FAULT;
	}
	return 0;
}

void dma_read_device(struct dma *d, uint32_t offset, void *buf, size_t n)
{
	struct piece p;

	for (size_t done = 0; done < n; done += p.len) {
		p = piece_at(d, offset + (uint32_t)done, n - done);
		memcpy((char *)buf + done, window_frame(p.part->frame, p.hpa), p.len);
	}
	__asm__ volatile("" ::: "memory"); /* once */
}

void dma_write_device(struct dma *d, uint32_t offset, const void *buf, size_t n)
{
	struct piece p;

	for (size_t done = 0; done < n; done += p.len) {
		p = piece_at(d, offset + (uint32_t)done, n - done);
		memcpy(window_frame(p.part->frame, p.hpa), (const char *)buf + done, p.len);
	}
}

void dma_close(struct dma *d)
{
	for (unsigned int i = 0; i < d->parts; i++)
		window_unhold(part_at(d, i)->frame);
	for (unsigned int i = 0; i < ARRAY_SIZE(d->part); i++)
		if (d->part[i].a)
			phys_table_free(d->part[i]);
	memset(d, 0, sizeof(*d));
}
