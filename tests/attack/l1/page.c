/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that put other pages, or none, where the victim's are: by stores to its nested table. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/stores.h"
#include "tests/attack/l1/world.h"

#define FAKE 0x66616b6566616b65u

/* A leaf is made to point to a page of L1's, by every kind of store; a new victim each. */
static void table_store(void)
{
	for (unsigned i = 0; i < stores_count; i++) {
		struct vm *v = victim_new();
		uint64_t *entry = data_entry(v, 3), value = hv_leaf((uint64_t)junk_page());

		way_begin(stores[i].name);
		stores[i].store(entry, value);
		nested_flush(&v->g);
		way(vm_do(v, VICTIM_CHECK, 0, 0) && v->shared->reply);
		if (i + 1 < stores_count)
			vm_drop(v);
	}
	judge_ways();
}

static void touch_va(void *arg)
{
	(void)*(volatile uint64_t *)arg;
	*(volatile uint64_t *)arg = 1;
}

/*
 * L1 takes the victim's nested table for a page table of its own, and has its CPU set A and D in the
 * entry of a shared page, which L1 may write to. (The victim has not touched it.)
 */
static void table_as_own(void)
{
	struct vm *v = vm_new();
	uint64_t *entry = vm_entry(v, GUEST_SHARED2), before = hv_leaf((uint64_t)page_alloc());
	uint64_t table = (uint64_t)entry & ~(uint64_t)(PAGE_SIZE - 1), *own = table_identity();

	*entry = before;
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	table_map(own, TEST_VA, 0, 0);
	*table_entry(own, TEST_VA, LEVEL_2M) = table | PTE_P | PTE_W | PTE_A;
	write_cr3((uint64_t)own);
	expect_fault(touch_va, (void *)(TEST_VA + ((uint64_t)entry - table) / 8 * PAGE_SIZE));
	if (!vm_do(v, VICTIM_CHECK, 0, 0)) {
		failed("the victim was not entered again");
		return;
	}
	hv_walk_limit(*entry != before);
	if (*entry != before)
		succeeded("L1's CPU has changed an entry from 0x%x to 0x%x", before, *entry);
	else
		failed("the entry is as it was");
}

static void swap_leaves(struct vm *v, unsigned a, unsigned b)
{
	uint64_t *one = data_entry(v, a), *two = data_entry(v, b), first = *one, second = *two;

	set_entry(one, second);
	set_entry(two, first);
	nested_flush(&v->g);
}

static void swap_pages(void)
{
	struct vm *v = victim_new();

	swap_leaves(v, 2, 3);
	judge_change(v, "two pages have each other's place");
}

/* Both are away at the same time. */
static void swap_taken(void)
{
	struct vm *v = victim_new();
	uint64_t *one = data_entry(v, 2), *two = data_entry(v, 3), first = *one, second = *two;

	set_entry(one, 0);
	set_entry(two, 0);
	set_entry(one, second);
	set_entry(two, first);
	nested_flush(&v->g);
	judge_change(v, "two pages came back in each other's place");
}

/* What L1 sees of a page that it has taken away comes back when the victim has written anew. */
static void replay(void)
{
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 4), leaf = *entry;
	uint8_t *old = page_alloc();

	set_entry(entry, 0);
	memcpy(old, v->data[4], PAGE_SIZE);
	set_entry(entry, leaf);
	nested_flush(&v->g);
	CHECK(vm_do(v, VICTIM_WRITE, 4, 0), "the page did not come back: exit 0x%x", v->exit);
	CHECK(vm_intact(v), "the page did not come back whole");
	set_entry(entry, 0);
	memcpy(v->data[4], old, PAGE_SIZE);
	set_entry(entry, leaf);
	nested_flush(&v->g);
	judge_change(v, "a page has old content");
}

/* What L1 has read of a page of the victim's comes back in its place. */
static void feed_export(void)
{
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 4), leaf = *entry;
	uint8_t *old = page_alloc();

	memcpy(old, v->data[4], PAGE_SIZE);
	CHECK(vm_do(v, VICTIM_WRITE, 4, 0), "exit 0x%x", v->exit);
	set_entry(entry, 0);
	memcpy(v->data[4], old, PAGE_SIZE);
	set_entry(entry, leaf);
	nested_flush(&v->g);
	judge_change(v, "a page has what L1 once read");
}

/* The content of one page, as L1 sees it when it has taken the page, comes in another's place. */
static void copy_page(void)
{
	struct vm *v = victim_new();
	uint64_t *from = data_entry(v, 4), *to = data_entry(v, 5), leaf = *to;

	set_entry(from, 0);
	set_entry(to, 0);
	memcpy(v->data[5], v->data[4], PAGE_SIZE);
	set_entry(to, leaf);
	set_entry(from, hv_leaf((uint64_t)v->data[4]));
	nested_flush(&v->g);
	judge_change(v, "a page has another's content");
}

/* The same page, that L1 has written to while it was away. */
static void change_taken(void)
{
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 4), leaf = *entry;

	set_entry(entry, 0);
	v->data[4][0x456] ^= 1;
	set_entry(entry, leaf);
	nested_flush(&v->g);
	judge_change(v, "a bit changed while the page was away");
}

/* The victim's load from a page that was taken away is answered like a device's. */
static void mmio_answer(void)
{
	struct vm *v = victim_new();

	set_entry(data_entry(v, 3), 0);
	nested_flush(&v->g);
	vm_tell(v, VICTIM_LOAD, GUEST_DATA + 3 * PAGE_SIZE, 0);
	if (vm_enter(v) != CAME_FAULT) {
		failed("no exit for the load");
		return;
	}
	guest_set_rax(&v->g, FAKE);
	hv_skip(&v->g, 3);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply == FAKE)
		succeeded("it took what L1 said for its memory");
	else
		failed("it did not take what L1 said for its memory");
	set_entry(data_entry(v, 3), hv_leaf((uint64_t)v->data[3]));
	nested_flush(&v->g);
}

