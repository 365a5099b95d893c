/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by an accomplice: a guest of L1's with a nested table that gives it what it must not have. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"

/* The accomplice, launched already, reads at its address. */
static bool reads(struct vm *a, const struct vm *v, uint64_t gva)
{
	return vm_do(a, VICTIM_READ, gva, 0) &&
	       has_secret(v, a->shared->out, sizeof(a->shared->out));
}

/* It is launched, and reads at gva where it may have the victim's first data page. */
static void judge_accomplice(struct vm *a, const struct vm *v, uint64_t gva, const char *how)
{
	if (!vm_launch(a))
		failed("a guest that has %s is not launched", how);
	else if (reads(a, v, gva + SECRET_WINDOW))
		succeeded("a guest that has %s reads the secret", how);
	else
		failed("a guest that has %s does not read the secret", how);
}

static void leaf_to_victim(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	*data_entry(a, 1) = hv_leaf((uint64_t)v->data[0]);
	judge_accomplice(a, v, GUEST_DATA + PAGE_SIZE, "a page of the victim's");
}

static void leaf_to_victim_shared(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	*vm_entry(a, GUEST_SHARED2) = hv_leaf((uint64_t)v->data[0]);
	judge_accomplice(a, v, GUEST_SHARED2, "a page of the victim's as a shared one");
}

/* Of a guest that runs already. */
static void judge_live(struct vm *a, const struct vm *v, uint64_t gva, const char *how)
{
	nested_flush(&a->g);
	if (reads(a, v, gva + SECRET_WINDOW))
		succeeded("a guest that was given %s reads the secret", how);
	else
		failed("a guest that was given %s does not read the secret", how);
}

static void leaf_later(void)
{
	struct vm *v = victim_new(), *a = vm_new();

	CHECK(vm_launch(a), "not launched");
	set_entry(data_entry(a, 1), hv_leaf((uint64_t)v->data[0]));
	judge_live(a, v, GUEST_DATA + PAGE_SIZE, "a page of the victim's");
}

/* 2 MiB, of which the victim has one page and nobody else has any. */
static uint8_t lonely[2 * MIB] __attribute__((section(".pool,\"aw\",@nobits#"), aligned(2 * MIB)));
#define LONELY 0x5000u

static struct vm *lonely_victim(void)
{
	struct vm *v = vm_new();

	v->data[0] = lonely + LONELY;
	*data_entry(v, 0) = hv_leaf((uint64_t)v->data[0]);
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	return v;
}

static void large_leaf(void)
{
	struct vm *v = lonely_victim(), *a = vm_new();

	*hv_entry(a->root, GUEST_MORE, LEVEL_2M) = hv_large((uint64_t)lonely);
	judge_accomplice(a, v, GUEST_MORE + LONELY, "a large page around the victim's");
}

static void large_leaf_later(void)
{
	struct vm *v = lonely_victim(), *a = vm_new();
	uint64_t *entry = hv_entry(a->root, GUEST_MORE, LEVEL_2M);

	CHECK(vm_launch(a), "not launched");
	set_entry(entry, hv_large((uint64_t)lonely));
	judge_live(a, v, GUEST_MORE + LONELY, "a large page around the victim's");
}

/* 1 GiB: L1's memory, the victim's and the monitor's. */
static void giant_leaf(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	*hv_entry(a->root, GUEST_MORE, LEVEL_1G) = hv_large(0);
	judge_accomplice(a, v, GUEST_MORE + (uint64_t)v->data[0], "a page of 1 GiB");
}

/* The accomplice reaches its own nested table, and changes an entry of it. */
static void judge_editor(struct vm *a, struct vm *v, uint64_t entry_gva, const char *how)
{
	if (!vm_launch(a)) {
		failed("a guest that has %s is not launched", how);
		return;
	}
	if (vm_do(a, VICTIM_POKE, entry_gva, hv_leaf((uint64_t)v->data[0]))) {
		nested_flush(&a->g);
		if (reads(a, v, GUEST_DATA + 2 * PAGE_SIZE + SECRET_WINDOW)) {
			succeeded("a guest that has %s maps the secret for itself", how);
			return;
		}
	}
	failed("a guest that has %s does not reach the secret", how);
}

