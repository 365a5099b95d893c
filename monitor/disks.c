/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/disks.h"

#include "crypto/crypto.h"
#include "ept/lock.h"
#include "monitor/anchor.h"
#include "monitor/guest.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/uptime.h"

struct slot {
	struct disk disk; /* the first: disks_drive() finds the slot by it */
	enum disk_slot_state state;
	bool serving;    /* a CPU is at it, without the lock */
	uint64_t number; /* 1.. */
	hpa_t page;      /* OPENING, READY: of the guest to come */
	struct guest *guest;
	uint64_t guest_id;
	uint32_t drive, plain;
	uint32_t sequence;
	bool asked; /* requests are with the agent */
	struct anchor anchor;
	bool released;
	struct disks_terms terms; /* zeros if nobody released it */
	struct disk_keys keys;
	struct disk_expect expect;
	uint8_t session[DISK_SESSION_BYTES];
	void *memory;
};

/* The lock covers which slot is whose, and states. */
static struct {
	struct lock lock;
	unsigned int count;
	uint64_t last;
	struct slot *slot; /* of pages: the image has to stay below tboot */
} disks;

_Static_assert(DISKS_PAGES >= DISK_PAGES(DISK_COUNT_MAX), "room for the largest command");

void disks_init(void)
{
	disks.count = DISKS(mem_host_bytes());
	disks.slot =
		mem_pages(ALIGN_UP(disks.count * sizeof(struct slot), PAGE_SIZE) >> PAGE_SHIFT);
	for (unsigned int i = 0; i < disks.count; i++)
		disks.slot[i].memory = mem_pages(DISKS_PAGES);
}

/* What is secret is gone; the slot is free. */
static void release(struct slot *s)
{
	void *memory = s->memory;

	disk_abandon(&s->disk);
	crypto_wipe(&s->keys, sizeof(s->keys));
	crypto_wipe(&s->anchor, sizeof(s->anchor));
	memset(s, 0, sizeof(*s));
	s->memory = memory;
}

static int check(const struct mailbox_attach *a)
{
	if (a->version != MAILBOX_VERSION || a->drive >= MAILBOX_DRIVES ||
	    a->plain >> MAILBOX_DRIVES || a->consent > 1 || a->root_known > 1)
		return ERR_INVAL;
	return 0;
}

/* One live guest for each image (R25), and one image for each drive. */
static bool is_taken(hpa_t page, const struct mailbox_attach *a)
{
	for (unsigned int i = 0; i < disks.count; i++) {
		const struct slot *s = &disks.slot[i];

		if (s->state == DISK_STATE_FREE)
			continue;
		if (!memcmp(s->keys.uuid, a->uuid, sizeof(a->uuid)))
			return true;
		if (s->state < DISK_STATE_LIVE && s->page.a == page.a && s->drive == a->drive)
			return true;
	}
	return false;
}

static struct slot *find_place(void)
{
	for (unsigned int i = 0; i < disks.count; i++)
		if (disks.slot[i].state == DISK_STATE_FREE)
			return &disks.slot[i];
	return NULL;
}

static void fill(struct slot *s, hpa_t page, const struct mailbox_attach *a,
		 const struct disks_terms *terms)
{
	s->state = DISK_STATE_OPENING;
	s->number = ++disks.last;
	s->page = page;
	s->drive = a->drive;
	s->plain = a->plain;
	memcpy(s->keys.uuid, a->uuid, sizeof(a->uuid));
	memcpy(s->keys.id, a->key_id, sizeof(a->key_id));
	memcpy(s->keys.xts, a->xts, sizeof(a->xts));
	memcpy(s->keys.tag, a->tag, sizeof(a->tag));
	memcpy(s->expect.root, a->root, sizeof(a->root));
	s->expect.root_known = a->root_known;
	s->expect.generation = a->generation;
	s->expect.consent = a->consent;
	s->released = terms != NULL;
	if (terms) {
		s->terms = *terms;
		s->expect.anchor_need = terms->anchor;
	}
}

int disks_attach(hpa_t page, const struct mailbox_attach *a, const struct disks_terms *terms,
		 uint64_t *number)
{
	struct slot *s = NULL;
	int err = check(a);

	if (!err && owner_kind(owner_of(page)) != OWNER_HOST)
		err = ERR_PERM;
	if (err)
		return err;
	lock_take(&disks.lock);
	if (is_taken(page, a))
		err = ERR_BUSY;
	else
		s = find_place();
	if (!err && !s)
		err = ERR_NOMEM;
	if (!err)
		err = crypto_random(s->session, sizeof(s->session));
	if (!err)
		err = disk_init(&s->disk, s->memory, DISKS_PAGES);
	if (!err) {
		fill(s, page, a, terms);
		*number = s->number;
	}
	lock_drop(&disks.lock);
	return err;
}

