/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: who may offer and accept what, and that every way in which one ends leaves the pages to their owner, zeroed. */
#include "tests/unit/test_channel.h"

#define N 5u /* pages of a channel */

static int offers_error(unsigned int k, const struct channel_offer *o)
{
	uint64_t id = 77;
	int err = channel_offer(guests_of[k], o, &id);

	assert_int_equal(id, 77);
	return err;
}

static uint64_t open_channel(void)
{
	uint64_t id = offers(0, 0, N, 1);

	assert_int_equal(accepts(1, id, 0, 3), 0);
	for (unsigned int i = 0; i < N; i++)
		scribble(page_of(0, i));
	return id;
}

static void an_offer(void **state)
{
	unsigned int rights;
	uint64_t id;

	channel_machine();
	id = offers(0, 2, N, 1);
	for (unsigned int i = 2; i < 2 + N; i++) {
		expect_of(0, page_of(0, i), OWNER_CHANNEL, i);
		assert_true(is_zero_page(page_of(0, i)));
		assert_int_equal(found(0, GFN(i) << PAGE_SHIFT), page_of(0, i));
		assert_int_equal(in_place_of(page_of(0, i), &rights), 0);
	}
	expect_of(0, page_of(0, 1), OWNER_GUEST, 1);
	assert_false(is_zero_page(page_of(0, 1)));
	expect_status(0, id, CHANNEL_OFFERED, 0, 0, CHANNEL_REASON_NONE);
	expect_none(1, id);
	assert_int_equal(channel_close(guests_of[1], id, CHANNEL_REASON_CLOSED), CHANNEL_ENOENT);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_OVER), CHANNEL_EINVAL);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	expect_returned(0, 2, N);
	expect_none(0, id);
	assert_int_not_equal(offers(0, 2, N, 1), id);
}

static void offers_refused(void **state)
{
	struct channel_offer o;
	uint64_t id;

	channel_machine();
	id = offers(0, 0, 4, 1);
	o = offer_of(3, 2, 1); /* one is a channel's */
	assert_int_equal(offers_error(0, &o), CHANNEL_EBUSY);
	expect_of(0, page_of(0, 4), OWNER_GUEST, 4);
	assert_false(is_zero_page(page_of(0, 4)));
	o = offer_of(SMALL_PAGES - 1, 2, 1); /* one is not there */
	assert_int_equal(offers_error(0, &o), CHANNEL_EPERM);
	expect_of(0, page_of(0, SMALL_PAGES - 1), OWNER_GUEST, SMALL_PAGES - 1);
	o = offer_of(8, 2, 1);
	o.extents = 2;
	o.extent[1] = (struct channel_extent){GFN(9), 1, 0}; /* twice */
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o.extents = 0;
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, CHANNEL_PAGES_MAX + 1, 1);
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, 0, 1);
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, 1, 1);
	o.extent[0].zero = 1;
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, 1, 1);
	o.extent[0].gfn = UINT64_MAX;
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, 1, 1);
	o.service[8] = 'x'; /* behind a NUL */
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	memset(o.service, 0, sizeof(o.service));
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o = offer_of(8, 1, GUESTS);
	o.identity[5] = 1;
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	o.peer = 4;
	assert_int_equal(offers_error(0, &o), CHANNEL_EINVAL);
	for (unsigned int i = 1; i < CHANNEL_OFFERS_MAX; i++)
		offers(0, 8 + i, 1, 1);
	o = offer_of(40, 1, 1);
	assert_int_equal(offers_error(0, &o), CHANNEL_ENOMEM);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	offers(0, 40, 1, 1);
	offers(2, 40, 1, 1); /* another's limits are its own */
}

/* A page that L1 has mapped as its own, or over which a device's transfer is under way. */
static void pages_that_others_use(void **state)
{
	struct channel_offer o;
	int frame;

	channel_machine();
	o = offer_of(0, 1, 1);
	o.extent[0].gfn = SHARED_PVH >> PAGE_SHIFT;
	assert_int_equal(offers_error(0, &o), CHANNEL_EPERM);
	frame = window_hold(HPA(page_of(0, 7)), owner_of(HPA(page_of(0, 7))), false);
	assert_true(frame >= 0);
	o = offer_of(6, 3, 1);
	assert_int_equal(offers_error(0, &o), CHANNEL_EBUSY);
	expect_of(0, page_of(0, 6), OWNER_GUEST, 6);
	assert_false(is_zero_page(page_of(0, 6)));
	window_unhold((unsigned int)frame);
	offers(0, 6, 3, 1);
}

