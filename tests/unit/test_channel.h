/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few isolated guests, by number, on a machine with L1: how each has offered and accepted, and what everybody reaches of the
 * pages. Every guest's private memory is random and not zero, so that what was scrubbed can be told.
 */
#ifndef TESTS_TEST_CHANNEL_H
#define TESTS_TEST_CHANNEL_H

#include "tests/unit/test_isolated.h"
#include "monitor/channel.h"

#define GUESTS 3u
#define GUEST_ROOT(k) (ROOT + (k)*MIB)
#define GUEST_KEY(k) (KEY + (k)*PAGE_SIZE)
#define GFN(i) ((SMALL >> PAGE_SHIFT) + (i))
#define AT_SLOT(n) (CHANNEL_APERTURE + (uint64_t)(n)*CHANNEL_SLOT)
#define NO_PAGE UINT64_MAX

static struct guest *guests_of[GUESTS];
static struct guest_vcpu *vcpus_of[GUESTS];

/* Page i of guest k, in L1's memory. */
static inline uint64_t page_of(unsigned int k, unsigned int i)
{
	return PAGES + k * MIB + (1 + i * 37 % SMALL_PAGES) * PAGE_SIZE;
}

/* hpa of the leaf for page i of guest k, in L1's table of four pages. */
static inline uint64_t leaf_at(unsigned int k, unsigned int i)
{
	return GUEST_ROOT(k) + 3 * PAGE_SIZE + GFN(i) * 8;
}

static inline void launch_guest(unsigned int k)
{
	uint64_t root = GUEST_ROOT(k);

	for (unsigned int level = 4; level > 1; level--)
		*word(root + (4 - level) * PAGE_SIZE) =
			table_entry(HPA(root + (5 - level) * PAGE_SIZE));
	for (unsigned int i = 0; i < SMALL_PAGES; i++) {
		*word(leaf_at(k, i)) = leaf(page_of(k, i), 1);
		randomize(page_of(k, i), PAGE_SIZE);
	}
	vcpus_of[k] = guest_vcpu_take(cpu, HPA(GUEST_KEY(k)), HPA(root), &why);
	if (!vcpus_of[k])
		fail_msg("%s", why);
	guests_of[k] = vcpus_of[k]->guest;
	as_guest();
	cpu->hw->space.nested_root = HPA(root);
	while (guest_enter(cpu, vcpus_of[k]) == GUEST_ENTRY_AGAIN)
		;
	assert_true(guest_live(guests_of[k]));
}

static inline void end_guest(unsigned int k)
{
	guest_end(guests_of[k], STOP_NONE);
	guest_vcpu_drop(vcpus_of[k]);
	vcpus_of[k] = NULL;
}

static inline void channel_machine(void)
{
	for (unsigned int k = 0; k < GUESTS; k++)
		if (vcpus_of[k])
			end_guest(k);
	isolated_machine(2);
	for (unsigned int k = 0; k < GUESTS; k++)
		launch_guest(k);
}

/* L1 stores into guest k's table; false: that ended the guest. */
static inline bool stores(unsigned int k, uint64_t at, uint64_t value)
{
	l1_stores(at, value);
	return guest_live(guests_of[k]);
}

static inline struct launch digest_of(unsigned int k)
{
	return launch_of_guest(guest_number(guests_of[k]), guests_of[k]->id);
}

/* n pages from page `first` on, to guest `to` by its digest, or (GUESTS) to the host. */
static inline struct channel_offer offer_of(unsigned int first, unsigned int n, unsigned int to)
{
	struct channel_offer o = {.service = "lan",
				  .peer = CHANNEL_PEER_HOST,
				  .extents = 1,
				  .extent = {{GFN(first), n, 0}}};

	if (to == GUESTS)
		return o;
	o.peer = CHANNEL_PEER_DIGEST;
	memcpy(o.identity, digest_of(to).digest, sizeof(o.identity));
	return o;
}

