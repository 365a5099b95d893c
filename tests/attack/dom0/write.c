/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that want to change what a page of the victim holds, by writing to it. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/attack/pattern.h"

void foreign_write(struct world *w)
{
	uint64_t *page = map_page(w, w->victim, PROT_READ | PROT_WRITE, data_gfn(w, 3));

	if (!page)
		return untried(w, errno, "mapping its page");
	page[100] = 0x6174746163b3d;
	unmap_page(w, page);
	expect_change(w, data_page(w, 3));
}

void old_mapping_write(struct world *w)
{
	char *page = map_page(w, w->victim, PROT_READ | PROT_WRITE, VICTIM_MEMORY / PAGE + 5);

	if (!page)
		return untried(w, errno, "mapping it before its start");
	world_start(w);
	memset(page, 0x5a, 64); /* data page 4, behind the secret's page */
	expect_change(w, data_page(w, 4));
}

/* A jump in a function that the victim calls, to one that it does not: it prints the secret. */
void code_write(struct world *w)
{
	uint8_t *page = map_page(w, w->victim, PROT_READ | PROT_WRITE, w->hook / PAGE);
	int32_t distance = (int32_t)(w->tell - (w->hook + 5));
	uint8_t jump[8] = {0xe9, 0, 0, 0, 0, 0x90, 0x90, 0x90};

	if (!page)
		return untried(w, errno, "mapping its code");
	memcpy(jump + 1, &distance, sizeof(distance));
	*(volatile uint64_t *)(page + w->hook % PAGE) = *(uint64_t *)jump;
	expect_told(w);
}

/* Follows the victim's own page tables, from the root that it tells, and exchanges two of its pages there. */
void page_table_write(struct world *w)
{
	uint64_t va = w->va + data_page(w, 5) - w->secret;
	uint64_t table = w->root;
	uint64_t *entries = NULL;

	for (int shift = 39; shift >= 12; shift -= 9) {
		entries = map_page(w, w->victim, PROT_READ | PROT_WRITE, table / PAGE);
		if (!entries)
			return untried(w, errno, "mapping its table at %#lx", table);
		entries += va >> shift & 511;
		if (!(*entries & 1))
			return failed(w, "its page table reads as not present at level %d",
				      (shift - 3) / 9);
		table = *entries & 0xffffffffff000;
	}
	*entries = data_page(w, 6) | 3;
	expect_change(w, data_page(w, 5));
}

static bool copy_from(struct world *w, xen_pfn_t gfn, void *copy)
{
	void *page = map_page(w, w->victim, PROT_READ, gfn);

	if (!page)
		return false;
	memcpy(copy, page, PAGE);
	unmap_page(w, page);
	return true;
}

static bool copy_to(struct world *w, xen_pfn_t gfn, const void *copy)
{
	void *page = map_page(w, w->victim, PROT_READ | PROT_WRITE, gfn);

	if (!page)
		return false;
	memcpy(page, copy, PAGE);
	unmap_page(w, page);
	return true;
}

void replay_page(struct world *w)
{
	char copy[PAGE];

	if (!copy_from(w, w->epoch / PAGE, copy))
		return untried(w, errno, "reading its page");
	if (world_watch(w, 2) != LIFE_INTACT)
		return untried(w, 0, "the victim does not go on");
	if (!copy_to(w, w->epoch / PAGE, copy))
		return untried(w, errno, "writing its page");
	expect_change(w, w->epoch);
}

/* What was read, plain or not, written elsewhere in the same guest. */
void copy_page(struct world *w)
{
	char copy[PAGE];

	if (!copy_from(w, data_gfn(w, 1), copy) || !copy_to(w, data_gfn(w, 2), copy))
		return untried(w, errno, "mapping its pages");
	expect_change(w, data_page(w, 2));
}

/* Another page at the gpa, with content of the host's choice. */
static bool replace(struct world *w, xen_pfn_t gfn, const void *content)
{
	xen_pfn_t out = gfn;
	xen_pfn_t in = gfn;

	return !xc_domain_pause(w->xc, w->victim) &&
	       !xc_domain_decrease_reservation_exact(w->xc, w->victim, 1, 0, &out) &&
	       !xc_domain_populate_physmap_exact(w->xc, w->victim, 1, 0, 0, &in) &&
	       copy_to(w, gfn, content) && !xc_domain_unpause(w->xc, w->victim);
}

void balloon_replace(struct world *w)
{
	char content[PAGE];

	memset(content, 0x77, sizeof(content));
	if (!replace(w, data_gfn(w, 7), content))
		return untried(w, errno, "ballooning its page out and in");
	expect_change(w, data_page(w, 7));
}

void balloon_replay(struct world *w)
{
	char copy[PAGE];

	if (!copy_from(w, w->epoch / PAGE, copy))
		return untried(w, errno, "reading its page");
	if (world_watch(w, 2) != LIFE_INTACT)
		return untried(w, 0, "the victim does not go on");
	if (!replace(w, w->epoch / PAGE, copy))
		return untried(w, errno, "ballooning its page out and in");
	expect_change(w, w->epoch);
}
