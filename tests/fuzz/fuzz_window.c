/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows against a model of what L1 must see, byte by byte, and of what the guest's memory must hold.
 * Input: up to STEPS_MAX struct step, each of which opens, closes, reads or writes something, or has a
 * page change hands.
 */
#include <string.h>

#include "crypto/crypto.h"
#include "ept/format.h"
#include "ept/host.h"
#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/window.h"

#define RAM_SIZE (64 * MIB)
#define BLOCK (128 * MIB)
#define BLOCK_SIZE (24 * MIB)
#define PAGES 24u /* neighbours, and some far away: several share a set of frames */
#define VCPUS 3u
#define STEPS_MAX 200
#define GUEST 3u

struct step {
	uint8_t op, page, vcpu, direction, len, value;
	uint16_t offset;
};

enum { OPEN, CLOSE, L1_WRITE, MERGE, MERGE_BYTES, EXPORT, LEAVE, FLOOD, GUEST_WRITE, OPS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum shown { NOTHING, WINDOW, CIPHERTEXT };

static struct {
	enum shown shown;
	uint8_t frame[PAGE_SIZE];  /* what L1 must see of a WINDOW */
	uint8_t memory[PAGE_SIZE]; /* what the guest must have */
	gpa_t gpa;
} model[PAGES];
static struct windows windows[VCPUS];
static unsigned int generation; /* of the pages that went and came */

static hpa_t page_hpa(unsigned int i)
{
	return HPA(MIB + (i < PAGES / 2 ? i : 300 + i * 65) * PAGE_SIZE);
}

static owner_t page_owner(unsigned int i)
{
	return owner_word(OWNER_GUEST, GUEST, model[i].gpa);
}

/* What L1's table has in the page's place: 0 or an address. */
static uint64_t in_place_of(hpa_t hpa, unsigned int *rights)
{
	const uint64_t *table = phys_table(host_root());

	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t entry = table[table_index(level, hpa.a)];

		*rights = table_present(entry) ? table_rights(entry) : 0;
		if (!*rights)
			return 0;
		if (table_is_leaf(entry, level))
			return table_hpa(entry, level).a + (hpa.a & (table_span(level) - 1));
		table = phys_table(table_hpa(entry, level));
	}
}

static void take_page(unsigned int i)
{
	model[i].gpa = GPA((uint64_t)++generation << 20);
	ASSERT(owner_take(page_hpa(i), 1, GUEST, model[i].gpa));
	ASSERT(!host_set(page_hpa(i), PAGE_SIZE, 0));
	model[i].shown = NOTHING;
}

static void leave(unsigned int i);

static void start_machine(void)
{
	const char *why;

	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_cpus(2);
	ASSERT(!crypto_init(&why));
	ASSERT(!host_init(mem_top(), true, NULL) && !window_init());
	for (unsigned int i = 0; i < PAGES; i++)
		take_page(i);
}

/* Frames outlive an input; which page of the guest's they were shown for does not matter. */
static void start(void)
{
	static bool ready;

	if (!ready)
		start_machine();
	ready = true;
	for (unsigned int i = 0; i < VCPUS; i++)
		window_close(&windows[i]);
	for (unsigned int i = 0; i < PAGES; i++) {
		leave(i);
		memset(model[i].memory, 1 + (int)i, PAGE_SIZE);
		memcpy(phys_at(page_hpa(i)), model[i].memory, PAGE_SIZE);
	}
}

static bool pinned(unsigned int i)
{
	for (unsigned int v = 0; v < VCPUS; v++)
		for (unsigned int n = 0; n < windows[v].count; n++)
			if (windows[v].open[n].page.a == page_hpa(i).a &&
			    windows[v].open[n].owner.w == page_owner(i).w)
				return true;
	return false;
}

/* All frames over which nothing is open are gone from L1's table. */
static void evicted(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (!pinned(i))
			model[i].shown = NOTHING;
}

static bool is_open(const struct windows *w, unsigned int i, size_t offset, size_t len,
		    unsigned int direction)
{
	for (unsigned int n = 0; n < w->count; n++)
		if (w->open[n].page.a == page_hpa(i).a && w->open[n].offset == offset &&
		    w->open[n].len == len && w->open[n].direction == direction)
			return true;
	return false;
}

static void open_range(struct windows *w, unsigned int i, const struct step *s, size_t offset,
		       size_t len)
{
	unsigned int direction = 1 + s->direction % 3;
	uint8_t given[256];
	bool has = is_open(w, i, offset, len, direction), full = w->count == WINDOWS_PER_VCPU;
	const void *bytes = s->value & 1 ? given : NULL;
	int err;

	memset(given, s->value, sizeof(given));
	err = window_open(w, HPA(page_hpa(i).a + offset), len, page_owner(i), direction, bytes);
	if (has) {
		ASSERT(!err);
		return;
	}
	ASSERT(!err || (full ? err == ERR_NOMEM : err == ERR_BUSY));
	ASSERT(!full || err);
	if (err) {
		if (err == ERR_BUSY)
			evicted();
		return;
	}
	if (model[i].shown != WINDOW)
		memset(model[i].frame, 0, PAGE_SIZE);
	model[i].shown = WINDOW;
	if (!(direction & WINDOW_OUT))
		memset(&model[i].frame[offset], 0, len);
	else
		memcpy(&model[i].frame[offset], bytes ? bytes : &model[i].memory[offset], len);
}

