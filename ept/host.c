/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/host.h"

#include "ept/format.h"
#include "ept/lock.h"
#include "ept/mtrr.h"
#include "ept/phys.h"

static struct {
	struct lock lock;
	hpa_t root;
	bool leaf_1g;
	uint64_t top;
	struct mtrr mtrr; /* L1's */
} host;

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

/* Replaces an absent entry, or a leaf, by a table that says the same. */
static int split(uint64_t *entry, unsigned int level)
{
	uint64_t old = *entry;
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
	__atomic_store_n(entry, table_entry(table), __ATOMIC_RELEASE);
	return 0;
}

/* Sets what lies at hpa, at most len bytes, in one entry; *done says how much that was. */
static int set_one(uint64_t hpa, uint64_t len, unsigned int rights, uint64_t *done)
{
	uint64_t type;
	unsigned int want = largest_level(hpa, len, &type);
	uint64_t *table = phys_table(host.root);
	unsigned int level = TABLE_LEVELS;
	uint64_t *entry;
	int err;

	for (;; level--) {
		entry = &table[table_index(level, hpa)];
		bool is_table = table_present(*entry) && !table_is_leaf(*entry, level);

		if (level <= want && !is_table)
			break;
		if (!is_table) {
			err = split(entry, level);
			if (err)
				return err;
		}
		table = phys_table(table_hpa(*entry, level));
	}
	__atomic_store_n(entry, table_leaf(HPA(hpa), level, rights, type), __ATOMIC_RELEASE);
	*done = table_span(level);
	return 0;
}

static int set_range(uint64_t hpa, uint64_t len, unsigned int rights)
{
	uint64_t done;
	int err;

	for (; len; hpa += done, len -= done) {
		err = set_one(hpa, len, rights, &done);
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
	__atomic_store_n(entry, table_leaf(HPA(hpa), level, table_rights(*entry), type),
			 __ATOMIC_RELEASE);
	return err;
}

int host_retype(const struct mtrr *mtrr)
{
	uint64_t done;
	int err = 0;

	lock_take(&host.lock);
	host.mtrr = *mtrr;
	for (uint64_t hpa = 0; !(hpa >> TABLE_GPA_BITS); hpa += done)
		if (retype_one(hpa, &done))
			err = ERR_NOMEM;
	lock_drop(&host.lock);
	return err;
}

hpa_t host_root(void)
{
	return host.root;
}

int host_set(hpa_t start, uint64_t len, unsigned int rights)
{
	int err;

	ASSERT(!page_offset(start.a | len));
	lock_take(&host.lock);
	err = set_range(start.a, len, rights);
	lock_drop(&host.lock);
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

void *host_writable(hpa_t hpa, size_t len)
{
	return host_allows(hpa, TABLE_W) ? phys_host(hpa, len) : NULL;
}

int host_map_device(hpa_t hpa)
{
	unsigned int level;

	if (hpa.a < host.top || hpa.a >> TABLE_GPA_BITS)
		return ERR_FAULT;
	level = host.leaf_1g ? 3 : 2;
	return host_set(HPA(ALIGN_DOWN(hpa.a, table_span(level))), table_span(level), TABLE_RWX);
}
