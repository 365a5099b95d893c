/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/guest_entry.h"

#include "ept/host.h"
#include "ept/phys.h"

struct entry entry_read(uint64_t value, unsigned int level, gpa_t gpa)
{
	struct entry e = {.kind = ENTRY_NONE, .level = level, .gpa = gpa};

	if (!table_present(value))
		return e;
	value = table_unmark(value, level);
	if (table_malformed(value, level, 0)) {
		e.kind = ENTRY_BAD;
		return e;
	}
	e.kind = table_is_leaf(value, level) ? ENTRY_LEAF : ENTRY_TABLE;
	e.hpa = table_hpa(value, level);
	e.wb = table_is_wb(value);
	return e;
}

struct entry entry_at(hpa_t table, unsigned int level, gpa_t first, unsigned int i)
{
	const uint64_t *at = phys_at(table);

	return entry_read(__atomic_load_n(&at[i], __ATOMIC_RELAXED), level,
			  GPA(first.a + i * table_span(level)));
}

/* What to do at the entries of a subtree, top down. */
struct visit {
	/* At one that points at a table: 0 to go on below it, 1 not to, or an error. */
	int (*table)(struct guest_table *t, const struct entry *e, void *context);
	/* At a leaf: 0 or an error. NULL: nothing. */
	entry_fn leaf;
	/* Behind all below a table. NULL: nothing. */
	void (*behind)(struct guest_table *t, const struct entry *e);
	void *context;
	bool bad_too; /* what is malformed is passed over; else it is an error */
};

/* What one entry says: 1 if what is below is to be visited, 0, or an error. */
static int visit_one(struct guest_table *t, const struct visit *v, const struct entry *e)
{
	int err;

	if (e->kind == ENTRY_BAD)
		return v->bad_too ? 0 : ERR_PERM;
	if (e->kind == ENTRY_LEAF)
		return v->leaf ? v->leaf(t, e, v->context) : 0;
	if (e->kind == ENTRY_NONE)
		return 0;
	err = v->table ? v->table(t, e, v->context) : 0;
	return err < 0 ? err : !err;
}

/* In the order of gpa. The depth is bounded by the level, which falls by one with each table. */
static int visit(struct guest_table *t, const struct visit *v, const struct entry *e)
{
	struct entry path[TABLE_LEVELS + 1];
	unsigned int next[TABLE_LEVELS + 1] = {0};
	unsigned int depth = 0;
	int err = visit_one(t, v, e);

	if (err <= 0)
		return err;
	path[0] = *e;
	for (;;) {
		const struct entry *up = &path[depth];
		struct entry below;

		if (next[depth] == TABLE_ENTRIES) {
			phys_relax(); /* large guests take long */
			if (v->behind)
				v->behind(t, up);
			if (!depth--)
				return 0;
			continue;
		}
		below = entry_at(up->hpa, up->level - 1, up->gpa, next[depth]++);
		err = visit_one(t, v, &below);
		if (err < 0)
			return err;
		if (err) {
			path[++depth] = below;
			next[depth] = 0;
		}
	}
}

int entry_each_leaf(struct guest_table *t, const struct entry *e, entry_fn fn, void *context)
{
	const struct visit v = {.leaf = fn, .context = context};

	return visit(t, &v, e);
}

static owner_t table_owner(const struct guest_table *t, const struct entry *e)
{
	return owner_table(t->guest, e->gpa, e->level - 1);
}

static int protect_one(struct guest_table *t, const struct entry *e)
{
	int err;

	if (!owner_change(e->hpa, OWNER_WORD(OWNER_HOST), table_owner(t, e)))
		return ERR_PERM;
	t->tables++;
	err = host_set(e->hpa, PAGE_SIZE, TABLE_R);
	return err;
}

/*
 * Protects the tables whose entries are in tables of one level; those above are stable already. It stops
 * at the first table that is not this guest's TABLE for that very place: one that is met twice is.
 */
static int protect_at(struct guest_table *t, const struct entry *e, void *level)
{
	int err;

	if (e->level != *(const unsigned int *)level)
		return 0;
	err = protect_one(t, e);
	return err ? err : 1;
}

int entry_protect(struct guest_table *t, const struct entry *e)
{
	for (unsigned int above = e->level; above > 1; above--) {
		uint64_t before = t->tables;
		const struct visit v = {.table = protect_at, .context = &above};
		int err = visit(t, &v, e);

		if (err)
			return err;
		if (t->tables == before)
			break; /* nothing below either */
		phys_flush();
	}
	return 0;
}

