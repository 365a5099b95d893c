/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold between guests' tables, the table of owners and L1's own table, whatever L1 does:
 * invariants I1 to I3. And a machine for fuzzers of it.
 */
#ifndef TESTS_FUZZ_GUEST_H
#define TESTS_FUZZ_GUEST_H

#include <string.h>

#include "crypto/crypto.h"
#include "ept/format.h"
#include "ept/guest_entry.h"
#include "ept/host.h"
#include "ept/mtrr.h"
#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/guest.h"
#include "monitor/log.h"
#include "monitor/mem.h"

/* RAM, with one 2 MiB page at its end; then the monitor's block. */
#define RAM_SIZE (4 * MIB)
#define LARGE_PAGE (2 * MIB)
#define BLOCK (8 * MIB)
#define BLOCK_SIZE (24 * MIB)
#define CODE 0x1000u
#define KEY 0x2000u
#define TABLES 0x10000u /* L1's pages for tables; the first is the root */
#define TABLE_PAGES 16u
#define PAGES 0x80000u /* and for what they map */
#define PAGE_COUNT 32u
#ifdef FORMAT_EPT
#define WB ((uint64_t)MEM_WB << 3)
#define MARKED(entry) ((entry) | (uint64_t)7 << 3)
#else
#define WB 0
#define MARKED(entry) ((entry) & ~(uint64_t)4)
#endif
/* Every word of a page that the guest filled begins with that; nobody else knows it. */
#define SECRET 0x5ec4e75ec4000000u
#define SECRET_MASK 0xffffffffff000000u

static inline hpa_t table_page(unsigned int i)
{
	return HPA(TABLES + i % TABLE_PAGES * PAGE_SIZE);
}

static inline void guest_machine(void)
{
	static bool ready;
	const char *why;

	log_console(false);
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_msr_reset();
	fake_cpus(2);
	ASSERT(ready || !crypto_init(&why));
	ready = true;
	guest_init();
#ifdef FORMAT_EPT
	struct mtrr types = {.cap = 0x508, .def_type = 0xc00 | MEM_WB, .phys_bits = 48};

	memset(types.fixed, MEM_WB, sizeof(types.fixed));
	ASSERT(!host_init(mem_top(), true, &types));
#else
	ASSERT(!host_init(mem_top(), true, NULL));
#endif
	ASSERT(!host_set(HPA(BLOCK), BLOCK_SIZE, 0));
	ASSERT(!protect_init());
}

/* The records outlive a machine. */
static inline void forget_guests(void)
{
	for (unsigned int i = 0; i < GUEST_MAX; i++) {
		struct guest *g = guest_numbered(i);

		if (!g->id)
			continue;
		guest_end(g, STOP_NONE);
		guest_pages_gone(g, g->protection.table.pages);
		ASSERT(!g->id || g->stop_reason != STOP_NONE); /* kept for its reason */
	}
}

/* What L1's table has in the page's place: 0 or an address. */
static inline uint64_t in_place_of(uint64_t hpa, unsigned int *rights)
{
	const uint64_t *table = phys_table(host_root());

	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t entry = table[table_index(level, hpa)];

		*rights = table_present(entry) ? table_rights(entry) : 0;
		if (!*rights)
			return 0;
		if (table_is_leaf(entry, level))
			return table_hpa(entry, level).a + (hpa & (table_span(level) - 1));
		table = phys_table(table_hpa(entry, level));
	}
}

/* Whether bytes that the guest filled are there. */
static inline bool has_secret(const uint64_t *page)
{
	static const unsigned int where[] = {0, 1, 100, 255, 256, 511};

	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		if ((page[where[i]] & SECRET_MASK) == SECRET)
			return true;
	return false;
}