/* A device's transfer of a page, in the frame of another one (docs/disks.md): the page can be offered, and has no part in it from then on. */
static void a_page_whose_frame_is_anothers(void **state)
{
	uint64_t word, mark = 0x1234;
	hpa_t page, other;
	owner_t owner;
	struct channel_offer o;
	int frame;

	channel_machine();
	page = HPA(page_of(0, 7));
	other = HPA(page_of(0, 9));
	owner = owner_of(page);
	frame = window_hold(other, owner_of(other), true);
	assert_true(frame >= 0);
	assert_true(window_take((unsigned int)frame, page, owner, &word, sizeof(word)));
	assert_int_equal(word, *(uint64_t *)fake_at(page, 8));
	assert_true(window_give((unsigned int)frame, page, owner, &mark, sizeof(mark)));
	assert_int_equal(*(uint64_t *)fake_at(page, 8), mark);
	o = offer_of(9, 1, 1);
	assert_int_equal(offers_error(0, &o), CHANNEL_EBUSY);
	assert_int_equal(accepts(1, offers(0, 7, 1, 1), 0, 3), 0);
	*(uint64_t *)fake_at(page, 8) = 0x5678; /* what the guests have there */
	word = 0;
	assert_false(window_take((unsigned int)frame, page, owner, &word, sizeof(word)));
	assert_int_equal(word, 0);
	assert_false(window_give((unsigned int)frame, page, owner, &mark, sizeof(mark)));
	assert_int_equal(*(uint64_t *)fake_at(page, 8), 0x5678);
	window_unhold((unsigned int)frame);
}

static void accepting(void **state)
{
	struct channel_pending p;
	uint8_t identity[CHANNEL_IDENTITY];
	unsigned int rights;
	uint64_t id, other;

	channel_machine();
	id = offers(0, 0, N, 1);
	other = offers(2, 0, 1, 1);
	assert_int_equal(channel_pending(guests_of[1], 0, &p), 0);
	assert_int_equal(p.id, id);
	assert_int_equal(p.offerer, guests_of[0]->id);
	assert_int_equal(p.pages, N);
	assert_memory_equal(p.service, "lan", 4);
	assert_int_equal(channel_pending(guests_of[1], id, &p), 0);
	assert_int_equal(p.id, other);
	assert_int_equal(channel_pending(guests_of[1], other, &p), CHANNEL_ENOENT);
	assert_int_equal(channel_pending(guests_of[2], 0, &p), CHANNEL_ENOENT);
	assert_int_equal(channel_pending(guests_of[0], 0, &p), CHANNEL_ENOENT);
	assert_int_equal(channel_offerer(guests_of[1], id, CHANNEL_PEER_DIGEST, identity), 0);
	assert_memory_equal(identity, digest_of(0).digest, sizeof(identity));
	assert_int_equal(channel_offerer(guests_of[1], id, CHANNEL_PEER_TENANT, identity), 0);
	assert_true(is_zero(identity, sizeof(identity)));
	assert_int_equal(channel_offerer(guests_of[2], id, CHANNEL_PEER_DIGEST, identity),
			 CHANNEL_ENOENT);
	assert_int_equal(found(1, AT_SLOT(3)), NO_PAGE);
	*(uint64_t *)fake_at(HPA(page_of(0, 4)), 8) = 0x1234; /* before it is accepted */
	assert_int_equal(accepts(1, id, 0, 3), 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(walked(1, AT_SLOT(3) + i * PAGE_SIZE, &rights), page_of(0, i));
		assert_int_equal(rights, TABLE_R | TABLE_W);
		expect_of(0, page_of(0, i), OWNER_CHANNEL, i);
	}
	assert_int_equal(*(uint64_t *)fake_at(HPA(page_of(0, 4)), 8), 0x1234);
	assert_int_equal(found(1, AT_SLOT(3) + N * PAGE_SIZE), NO_PAGE);
	assert_int_equal(*word(GUEST_ROOT(1) + 8), 0); /* Xen's table is as it was */
	expect_status(0, id, CHANNEL_OPEN, 1, guests_of[1]->id, CHANNEL_REASON_NONE);
	expect_status(1, id, CHANNEL_OPEN, 1, guests_of[0]->id, CHANNEL_REASON_NONE);
	expect_none(2, id);
	assert_int_equal(accepts(1, id, 0, 9), CHANNEL_ENOENT);   /* twice */
	assert_int_equal(accepts(1, other, 2, 3), CHANNEL_EBUSY); /* the slot */
	assert_int_equal(accepts(1, other, 2, 4), 0);
}