/* The slot, which no other CPU serves meanwhile. */
static int take(uint64_t number, struct slot **out)
{
	int err = ERR_NOENT;

	lock_take(&disks.lock);
	for (unsigned int i = 0; err && i < disks.count; i++) {
		struct slot *s = &disks.slot[i];

		if (s->state == DISK_STATE_FREE || s->number != number)
			continue;
		if (s->serving || s->state == DISK_STATE_LIVE) {
			err = ERR_BUSY;
			break;
		}
		err = 0;
		if (s->state == DISK_STATE_READY) /* its guest never came */
			s->state = DISK_STATE_OVER;
		s->serving = true;
		*out = s;
	}
	lock_drop(&disks.lock);
	return err;
}

/* Opens or closes, as far as that goes without the agent. */
static int go_on(struct slot *s, struct disk_receipt *receipt)
{
	if (s->state != DISK_STATE_OPENING)
		return disk_close(&s->disk, receipt);
	if (anchor_find(&s->anchor, s->keys.uuid, &s->expect) == ERR_AGAIN)
		return ERR_AGAIN;
	return disk_open(&s->disk, &s->keys, &s->expect, s->session);
}

/* What is wanted of the agent: of the disk, or for its anchor. */
static int put(struct slot *s, const struct mailbox_at *m)
{
	const uint8_t *message = anchor_command(&s->anchor, &s->disk, s->keys.uuid);

	return message ? mailbox_put_tpm(m, message, s->sequence)
		       : mailbox_put(m, &s->disk, s->sequence);
}

/* What came: ERR_AGAIN: nothing, or something that the next list follows. */
static int take_answer(struct slot *s, const struct mailbox_at *m)
{
	int err;

	if (!s->anchor.busy)
		return mailbox_take(m, &s->disk, s->sequence);
	err = mailbox_take_tpm(m, s->anchor.counter.message, s->sequence);
	if (err == ERR_AGAIN || err == ERR_FAULT)
		return err;
	if (anchor_answer(&s->anchor, &s->disk, err) != ERR_AGAIN)
		return 0;
	s->sequence++;
	return put(s, m) ? ERR_FAULT : ERR_AGAIN;
}

static int serve(struct slot *s, const struct mailbox_at *m, struct disk_receipt *receipt)
{
	int err = 0;

	if (s->asked)
		err = take_answer(s, m);
	if (err == ERR_AGAIN && put(s, m)) /* it may be a new one */
		err = ERR_FAULT;
	if (err)
		return err;
	s->asked = false;
	err = go_on(s, receipt);
	if (err != ERR_AGAIN)
		return err;
	s->asked = true;
	s->sequence++;
	return put(s, m) ? ERR_FAULT : ERR_AGAIN;
}

int disks_serve(uint64_t number, const struct mailbox_at *m, struct disk_receipt *receipt)
{
	struct slot *s = NULL;
	int err = take(number, &s);

	if (err)
		return err;
	err = serve(s, m, receipt);
	lock_take(&disks.lock);
	s->serving = false;
	if (!err && s->state == DISK_STATE_OPENING) {
		crypto_wipe(s->keys.xts, sizeof(s->keys.xts));
		crypto_wipe(s->keys.tag, sizeof(s->keys.tag));
		s->state = DISK_STATE_READY;
	} else if (err != ERR_AGAIN && err != ERR_FAULT) {
		log_provoked("disk %lu: %s (%d)", s->number,
			     s->state == DISK_STATE_OPENING ? "not opened" : "closed", err);
		release(s);
	}
	lock_drop(&disks.lock);
	return err;
}

/* Whether the page that the disk was attached by is the guest's of this number now. */
static bool is_for(const struct slot *s, unsigned int guest)
{
	owner_t owner = owner_of(s->page);
	bool taken = owner_kind(owner) == OWNER_GUEST || owner_kind(owner) == OWNER_SHARED;

	return (s->state == DISK_STATE_OPENING || s->state == DISK_STATE_READY) && taken &&
	       owner_guest(owner) == guest;
}

bool disks_attached(unsigned int guest)
{
	bool any = false;

	lock_take(&disks.lock);
	for (unsigned int i = 0; i < disks.count; i++)
		any |= is_for(&disks.slot[i], guest);
	lock_drop(&disks.lock);
	return any;
}

/* What the guest has besides its encrypted drives is refused unless it was declared. */
static void refuse_others(struct guest_disks *g, uint32_t plain)
{
	for (unsigned int i = 0; i < MAILBOX_DRIVES; i++)
		ide_set(&g->ide, i, plain >> i & 1 ? IDE_PLAIN : IDE_REFUSED, NULL);
	for (unsigned int i = 0; i < AHCI_PORTS; i++)
		ahci_set(&g->ahci, i, plain >> i & 1 ? IDE_PLAIN : IDE_REFUSED, NULL);
}

/*
 * Why the guest does not get this disk, or NULL. What another tenant encrypted is as good as a plain drive: it could be booted, with
 * this one's keys there.
 */