static void unprotect_one(struct guest_table *t, const struct entry *e)
{
	host_set(e->hpa, PAGE_SIZE, TABLE_RWX);
	owner_change(e->hpa, table_owner(t, e), OWNER_WORD(OWNER_HOST));
	t->tables--;
}

static int unprotect_at(struct guest_table *t, const struct entry *e, void *context)
{
	if (owner_of(e->hpa).w != table_owner(t, e).w)
		return 1;
	if (e->level > 2)
		return 0;
	unprotect_one(t, e); /* only leaves below */
	return 1;
}

void entry_unprotect(struct guest_table *t, const struct entry *e)
{
	const struct visit v = {.table = unprotect_at, .behind = unprotect_one, .bad_too = true};

	visit(t, &v, e);
}

bool guest_table_meets(const struct guest_table *t, gpa_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < t->shared_count; i++)
		if (gpa.a < t->shared[i].end.a && gpa.a + len > t->shared[i].start.a)
			return true;
	return false;
}

bool entry_is_shared(const struct entry *e)
{
	return owner_kind(owner_of(e->hpa)) == OWNER_SHARED;
}

/* Whether L1 may put a page of its own there: always, or now. */
static bool may_share(struct guest_table *t, gpa_t gpa)
{
	return guest_table_meets(t, gpa, 1) || (t->live && t->share(t, gpa));
}

static owner_t shared_owner(const struct guest_table *t, const struct entry *e, uint64_t offset)
{
	return owner_word(OWNER_SHARED, t->guest, GPA(e->gpa.a + offset));
}

static void unshare(const struct guest_table *t, const struct entry *e, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += PAGE_SIZE)
		owner_change(HPA(e->hpa.a + at), shared_owner(t, e, at), OWNER_WORD(OWNER_HOST));
}

static int share(struct guest_table *t, const struct entry *e)
{
	for (uint64_t at = 0; at < table_span(e->level); at += PAGE_SIZE) {
		if (may_share(t, GPA(e->gpa.a + at)) &&
		    owner_change(HPA(e->hpa.a + at), OWNER_WORD(OWNER_HOST),
				 shared_owner(t, e, at)))
			continue;
		unshare(t, e, at);
		return ERR_PERM;
	}
	return 0;
}

void entry_hold(struct guest_table *t, const struct entry *e)
{
	owner_hold(e->hpa, table_span(e->level) >> PAGE_SHIFT, t->guest, e->gpa);
}

void entry_unhold(struct guest_table *t, const struct entry *e)
{
	owner_unhold(e->hpa, table_span(e->level) >> PAGE_SHIFT, t->guest, e->gpa);
}

/* The owner last: who takes the page next must be the last to say what L1 may do with it. */
static void give_back(struct guest_table *t, const struct entry *e)
{
	uint64_t span = table_span(e->level);

	entry_hold(t, e);
	host_set(e->hpa, span, TABLE_RWX);
	owner_give(e->hpa, span >> PAGE_SHIFT);
	t->pages -= span >> PAGE_SHIFT;
}

static int take_one(struct guest_table *t, const struct entry *e, void *taken)
{
	uint64_t span = table_span(e->level);
	int err;

	if (may_share(t, e->gpa)) {
		err = share(t, e);
	} else {
		for (uint64_t at = 0; at < span; at += PAGE_SIZE)
			if (may_share(t, GPA(e->gpa.a + at)))
				return ERR_PERM; /* a large page over both */
		if (!e->wb || !owner_take(e->hpa, span >> PAGE_SHIFT, t->guest, e->gpa))
			return ERR_PERM;
		t->pages += span >> PAGE_SHIFT;
		err = host_set(e->hpa, span, 0);
		if (err)
			give_back(t, e);
	}
	if (!err)
		++*(uint64_t *)taken;
	return err;
}

static int untake_one(struct guest_table *t, const struct entry *e, void *left)
{
	uint64_t span = table_span(e->level);

	if (!*(uint64_t *)left)
		return ERR_BUSY; /* the rest was never taken */
	--*(uint64_t *)left;
	if (entry_is_shared(e)) {
		unshare(t, e, span);
		return 0;
	}
	give_back(t, e);
	return 0;
}

int entry_take(struct guest_table *t, const struct entry *e)
{
	uint64_t taken = 0;
	int err = entry_each_leaf(t, e, take_one, &taken);

	if (err)
		entry_each_leaf(t, e, untake_one, &taken);
	return err;
}

void entry_untake(struct guest_table *t, const struct entry *e)
{
	uint64_t left = UINT64_MAX;

	entry_each_leaf(t, e, untake_one, &left);
}