static void accepting_refused(void **state)
{
	struct channel_accept a;
	uint64_t id;

	channel_machine();
	id = offers(0, 0, N, 1);
	assert_int_equal(accepts(2, id, 0, 0), CHANNEL_ENOENT); /* a third */
	assert_int_equal(accepts(0, id, 0, 0), CHANNEL_ENOENT);
	assert_int_equal(accepts(1, id + 1, 0, 0), CHANNEL_ENOENT);
	assert_int_equal(accepts(1, 0, 0, 0), CHANNEL_ENOENT);
	assert_int_equal(accepts(1, id, 2, 0), CHANNEL_EPERM); /* of another identity */
	a = accept_of(id, 0, 0);
	a.service[0] = 'w';
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EPERM);
	a = accept_of(id, 0, 0);
	a.peer = CHANNEL_PEER_TENANT; /* it has none, so zeros name nobody */
	memset(a.identity, 0, sizeof(a.identity));
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EPERM);
	a.peer = CHANNEL_PEER_HOST;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EINVAL);
	a = accept_of(id, 0, 0);
	a.gpa += PAGE_SIZE;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EINVAL);
	a.gpa = SMALL;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EINVAL);
	a.gpa = CHANNEL_APERTURE + CHANNEL_APERTURE_BYTES;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EINVAL);
	a = accept_of(id, 0, 0);
	a.zero = 1;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EINVAL);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), ERR_NOENT);
	expect_status(0, id, CHANNEL_OFFERED, 0, 0, CHANNEL_REASON_NONE);
	assert_int_equal(accepts(1, id, 0, 511), 0);
}

static void tenants(void **state)
{
	struct channel_offer o;
	struct channel_accept a;
	uint64_t id;

	channel_machine();
	memset(guests_of[0]->protection.disks.tenant, 7, 32);
	guests_of[0]->protection.disks.has_tenant = true;
	memset(guests_of[1]->protection.disks.tenant, 9, 32);
	guests_of[1]->protection.disks.has_tenant = true;
	o = offer_of(0, 1, 1);
	o.peer = CHANNEL_PEER_TENANT;
	memset(o.identity, 9, sizeof(o.identity));
	assert_int_equal(channel_offer(guests_of[0], &o, &id), 0);
	a = accept_of(id, 0, 0);
	a.peer = CHANNEL_PEER_TENANT;
	memset(a.identity, 7, sizeof(a.identity));
	assert_int_equal(channel_accept(guests_of[2], &a), CHANNEL_ENOENT);
	a.identity[31] = 8;
	assert_int_equal(channel_accept(guests_of[1], &a), CHANNEL_EPERM);
	a.identity[31] = 7;
	assert_int_equal(channel_accept(guests_of[1], &a), 0);
}

/* Closes it on the side of the acceptor, whom CPU 1 knows; whether CPU 0 was flushed, too. */
static bool close_flushes_all(uint64_t id)
{
	unsigned int flushed[2] = {cpu->hw->flushed, cpu_at(1)->hw->flushed};

	cpu_meets(cpu_at(1), guest_number(guests_of[1]));
	assert_int_equal(channel_close(guests_of[1], id, CHANNEL_REASON_STALLED), 0);
	assert_true(cpu_at(1)->hw->flushed > flushed[1]);
	return cpu->hw->flushed > flushed[0];
}

/* Two guests that open and close stop nobody but themselves, unless L1 has looked at the pages. */
static void who_is_flushed(void **state)
{
	uint64_t id;

	channel_machine();
	phys_flush();
	id = open_channel();
	cpu_forgets(cpu);
	assert_false(close_flushes_all(id));
	assert_int_equal(accepts(1, id, 0, 3), 0);
	l1_touch(page_of(0, 1), false);
	assert_true(close_flushes_all(id));
}

