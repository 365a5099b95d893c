/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/grant.h"

#include "ept/host.h"
#include "ept/io.h"
#include "ept/phys.h"

static uint64_t *entry_of(const struct grant *g, unsigned int i)
{
	return &phys_table(g->table[i / TABLE_ENTRIES])[i % TABLE_ENTRIES];
}

hpa_t grant_page(const struct grant *g, unsigned int i)
{
	return table_hpa(*entry_of(g, i), 1);
}

/* What a page is that cannot be offered. */
static int why_not(const struct grant *g, owner_t owner)
{
	if (owner_kind(owner) == OWNER_BUSY)
		return ERR_AGAIN;
	return owner_kind(owner) == OWNER_CHANNEL && owner_guest(owner) == g->guest ? ERR_BUSY
										    : ERR_PERM;
}

int grant_add(struct grant *g, hpa_t page, gpa_t gpa)
{
	hpa_t *table = &g->table[g->pages / TABLE_ENTRIES];

	if (g->pages == GRANT_PAGES_MAX)
		return ERR_2BIG;
	if (!table->a && phys_table_alloc(table))
		return ERR_NOMEM;
	if (!owner_change(page, owner_word(OWNER_GUEST, g->guest, gpa),
			  owner_word(OWNER_CHANNEL, g->guest, gpa)))
		return why_not(g, owner_of(page));
	*entry_of(g, g->pages++) = table_leaf(page, 1, TABLE_R | TABLE_W, table_format.wb);
	return 0;
}

bool grant_has(const struct grant *g, hpa_t page)
{
	for (unsigned int i = 0; i < g->pages; i++)
		if (grant_page(g, i).a == page.a)
			return true;
	return false;
}

void grant_scrub(const struct grant *g)
{
	for (unsigned int i = 0; i < g->pages; i++) {
		void *page = phys_at(grant_page(g, i));

		__builtin_memset(page, 0, PAGE_SIZE);
		io_write_back(page, PAGE_SIZE); /* who accepts may map it uncacheable (R4) */
		phys_relax();
	}
}

void grant_return(const struct grant *g)
{
	for (unsigned int i = 0; i < g->pages; i++) {
		owner_t owner = owner_of(grant_page(g, i));

		ASSERT(owner_kind(owner) == OWNER_CHANNEL && owner_guest(owner) == g->guest);
		owner_change(grant_page(g, i), owner,
			     owner_word(OWNER_GUEST, g->guest, owner_gpa(owner)));
	}
}

void grant_free(struct grant *g)
{
	for (unsigned int i = 0; i < GRANT_TABLES; i++)
		if (g->table[i].a)
			phys_table_free(g->table[i]);
	*g = (struct grant){.guest = g->guest};
}

int grant_show(const struct grant *g)
{
	for (unsigned int i = 0; i < g->pages; i++) {
		if (host_set(grant_page(g, i), PAGE_SIZE, TABLE_R | TABLE_W)) {
			grant_hide(g);
			return ERR_NOMEM;
		}
	}
	return 0;
}

/* What is in L1's table is an entry of its own: to clear it takes no memory. */
bool grant_hide(const struct grant *g)
{
	bool any = false;

	for (unsigned int i = 0; i < g->pages; i++) {
		if (!host_allows(grant_page(g, i), TABLE_R))
			continue;
		ASSERT(!host_set(grant_page(g, i), PAGE_SIZE, 0));
		any = true;
	}
	return any;
}

void grant_replace(const struct grant *g, hpa_t frame)
{
	for (unsigned int i = 0; i < g->pages; i++) {
		hpa_t page = grant_page(g, i);

		ASSERT(!host_show(page, frame, TABLE_R | TABLE_W, owner_of(page)));
	}
}

bool grant_withdraw(const struct grant *g, hpa_t frame)
{
	bool any = false;

	for (unsigned int i = 0; i < g->pages; i++) {
		any |= host_allows(grant_page(g, i), TABLE_R);
		host_hide(grant_page(g, i), frame);
	}
	return any;
}
