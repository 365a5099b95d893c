/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/protect.h"

#include "crypto/crypto.h"
#include "ept/format.h"
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/channel.h"
#include "monitor/disks.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/launch.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/store.h"
#include "monitor/window.h"

#define CACHE_LINE 64
#define SCRUB_BLOCK (2 * MIB)
#define SEAL_SHARE 128 /* a record for one page in so many: mem.c */
#define SEAL_RECORD_BYTES 64

bool protect_off;

int protect_init(void)
{
	uint64_t records = (mem_host_bytes() >> PAGE_SHIFT) / SEAL_SHARE + 1;
	size_t pages = ALIGN_UP(records * SEAL_RECORD_BYTES, PAGE_SIZE) >> PAGE_SHIFT;

	if (protect_off)
		log_line("no-isolation: L1 reaches its guests' memory");
	sealed_init(mem_pages(pages), pages << PAGE_SHIFT);
	channel_init();
	return window_init();
}

/* What L1 may map uncacheable is not to differ from what it gets from the caches (R4). */
static void write_back(const void *page)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i += CACHE_LINE)
		__asm__ volatile("clflush %0" ::"m"(((const char *)page)[i]));
	__asm__ volatile("mfence" ::: "memory");
}

/* Whether a call of the guest's, that L1 is carrying out, has this effect on gpa. */
static bool asked(const struct guest_table *t, enum guestcall_effect effect, gpa_t gpa, gpa_t *from)
{
	return guest_asked(guest_numbered(t->guest), effect, gpa, from);
}

/* What the guest has at gpa is void: it said so itself. */
static bool is_void(const struct guest_table *t, gpa_t gpa)
{
	return asked(t, GUESTCALL_RELEASE, gpa, NULL) || asked(t, GUESTCALL_POPULATE, gpa, NULL);
}

/* A page of Xen's comes to gpa, as the guest asked. */
static bool may_share(struct guest_table *t, gpa_t gpa)
{
	return asked(t, GUESTCALL_SHARE, gpa, NULL) || asked(t, GUESTCALL_SHARE_INFO, gpa, NULL);
}

/*
 * A page that L1 maps for the guest: what it held there, or what the guest moves there; zeros if it has
 * held nothing.
 */
static int come(struct guest_table *t, gpa_t gpa, void *page)
{
	const struct seal_owner *seal = &guest_numbered(t->guest)->protection.seal;
	bool fresh = asked(t, GUESTCALL_POPULATE, gpa, NULL);
	gpa_t from = gpa;
	bool moved = !fresh && asked(t, GUESTCALL_MOVE, gpa, &from);
	int err;

	if (fresh || moved)
		sealed_forget(seal, gpa);
	err = sealed_in(seal, from, page);
	if (err != ERR_NOENT || moved)
		return err;
	memset(page, 0, PAGE_SIZE);
	return 0;
}

/* L1 sees no frame in the place of the page. True: its CPUs may still know one. */
static bool cancel(unsigned int guest, hpa_t page)
{
	bool shown = window_cancel(page);

	return channel_cancel(guest, page) || shown;
}

/* A page that L1 takes away from the guest, which will miss it unless it gave it up. */
static int go(struct guest_table *t, gpa_t gpa, void *page)
{
	bool shown = cancel(t->guest, HPA((uint64_t)page - phys_direct)); /* it changes no more */
	int err = 0;

	if (is_void(t, gpa) || may_share(t, gpa))
		memset(page, 0, PAGE_SIZE);
	else
		err = sealed_out(&guest_numbered(t->guest)->protection.seal, gpa, page);
	write_back(page);
	if (!err && shown)
		phys_flush();
	return err;
}

static void prepare(struct guest *g, const uint8_t key[CRYPTO_KEY_BYTES])
{
	struct protection *p = &g->protection;

	crypto_key_init(&p->key, key);
	p->seal = (struct seal_owner){g->id, &p->key};
	p->table.guest = guest_number(g);
	p->table.root = g->root;
	p->table.fill = come;
	p->table.leave = go;
	p->table.share = may_share;
	p->table.revoke = channel_revoke;
}

int protect_launch(struct guest *g, const char **why)
{
	uint8_t key[CRYPTO_KEY_BYTES];
	int err;

	if (protect_off)
		return 0;
	if (page_offset(g->root.a)) {
		*why = "it has no nested table";
		return ERR_NOSYS;
	}
	if (crypto_random(key, sizeof(key))) {
		*why = "no random numbers";
		return ERR_IO;
	}
	prepare(g, key);
	crypto_wipe(key, sizeof(key));
	err = launch_prepare(&g->protection.table, &g->protection.layout);
	if (err) {
		*why = "what it has in memory is not understood";
		return err;
	}
	err = guest_table_launch(&g->protection.table);
	if (err)
		*why = err == ERR_NOMEM
			       ? "no room in L1's nested table"
			       : "its table maps what is not L1's to give, or is malformed";
	return err;
}

int protect_measure(struct cpu *cpu, struct guest *g)
{
	uint64_t state[DIGEST_STATES];
	struct launch launch;
	int err;

	hw_guest_state(cpu, state);
	err = launch_measure(&g->protection.table, g->id, &g->protection.layout, state);
	launch = launch_of(guest_number(g));
	if (err || !launch.sealed || !g->protection.layout.hvm)
		return err;
	g->protection.disks.boot.sealed = true;
	g->protection.disks.boot.store = GUESTCALL_STORE_OWN;
	disks_launch(g, launch.digest);
	return 0;
}