static inline uint64_t offers(unsigned int k, unsigned int first, unsigned int n, unsigned int to)
{
	struct channel_offer o = offer_of(first, n, to);
	uint64_t id = 0;

	assert_int_equal(channel_offer(guests_of[k], &o, &id), 0);
	assert_int_not_equal(id, 0);
	return id;
}

/* What the guest says that accepts what guest k has offered, at a slot. */
static inline struct channel_accept accept_of(uint64_t id, unsigned int k, unsigned int slot)
{
	struct channel_accept a = {.id = id,
				   .service = "lan",
				   .peer = CHANNEL_PEER_DIGEST,
				   .gpa = AT_SLOT(slot)};

	memcpy(a.identity, digest_of(k).digest, sizeof(a.identity));
	return a;
}

static inline int accepts(unsigned int k, uint64_t id, unsigned int from, unsigned int slot)
{
	struct channel_accept a = accept_of(id, from, slot);

	return channel_accept(guests_of[k], &a);
}

static inline uint64_t *table_at(uint64_t hpa)
{
	return hpa >= FAKE_TABLES.a ? phys_table(HPA(hpa)) : fake_at(HPA(hpa), PAGE_SIZE);
}

/* What hardware finds for guest k at gpa: an address of the page, or NO_PAGE; what it may do there. */
static inline uint64_t walked(unsigned int k, uint64_t gpa, unsigned int *rights)
{
	uint64_t at = guest_walked(guests_of[k]).a;

	*rights = TABLE_RWX;
	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t e = table_at(at)[table_index(level, gpa)];

		if (!table_present(e))
			return NO_PAGE;
		assert_false(table_malformed(e, level, 0));
		*rights &= table_rights(e);
		at = table_hpa(e, level).a;
		if (table_is_leaf(e, level)) {
			assert_true(table_is_wb(e));
			return at;
		}
	}
}

static inline uint64_t found(unsigned int k, uint64_t gpa)
{
	unsigned int rights;

	return walked(k, gpa, &rights);
}

static inline void expect_of(unsigned int k, uint64_t hpa, enum owner_kind kind, unsigned int i)
{
	assert_int_equal(owner_of(HPA(hpa)).w,
			 owner_word(kind, guest_number(guests_of[k]), GPA(GFN(i) << PAGE_SHIFT)).w);
}

static inline bool is_zero_page(uint64_t hpa)
{
	return is_zero(fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
}

static inline void scribble(uint64_t hpa)
{
	memset(fake_at(HPA(hpa), PAGE_SIZE), 0xa7, PAGE_SIZE);
}

/* n pages of guest k are its private memory, zeroed, and L1 sees nothing in their place. */
static inline void expect_returned(unsigned int k, unsigned int first, unsigned int n)
{
	unsigned int rights;

	for (unsigned int i = first; i < first + n; i++) {
		expect_of(k, page_of(k, i), OWNER_GUEST, i);
		assert_true(is_zero_page(page_of(k, i)));
		assert_int_equal(in_place_of(page_of(k, i), &rights), 0);
		assert_int_equal(found(k, GFN(i) << PAGE_SHIFT), page_of(k, i));
	}
}

static inline struct channel_status status_of(unsigned int k, uint64_t id)
{
	struct channel_status s = {.pages = 0};

	assert_int_equal(channel_status(guests_of[k], id, &s), 0);
	return s;
}

static inline void expect_status(unsigned int k, uint64_t id, enum channel_state state,
				 uint64_t accepted, uint64_t peer, enum channel_reason reason)
{
	struct channel_status s = status_of(k, id);

	assert_int_equal(s.state, state);
	assert_int_equal(s.accepts, accepted);
	assert_int_equal(s.peer, peer);
	assert_int_equal(s.reason, reason);
}

static inline void expect_none(unsigned int k, uint64_t id)
{
	struct channel_status s;

	assert_int_equal(channel_status(guests_of[k], id, &s), CHANNEL_ENOENT);
}

#endif
