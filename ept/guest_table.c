/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/guest_table.h"

#include "ept/guest_entry.h"
#include "ept/host.h"
#include "ept/phys.h"

/* As if an entry pointed at the root. */
static struct entry root_entry(const struct guest_table *t)
{
	return (struct entry){.kind = ENTRY_TABLE, .level = TABLE_LEVELS + 1, .hpa = t->root};
}

/* Takes the table, whose root is copied when L1 cannot change it any more. */
static int take(struct guest_table *t)
{
	struct entry root = root_entry(t);
	int err = entry_protect(t, &root);

	if (!err)
		err = entry_take(t, &root);
	if (err) {
		entry_unprotect(t, &root);
		return err;
	}
	phys_flush();
	__builtin_memcpy(phys_table(t->walked), phys_at(t->root), PAGE_SIZE);
	return 0;
}

int guest_table_launch(struct guest_table *t)
{
	int err;

	lock_take_relaxed(&t->lock);
	t->pages = t->tables = 0;
	t->own = 0;
	err = phys_table_alloc(&t->walked);
	if (!err) {
		err = take(t);
		if (err)
			phys_table_free(t->walked);
	}
	t->live = !err;
	lock_drop(&t->lock);
	return err;
}

/* Index of an entry in its table. */
static unsigned int index_of(hpa_t at)
{
	return (unsigned int)(page_offset(at.a) / sizeof(uint64_t));
}

/* In the table, and in the copy of its root. */
static void put(const struct guest_table *t, hpa_t at, uint64_t value)
{
	unsigned int i = index_of(at);

	__atomic_store_n((uint64_t *)phys_at(at), value, __ATOMIC_RELEASE);
	if (ALIGN_DOWN(at.a, PAGE_SIZE) == t->root.a && (!t->own || i != t->own))
		__atomic_store_n(&phys_table(t->walked)[i], value, __ATOMIC_RELEASE);
}

/* Whether the leaves below `table` map, page for page, what `leaf` does. */
struct compare {
	const struct entry *leaf;
	uint64_t bytes;
};

static int compare_one(struct guest_table *t, const struct entry *e, void *context)
{
	struct compare *c = context;

	c->bytes += table_span(e->level);
	return e->hpa.a - c->leaf->hpa.a == e->gpa.a - c->leaf->gpa.a && e->wb == c->leaf->wb
		       ? 0
		       : ERR_PERM;
}

static bool same_pages(struct guest_table *t, const struct entry *leaf, const struct entry *table)
{
	struct compare c = {leaf, 0};

	return !entry_each_leaf(t, table, compare_one, &c) && c.bytes == table_span(leaf->level);
}

static int give_shared(struct guest_table *t, const struct entry *e, void *context)
{
	if (entry_is_shared(e))
		entry_untake(t, e);
	return 0;
}

/* What is SHARED below an entry that the guest is not to use any more, and whose tables are stable. */
static void unshare(struct guest_table *t, const struct entry *e)
{
	entry_each_leaf(t, e, give_shared, NULL);
}

static int leave_one(struct guest_table *t, const struct entry *e, void *context)
{
	uint64_t span = table_span(e->level);
	int err = 0;

	if (entry_is_shared(e)) {
		entry_untake(t, e);
		return 0;
	}
	entry_hold(t, e);
	for (uint64_t at = 0; !err && at < span; at += PAGE_SIZE) {
		err = t->leave(t, GPA(e->gpa.a + at), phys_at(HPA(e->hpa.a + at)));
		phys_relax();
	}
	if (err)
		entry_unhold(t, e);
	else
		entry_untake(t, e);
	return err;
}

static int fill_one(struct guest_table *t, const struct entry *e, void *context)
{
	uint64_t span = table_span(e->level);
	int err = 0;

	if (entry_is_shared(e))
		return 0;
	for (uint64_t at = 0; !err && at < span; at += PAGE_SIZE) {
		err = t->fill(t, GPA(e->gpa.a + at), phys_at(HPA(e->hpa.a + at)));
		phys_relax();
	}
	return err;
}

static int revoke_one(struct guest_table *t, const struct entry *e, void *context)
{
	for (uint64_t at = 0; at < table_span(e->level); at += PAGE_SIZE) {
		hpa_t page = HPA(e->hpa.a + at);
		owner_t its = owner_word(OWNER_CHANNEL, t->guest, GPA(e->gpa.a + at));

		if (owner_of(page).w == its.w)
			t->revoke(t, page);
	}
	return 0;
}

/* Nothing is mapped there for a moment; a guest that comes by waits for the lock. */
static int unmap(struct guest_table *t, hpa_t at, const struct entry *old)
{
	int err;

	if (old->kind == ENTRY_NONE)
		return 0;
	put(t, at, 0);
	phys_flush_guest(t->guest); /* it must have forgotten its pages before they leave it (R2) */
	err = t->revoke ? entry_each_leaf(t, old, revoke_one, NULL) : 0; /* and others, too (R30) */
	if (!err)
		err = entry_each_leaf(t, old, leave_one, NULL);
	if (err)
		unshare(t, old);
	entry_unprotect(t, old);
	return err;
}

/* Takes what `new` maps; its tables are protected already. */
static int map(struct guest_table *t, const struct entry *new)
{
	uint64_t pages = t->pages;
	int err;

	if (new->kind == ENTRY_NONE)
		return 0;
	err = entry_take(t, new);
	if (err)
		return err;
	if (t->pages == pages)
		return 0; /* nothing private */
	phys_flush();     /* L1 must have lost the pages before their contents count (R1) */
	err = entry_each_leaf(t, new, fill_one, NULL);
	if (err)
		unshare(t, new);
	return err;
}

