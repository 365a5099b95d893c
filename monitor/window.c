/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/window.h"

#include "crypto/crypto.h"
#include "ept/format.h"
#include "ept/host.h"
#include "ept/lock.h"
#include "ept/phys.h"
#include "ept/sealed.h"
#include "monitor/cpu.h"
#include "monitor/lib.h"
#include "monitor/mem.h"

#define SETS 64
#define WAYS 16
#define FRAMES (SETS * WAYS)

/* A frame belongs to one set for ever, and may stand for any page that hashes there. */
struct frame {
	uint64_t page;   /* its address, plus one; 0: none */
	uint16_t pins;   /* open windows */
	bool used;       /* L1's CPUs may know it at some page */
	bool exported;   /* holds ciphertext */
	uint8_t evictor; /* index of the CPU that has taken it out of L1's table, plus one */
};

static struct {
	struct lock lock[SETS];
	struct frame frame[SETS][WAYS];
	hpa_t memory; /* FRAMES pages */
	struct crypto_key key;
	uint64_t counter; /* of exports; atomic */
} windows;

int window_init(void)
{
	uint8_t bytes[CRYPTO_KEY_BYTES];
	int err = crypto_random(bytes, sizeof(bytes));

	crypto_key_init(&windows.key, bytes);
	crypto_wipe(bytes, sizeof(bytes));
	windows.memory = mem_hpa(mem_pages(FRAMES));
	return err;
}

static unsigned int set_of(hpa_t page)
{
	uint64_t n = page.a >> PAGE_SHIFT;

	return (n ^ n >> 6 ^ n >> 12) % SETS;
}

static hpa_t frame_hpa(unsigned int number)
{
	return HPA(windows.memory.a + (uint64_t)number * PAGE_SIZE);
}

static struct frame *frame_numbered(unsigned int number)
{
	return &windows.frame[number / WAYS][number % WAYS];
}

/* The page's frame, or one that has none yet; NULL. */
static struct frame *find(hpa_t page)
{
	struct frame *set = windows.frame[set_of(page)];
	struct frame *free = NULL;

	for (unsigned int i = 0; i < WAYS; i++) {
		if (set[i].page == page.a + 1)
			return &set[i];
		if (!set[i].used)
			free = &set[i];
	}
	return free;
}

static unsigned int number_of(const struct frame *f)
{
	return (unsigned int)(f - &windows.frame[0][0]);
}

/* Takes frames that no vCPU needs out of L1's table; they are free when all CPUs have flushed. */
static void evict(void)
{
	uint8_t self = (uint8_t)(cpu_this()->index + 1);
	struct frame *f;

	for (unsigned int i = 0; i < FRAMES; i++) {
		lock_take(&windows.lock[i / WAYS]);
		f = frame_numbered(i);
		if (f->used && !f->pins && !f->evictor) {
			if (f->page)
				host_hide(HPA(f->page - 1), frame_hpa(i));
			f->evictor = self;
		}
		lock_drop(&windows.lock[i / WAYS]);
	}
	phys_flush();
	for (unsigned int i = 0; i < FRAMES; i++) {
		lock_take(&windows.lock[i / WAYS]);
		f = frame_numbered(i);
		if (f->evictor == self)
			*f = (struct frame){0};
		lock_drop(&windows.lock[i / WAYS]);
	}
}

/* The frame gets the ciphertext; its tag is of no use to anybody. */
static void encrypt(hpa_t frame, hpa_t page)
{
	uint64_t counter = __atomic_add_fetch(&windows.counter, 1, __ATOMIC_RELAXED);
	struct crypto_nonce nonce = crypto_nonce(SEAL_DOMAIN_EXPORT, counter);
	struct crypto_tag tag;

	crypto_seal(&windows.key, &nonce, NULL, 0, phys_at(frame), phys_at(page), PAGE_SIZE, &tag);
}

/* The page gets this frame. The set is locked. */
static int show(struct frame *f, hpa_t page, owner_t owner, bool export)
{
	hpa_t frame = frame_hpa(number_of(f));
	bool there = f->page == page.a + 1;
	int err;

	/* The usual case: it is in L1's table since an earlier exit. A page's new owner cancels it. */
	if (there && !export && !f->exported && !f->evictor && host_allows(page, TABLE_R | TABLE_W))
		return owner_of(page).w == owner.w ? 0 : ERR_BUSY;
	if (export)
		encrypt(frame, page);
	else if (!there || f->exported)
		memset(phys_at(frame), 0, PAGE_SIZE);
	err = host_show(page, frame, export ? TABLE_R : TABLE_R | TABLE_W, owner);
	if (err)
		return err == ERR_PERM ? ERR_BUSY : err;
	*f = (struct frame){.page = page.a + 1, .pins = f->pins, .used = true, .exported = export};
	return 0;
}

/* The frame of the page, with the set locked; or NULL without, when CPUs were served. */
static struct frame *get(hpa_t page)
{
	struct lock *lock = &windows.lock[set_of(page)];
	struct frame *f;

