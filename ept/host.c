/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/host.h"

#include "ept/format.h"
#include "ept/io.h"
#include "ept/lock.h"
#include "ept/mtrr.h"
#include "ept/phys.h"

#define LOCKS 64 /* a GiB has one of them */
#define LOCK_SHIFT 30
#define RETIRED_MAX 64 /* a power of two */

static struct {
	hpa_t root;
	bool leaf_1g;
	uint64_t top;
	uint64_t end;     /* no address from here on names memory of its own */
	struct mtrr mtrr; /* L1's */
	struct lock lock[LOCKS];
	/* Tables that large pages have replaced, which CPUs may walk until they have flushed. */
	struct {
		struct lock lock;
		uint32_t put, freed; /* counted for ever */
		hpa_t table[RETIRED_MAX];
	} retired;
} host;

static struct lock *lock_of(uint64_t hpa)
{
	return &host.lock[hpa >> LOCK_SHIFT & (LOCKS - 1)];
}

/* The largest page at hpa, of at most len bytes, that has one memory type; and that. */
static unsigned int largest_level(uint64_t hpa, uint64_t len, uint64_t *type)
{
	for (unsigned int level = host.leaf_1g ? 3 : 2; level > 1; level--)
		if (hpa % table_span(level) == 0 && len >= table_span(level) &&
		    table_type(&host.mtrr, HPA(hpa), level, type))
			return level;
	table_type(&host.mtrr, HPA(hpa), 1, type);
	return 1;
}

/*
 * Replaces an absent entry, or a leaf, by a table that says the same, unless another CPU, which does
 * not need this GiB's lock for the top level, was quicker.
 */
