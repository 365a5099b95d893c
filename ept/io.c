/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/io.h"

#include "ept/format.h"
#include "ept/lock.h"
#include "ept/phys.h"

#define CACHE_LINE 64
#define LOCKS 64 /* a GiB has one of them */
#define LOCK_SHIFT 30

static struct {
	struct io_format format;
	hpa_t root;
	uint64_t top;
	struct lock lock[LOCKS];
	uint64_t removed; /* atomic */
} io;

void io_write_back(const void *p, size_t len)
{
	uint64_t end = (uint64_t)p + len;

	for (uint64_t a = ALIGN_DOWN((uint64_t)p, CACHE_LINE); a < end; a += CACHE_LINE)
		__asm__ volatile("clflush %0" ::"m"(*(const char *)a));
	__asm__ volatile("mfence" ::: "memory");
}

static void put(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
	io_write_back(entry, sizeof(*entry));
}

static bool is_table(uint64_t entry, unsigned int level)
{
	return entry && (entry & ~TABLE_ADDR_MASK) == io.format.table[level];
}

static hpa_t address(uint64_t entry)
{
	return HPA(entry & TABLE_ADDR_MASK);
}

static uint64_t leaf(uint64_t hpa, unsigned int level)
{
	return hpa | io.format.leaf[level];
}

/* Replaces an absent entry, or a leaf, by a table that says the same. */
static int split(uint64_t *entry, unsigned int level)
{
	uint64_t *child;
	hpa_t table;
	int err = phys_table_alloc(&table);

	if (err)
		return err;
	child = phys_table(table);
	for (size_t i = 0; *entry && i < TABLE_ENTRIES; i++)
		child[i] = leaf(address(*entry).a + i * table_span(level - 1), level - 1);
	io_write_back(child, PAGE_SIZE);
	put(entry, table.a | io.format.table[level]);
	return 0;
}

/* Sets what lies at hpa, at most len bytes, in one entry; *done says how much that was. */
static int set_one(uint64_t hpa, uint64_t len, bool reach, uint64_t *done)
{
	uint64_t *table = phys_table(io.root);
	int err;

	for (unsigned int level = io.format.levels; level; level--) {
		uint64_t *entry = &table[table_index(level, hpa)];
		uint64_t span = table_span(level);
		uint64_t rest = span - (hpa & (span - 1)); /* of what the entry decides about */

		*done = rest < len ? rest : len;
		if (level == 1 || !is_table(*entry, level)) {
			if (reach == !!*entry)
				return 0; /* it says so already */
			if (level <= io.format.leaf_max && *done == span) {
				put(entry, reach ? leaf(hpa, level) : 0);
				return 0;
			}
			err = split(entry, level);
			if (err)
				return err;
		}
		table = phys_table(address(*entry));
	}
	return ERR_INVAL; /* level 1 has no tables below it */
}

/* The tables above those that have locks, so that they never change. */
static int make_upper(void)
{
	uint64_t *root = phys_table(io.root);
	int err = 0;

	if (io.format.levels < IO_LEVELS_MAX)
		return 0;
	for (uint64_t a = 0; !err && a < io.top; a += table_span(IO_LEVELS_MAX))
		err = split(&root[table_index(IO_LEVELS_MAX, a)], IO_LEVELS_MAX);
	return err;
}

int io_init(const struct io_format *format, uint64_t top)
{
	int err;

	ASSERT(format->levels >= 3 && format->levels <= IO_LEVELS_MAX);
	ASSERT(format->leaf_max >= 1 && format->leaf_max <= 3);
	if (top > TABLE_ENTRIES * table_span(format->levels))
		return ERR_2BIG;
	io.format = *format;
	io.top = top;
	err = phys_table_alloc(&io.root);
	if (err)
		return err;
	io_write_back(phys_table(io.root), PAGE_SIZE);
	return make_upper();
}

hpa_t io_root(void)
{
	return io.root;
}

unsigned int io_levels(void)
{
	return io.format.levels;
}

int io_set(hpa_t start, uint64_t len, bool reach)
{
	uint64_t end = start.a + len < io.top ? start.a + len : io.top;
	uint64_t done = 0;
	int err = 0;

	ASSERT(!page_offset(start.a | len));
	if (!io.root.a)
		return 0;
	for (uint64_t a = start.a; !err && a < end; a += done) {
		struct lock *lock = &io.lock[a >> LOCK_SHIFT & (LOCKS - 1)];
		uint64_t piece = (a | (GIB - 1)) + 1 - a;

		lock_take(lock);
		err = set_one(a, piece < end - a ? piece : end - a, reach, &done);
		lock_drop(lock);
	}
	if (!reach)
		__atomic_add_fetch(&io.removed, 1, __ATOMIC_SEQ_CST);
	return err;
}

bool io_reaches(hpa_t hpa)
{
	const uint64_t *table;

	if (!io.root.a || hpa.a >= io.top)
		return false;
	table = phys_table(io.root);
	for (unsigned int level = io.format.levels; level; level--) {
		uint64_t entry =
			__atomic_load_n(&table[table_index(level, hpa.a)], __ATOMIC_ACQUIRE);

		if (level == 1 || !is_table(entry, level))
			return entry;
		table = phys_table(address(entry));
	}
	return false;
}

uint64_t io_removed(void)
{
	return __atomic_load_n(&io.removed, __ATOMIC_SEQ_CST);
}
