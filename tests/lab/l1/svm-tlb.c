/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translations and ASIDs: a change of a nested table or of a guest's own is seen after the flush that
 * the manual asks for (tests cannot demand a stale one), and two guests never see each other's.
 */
#include "lib/pages.h"
#include "lib/tlb_tests.h"
#include "svm/known.h"
#include "svm/svm.h"

enum how { BY_ALL, BY_ASID, BY_NEW_ASID, BY_INVLPGA };

static void flush(struct guest *g, enum how how)
{
	switch (how) {
	case BY_ALL:
		g->vmcb->tlb_control = TLB_FLUSH_ALL;
		break;
	case BY_ASID:
		g->vmcb->tlb_control = 3;
		break;
	case BY_NEW_ASID:
		g->vmcb->asid++;
		break;
	case BY_INVLPGA:
		invlpga(TEST_VA, g->vmcb->asid);
		break;
	}
}

static void nested_change(const void *arg)
{
	enum how how = *(const enum how *)arg;
	struct pair p = new_pair(guest_read, 1, 2);

	if (how == BY_ASID && !(svm_features() & SVM_FLUSH_ASID))
		test_skip("no flush by ASID");
	for (unsigned i = 0; i < ROUNDS && p.g.vmcb->asid < cpuid(0x8000000A, 0).b - 1; i++) {
		CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
		p.g.vmcb->tlb_control = TLB_NOTHING;
		table_map(p.g.nested, (uint64_t)p.first, (uint64_t)(i % 2 ? p.first : p.second),
			  PTE_ALL);
		flush(&p.g, how);
	}
}

static void nested_rights_withdrawn(const void *arg)
{
	enum how how = *(const enum how *)arg;
	struct pair p = new_pair(guest_write, 1, 2);

	if (how == BY_ASID && !(svm_features() & SVM_FLUSH_ASID))
		test_skip("no flush by ASID");
	run_from(&p, guest_write);
	*table_entry(p.g.nested, (uint64_t)p.first, LEVEL_4K) &= ~(uint64_t)PTE_W;
	flush(&p.g, how);
	p.g.vmcb->rip = (uint64_t)guest_write;
	p.g.r.rcx = 0x99;
	guest_expect_at(&p.g, X_NPF, guest_write);
	CHECK_EQ(p.g.vmcb->exit_info2, p.first);
	CHECK_EQ(p.first[0], 0);
}

/* An entry that was absent needs no flush. */
static void nested_entry_added(const void *arg)
{
	struct pair p = new_pair(guest_read, 1, 2);

	(void)arg;
	*table_entry(p.g.nested, (uint64_t)p.first, LEVEL_4K) = 0;
	guest_expect(&p.g, X_NPF);
	table_map(p.g.nested, (uint64_t)p.first, (uint64_t)p.second, PTE_ALL);
	CHECK_EQ(run_from(&p, guest_read), 2);
}

static void other_nested_root(const void *arg)
{
	struct pair p = new_pair(guest_read, 1, 2);
	uint64_t *other = table_identity();

	(void)arg;
	table_map(other, (uint64_t)p.first, (uint64_t)p.second, PTE_ALL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		p.g.vmcb->nested_cr3 = (uint64_t)(i % 2 ? other : p.g.nested);
		p.g.vmcb->tlb_control = TLB_FLUSH_ALL;
		CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
	}
}

static void guest_change(const void *arg)
{
	enum how how = *(const enum how *)arg;
	struct pair p = new_pair(guest_read, 1, 2);

	if (how == BY_ASID && !(svm_features() & SVM_FLUSH_ASID))
		test_skip("no flush by ASID");
	for (unsigned i = 0; i < ROUNDS && p.g.vmcb->asid < cpuid(0x8000000A, 0).b - 1; i++) {
		CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
		p.g.vmcb->tlb_control = TLB_NOTHING;
		table_map(p.own, TEST_VA, (uint64_t)(i % 2 ? p.first : p.second), PTE_P | PTE_W);
		flush(&p.g, how);
	}
}

/* The guest changes its own entry and flushes by itself, without an exit. */
static void guest_flushes(const void *arg)
{
	struct pair p = new_pair(arg, 1, 2);

	check_guest_flushes(&p);
}

/* Two guests in turn, of different nested tables, at the same gpa and gva. */
static void two_guests(const void *arg)
{
	bool same_asid = arg != NULL;
	struct pair a = new_pair(guest_read, 1, 0), b = new_pair(guest_read, 2, 0);

	b.g.vmcb->asid = same_asid ? 1 : 2;
	share_addresses(&a, &b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (same_asid)
			a.g.vmcb->tlb_control = b.g.vmcb->tlb_control = TLB_FLUSH_ALL;
		CHECK_EQ(run_from(&a, guest_read), 1);
		CHECK_EQ(run_from(&b, guest_read), 2);
	}
}

/* One guest with nested paging, one without, one ASID each. */
static void with_and_without_nesting(const void *arg)
{
	struct pair a = new_pair(guest_read, 1, 0), b = new_pair(guest_read, 2, 0);

	(void)arg;
	b.g.vmcb->asid = 2;
	b.g.vmcb->np_control = 0;
	b.g.vmcb->nested_cr3 = 0;
	table_map(a.g.nested, (uint64_t)b.first, (uint64_t)a.first, PTE_ALL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK_EQ(run_from(&a, guest_read), 1);
		CHECK_EQ(run_from(&b, guest_read), 2);
	}
}

/* The host's own translations survive a guest's, and the other way round. */
static void host_and_guest(const void *arg)
{
	struct pair p = new_pair(guest_read, 1, 2);

	(void)arg;
	check_host_and_guest(&p, table_identity());
}

static void highest_asid(const void *arg)
{
	struct pair p = new_pair(guest_read, 1, 2);

	(void)arg;
	p.g.vmcb->asid = cpuid(0x8000000A, 0).b - 1;
	CHECK_EQ(run_from(&p, guest_read), 1);
}

static void moves_between_cpus(const void *arg)
{
	struct pair p = new_pair(guest_read, 1, 2);

	(void)arg;
	check_moves_between_cpus(&p);
}

void l1_main(void)
{
	static const enum how ways[] = {BY_ALL, BY_ASID, BY_NEW_ASID, BY_INVLPGA};
	static const char *const names[] = {"flush-all", "flush-asid", "new-asid", "invlpga"};

	svm_start();
	/* INVLPGA by a guest-virtual address: the manual promises no more than that for a nested table */
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i] != BY_INVLPGA) {
			test_named("nested-change-", names[i], nested_change, &ways[i]);
			test_named("nested-rights-", names[i], nested_rights_withdrawn, &ways[i]);
		}
		test_named("guest-change-", names[i], guest_change, &ways[i]);
	}
	test("nested-entry-added", nested_entry_added, NULL);
	test("other-nested-root", other_nested_root, NULL);
	test("guest-reloads-cr3", guest_flushes, guest_reload);
	test("guest-invlpg", guest_flushes, guest_invlpg);
	test("two-guests", two_guests, NULL);
	test("two-guests-one-asid", two_guests, "");
	test("with-and-without-nesting", with_and_without_nesting, NULL);
	test("host-and-guest", host_and_guest, NULL);
	test("highest-asid", highest_asid, NULL);
	test("moves-between-cpus", moves_between_cpus, NULL);
}