/* The acceptor closes, or is over: the offer stands, and another life of the same guest accepts again. */
static void the_acceptor_goes(void **state)
{
	uint64_t id;

	channel_machine();
	id = open_channel();
	assert_int_equal(channel_close(guests_of[1], id, CHANNEL_REASON_STALLED), 0);
	assert_int_equal(found(1, AT_SLOT(3)), NO_PAGE);
	for (unsigned int i = 0; i < N; i++) {
		expect_of(0, page_of(0, i), OWNER_CHANNEL, i);
		assert_true(is_zero_page(page_of(0, i)));
	}
	expect_status(0, id, CHANNEL_OFFERED, 1, 0, CHANNEL_REASON_STALLED);
	expect_none(1, id);
	assert_int_equal(accepts(1, id, 0, 3), 0);
	scribble(page_of(0, 0));
	end_guest(1);
	expect_status(0, id, CHANNEL_OFFERED, 2, 0, CHANNEL_REASON_OVER);
	assert_true(is_zero_page(page_of(0, 0)));
}

/* The offerer closes: what the acceptor has there is a page that is its alone, until it closes, too. */
static void the_offerer_goes(void **state)
{
	uint64_t id, again, nobodys;

	channel_machine();
	id = open_channel();
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_VIOLATION), 0);
	expect_returned(0, 0, N);
	expect_none(0, id);
	expect_status(1, id, CHANNEL_LEFT, 1, 0, CHANNEL_REASON_VIOLATION);
	nobodys = found(1, AT_SLOT(3));
	assert_int_equal(nobodys, found(1, AT_SLOT(3) + (N - 1) * PAGE_SIZE));
	assert_int_equal(
		owner_of(HPA(nobodys)).w,
		owner_word(OWNER_CHANNEL, guest_number(guests_of[1]), GPA(CHANNEL_APERTURE)).w);
	assert_true(is_zero_page(nobodys));
	again = offers(0, 0, N, 1); /* the same pages */
	assert_int_equal(accepts(1, again, 0, 3), CHANNEL_EBUSY);
	assert_int_equal(accepts(1, again, 0, 4), 0);
	scribble(nobodys);
	assert_int_equal(channel_close(guests_of[1], id, CHANNEL_REASON_CLOSED), 0);
	expect_none(1, id);
	assert_int_equal(found(1, AT_SLOT(3)), NO_PAGE);
	assert_int_equal(found(1, AT_SLOT(4)), page_of(0, 0));
	end_guest(0);
	expect_status(1, again, CHANNEL_LEFT, 1, 0, CHANNEL_REASON_OVER);
	assert_int_equal(found(1, AT_SLOT(4)), nobodys);
	end_guest(1);
	assert_true(is_zero_page(nobodys));
}

/* Xen takes a page, by its leaf, by the table above, or puts another one there. */
static void pages_taken(void **state)
{
	uint64_t with[3] = {0};
	uint64_t id, at;

	for (unsigned int how = 0; how < 3; how++) {
		channel_machine();
		id = open_channel();
		with[1] = leaf(SPARE, 1);
		at = how == 2 ? GUEST_ROOT(0) + 2 * PAGE_SIZE : leaf_at(0, 2);
		/* What is put there is not what was: that ends the guest, besides. */
		assert_int_equal(stores(0, at, with[how]), how != 1);
		expect_status(1, id, CHANNEL_LEFT, 1, 0, CHANNEL_REASON_PAGES);
		expect_owner(page_of(0, 2), OWNER_HOST, 0);
		assert_int_not_equal(found(1, AT_SLOT(3)), page_of(0, 0));
		if (how)
			continue;
		expect_none(0, id);
		expect_returned(0, 0, 2);
		expect_returned(0, 3, N - 3);
	}
}

/* What Xen may do to the table while pages are offered: they stay where they are. */
static void pages_kept(void **state)
{
	uint64_t id;

	channel_machine();
	id = open_channel();
	assert_true(stores(0, leaf_at(0, 2), MARKED(leaf(page_of(0, 2), 1))));
	assert_true(stores(0, leaf_at(0, 2), table_leaf(HPA(page_of(0, 2)), 1, TABLE_R, WB)));
	expect_status(1, id, CHANNEL_OPEN, 1, guests_of[0]->id, CHANNEL_REASON_NONE);
	expect_of(0, page_of(0, 2), OWNER_CHANNEL, 2);
	/* Not to another guest. */
	assert_false(stores(2, leaf_at(2, 2), leaf(page_of(0, 2), 1)));
	expect_of(0, page_of(0, 2), OWNER_CHANNEL, 2);
	expect_status(1, id, CHANNEL_OPEN, 1, guests_of[0]->id, CHANNEL_REASON_NONE);
}