/* The same, by a mark as Xen makes them in entries that it will look at again. */
static void mark_answer(void)
{
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 3), leaf = *entry;
	enum came came;

	set_entry(entry, hv_marked(leaf));
	nested_flush(&v->g);
	vm_tell(v, VICTIM_LOAD, GUEST_DATA + 3 * PAGE_SIZE, 0);
	came = vm_enter(v);
	for (unsigned i = 0; i < 3 && came == CAME_FAULT; i++) {
		guest_set_rax(&v->g, FAKE);
		hv_skip(&v->g, 3);
		came = vm_enter(v);
	}
	if (came == CAME_FAULT) {
		set_entry(entry, leaf);
		nested_flush(&v->g);
		came = vm_enter(v);
	}
	if (came == CAME_REFUSED) {
		failed("it is not entered behind its load");
		return;
	}
	CHECK(came == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
	if (v->shared->reply == FAKE)
		succeeded("it took what L1 said for its memory");
	else
		failed("it repeated its load until its memory was back");
}

/* Another page comes in an entry that is not good yet; then the entry becomes good. */
static void by_steps(uint64_t (*bad)(uint64_t entry), const char *how)
{
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 3), leaf = hv_leaf((uint64_t)junk_page());

	set_entry(entry, bad(leaf));
	set_entry(entry, leaf);
	nested_flush(&v->g);
	judge_change(v, how);
}

static void marked_leaf(void)
{
	by_steps(hv_marked, "another page came in an entry marked for recalculation");
}

static void reserved_leaf(void)
{
	by_steps(hv_reserved, "another page came in an entry with a reserved bit");
}

/* A table of L1's, with one leaf changed, takes the place of one of the victim's. */
static void table_replaced(void)
{
	struct vm *v = victim_new();
	uint64_t *entry = hv_entry(v->root, GUEST_DATA, LEVEL_2M);
	uint64_t *table = (uint64_t *)(*entry & PTE_ADDRESS), *copy = page_alloc();

	memcpy(copy, table, PAGE_SIZE);
	copy[3] = hv_leaf((uint64_t)junk_page());
	set_entry(entry, hv_table((uint64_t)copy));
	nested_flush(&v->g);
	judge_change(v, "another table is in its table's place");
}

/* The same at the root's level, and of the root itself. */
static void top_replaced(void)
{
	struct vm *v = victim_new();
	uint64_t *top = page_alloc(), *copy = page_alloc(), *directory = page_alloc();
	uint64_t *old_top = (uint64_t *)(v->root[0] & PTE_ADDRESS);
	uint64_t *old_directory = (uint64_t *)(old_top[0] & PTE_ADDRESS);
	uint64_t *old = (uint64_t *)(*hv_entry(v->root, GUEST_DATA, LEVEL_2M) & PTE_ADDRESS);

	memcpy(top, old_top, PAGE_SIZE);
	memcpy(directory, old_directory, PAGE_SIZE);
	memcpy(copy, old, PAGE_SIZE);
	copy[3] = hv_leaf((uint64_t)junk_page());
	directory[GUEST_DATA / (2 * MIB)] = hv_table((uint64_t)copy);
	top[0] = hv_table((uint64_t)directory);
	set_entry(&v->root[0], hv_table((uint64_t)top));
	nested_flush(&v->g);
	judge_change(v, "all its table but the root is another");
}

/* A table that maps all the same pages, but one, is the victim's new root. */
static void root_replaced(void)
{
	struct vm *v = victim_new(), *other = vm_new();

	for (unsigned i = 0; i < DATA_PAGES; i++)
		*data_entry(other, i) = hv_leaf((uint64_t)v->data[i]);
	for (unsigned i = 0; i < TABLE_PAGES; i++)
		*vm_entry(other, GUEST_TABLES + i * PAGE_SIZE) =
			hv_leaf((uint64_t)v->tables + i * PAGE_SIZE);
	for (uint64_t at = (uint64_t)victim_image; at < (uint64_t)victim_end; at += PAGE_SIZE)
		*vm_entry(other, at) = hv_leaf((uint64_t)v->code + (at - (uint64_t)victim_image));
	*vm_entry(other, GUEST_SHARED) = hv_leaf((uint64_t)v->shared);
	*data_entry(other, 3) = hv_leaf((uint64_t)junk_page());
	hv_root(&v->g, (uint64_t)other->root);
	nested_flush(&v->g);
	judge_change(v, "it has another root");
	hv_root(&v->g, (uint64_t)v->root);
}

/* A page of the victim's appears where pages are shared, too. */
static void share_private(void)
{
	struct vm *v = victim_new();

	*vm_entry(v, GUEST_SHARED2) = hv_leaf((uint64_t)v->data[0]);
	nested_flush(&v->g);
	judge_secret(v, v->data[0], PAGE_SIZE, "a page mapped again as shared");
}

const struct attack page_attacks[] = {
	{"table-store", table_store},
	{"table-as-own", table_as_own},
	{"swap-pages", swap_pages},
	{"swap-taken", swap_taken},
	{"replay", replay},
	{"feed-export", feed_export},
	{"copy-page", copy_page},
	{"change-taken", change_taken},
	{"mmio-answer", mmio_answer},
	{"mark-answer", mark_answer},
	{"marked-leaf", marked_leaf},
	{"reserved-leaf", reserved_leaf},
	{"table-replaced", table_replaced},
	{"top-replaced", top_replaced},
	{"root-replaced", root_replaced},
	{"share-private", share_private},
	{NULL, NULL},
};