static int split(uint64_t *entry, unsigned int level)
{
	uint64_t old = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	hpa_t table;
	int err = phys_table_alloc(&table);

	if (err)
		return err;
	if (table_present(old)) {
		uint64_t *child = phys_table(table);

		for (size_t i = 0; i < TABLE_ENTRIES; i++)
			child[i] =
				table_leaf(HPA(table_hpa(old, level).a + i * table_span(level - 1)),
					   level - 1, table_rights(old),
					   old & table_format.leaf_type);
	}
	if (!__atomic_compare_exchange_n(entry, &old, table_entry(table), false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		phys_table_free(table);
	return 0;
}

/* Keeps a table until every CPU has flushed. False: there is no room to do so. */
static bool retire(hpa_t table)
{
	bool room;

	lock_take(&host.retired.lock);
	room = host.retired.put - host.retired.freed < RETIRED_MAX;
	if (room)
		host.retired.table[host.retired.put++ % RETIRED_MAX] = table;
	lock_drop(&host.retired.lock);
	return room;
}

bool host_retires_no_more(void)
{
	bool full;

	lock_take(&host.retired.lock);
	full = host.retired.put - host.retired.freed == RETIRED_MAX;
	lock_drop(&host.retired.lock);
	return full;
}

uint32_t host_retired(void)
{
	return __atomic_load_n(&host.retired.put, __ATOMIC_ACQUIRE);
}

void host_release(uint32_t retired)
{
	lock_take(&host.retired.lock);
	while ((int32_t)(retired - host.retired.freed) > 0)
		phys_table_free(host.retired.table[host.retired.freed++ % RETIRED_MAX]);
	lock_drop(&host.retired.lock);
}

/*
 * The table behind *entry, of this level, that maps from hpa on: if one large page says the same, it
 * takes the table's place. Looks first at the neighbours of what was set last, since pages tend to
 * come back in order.
 */
static void merge(uint64_t *entry, unsigned int level, uint64_t hpa)
{
	const uint64_t *table = phys_table(table_hpa(*entry, level));
	unsigned int last = table_index(level - 1, hpa);
	uint64_t base = ALIGN_DOWN(hpa, table_span(level));
	uint64_t type, span = table_span(level - 1);

	if (level > (host.leaf_1g ? 3 : 2) || !table_type(&host.mtrr, HPA(base), level, &type))
		return;
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
		unsigned int n = (last + 1 + i) % TABLE_ENTRIES;

		if (table[n] != table_leaf(HPA(base + n * span), level - 1, TABLE_RWX, type))
			return;
	}
	if (retire(table_hpa(*entry, level)))
		__atomic_store_n(entry, table_leaf(HPA(base), level, TABLE_RWX, type),
				 __ATOMIC_RELEASE);
}

/* Whether a leaf, or an absent entry, gives just these rights already. */
static bool says(uint64_t entry, unsigned int rights)
{
	return (table_present(entry) ? table_rights(entry) : 0) == rights;
}

/* Sets what lies at hpa, at most len bytes, in one entry; *done says how much that was. */
static int set_one(uint64_t hpa, uint64_t len, unsigned int rights, uint64_t *done)
{
	uint64_t type;
	unsigned int want = largest_level(hpa, len, &type);
	uint64_t *table = phys_table(host.root);
	uint64_t *path[TABLE_LEVELS + 1];
	unsigned int level = TABLE_LEVELS;
	uint64_t *entry;
	int err;

	for (;; level--) {
		entry = path[level] = &table[table_index(level, hpa)];
		bool is_table = table_present(*entry) && !table_is_leaf(*entry, level);

		if (level <= want && !is_table)
			break;
		if (!is_table && says(*entry, rights)) {
			*done = table_span(want);
			return 0;
		}
		if (!is_table) {
			err = split(entry, level);
			if (err)
				return err;
		}
		table = phys_table(table_hpa(*entry, level));
	}
	__atomic_store_n(entry, table_leaf(HPA(hpa), level, rights, type), __ATOMIC_RELEASE);
	*done = table_span(level);
	if (rights == TABLE_RWX)
		while (++level < TABLE_LEVELS && !table_is_leaf(*path[level], level))
			merge(path[level], level, hpa);
	return 0;
}

static int set_range(uint64_t hpa, uint64_t len, unsigned int rights)
{
	uint64_t done;
	int err;

	for (; len; hpa += done, len -= done) {
		lock_take(lock_of(hpa));
		err = set_one(hpa, len, rights, &done);
		lock_drop(lock_of(hpa));
		if (err)
			return err;
	}
	return 0;
}

int host_init(uint64_t top, bool leaf_1g, const struct mtrr *mtrr)
{
	int err = phys_table_alloc(&host.root);

	if (err)
		return err;
	host.leaf_1g = leaf_1g;
	host.top = top;
	host.end = (uint64_t)1 << TABLE_GPA_BITS;
	host.retired.put = host.retired.freed = 0;
	if (mtrr)
		host.mtrr = *mtrr;
	return set_range(0, top, TABLE_RWX);
}

/* Gives the leaf at hpa, or a part of it that has one type, that type. *done: how much was looked at. */
static int retype_one(uint64_t hpa, uint64_t *done)
{
	uint64_t *table = phys_table(host.root);
	unsigned int level = TABLE_LEVELS;
	uint64_t *entry, type;
	int err = 0;

	for (;; level--) {
		entry = &table[table_index(level, hpa)];
		*done = table_span(level);
		if (!table_present(*entry))
			return 0;
		if (table_is_leaf(*entry, level)) {
			if (table_type(&host.mtrr, HPA(hpa), level, &type))
				break;
			err = split(entry, level);
			if (err)
				break;
		}
		table = phys_table(table_hpa(*entry, level));
	}
	/* A frame may be there in the page's place. */
	__atomic_store_n(entry,
			 table_leaf(table_hpa(*entry, level), level, table_rights(*entry), type),
			 __ATOMIC_RELEASE);
	return err;
}

int host_retype(const struct mtrr *mtrr)
{
	uint64_t done;
	int err = 0;

	for (unsigned int i = 0; i < LOCKS; i++)
		lock_take(&host.lock[i]);
	host.mtrr = *mtrr;
	for (uint64_t hpa = 0; !(hpa >> TABLE_GPA_BITS); hpa += done)
		if (retype_one(hpa, &done))
			err = ERR_NOMEM;
	for (unsigned int i = 0; i < LOCKS; i++)
		lock_drop(&host.lock[i]);
	return err;
}

hpa_t host_root(void)
{
	return host.root;
}

/* Devices lose what L1's CPUs lose a right for, and lose it first (I4). */
int host_set(hpa_t start, uint64_t len, unsigned int rights)
{
	int err = 0;

	ASSERT(!page_offset(start.a | len));
	if (rights != TABLE_RWX)
		err = io_set(start, len, false);
	if (!err)
		err = set_range(start.a, len, rights);
	if (!err && rights == TABLE_RWX)
		io_set(start, len, true); /* if there is no room for it, devices go without */
	return err;
}

bool host_allows(hpa_t hpa, unsigned int rights)
{
	const uint64_t *table = phys_table(host.root);

	if (hpa.a >> TABLE_GPA_BITS)
		return false;
	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t entry =
			__atomic_load_n(&table[table_index(level, hpa.a)], __ATOMIC_ACQUIRE);

		if (!table_present(entry))
			return false;
		if (table_is_leaf(entry, level))
			return (table_rights(entry) & rights) == rights;
		table = phys_table(table_hpa(entry, level));
	}
}