/* L1's entries of the root are the hardware's, too, but for the aperture's: L1 gets nothing in there. */
static void the_root(void **state)
{
	uint64_t id, root;

	channel_machine();
	root = GUEST_ROOT(1);
	assert_true(stores(1, root + 2 * 8, table_entry(HPA(SPARE))));
	assert_int_equal(phys_table(guest_walked(guests_of[1]))[2], table_entry(HPA(SPARE)));
	assert_true(stores(1, root + 2 * 8, 0));
	assert_int_equal(phys_table(guest_walked(guests_of[1]))[2], 0);
	assert_true(stores(1, root + 8, table_entry(HPA(SPARE)))); /* there before */
	assert_false(channel_has_aperture(guests_of[1]));
	id = offers(0, 0, N, 1);
	assert_int_equal(accepts(1, id, 0, 0), CHANNEL_EBUSY);
	assert_true(stores(1, root + 8, 0));
	assert_true(channel_has_aperture(guests_of[1]));
	assert_int_equal(accepts(1, id, 0, 0), 0);
	assert_true(stores(1, root + 8, 0));
	assert_int_equal(found(1, AT_SLOT(0)), page_of(0, 0));
	assert_false(stores(1, root + 8, table_entry(HPA(SPARE))));
	expect_status(0, id, CHANNEL_OFFERED, 1, 0, CHANNEL_REASON_OVER);
}

/* A host that was not invited reads zeros, and writes once. */
static void the_host_uninvited(void **state)
{
	unsigned int rights;
	uint64_t id;

	channel_machine();
	id = open_channel();
	l1_touch(page_of(0, 1), false);
	assert_int_equal(cpu->hw->injected, 0);
	assert_true(is_zero(seen(page_of(0, 1)), PAGE_SIZE));
	in_place_of(page_of(0, 1), &rights);
	assert_int_equal(rights, TABLE_R);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	expect_returned(0, 0, N);
	offers(0, 0, N, 2);
	l1_touch(page_of(0, 1), true);
	assert_false(guest_live(guests_of[0]));
	assert_int_equal(guests_of[0]->stop_reason, STOP_HOST_WRITE);
	l1_touch(page_of(0, 1), false); /* all of a dead guest's is the host's, zeroed */
	expect_host(page_of(0, 1));
	assert_true(is_zero_page(page_of(0, 1)));
}

static void expect_hosts(unsigned int i)
{
	unsigned int rights;

	expect_of(0, page_of(0, i), OWNER_CHANNEL, i);
	assert_int_equal(in_place_of(page_of(0, i), &rights), page_of(0, i));
	assert_int_equal(rights, TABLE_R | TABLE_W);
}

static void the_host_invited(void **state)
{
	struct channel_summary s;
	unsigned int rights;
	uint64_t id, frame, run;
	gpa_t gpa;

	channel_machine();
	id = offers(0, 4, N, GUESTS);
	assert_int_equal(accepts(1, id, 0, 0), CHANNEL_ENOENT);
	l1_touch(page_of(0, 4), false);
	assert_int_equal(channel_host_page(id, 1, &gpa, &run), 0);
	assert_int_equal(gpa.a, GFN(5) << PAGE_SHIFT);
	assert_int_equal(run, N - 1);
	assert_int_equal(channel_host_page(id, N, &gpa, &run), ERR_NOENT);
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 ERR_NOENT);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[1])),
			 ERR_PERM); /* who has a page of another guest's */
	expect_status(0, id, CHANNEL_OFFERED, 0, 0, CHANNEL_REASON_NONE);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), 0);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), ERR_NOENT);
	assert_int_equal(channel_host_close(id, guest_number(guests_of[1]), CHANNEL_REASON_CLOSED),
			 ERR_PERM);
	for (unsigned int i = 4; i < 4 + N; i++)
		expect_hosts(i);
	expect_status(0, id, CHANNEL_OPEN, 1, CHANNEL_HOST, CHANNEL_REASON_NONE);
	scribble(page_of(0, 4));
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 0);
	assert_int_equal(in_place_of(page_of(0, 4), &rights), 0);
	assert_true(is_zero_page(page_of(0, 4)));
	expect_status(0, id, CHANNEL_OFFERED, 1, 0, CHANNEL_REASON_CLOSED);
	/* The offerer leaves it: L1 has nobody's page, and goes on writing to that. */
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), 0);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	expect_none(0, id);
	frame = in_place_of(page_of(0, 5), &rights);
	assert_true(in_block(frame));
	l1_touch(page_of(0, 5), true);
	assert_true(guest_live(guests_of[0]));
	expect_of(0, page_of(0, 5), OWNER_GUEST, 5);
	memset(s.service, 1, sizeof(s.service));
	for (unsigned int i = 0; channel_summary(i, &s); i++)
		;
	assert_int_equal(s.state, CHANNEL_LEFT);
	assert_int_equal(s.acceptor, CHANNEL_HOST);
	/* One of the pages is Xen's again, and not in that frame. */
	assert_true(stores(0, leaf_at(0, 5), 0));
	expect_host(page_of(0, 5));
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 0);
	expect_host(page_of(0, 5));
	expect_returned(0, 6, N - 2);
}