/* The merge takes from the frame that the window is over; a page that went in between is another's. */
static bool may_merge(const struct windows *w, unsigned int i, size_t offset, size_t len,
		      bool *mine)
{
	for (unsigned int n = 0; n < w->count; n++) {
		const struct window *o = &w->open[n];

		if (o->page.a != page_hpa(i).a || !(o->direction & WINDOW_IN) ||
		    offset < o->offset || offset + len > (size_t)o->offset + o->len)
			continue;
		*mine = o->owner.w == page_owner(i).w;
		return true;
	}
	return false;
}

static void merge(struct windows *w, unsigned int i, size_t offset, size_t len, const void *bytes)
{
	bool mine = false, may = may_merge(w, i, offset, len, &mine) && mine;

	ASSERT(window_write(w, HPA(page_hpa(i).a + offset), len, bytes) == may);
	if (may)
		memcpy(&model[i].memory[offset], bytes ? bytes : &model[i].frame[offset], len);
}

static void l1_writes(unsigned int i, size_t offset, size_t len, uint8_t value)
{
	unsigned int rights;
	uint64_t at = in_place_of(page_hpa(i), &rights);

	if (!(rights & TABLE_W))
		return;
	memset(mem_at(HPA(at + offset)), value, len);
	memset(&model[i].frame[offset], value, len);
}

static void exports(unsigned int i)
{
	bool open = pinned(i);
	unsigned int rights;

	ASSERT(!window_export(page_hpa(i), page_owner(i)));
	if (open)
		return;
	if (in_place_of(page_hpa(i), &rights))
		model[i].shown = CIPHERTEXT;
	else
		evicted(); /* L1 tries again */
}

/* The page goes to L1 and comes back, with the same content. */
static void leave(unsigned int i)
{
	unsigned int rights;

	owner_hold(page_hpa(i), 1, GUEST, model[i].gpa);
	ASSERT(window_cancel(page_hpa(i)) || !in_place_of(page_hpa(i), &rights));
	phys_flush();
	ASSERT(!host_set(page_hpa(i), PAGE_SIZE, TABLE_RWX));
	owner_give(page_hpa(i), 1);
	take_page(i);
}

/* L1 reads many other pages of the guest's, so that frames become rare. */
static void flood(void)
{
	unsigned int rights;

	for (unsigned int i = 0; i < 1100; i++) {
		hpa_t page = HPA(32 * MIB + i * PAGE_SIZE);

		if (owner_kind(owner_of(page)) == OWNER_HOST) {
			ASSERT(owner_take(page, 1, GUEST, GPA(page.a)));
			ASSERT(!host_set(page, PAGE_SIZE, 0));
		}
		ASSERT(!window_export(page, owner_of(page)));
		if (!in_place_of(page, &rights))
			evicted();
	}
}

static void check(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		unsigned int rights;
		uint64_t at = in_place_of(page_hpa(i), &rights);

		ASSERT(!memcmp(phys_at(page_hpa(i)), model[i].memory, PAGE_SIZE));
		ASSERT((model[i].shown == NOTHING) == !at);
		if (!at)
			continue;
		ASSERT(at >= BLOCK && at < BLOCK + BLOCK_SIZE);
		if (model[i].shown == WINDOW) {
			ASSERT(rights == (TABLE_R | TABLE_W));
			ASSERT(!memcmp(mem_at(HPA(at)), model[i].frame, PAGE_SIZE));
		} else {
			ASSERT(rights == TABLE_R);
			ASSERT(memcmp(mem_at(HPA(at)), model[i].memory, 32));
		}
	}
}

static void do_step(const struct step *s)
{
	unsigned int i = s->page % PAGES;
	struct windows *w = &windows[s->vcpu % VCPUS];
	size_t offset = s->offset % PAGE_SIZE;
	size_t len = 1 + s->len % (PAGE_SIZE - offset < 256 ? PAGE_SIZE - offset : 256);
	uint8_t bytes[256];

	memset(bytes, s->value, sizeof(bytes));
	switch (s->op % OPS) {
	case OPEN:
		open_range(w, i, s, offset, len);
		break;
	case CLOSE:
		window_close(w);
		break;
	case L1_WRITE:
		l1_writes(i, offset, len, s->value);
		break;
	case MERGE:
		merge(w, i, offset, len, NULL);
		break;
	case MERGE_BYTES:
		merge(w, i, offset, len, bytes);
		break;
	case EXPORT:
		exports(i);
		break;
	case LEAVE:
		leave(i);
		break;
	case FLOOD:
		if (s->value == 0x77)
			flood();
		break;
	default:
		memset(&model[i].memory[offset], s->value, len);
		memset((char *)phys_at(page_hpa(i)) + offset, s->value, len);
	}
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	start();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	return 0;
}