	lock_take(lock);
	f = find(page);
	if (f)
		return f;
	lock_drop(lock);
	evict();
	return NULL;
}

static void add(struct windows *w, const struct window *window, const void *bytes)
{
	char *at = phys_at(HPA(frame_hpa(window->frame).a + window->offset));

	if (!bytes)
		bytes = phys_at(HPA(window->page.a + window->offset));
	if (window->direction & WINDOW_OUT)
		memcpy(at, bytes, window->len);
	else
		memset(at, 0, window->len);
	w->open[w->count++] = *window;
}

static bool has(const struct windows *w, const struct window *window)
{
	for (unsigned int i = 0; i < w->count; i++) {
		const struct window *o = &w->open[i];

		if (o->page.a == window->page.a && o->offset == window->offset &&
		    o->len == window->len && o->direction == window->direction)
			return true;
	}
	return false;
}

int window_open(struct windows *w, hpa_t hpa, size_t len, owner_t owner, unsigned int direction,
		const void *bytes)
{
	struct window window = {
		HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE)), owner,         0,
		(uint16_t)page_offset(hpa.a),      (uint16_t)len, (uint8_t)direction};
	struct frame *f;
	int err;

	ASSERT(len && window.offset + len <= PAGE_SIZE);
	if (has(w, &window))
		return 0;
	if (w->count == WINDOWS_PER_VCPU)
		return ERR_NOMEM;
	f = get(window.page);
	if (!f)
		return ERR_BUSY;
	err = show(f, window.page, owner, false);
	if (!err) {
		f->pins++;
		window.frame = (uint16_t)number_of(f);
		add(w, &window, bytes);
	}
	lock_drop(&windows.lock[set_of(window.page)]);
	return err;
}

static const struct window *find_open(const struct windows *w, hpa_t hpa, size_t len)
{
	hpa_t page = HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE));
	uint64_t offset = page_offset(hpa.a);

	for (unsigned int i = 0; i < w->count; i++) {
		const struct window *o = &w->open[i];

		if (o->page.a == page.a && (o->direction & WINDOW_IN) && offset >= o->offset &&
		    offset + len <= (uint64_t)o->offset + o->len)
			return o;
	}
	return NULL;
}

static void *in_frame(const struct window *o, hpa_t hpa)
{
	return phys_at(HPA(frame_hpa(o->frame).a + page_offset(hpa.a)));
}

bool window_read(const struct windows *w, hpa_t hpa, size_t len, void *buf)
{
	const struct window *o = find_open(w, hpa, len);

	if (!o)
		return false;
	memcpy(buf, in_frame(o, hpa), len);
	return true;
}

bool window_write(const struct windows *w, hpa_t hpa, size_t len, const void *bytes)
{
	const struct window *o = find_open(w, hpa, len);
	struct lock *lock;
	bool open;

	if (!o)
		return false;
	lock = &windows.lock[o->frame / WAYS];
	lock_take(lock);
	/* Once cancelled it stays so, even if the guest has got the page back. */
	open = frame_numbered(o->frame)->page == o->page.a + 1 && owner_of(o->page).w == o->owner.w;
	if (open)
		memcpy(phys_at(hpa), bytes ? bytes : in_frame(o, hpa), len);
	lock_drop(lock);
	return open;
}

void window_close(struct windows *w)
{
	for (unsigned int i = 0; i < w->count; i++) {
		struct lock *lock = &windows.lock[w->open[i].frame / WAYS];

		lock_take(lock);
		frame_numbered(w->open[i].frame)->pins--;
		lock_drop(lock);
	}
	w->count = 0;
}

int window_export(hpa_t page, owner_t owner)
{
	struct frame *f = get(page);
	int err;

	if (!f)
		return 0;
	err = show(f, page, owner, !f->pins);
	lock_drop(&windows.lock[set_of(page)]);
	return err == ERR_BUSY ? 0 : err;
}

bool window_cancel(hpa_t page)
{
	struct lock *lock = &windows.lock[set_of(page)];
	struct frame *f;
	bool known;

	lock_take(lock);
	f = find(page);
	known = f && f->page == page.a + 1;
	if (known) {
		host_hide(page, frame_hpa(number_of(f)));
		f->page = 0;
	}
	lock_drop(lock);
	return known;
}

void window_forget(unsigned int guest)
{
	for (unsigned int i = 0; i < FRAMES; i++) {
		struct frame *f = frame_numbered(i);
		owner_t owner;

		lock_take(&windows.lock[i / WAYS]);
		owner = f->page ? owner_of(HPA(f->page - 1)) : OWNER_WORD(OWNER_NONE);
		if (owner_kind(owner) == OWNER_GUEST && owner_guest(owner) == guest) {
			host_hide(HPA(f->page - 1), frame_hpa(i));
			f->page = 0;
		}
		lock_drop(&windows.lock[i / WAYS]);
	}
}