/* What the host was left with stays while the same pages are another channel's, until it closes. */
static void the_host_is_late(void **state)
{
	uint64_t id, other, frame;
	unsigned int rights;

	channel_machine();
	id = offers(0, 0, N, GUESTS);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), 0);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	frame = in_place_of(page_of(0, 1), &rights);
	for (unsigned int to = 1; to <= GUESTS; to += GUESTS - 1) {
		other = offers(0, 0, N, to);
		if (to == 1)
			assert_int_equal(accepts(1, other, 0, 0), 0);
		assert_int_equal(channel_close(guests_of[0], other, CHANNEL_REASON_CLOSED), 0);
		assert_int_equal(in_place_of(page_of(0, 1), &rights), frame);
		assert_int_equal(rights, TABLE_R | TABLE_W);
	}
	l1_touch(page_of(0, 1), true);
	assert_true(guest_live(guests_of[0]));
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 0);
	assert_int_equal(in_place_of(page_of(0, 1), &rights), 0);
	expect_returned(0, 0, N);
}

/* The offerer is over: nothing is left of it in L1's table but what L1 touches. */
static void the_host_survives(void **state)
{
	unsigned int rights;
	uint64_t id;

	channel_machine();
	id = offers(0, 0, N, GUESTS);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), 0);
	scribble(page_of(0, 0));
	end_guest(0);
	assert_int_equal(in_place_of(page_of(0, 0), &rights), 0);
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 ERR_NOENT);
	l1_touch(page_of(0, 0), true);
	expect_host(page_of(0, 0));
	assert_true(is_zero_page(page_of(0, 0)));
	launch_guest(0);
	id = offers(0, 0, N, GUESTS);
	assert_int_equal(channel_host_accept(id, guest_number(guests_of[0])), 0);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), 0);
	end_guest(0);
	assert_int_equal(in_place_of(page_of(0, 0), &rights), 0);
}

/* The aperture's faults: what is mapped by now is tried again, what is not is the guest's end. */
static void faults(void **state)
{
	struct guest_exit x = {.reason = EXIT_NESTED_FAULT, .fault = GPA(AT_SLOT(3) + 8)};

	channel_machine();
	open_channel();
	as_guest();
	cpu->hw->space.nested_root = HPA(GUEST_ROOT(1));
	assert_int_equal(disclose(cpu, vcpus_of[1], &x), DISCLOSE_AGAIN);
	x.fault = GPA(AT_SLOT(3) + N * PAGE_SIZE);
	assert_int_equal(disclose(cpu, vcpus_of[1], &x), DISCLOSE_OVER);
	assert_int_equal(guests_of[1]->stop_reason, STOP_NO_PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer),
		cmocka_unit_test(offers_refused),
		cmocka_unit_test(pages_that_others_use),
		cmocka_unit_test(a_page_whose_frame_is_anothers),
		cmocka_unit_test(accepting),
		cmocka_unit_test(accepting_refused),
		cmocka_unit_test(tenants),
		cmocka_unit_test(who_is_flushed),
		cmocka_unit_test(the_acceptor_goes),
		cmocka_unit_test(the_offerer_goes),
		cmocka_unit_test(pages_taken),
		cmocka_unit_test(pages_kept),
		cmocka_unit_test(the_root),
		cmocka_unit_test(the_host_uninvited),
		cmocka_unit_test(the_host_invited),
		cmocka_unit_test(the_host_is_late),
		cmocka_unit_test(the_host_survives),
		cmocka_unit_test(faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
