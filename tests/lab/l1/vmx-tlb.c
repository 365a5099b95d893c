/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translations, VPIDs and INVEPT, INVVPID: a change of an EPT or of a guest's own table is seen after
 * the flush that the manual asks for (tests cannot demand a stale one), and two guests never see each
 * other's. SDM 3, 28.3.
 */
#include "lib/pages.h"
#include "lib/tlb_tests.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define Q_WRITE 2

static struct pair pair(const void *code, unsigned vpid, uint64_t one, uint64_t two)
{
	struct pair p = new_pair(code, one, two);

	if (vpid) {
		need(C_PROC2, PROC2_VPID);
		set_bits(&p.g, C_PROC2, PROC2_VPID);
		put(&p.g, C_VPID, vpid);
	}
	return p;
}

enum how {
	EPT_SINGLE,
	EPT_EVERY,
	VPID_ADDRESS,
	VPID_SINGLE,
	VPID_EVERY,
	VPID_KEEP,
	NEW_VPID,
	NO_VPID
};

struct way {
	const char *name;
	enum how how;
	uint64_t capability;
};

static const struct way ept_ways[] = {
	{"invept-single", EPT_SINGLE, CAP_INVEPT_SINGLE},
	{"invept-all", EPT_EVERY, CAP_INVEPT_ALL},
};

static const struct way vpid_ways[] = {
	{"invvpid-address", VPID_ADDRESS, CAP_INVVPID_ADDRESS},
	{"invvpid-single", VPID_SINGLE, CAP_INVVPID_SINGLE},
	{"invvpid-all", VPID_EVERY, CAP_INVVPID_ALL},
	{"invvpid-keep-global", VPID_KEEP, CAP_INVVPID_KEEP_GLOBAL},
	{"new-vpid", NEW_VPID, 0},
	{"no-vpid", NO_VPID, 0},
};

static void flush(struct guest *g, enum how how)
{
	uint64_t eptp = get(g, C_EPTP);
	int err = 0;

	switch (how) {
	case EPT_SINGLE:
		err = invept(INV_SINGLE, eptp, 0);
		break;
	case EPT_EVERY:
		err = invept(INV_ALL, 0, 0);
		break;
	case VPID_ADDRESS:
		err = invvpid(INV_ADDRESS, get(g, C_VPID), TEST_VA);
		break;
	case VPID_SINGLE:
		err = invvpid(INV_SINGLE, get(g, C_VPID), 0);
		break;
	case VPID_EVERY:
		err = invvpid(INV_ALL, 0, 0);
		break;
	case VPID_KEEP:
		err = invvpid(INV_KEEP_GLOBAL, get(g, C_VPID), 0);
		break;
	case NEW_VPID:
		put(g, C_VPID, get(g, C_VPID) + 1);
		break;
	case NO_VPID:
		break;
	}
	CHECK_EQ(err, 0);
}

static void need_way(const struct way *w)
{
	if ((ept_vpid_capabilities() & w->capability) != w->capability)
		test_skip("the CPU does not offer this flush");
}

static void ept_change(const void *arg)
{
	const struct way *w = arg;

	need_way(w);
	for (unsigned vpid = 0; vpid < (can(C_PROC2, PROC2_VPID) ? 2 : 1); vpid++) {
		struct pair p = pair(guest_read, vpid, 1, 2);

		for (unsigned i = 0; i < ROUNDS; i++) {
			CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
			ept_map(p.g.ept, (uint64_t)p.first, (uint64_t)(i % 2 ? p.first : p.second),
				EPT_ALL);
			flush(&p.g, w->how);
		}
	}
}

static void ept_rights_withdrawn(const void *arg)
{
	const struct way *w = arg;
	struct pair p = pair(guest_write, can(C_PROC2, PROC2_VPID) ? 3 : 0, 1, 2);

	need_way(w);
	run_from(&p, guest_write);
	*ept_entry(p.g.ept, (uint64_t)p.first, LEVEL_4K) &= ~(uint64_t)EPT_W;
	flush(&p.g, w->how);
	guest_at(&p.g, guest_write);
	p.g.r.rcx = 0x99;
	guest_expect_at(&p.g, X_EPT_VIOLATION, guest_write);
	CHECK_EQ(get(&p.g, I_GPA), p.first);
	CHECK_EQ(get(&p.g, I_QUALIFICATION) & 7, Q_WRITE);
	CHECK_EQ(p.first[0], 0);
}

/* A whole subtree taken away, and a page of the EPT itself used anew. */
static void ept_table_replaced(const void *arg)
{
	struct pair p = pair(guest_read, can(C_PROC2, PROC2_VPID) ? 3 : 0, 1, 2);
	uint64_t *directory_entry = ept_entry(p.g.ept, (uint64_t)p.first, LEVEL_2M), old;

	need_way(arg);
	CHECK_EQ(run_from(&p, guest_read), 1);
	old = *directory_entry;
	*directory_entry = 0;
	flush(&p.g, ((const struct way *)arg)->how);
	guest_at(&p.g, guest_read);
	guest_expect(&p.g, X_EPT_VIOLATION);
	*directory_entry = old;
	CHECK_EQ(run_from(&p, guest_read), 1);
}