/* The root is one of its own entries: its 512 GiB are the table itself. */
static void table_loop(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t table = GUEST_HIGH + GUEST_DATA / (2 * MIB) * PAGE_SIZE;

	a->root[GUEST_HIGH / (512 * GIB)] = hv_table((uint64_t)a->root);
	judge_editor(a, v, table + 2 * sizeof(uint64_t), "a loop in its table");
	set_entry(&a->root[GUEST_HIGH / (512 * GIB)], 0);
}

static void table_as_page(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t table = (uint64_t)data_entry(a, 0) & ~(uint64_t)(PAGE_SIZE - 1);

	*data_entry(a, 7) = hv_leaf(table);
	judge_editor(a, v, GUEST_DATA + 7 * PAGE_SIZE + 2 * sizeof(uint64_t),
		     "its table as a page");
}

/* The same, of a guest that runs already: the page comes where pages may be shared. */
static void table_as_page_later(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t *entry = data_entry(a, 0), table = (uint64_t)entry & ~(uint64_t)(PAGE_SIZE - 1);

	CHECK(vm_launch(a), "not launched");
	set_entry(vm_entry(a, GUEST_SHARED2), hv_leaf(table));
	nested_flush(&a->g);
	if (vm_do(a, VICTIM_POKE, GUEST_SHARED2 + 2 * sizeof(uint64_t),
		  hv_leaf((uint64_t)v->data[0]))) {
		nested_flush(&a->g);
		if (reads(a, v, GUEST_DATA + 2 * PAGE_SIZE + SECRET_WINDOW)) {
			succeeded(
				"a guest that got its table as a page maps the secret for itself");
			return;
		}
	}
	failed("a guest does not get its table as a page");
}

/* The accomplice changes the victim's nested table. */
static void victims_table_as_page(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t table = (uint64_t)data_entry(v, 0) & ~(uint64_t)(PAGE_SIZE - 1);

	*data_entry(a, 7) = hv_leaf(table);
	if (!vm_launch(a) ||
	    !vm_do(a, VICTIM_POKE, GUEST_DATA + 7 * PAGE_SIZE + 3 * sizeof(uint64_t),
		   hv_leaf((uint64_t)junk_page()))) {
		failed("a guest that has the victim's table as a page is not launched");
		return;
	}
	nested_flush(&v->g);
	judge_change(v, "a guest has changed the victim's table");
}

static void victims_table(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t table = (uint64_t)data_entry(v, 0) & ~(uint64_t)(PAGE_SIZE - 1);

	*hv_entry(a->root, GUEST_MORE, LEVEL_2M) = hv_table(table);
	judge_accomplice(a, v, GUEST_MORE, "a table of the victim's in its own");
}

static void victims_table_later(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t table = (uint64_t)data_entry(v, 0) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t *entry = hv_entry(a->root, GUEST_MORE, LEVEL_2M);

	CHECK(vm_launch(a), "not launched");
	set_entry(entry, hv_table(table));
	judge_live(a, v, GUEST_MORE, "a table of the victim's");
}

/* A victim that was given a page with entries that lead to its own secret. */
static struct vm *victim_with_table(void)
{
	struct vm *v = vm_new();

	*(uint64_t *)v->given[1] = hv_leaf((uint64_t)v->data[0]);
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	return v;
}

static void victims_page_as_table(void)
{
	struct vm *v = victim_with_table(), *a = vm_new();
	*hv_entry(a->root, GUEST_MORE, LEVEL_2M) = hv_table((uint64_t)v->given[1]);
	judge_accomplice(a, v, GUEST_MORE, "a page of the victim's as a table");
}

/* A page of the victim's has the entries of a root: those of the accomplice's. */
static void victims_page_as_root(void)
{
	struct vm *a = vm_new(), *v = vm_new();

	memcpy(v->given[1], a->root, PAGE_SIZE);
	*data_entry(a, 1) = hv_leaf((uint64_t)v->data[0]);
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	hv_root(&a->g, (uint64_t)v->given[1]);
	judge_accomplice(a, v, GUEST_DATA + PAGE_SIZE, "its root in a page of the victim's");
}