static const char *refusal(const struct slot *s, const uint8_t digest[DIGEST_BYTES], bool one_owner)
{
	if (s->state != DISK_STATE_READY)
		return "it is not open";
	if (!one_owner)
		return "others of the guest's are not of the same tenant";
	if (!s->released)
		return NULL;
	if (memcmp(s->terms.digest, digest, DIGEST_BYTES) != 0)
		return "its keys were released for another launch digest";
	return uptime_ticks() > s->terms.lease ? "its lease is over" : NULL;
}

static void give(struct slot *s, struct guest *g)
{
	struct guest_disks *own = &g->protection.disks;

	s->state = DISK_STATE_LIVE;
	s->guest = g;
	s->guest_id = g->id;
	/* Whichever controller it is that the guest has. */
	ide_set(&own->ide, s->drive, IDE_ENCRYPTED, &s->disk);
	ahci_set(&own->ahci, s->drive, IDE_ENCRYPTED, &s->disk);
	if (s->released && s->terms.lease < own->lease)
		own->lease = s->terms.lease;
	if (s->released) {
		own->has_tenant = true; /* the only one: refusal() */
		memcpy(own->tenant, s->terms.tenant, sizeof(own->tenant));
	}
	log_line("guest %lu: drive %u is an encrypted disk", g->id, s->drive);
}

void disks_launch(struct guest *g, const uint8_t digest[DIGEST_BYTES])
{
	struct guest_disks *own = &g->protection.disks;
	const struct slot *first = NULL;
	uint32_t plain = UINT32_MAX;
	bool one_owner = true;

	own->lease = UINT64_MAX;
	lock_take(&disks.lock);
	/* Plain is what each of the keys' messages says is, and never a drive that keys came for. */
	for (unsigned int i = 0; i < disks.count; i++) {
		const struct slot *s = &disks.slot[i];

		if (!is_for(s, guest_number(g)))
			continue;
		plain &= s->plain & ~(1u << s->drive);
		first = first ? first : s;
		one_owner &= s->released == first->released &&
			     !memcmp(s->terms.tenant, first->terms.tenant, sizeof(s->terms.tenant));
	}
	if (first)
		refuse_others(own, plain);
	for (unsigned int i = 0; i < disks.count; i++) {
		struct slot *s = &disks.slot[i];
		const char *why;

		if (!is_for(s, guest_number(g)) || s->serving)
			continue;
		why = refusal(s, digest, one_owner);
		if (!why) {
			give(s, g);
			continue;
		}
		log_provoked("guest %lu: drive %u is refused: %s", g->id, s->drive, why);
		release(s);
	}
	lock_drop(&disks.lock);
}

bool disks_lease_over(const struct guest *g)
{
	uint64_t lease = g->protection.disks.lease;

	return lease != UINT64_MAX && lease && uptime_ticks() > lease;
}

void disks_end(struct guest *g)
{
	lock_take(&disks.lock);
	for (unsigned int i = 0; i < disks.count; i++) {
		struct slot *s = &disks.slot[i];

		if (s->state != DISK_STATE_LIVE || s->guest != g)
			continue;
		s->guest = NULL;
		if (s->disk.in_flight || s->disk.waiting) {
			release(s); /* as at a power cut */
			continue;
		}
		s->state = DISK_STATE_OVER;
		crypto_wipe(&s->disk.xts, sizeof(s->disk.xts));
	}
	lock_drop(&disks.lock);
}

static struct slot *slot_of(const struct disk *d)
{
	return (struct slot *)(void *)((uintptr_t)d - offsetof(struct slot, disk));
}

static struct mailbox_at mailbox_of(const struct slot *s, const struct walk_space *space)
{
	return (struct mailbox_at){.space = space, .address = MAILBOX_GPA(s->drive)};
}

int disks_put(const struct disk *d, const struct walk_space *space)
{
	struct slot *s = slot_of(d);
	struct mailbox_at m = mailbox_of(s, space);

	anchor_time(&s->anchor, &s->disk);
	s->sequence++;
	return put(s, &m);
}

int disks_take(struct disk *d, const struct walk_space *space)
{
	struct slot *s = slot_of(d);
	struct mailbox_at m = mailbox_of(s, space);

	return take_answer(s, &m);
}

uint32_t disks_drive(const struct disk *d)
{
	return slot_of(d)->drive;
}

int disks_summary(uint64_t index, struct disk_summary *out)
{
	const struct slot *s;
	int err = ERR_NOENT;

	if (index >= disks.count)
		return ERR_INVAL;
	s = &disks.slot[index];
	lock_take(&disks.lock);
	if (s->state != DISK_STATE_FREE) {
		*out = (struct disk_summary){.number = s->number,
					     .state = s->state,
					     .guest = s->guest_id,
					     .drive = s->drive,
					     .stats = s->disk.stats};
		memcpy(out->uuid, s->keys.uuid, sizeof(out->uuid));
		memcpy(out->tenant, s->terms.tenant, sizeof(out->tenant));
		memcpy(out->release, s->terms.release, sizeof(out->release));
		err = 0;
	}
	lock_drop(&disks.lock);
	return err;
}