/* An entry that goes on mapping the same pages, or becomes a table or a leaf that does. */
static bool keeps_pages(struct guest_table *t, const struct entry *old, const struct entry *new)
{
	if (old->kind == ENTRY_LEAF && new->kind == ENTRY_TABLE)
		return same_pages(t, old, new);
	if (old->kind == ENTRY_TABLE && new->kind == ENTRY_LEAF)
		return same_pages(t, new, old);
	return old->kind == new->kind && old->hpa.a == new->hpa.a &&
	       (old->wb == new->wb || old->kind != ENTRY_LEAF || entry_is_shared(new));
}

/*
 * The tables of `new` are not to be had. Some of those that look as if it had just protected them may be
 * in use below `old`: nothing is given back before no CPU can walk either.
 */
static void refuse(struct guest_table *t, hpa_t at, const struct entry *old,
		   const struct entry *new)
{
	put(t, at, 0);
	phys_flush_guest(t->guest);
	unshare(t, old);
	entry_unprotect(t, new);
	entry_unprotect(t, old);
}

static int replace(struct guest_table *t, hpa_t at, uint64_t value, const struct entry *old,
		   const struct entry *new)
{
	bool link =
		new->kind == ENTRY_TABLE && (old->kind != ENTRY_TABLE || old->hpa.a != new->hpa.a);
	int err = link ? entry_protect(t, new) : 0;

	if (err) {
		refuse(t, at, old, new);
		return err;
	}
	if (keeps_pages(t, old, new)) {
		put(t, at, value);
		if (old->kind == ENTRY_TABLE && new->kind == ENTRY_LEAF) {
			phys_flush_guest(t->guest); /* no CPU walks the table any more (R2) */
			entry_unprotect(t, old);
		}
		return 0;
	}
	err = unmap(t, at, old);
	if (!err)
		err = map(t, new);
	if (!err)
		put(t, at, value);
	else
		entry_unprotect(t, new); /* nothing leads to its tables */
	return err;
}

/* Whether an entry of the root other than this one maps anything. */
static bool others_present(const struct guest_table *t, hpa_t at)
{
	const uint64_t *root = phys_at(t->root);

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		if (i != index_of(at) && table_present(root[i]))
			return true;
	return false;
}

static int store(struct guest_table *t, hpa_t at, uint64_t value)
{
	owner_t owner = owner_of(at);
	unsigned int level = owner_level(owner);
	unsigned int i = index_of(at);
	struct entry old, new;

	if (!t->live || owner_kind(owner) != OWNER_TABLE || owner_guest(owner) != t->guest)
		return ERR_BUSY;
	old = entry_at(HPA(ALIGN_DOWN(at.a, PAGE_SIZE)), level, owner_gpa(owner), i);
	new = entry_read(value, level, old.gpa);
	if (new.kind == ENTRY_BAD)
		return ERR_PERM;
	if (level == TABLE_LEVELS && t->own && i == t->own && new.kind != ENTRY_NONE)
		return ERR_PERM;
	if (level == TABLE_LEVELS && old.kind == ENTRY_TABLE && new.kind == ENTRY_NONE &&
	    !others_present(t, at))
		return GUEST_TABLE_GONE;
	return replace(t, at, value, &old, &new);
}

int guest_table_store(struct guest_table *t, hpa_t at, uint64_t value)
{
	int err;

	ASSERT(at.a % sizeof(value) == 0);
	lock_take_relaxed(&t->lock);
	err = store(t, at, value);
	lock_drop(&t->lock);
	return err;
}

bool guest_table_has_room(const struct guest_table *t, gpa_t gpa)
{
	unsigned int i = table_index(TABLE_LEVELS, gpa.a);

	return t->live && entry_at(t->root, TABLE_LEVELS, GPA(0), i).kind == ENTRY_NONE &&
	       !guest_table_meets(t, gpa, table_span(TABLE_LEVELS));
}

int guest_table_add(struct guest_table *t, gpa_t gpa, hpa_t table)
{
	unsigned int i = table_index(TABLE_LEVELS, gpa.a);

	ASSERT(i && gpa.a == i * table_span(TABLE_LEVELS));
	if (!t->live)
		return ERR_NOENT;
	if (!guest_table_has_room(t, gpa))
		return ERR_PERM;
	t->own = i;
	__atomic_store_n(&phys_table(t->walked)[i], table_entry(table), __ATOMIC_RELEASE);
	return 0;
}

void guest_table_drop(struct guest_table *t)
{
	struct entry root = root_entry(t);

	lock_take_relaxed(&t->lock);
	if (t->live) {
		unshare(t, &root);
		entry_unprotect(t, &root);
		phys_table_free(t->walked);
	}
	t->live = false;
	lock_drop(&t->lock);
}

struct visit {
	int (*fn)(void *context, gpa_t gpa, hpa_t page);
	void *context;
};

static int visit_leaf(struct guest_table *t, const struct entry *e, void *context)
{
	const struct visit *v = context;
	int err = 0;

	if (entry_is_shared(e))
		return 0;
	for (uint64_t at = 0; !err && at < table_span(e->level); at += PAGE_SIZE)
		err = v->fn(v->context, GPA(e->gpa.a + at), HPA(e->hpa.a + at));
	return err;
}

int guest_table_each(struct guest_table *t, int (*fn)(void *context, gpa_t gpa, hpa_t page),
		     void *context)
{
	struct entry root = root_entry(t);
	struct visit v = {fn, context};
	int err;

	lock_take_relaxed(&t->lock);
	err = t->live ? entry_each_leaf(t, &root, visit_leaf, &v) : ERR_NOENT;
	lock_drop(&t->lock);
	return err;
}