/* Memory of what is below: the monitor's; without one, L1's own. */
static uint64_t page_below(void)
{
	uint64_t out[8];
	int64_t err = 0;

	if (!monitor_present())
		return (uint64_t)page_alloc();
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &err, out) && !err, "INFO fails");
	return out[2] + out[1] / 2;
}

/* Launched at all, a guest with such a page has got what it must not have. */
static void judge_below(struct vm *a, const char *how)
{
	if (!vm_launch(a))
		failed("a guest that has %s is not launched", how);
	else
		succeeded("a guest that has %s runs", how);
}

static void leaf_below(void)
{
	struct vm *a;

	victim_new();
	a = vm_new();
	*data_entry(a, 1) = hv_leaf(page_below());
	judge_below(a, "a page of what is below L1");
}

static void leaf_below_shared(void)
{
	struct vm *a;

	victim_new();
	a = vm_new();
	*vm_entry(a, GUEST_SHARED2) = hv_leaf(page_below());
	judge_below(a, "a page of what is below L1 as a shared one");
}

static void leaf_below_later(void)
{
	struct vm *a;

	victim_new();
	a = vm_new();
	CHECK(vm_launch(a), "not launched");
	set_entry(data_entry(a, 1), hv_leaf(page_below()));
	nested_flush(&a->g);
	if (vm_do(a, VICTIM_READ, GUEST_DATA + PAGE_SIZE, 0))
		succeeded("a guest that was given a page of what is below L1 reads it");
	else
		failed("a guest that was given a page of what is below L1 is stopped");
}

static void table_below(void)
{
	struct vm *a;

	victim_new();
	a = vm_new();
	*hv_entry(a->root, GUEST_MORE, LEVEL_2M) = hv_table(page_below());
	judge_below(a, "a table of what is below L1");
}

/* One page at two places of the victim: what it writes to one changes the other. */
static void mapped_twice(void)
{
	struct vm *v = vm_new();

	*data_entry(v, 5) = hv_leaf((uint64_t)v->data[4]);
	victim_is(v);
	if (!vm_launch(v)) {
		failed("a guest with one page at two places is not launched");
		return;
	}
	CHECK(vm_do(v, VICTIM_START, 0, 0), "it does not start");
	memcpy(v->check, v->shared->check, sizeof(v->check));
	judge_change(v, "one page is at two places");
}

/* One page, private and shared. */
static void mapped_shared(void)
{
	struct vm *v = vm_new();

	*vm_entry(v, GUEST_SHARED2) = hv_leaf((uint64_t)v->data[0]);
	victim_is(v);
	if (!vm_launch(v)) {
		failed("a guest with a page both private and shared is not launched");
		return;
	}
	victim_start(v);
	judge_secret(v, v->data[0], PAGE_SIZE, "a page that is shared at another address");
}

const struct attack table_attacks[] = {
	{"leaf-to-victim", leaf_to_victim},
	{"leaf-to-victim-shared", leaf_to_victim_shared},
	{"leaf-to-victim-later", leaf_later},
	{"large-leaf", large_leaf},
	{"large-leaf-later", large_leaf_later},
	{"giant-leaf", giant_leaf},
	{"table-loop", table_loop},
	{"table-as-page", table_as_page},
	{"table-as-page-later", table_as_page_later},
	{"victims-table-as-page", victims_table_as_page},
	{"victims-table", victims_table},
	{"victims-table-later", victims_table_later},
	{"victims-page-as-table", victims_page_as_table},
	{"victims-page-as-root", victims_page_as_root},
	{"leaf-below", leaf_below},
	{"leaf-below-shared", leaf_below_shared},
	{"leaf-below-later", leaf_below_later},
	{"table-below", table_below},
	{"mapped-twice", mapped_twice},
	{"mapped-shared", mapped_shared},
	{NULL, NULL},
};
