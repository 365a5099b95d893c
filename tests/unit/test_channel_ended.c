/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of channels that are no more: how the last one of a name ended, as long as its offerer lives and has records. */
#include "tests/unit/test_channel.h"

static uint64_t offers_named(unsigned int k, char name, unsigned int page)
{
	struct channel_offer o = offer_of(page, 1, 1);
	uint64_t id = 0;

	o.service[0] = (uint8_t)name;
	assert_int_equal(channel_offer(guests_of[k], &o, &id), 0);
	return id;
}

static void ends(unsigned int k, uint64_t id, enum channel_reason reason)
{
	assert_int_equal(channel_close(guests_of[k], id, reason), 0);
	expect_none(k, id);
}

/* How many records there are; that with this id to *out, if there is one. */
static unsigned int listed(uint64_t id, struct channel_summary *out)
{
	struct channel_summary s;
	unsigned int n = 0;
	int err;

	*out = (struct channel_summary){.id = 0};
	for (uint64_t i = 0; (err = channel_summary(i, &s)) != ERR_INVAL; i++) {
		n += !err;
		if (!err && s.id == id)
			*out = s;
	}
	return n;
}

static struct channel_summary expect_ended(uint64_t id, enum channel_reason reason)
{
	struct channel_summary s;

	listed(id, &s);
	assert_int_equal(s.id, id);
	assert_int_equal(s.state, CHANNEL_ENDED);
	assert_int_equal(s.reason, reason);
	assert_int_equal(s.acceptor, 0);
	assert_int_equal(s.pages, 0);
	return s;
}

static void by_its_offerer(void **state)
{
	struct channel_summary s;
	uint64_t id, next;

	channel_machine();
	id = offers(0, 0, 2, 1);
	assert_int_equal(accepts(1, id, 0, 3), 0);
	ends(0, id, CHANNEL_REASON_VIOLATION);
	s = expect_ended(id, CHANNEL_REASON_VIOLATION);
	assert_int_equal(s.offerer, guests_of[0]->id);
	assert_int_equal(s.accepts, 1);
	assert_memory_equal(s.service, "lan", 4);
	assert_memory_equal(s.identity, digest_of(1).digest, sizeof(s.identity));
	/* It is nothing that could be used. */
	assert_int_equal(accepts(1, id, 0, 5), CHANNEL_ENOENT);
	assert_int_equal(channel_close(guests_of[0], id, CHANNEL_REASON_CLOSED), CHANNEL_ENOENT);
	assert_int_equal(channel_host_close(id, guest_number(guests_of[0]), CHANNEL_REASON_CLOSED),
			 ERR_NOENT);
	/* An offer that fails leaves it. */
	struct channel_offer bad = offer_of(SMALL_PAGES - 1, 2, 1);
	assert_int_equal(channel_offer(guests_of[0], &bad, &next), CHANNEL_EPERM);
	expect_ended(id, CHANNEL_REASON_VIOLATION);
	/* The next of that name tells of it; one of another guest's does not. */
	listed(offers(2, 0, 2, 1), &s);
	assert_int_equal(s.reason, CHANNEL_REASON_NONE);
	next = offers(0, 0, 2, 1);
	assert_int_equal(listed(next, &s), 2);
	assert_int_equal(s.state, CHANNEL_OFFERED);
	assert_int_equal(s.reason, CHANNEL_REASON_VIOLATION);
	assert_int_equal(s.accepts, 0);
	ends(0, next, CHANNEL_REASON_CLOSED);
	expect_ended(next, CHANNEL_REASON_CLOSED);
	end_guest(0);
	assert_int_equal(listed(next, &s), 1);
	assert_int_equal(s.id, 0);
}

static void by_l1(void **state)
{
	uint64_t id;

	channel_machine();
	id = offers(0, 0, 2, 1);
	assert_true(stores(0, leaf_at(0, 1), 0));
	expect_ended(id, CHANNEL_REASON_PAGES);
}

/* None takes a record away from a channel, or from another guest: a guest's own oldest one goes. */
static void no_more_than_there_are(void **state)
{
	uint64_t id[CHANNEL_OFFERS_MAX], last;
	struct channel_summary s;

	channel_machine();
	for (unsigned int i = 0; i < CHANNEL_OFFERS_MAX; i++) {
		id[i] = offers_named(0, (char)('a' + i), i);
		ends(0, id[i], CHANNEL_REASON_STALLED);
	}
	assert_int_equal(listed(id[0], &s), CHANNEL_OFFERS_MAX);
	last = offers_named(0, 'z', 0);
	assert_int_equal(listed(id[0], &s), CHANNEL_OFFERS_MAX);
	assert_int_equal(s.id, 0);
	listed(last, &s);
	assert_int_equal(s.reason, CHANNEL_REASON_NONE);
	/* Of a name that is there, although others are older. */
	offers_named(0, 'd', 1);
	listed(id[3], &s);
	assert_int_equal(s.id, 0);
	expect_ended(id[1], CHANNEL_REASON_STALLED);
	for (unsigned int i = 2; i < CHANNEL_OFFERS_MAX; i++)
		offers_named(0, (char)('A' + i), i);
	assert_int_equal(listed(id[1], &s), CHANNEL_OFFERS_MAX);
	assert_int_equal(s.id, 0);
	for (unsigned int k = 1; k < GUESTS; k++)
		for (unsigned int i = 0; i < CHANNEL_OFFERS_MAX; i++)
			offers_named(k, (char)('a' + i), i);
	assert_int_equal(listed(last, &s), GUESTS * CHANNEL_OFFERS_MAX);
	assert_int_equal(s.state, CHANNEL_OFFERED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_its_offerer),
		cmocka_unit_test(by_l1),
		cmocka_unit_test(no_more_than_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
