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

#define SETS WINDOW_SETS

/* Frame number n belongs to set n % SETS for ever, and may stand for any page that hashes there. */
struct frame {
	uint64_t page;   /* its address, plus one; 0: none */
	uint32_t pins;   /* open windows: a guest can have more than 65535 over one page */
	bool used;       /* L1's CPUs may know it at some page */
	bool exported;   /* holds ciphertext */
	bool lent;       /* stands for another page's bytes: no window over this one meanwhile */
	uint8_t evictor; /* index of the CPU that has taken it out of L1's table, plus one */
};

static struct {
	struct lock lock[SETS];
	unsigned int count;
	struct frame *frame;
	hpa_t memory; /* of them */
	struct crypto_key key;
	uint64_t counter; /* of exports; atomic */
} windows;

int window_init(void)
{
	uint8_t bytes[CRYPTO_KEY_BYTES];
	int err = crypto_random(bytes, sizeof(bytes));

	crypto_key_init(&windows.key, bytes);
	crypto_wipe(bytes, sizeof(bytes));
	windows.count = WINDOW_FRAMES(mem_host_bytes());
	windows.frame =
		mem_pages(ALIGN_UP(windows.count * sizeof(struct frame), PAGE_SIZE) >> PAGE_SHIFT);
	windows.memory = mem_hpa(mem_pages(windows.count));
	return err;
}

static unsigned int set_of(hpa_t page)
{
	uint64_t n = page.a >> PAGE_SHIFT;

	return (n ^ n >> 10 ^ n >> 20) % SETS;
}

static hpa_t frame_hpa(unsigned int number)
{
	return HPA(windows.memory.a + (uint64_t)number * PAGE_SIZE);
}

static struct frame *frame_numbered(unsigned int number)
{
	return &windows.frame[number];
}

static struct lock *lock_of(unsigned int number)
{
	return &windows.lock[number % SETS];
}

/* The page's frame, or one that has none yet; NULL. */
static struct frame *find(hpa_t page)
{
	struct frame *free = NULL;

	for (unsigned int i = set_of(page); i < windows.count; i += SETS) {
		struct frame *f = frame_numbered(i);

		if (f->page == page.a + 1)
			return f;
		if (!f->used)
			free = f;
	}
	return free;
}

static unsigned int number_of(const struct frame *f)
{
	return (unsigned int)(f - windows.frame);
}

/* Takes frames that no vCPU needs out of L1's table; they are free when all CPUs have flushed. */
static void evict(void)
{
	uint8_t self = (uint8_t)(cpu_this()->index + 1);
	struct frame *f;

	for (unsigned int i = 0; i < windows.count; i++) {
		lock_take(lock_of(i));
		f = frame_numbered(i);
		if (f->used && !f->pins && !f->evictor) {
			if (f->page)
				host_hide(HPA(f->page - 1), frame_hpa(i));
			f->evictor = self;
		}
		lock_drop(lock_of(i));
	}
	phys_flush();
	for (unsigned int i = 0; i < windows.count; i++) {
		lock_take(lock_of(i));
		f = frame_numbered(i);
		if (f->evictor == self)
			*f = (struct frame){0};
		lock_drop(lock_of(i));
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
	*f = (struct frame){.page = page.a + 1,
			    .pins = f->pins,
			    .used = true,
			    .exported = export,
			    .lent = f->lent};
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

int window_hold(hpa_t page, owner_t owner, bool lend)
{
	struct frame *f = get(page);
	int err;

	if (!f)
		return ERR_BUSY;
	err = f->lent || (lend && f->pins) ? ERR_BUSY : show(f, page, owner, false);
	if (!err) {
		f->pins++;
		f->lent = lend;
	}
	lock_drop(&windows.lock[set_of(page)]);
	return err ? err : (int)number_of(f);
}

bool window_is_held(hpa_t page)
{
	struct lock *lock = &windows.lock[set_of(page)];
	const struct frame *f;
	bool held;

	lock_take(lock);
	f = find(page);
	held = f && f->page == page.a + 1 && f->pins;
	lock_drop(lock);
	return held;
}

void window_unhold(unsigned int frame)
{
	struct lock *lock = lock_of(frame);
	struct frame *f = frame_numbered(frame);

	lock_take(lock);
	f->pins--;
	f->lent = false;
	lock_drop(lock);
}

void *window_frame(unsigned int frame, hpa_t hpa)
{
	return phys_at(HPA(frame_hpa(frame).a + page_offset(hpa.a)));
}

/* Copies between the guest's memory and a buffer. Once a window is cancelled it stays so, even if the guest has
 * got the page back; unless the frame is a lent one, which is in the place of another page. */
static bool copy(unsigned int frame, hpa_t hpa, owner_t owner, void *dst, const void *src,
		 size_t len)
{
	hpa_t page = HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE));
	struct lock *lock = &windows.lock[set_of(page)];
	const struct frame *f = frame_numbered(frame);
	bool open;

	lock_take(lock);
	open = (f->lent || f->page == page.a + 1) && owner_of(page).w == owner.w;
	if (open)
		memcpy(dst, src, len);
	lock_drop(lock);
	return open;
}

bool window_give(unsigned int frame, hpa_t hpa, owner_t owner, const void *bytes, size_t len)
{
	return copy(frame, hpa, owner, phys_at(hpa), bytes, len);
}

bool window_take(unsigned int frame, hpa_t hpa, owner_t owner, void *buf, size_t len)
{
	return copy(frame, hpa, owner, buf, phys_at(hpa), len);
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
	err = f->lent ? ERR_BUSY : show(f, window.page, owner, false);
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

bool window_read(const struct windows *w, hpa_t hpa, size_t len, void *buf)
{
	const struct window *o = find_open(w, hpa, len);

	if (!o)
		return false;
	memcpy(buf, window_frame(o->frame, hpa), len);
	return true;
}

bool window_write(const struct windows *w, hpa_t hpa, size_t len, const void *bytes)
{
	const struct window *o = find_open(w, hpa, len);

	return o && window_give(o->frame, hpa, o->owner,
				bytes ? bytes : window_frame(o->frame, hpa), len);
}

void window_close(struct windows *w)
{
	for (unsigned int i = 0; i < w->count; i++) {
		struct lock *lock = lock_of(w->open[i].frame);

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
	for (unsigned int i = 0; i < windows.count; i++) {
		struct frame *f = frame_numbered(i);
		owner_t owner;

		lock_take(lock_of(i));
		owner = f->page ? owner_of(HPA(f->page - 1)) : OWNER_WORD(OWNER_NONE);
		if (owner_kind(owner) == OWNER_GUEST && owner_guest(owner) == guest) {
			host_hide(HPA(f->page - 1), frame_hpa(i));
			f->page = 0;
		}
		lock_drop(lock_of(i));
	}
}