/* I2: L1's table maps what is L1's, and frames. L1 finds no secret in any of it. */
static inline void check_host(void)
{
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE) {
		enum owner_kind kind = owner_kind(owner_of(HPA(hpa)));
		unsigned int rights;
		uint64_t at = in_place_of(hpa, &rights);

		ASSERT(kind != OWNER_NONE && kind != OWNER_MONITOR && kind != OWNER_BUSY);
		if (at)
			ASSERT(!has_secret(mem_at(HPA(at))));
		if (kind == OWNER_GUEST)
			ASSERT(!at ||
			       (at >= BLOCK && at < BLOCK + BLOCK_SIZE && !(rights & TABLE_X)));
		else if (kind == OWNER_TABLE)
			ASSERT(at == hpa && rights == TABLE_R);
		else
			ASSERT(at == hpa && rights == TABLE_RWX);
	}
	for (uint64_t hpa = BLOCK; hpa < BLOCK + BLOCK_SIZE; hpa += 31 * PAGE_SIZE) {
		unsigned int rights;

		ASSERT(!in_place_of(hpa, &rights));
	}
}

/* Of a guest's table, counted. */
struct census {
	const struct guest_table *t;
	uint64_t pages, tables, shared;
	void (*private_page)(gpa_t gpa, const uint64_t *page);
};

static inline void check_leaf(struct census *c, uint64_t gpa, uint64_t hpa, bool wb)
{
	owner_t owner = owner_of(HPA(hpa));

	ASSERT(owner_guest(owner) == c->t->guest && owner_gpa(owner).a == gpa);
	if (owner_kind(owner) == OWNER_SHARED) {
		c->shared++;
		return;
	}
	ASSERT(owner_kind(owner) == OWNER_GUEST && wb && !guest_table_meets(c->t, GPA(gpa), 1));
	c->pages++;
	if (c->private_page)
		c->private_page(GPA(gpa), phys_at(HPA(hpa)));
}

/* I3: each page of the table is TABLE for that place, what it maps is the guest's, or SHARED. */
static inline void check_table(struct census *c, uint64_t root)
{
	uint64_t table[TABLE_LEVELS + 1] = {[TABLE_LEVELS] = root};
	unsigned int level = TABLE_LEVELS;
	uint64_t gpa = 0;

	while (level <= TABLE_LEVELS && !(gpa >> TABLE_GPA_BITS)) {
		uint64_t in_table = gpa & (table_span(level + 1) - 1);
		uint64_t e =
			((const uint64_t *)phys_at(HPA(table[level])))[table_index(level, gpa)];
		uint64_t end = gpa + table_span(level);

		if (!in_table) {
			ASSERT(owner_of(HPA(table[level])).w ==
			       owner_table(c->t->guest, GPA(gpa), level).w);
			c->tables++;
		}
		if (table_present(e)) {
			e = table_unmark(e, level);
			ASSERT(!table_malformed(e, level, 0));
			if (!table_is_leaf(e, level)) {
				table[level - 1] = table_hpa(e, level).a;
				level--;
				continue;
			}
			for (; gpa < end; gpa += PAGE_SIZE)
				check_leaf(c, gpa,
					   table_hpa(e, level).a + (gpa & (table_span(level) - 1)),
					   table_is_wb(e));
		}
		gpa = end;
		while (level <= TABLE_LEVELS && !(gpa & (table_span(level + 1) - 1)))
			level++;
	}
}

/* And nothing else is: what has this guest's number is in the table, or (dead) was. */
static inline void check_guest(const struct guest_table *t,
			       void (*private_page)(gpa_t gpa, const uint64_t *page))
{
	struct census in_table = {.t = t, .private_page = private_page}, owned = {0};

	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE) {
		owner_t owner = owner_of(HPA(hpa));

		if (owner_kind(owner) == OWNER_HOST || owner_guest(owner) != t->guest)
			continue;
		owned.pages += owner_kind(owner) == OWNER_GUEST;
		owned.tables += owner_kind(owner) == OWNER_TABLE;
		owned.shared += owner_kind(owner) == OWNER_SHARED;
	}
	if (t->live)
		check_table(&in_table, t->root.a);
	else
		in_table.pages = owned.pages;
	ASSERT(t->pages == owned.pages && owned.pages == in_table.pages);
	ASSERT(t->tables == owned.tables && owned.tables == in_table.tables);
	ASSERT(owned.shared == in_table.shared);
}

#endif