/* The level-1 entry for hpa, with tables down to it where `make`; NULL if there is none. */
static uint64_t *page_entry(hpa_t hpa, bool make)
{
	uint64_t *table = phys_table(host.root);

	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t *entry = &table[table_index(level, hpa.a)];

		if (level == 1)
			return entry;
		if (!table_present(*entry) || table_is_leaf(*entry, level))
			if (!make || split(entry, level))
				return NULL;
		table = phys_table(table_hpa(*entry, level));
	}
}

int host_show(hpa_t page, hpa_t frame, unsigned int rights, owner_t owner)
{
	uint64_t *entry = NULL;
	uint64_t type;
	int err = ERR_PERM;

	lock_take(lock_of(page.a));
	if (owner_of(page).w == owner.w) {
		entry = page_entry(page, true);
		err = entry ? 0 : ERR_NOMEM;
	}
	if (entry) {
		table_type(&host.mtrr, page, 1, &type);
		__atomic_store_n(entry, table_leaf(frame, 1, rights, type), __ATOMIC_RELEASE);
	}
	lock_drop(lock_of(page.a));
	return err;
}

void host_hide(hpa_t page, hpa_t frame)
{
	uint64_t *entry;

	lock_take(lock_of(page.a));
	entry = page_entry(page, false);
	if (entry && table_present(*entry) && table_hpa(*entry, 1).a == frame.a)
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	lock_drop(lock_of(page.a));
}

int host_fill(hpa_t page)
{
	uint64_t done;
	int err = ERR_PERM;

	lock_take(lock_of(page.a));
	if (owner_all(page, 1, OWNER_L1_WRITES))
		err = set_one(ALIGN_DOWN(page.a, PAGE_SIZE), PAGE_SIZE, TABLE_RWX, &done);
	lock_drop(lock_of(page.a));
	return err;
}

void host_limit(unsigned int bits)
{
	ASSERT(bits >= 32);
	if (bits < TABLE_GPA_BITS)
		host.end = (uint64_t)1 << bits;
}

int host_map_device(hpa_t hpa)
{
	unsigned int level;

	if (hpa.a < host.top || hpa.a >= host.end)
		return ERR_FAULT;
	level = host.leaf_1g ? 3 : 2;
	return set_range(ALIGN_DOWN(hpa.a, table_span(level)), table_span(level), TABLE_RWX);
}