/* An entry that was absent, or that gains rights after its violation, needs no flush (SDM 3, 28.3.3.1). */
static void ept_entry_added(const void *arg)
{
	struct pair p = pair(guest_read, can(C_PROC2, PROC2_VPID) ? 3 : 0, 1, 2);

	(void)arg;
	*ept_entry(p.g.ept, (uint64_t)p.first, LEVEL_4K) = 0;
	flush_all();
	guest_expect(&p.g, X_EPT_VIOLATION);
	ept_map(p.g.ept, (uint64_t)p.first, (uint64_t)p.second, EPT_R | EPT_X);
	CHECK_EQ(run_from(&p, guest_read), 2);
	guest_at(&p.g, guest_write);
	p.g.r.rcx = 3;
	guest_expect(&p.g, X_EPT_VIOLATION);
	ept_map(p.g.ept, (uint64_t)p.first, (uint64_t)p.second, EPT_ALL);
	run_from(&p, guest_write);
	CHECK_EQ(p.second[0], 3);
}

/* Two EPTs in turn for one guest and one VPID: combined translations belong to an EPTP. */
static void other_ept(const void *arg)
{
	struct pair p = pair(guest_read, can(C_PROC2, PROC2_VPID) ? 4 : 0, 1, 2);
	uint64_t *other = ept_identity();

	(void)arg;
	ept_map(other, (uint64_t)p.first, (uint64_t)p.second, EPT_ALL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		put(&p.g, C_EPTP, (uint64_t)(i % 2 ? other : p.g.ept) | EPTP_WB_4_LEVELS);
		CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
	}
}

static void guest_change(const void *arg)
{
	const struct way *w = arg;
	struct pair p = pair(guest_read, w->how == NO_VPID ? 0 : 5, 1, 2);

	need_way(w);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK_EQ(run_from(&p, guest_read), 1 + i % 2);
		table_map(p.own, TEST_VA, (uint64_t)(i % 2 ? p.first : p.second), PTE_P | PTE_W);
		flush(&p.g, w->how);
	}
}

/* The guest changes its own entry and flushes by itself, without an exit. */
static void guest_flushes(const void *arg)
{
	for (unsigned vpid = 0; vpid < (can(C_PROC2, PROC2_VPID) ? 2 : 1); vpid++) {
		struct pair p = pair(arg, vpid, 1, 2);

		check_guest_flushes(&p);
	}
}

enum sharing { OWN_VPIDS, ONE_VPID, NO_VPIDS };

/* Two guests in turn, of different EPTs, at the same gpa and gva. */
static void two_guests(const void *arg)
{
	enum sharing sharing = *(const enum sharing *)arg;
	struct pair a = pair(guest_read, sharing == NO_VPIDS ? 0 : 1, 1, 0);
	struct pair b = pair(guest_read,
			     sharing == NO_VPIDS   ? 0
			     : sharing == ONE_VPID ? 1
						   : 2,
			     2, 0);

	share_addresses(&a, &b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK_EQ(run_from(&a, guest_read), 1);
		CHECK_EQ(run_from(&b, guest_read), 2);
	}
}

/* The host's own translations survive a guest's, and the other way round. */
static void host_and_guest(const void *arg)
{
	struct pair p = pair(guest_read, can(C_PROC2, PROC2_VPID) ? 6 : 0, 1, 2);
	uint64_t *host = table_identity();

	(void)arg;
	put(&p.g, H_CR3, (uint64_t)host);
	check_host_and_guest(&p, host);
}

static void highest_vpid(const void *arg)
{
	struct pair p = pair(guest_read, 0xffff, 1, 2);

	(void)arg;
	CHECK_EQ(run_from(&p, guest_read), 1);
	CHECK_EQ(get(&p.g, C_VPID), 0xffff);
}

static void moves_between_cpus(const void *arg)
{
	struct pair p = pair(guest_read, can(C_PROC2, PROC2_VPID) ? 7 : 0, 1, 2);

	(void)arg;
	check_moves_between_cpus(&p);
}

void l1_main(void)
{
	static const enum sharing own = OWN_VPIDS, one = ONE_VPID, none = NO_VPIDS;

	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(ept_ways); i++) {
		test_named("ept-change-", ept_ways[i].name, ept_change, &ept_ways[i]);
		test_named("ept-rights-", ept_ways[i].name, ept_rights_withdrawn, &ept_ways[i]);
		test_named("ept-table-", ept_ways[i].name, ept_table_replaced, &ept_ways[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vpid_ways); i++)
		test_named("guest-change-", vpid_ways[i].name, guest_change, &vpid_ways[i]);
	test("ept-entry-added", ept_entry_added, NULL);
	test("other-ept", other_ept, NULL);
	test("guest-reloads-cr3", guest_flushes, guest_reload);
	test("guest-invlpg", guest_flushes, guest_invlpg);
	test("two-guests", two_guests, &own);
	test("two-guests-one-vpid", two_guests, &one);
	test("two-guests-no-vpid", two_guests, &none);
	test("host-and-guest", host_and_guest, NULL);
	test("highest-vpid", highest_vpid, NULL);
	test("moves-between-cpus", moves_between_cpus, NULL);
}
