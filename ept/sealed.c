/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/sealed.h"

#include "ept/lock.h"

struct record {
	uint64_t id; /* of the guest; 0: free */
	uint64_t gpa;
	uint64_t counter; /* of the nonce */
	struct crypto_tag tag;
	uint32_t next; /* in its chain, or in that of free ones; 0: the last */
};

/* Records are numbered from 1. A chain for every record, so that chains stay short. */
static struct {
	struct lock lock; /* not held over encryption */
	struct record *record;
	uint32_t *chain;
	uint32_t count, used, free;
	uint64_t counter; /* of the last nonce; atomic */
} sealed;

void sealed_init(void *room, size_t bytes)
{
	sealed.count = (uint32_t)(bytes / (sizeof(struct record) + sizeof(uint32_t)));
	sealed.record = room;
	sealed.chain = sealed.count ? (uint32_t *)(sealed.record + sealed.count) : NULL;
	sealed.used = 0;
	sealed.free = 0;
	for (uint32_t i = sealed.count; i; i--) {
		sealed.record[i - 1].next = sealed.free;
		sealed.free = i;
	}
}

static struct record *at(uint32_t number)
{
	return &sealed.record[number - 1];
}

static uint32_t *chain_of(uint64_t id, gpa_t gpa)
{
	uint64_t h = (id * 0x9e3779b97f4a7c15u) ^ ((gpa.a >> PAGE_SHIFT) * 0xd6e8feb86659fd93u);

	return &sealed.chain[(h ^ h >> 32) % sealed.count];
}

/* The link that leads to gpa's record, or to the end of its chain. */
static uint32_t *find(uint64_t id, gpa_t gpa)
{
	uint32_t *link = chain_of(id, gpa);

	while (*link && (at(*link)->id != id || at(*link)->gpa != gpa.a))
		link = &at(*link)->next;
	return link;
}

static void drop(uint32_t *link)
{
	uint32_t number = *link;

	*link = at(number)->next;
	*at(number) = (struct record){.next = sealed.free};
	sealed.free = number;
	sealed.used--;
}

/* A record that is not in a chain yet. */
static int reserve(uint64_t id, gpa_t gpa, uint32_t *number)
{
	int err = ERR_NOMEM;

	lock_take(&sealed.lock);
	if (sealed.count && *find(id, gpa)) {
		err = ERR_PERM;
	} else if (sealed.free) {
		*number = sealed.free;
		sealed.free = at(*number)->next;
		sealed.used++;
		err = 0;
	}
	lock_drop(&sealed.lock);
	return err;
}

static void link(uint32_t number, const struct record *r)
{
	uint32_t *chain = chain_of(r->id, GPA(r->gpa));

	lock_take(&sealed.lock);
	*at(number) = *r;
	at(number)->next = *chain;
	*chain = number;
	lock_drop(&sealed.lock);
}

/* What the tag vouches for besides the bytes. */
struct seal_data {
	uint64_t id, gpa;
};

int sealed_out(const struct seal_owner *owner, gpa_t gpa, void *page)
{
	struct record r = {.id = owner->id, .gpa = gpa.a};
	struct seal_data ad = {owner->id, gpa.a};
	struct crypto_nonce nonce;
	uint32_t number;
	int err = reserve(owner->id, gpa, &number);

	if (err)
		return err;
	r.counter = __atomic_add_fetch(&sealed.counter, 1, __ATOMIC_RELAXED);
	nonce = crypto_nonce(SEAL_DOMAIN_PAGE, r.counter);
	crypto_seal(owner->key, &nonce, &ad, sizeof(ad), page, page, PAGE_SIZE, &r.tag);
	link(number, &r);
	return 0;
}

int sealed_in(const struct seal_owner *owner, gpa_t gpa, void *page)
{
	struct seal_data ad = {owner->id, gpa.a};
	struct crypto_nonce nonce;
	struct record r = {0};
	uint32_t *found;

	lock_take(&sealed.lock);
	if (sealed.used && *(found = find(owner->id, gpa)))
		r = *at(*found);
	lock_drop(&sealed.lock);
	if (!r.id)
		return ERR_NOENT;
	nonce = crypto_nonce(SEAL_DOMAIN_PAGE, r.counter);
	if (crypto_open(owner->key, &nonce, &ad, sizeof(ad), page, page, PAGE_SIZE, &r.tag))
		return ERR_PERM;
	sealed_forget(owner, gpa);
	return 0;
}

void sealed_forget(const struct seal_owner *owner, gpa_t gpa)
{
	uint32_t *found;

	lock_take(&sealed.lock);
	if (sealed.used && *(found = find(owner->id, gpa)))
		drop(found);
	lock_drop(&sealed.lock);
}

void sealed_forget_all(const struct seal_owner *owner)
{
	lock_take(&sealed.lock);
	for (uint32_t i = 1; sealed.used && i <= sealed.count; i++)
		if (at(i)->id == owner->id)
			drop(find(owner->id, GPA(at(i)->gpa)));
	lock_drop(&sealed.lock);
}

void sealed_usage(size_t *used, size_t *room)
{
	*used = __atomic_load_n(&sealed.used, __ATOMIC_RELAXED);
	*room = sealed.count;
}