uint64_t protect_pages(const struct guest *g)
{
	return g->protection.table.pages + g->protection.table.tables;
}

void protect_end(struct guest *g)
{
	if (!g->protection.table.live)
		return;
	channel_end(g); /* while the pages are the guest's still */
	guest_table_drop(&g->protection.table);
	guestport_end(g);
	/* What L1 wrote to a frame would be lost when the page becomes its own. */
	window_forget(guest_number(g));
	phys_flush();
	sealed_forget_all(&g->protection.seal);
	crypto_wipe(&g->protection.key, sizeof(g->protection.key));
}

/* One page of a guest that is no more. False: another CPU has it, or it is L1's already. */
static bool scrub_page(unsigned int number, hpa_t page)
{
	owner_t owner = owner_of(page);

	if (owner_kind(owner) != OWNER_GUEST || owner_guest(owner) != number ||
	    !owner_change(page, owner, OWNER_WORD(OWNER_BUSY)))
		return false;
	memset(phys_at(page), 0, PAGE_SIZE);
	write_back(phys_at(page));
	if (window_cancel(page))
		phys_flush();
	host_set(page, PAGE_SIZE, TABLE_RWX);
	owner_give(page, 1);
	return true;
}

/* Pages come back to L1 by the block: it will want the others, too (R7). */
static void scrub(struct guest *g, hpa_t hpa)
{
	uint64_t start = ALIGN_DOWN(hpa.a, SCRUB_BLOCK);
	uint64_t n = 0;

	for (uint64_t at = start; at < start + SCRUB_BLOCK; at += PAGE_SIZE)
		n += scrub_page(guest_number(g), HPA(at));
	if (n)
		guest_pages_gone(g, n);
}

/* Until the guest's state settles, L1 repeats what it did. */
static bool touch_guest(hpa_t hpa, owner_t owner, bool write)
{
	struct guest *g = guest_numbered(owner_guest(owner));

	switch (guest_state(g)) {
	case GUEST_TAKEN: /* L1 may think better of it, and never enter the guest */
	case GUEST_LIVE:
		if (!write)
			return !window_export(HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE)), owner);
		guest_end(g, STOP_HOST_WRITE);
		break;
	case GUEST_DEAD:
		scrub(g, hpa);
		break;
	default:
		phys_relax();
	}
	return true;
}

/* The same for a page that the guest has offered, and not to L1, or L1 has not accepted. */
static bool touch_channel(hpa_t hpa, owner_t owner, bool write)
{
	if (!write)
		return channel_show(HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE)), owner);
	guest_end(guest_numbered(owner_guest(owner)), STOP_HOST_WRITE);
	phys_relax(); /* it may be that another CPU is at it */
	return true;
}

/* L1 stores into a table of a guest's, or uses it as one of its own. */
static void touch_table(struct cpu *cpu, hpa_t hpa, owner_t owner, bool in_walk)
{
	struct guest *g = guest_numbered(owner_guest(owner));
	enum guest_state state = guest_state(g);
	struct store store;
	int err;

	if (state != GUEST_TAKEN && state != GUEST_LIVE) {
		phys_relax();
		return;
	}
	if (in_walk || store_decode(cpu, hpa, &store) || store.size != sizeof(store.value)) {
		guest_end(g, STOP_TABLE_STORE);
		return;
	}
	err = guest_table_store(&g->protection.table, store.hpa, store.value);
	if (!err)
		hw_host_complete(cpu, store.insn_len);
	else if (err == GUEST_TABLE_GONE)
		guest_end(g, STOP_NONE);
	else if (err != ERR_BUSY)
		guest_end(g, err == ERR_NOMEM ? STOP_NO_MEMORY : STOP_TABLE_STORE);
}

/*
 * A page of L1's own, of which this CPU knew an older entry, or the host table does. If another CPU has
 * taken it since we looked, L1 repeats what it did, and we look again.
 */
static bool touch_own(struct cpu *cpu, hpa_t hpa)
{
	int err = host_allows(hpa, TABLE_RWX) ? 0 : host_fill(hpa);

	if (!err)
		hw_flush(cpu);
	return !err || err == ERR_PERM;
}

bool protect_touch(struct cpu *cpu, hpa_t hpa, bool write, bool in_walk)
{
	owner_t owner = owner_of(hpa);
	bool its = owner_kind(owner) == OWNER_TABLE || owner_kind(owner) == OWNER_GUEST ||
		   owner_kind(owner) == OWNER_CHANNEL;

	/* This CPU knew an older entry, or another CPU has shown a frame meanwhile. */
	if (its && host_allows(hpa, write ? TABLE_W : TABLE_R)) {
		hw_flush(cpu);
		return true;
	}
	switch (owner_kind(owner)) {
	case OWNER_TABLE:
		if (!write)
			return false;
		touch_table(cpu, hpa, owner, in_walk);
		return true;
	case OWNER_GUEST:
		return touch_guest(hpa, owner, write);
	case OWNER_CHANNEL:
		return touch_channel(hpa, owner, write);
	case OWNER_BUSY:
		phys_relax();
		return true;
	case OWNER_HOST:
	case OWNER_SHARED:
		return touch_own(cpu, hpa);
	default:
		return false;
	}
}
