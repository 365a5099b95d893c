/* SPDX-License-Identifier: Apache-2.0 */
/* switch-channel/ring_ops.h: geometry; a producer and a consumer that keep the rules; what a peer that does not can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch-channel/call.h"
#include "switch-channel/ring_ops.h"

#define PAGES 16u
#define ORDER 4u
#define ENTRIES (1u << ORDER)

static uint8_t
	*memory; /* exactly the channel's pages, so that the sanitizer sees an access beyond */
static struct nring_geometry geometry;
static struct nring_tx tx;
static struct nring_rx rx;
static uint32_t *ends;

static int set_up(void **state)
{
	memory = aligned_alloc(NRING_PAGE, PAGES * NRING_PAGE);
	memset(memory, 0, PAGES * NRING_PAGE);
	assert_int_equal(nring_geometry(&geometry, PAGES, 1, ORDER), 0);
	ends = calloc(geometry.entries, sizeof(*ends));
	memset(&tx, 0, sizeof(tx));
	memset(&rx, 0, sizeof(rx));
	nring_tx_start(&tx, memory, &geometry, 1, NRING_F_ALL, ends);
	nring_rx_start(&rx, memory, &geometry, 1, NRING_F_ALL);
	return 0;
}

static int tear_down(void **state)
{
	free(ends);
	free(memory);
	return 0;
}

/* --- geometry ------------------------------------------------------------------------------- */

static void geometry_stays_inside(void **state)
{
	struct nring_geometry g;
	unsigned int good = 0;

	for (uint32_t pages = NRING_PAGES_MIN; pages <= NRING_PAGES_MAX; pages += 7)
		for (uint32_t queues = 1; queues <= NRING_QUEUES_MAX; queues++)
			for (uint32_t order = NRING_ORDER_MIN; order <= NRING_ORDER_MAX; order++) {
				if (nring_geometry(&g, pages, queues, order))
					continue;
				uint64_t last = 2 * queues - 1, desc = 16ull << order;

				good++;
				assert_true(NRING_CONTROL +
						    2 * queues * sizeof(struct nring_control) <=
					    NRING_DESCRIPTORS);
				assert_true(NRING_DESCRIPTORS + (last + 1) * desc <= g.data_from);
				assert_true(g.data_from + (last + 1) * g.data <=
					    pages * (uint64_t)NRING_PAGE);
				assert_true(g.data <= NRING_PLACE_MASK);
				assert_int_equal(g.data % NRING_BLOCK + g.data_from % NRING_PAGE,
						 0);
				assert_true(g.frame_max <= g.data / 2 &&
					    g.frame_max <= NRING_FRAME_MAX);
			}
	assert_true(good > 10000);
}

static void geometry_of_the_text(void **state)
{
	struct nring_geometry g;

	assert_int_equal(nring_geometry(&g, 272, 1, 8), 0);
	assert_int_equal(g.data, 546816);
	assert_int_equal(g.frame_max, 65664);
	assert_int_equal(nring_geometry(&g, 16, 1, 4), 0);
	assert_int_equal(g.data, 24576);
	assert_int_equal(g.frame_max, 12288);
	assert_int_equal(NRING_PAGES_MAX, CHANNEL_PAGES_MAX);
}

static void geometry_out_of_bounds(void **state)
{
	static const uint32_t bad[][3] = {
		{0, 1, 4},         {15, 1, 4},          {2049, 1, 4},  {UINT32_MAX, 1, 4},
		{0x100010, 1, 4},  {16, 0, 4},          {2048, 9, 4},  {2048, UINT32_MAX, 4},
		{2048, 0x8001, 4}, {16, 1, 3},          {2048, 1, 15}, {2048, 1, 32},
		{2048, 1, 36},     {16, 1, UINT32_MAX}, {16, 8, 4},    {16, 1, 14},
	};
	struct nring_geometry g = {.pages = 99};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(nring_geometry(&g, bad[i][0], bad[i][1], bad[i][2]),
				 NRING_BAD_GEOMETRY);
		assert_int_equal(g.pages, 99);
	}
}

/* --- frames --------------------------------------------------------------------------------- */

static bool send(uint32_t length, uint32_t seed)
{
	uint8_t *to = nring_reserve(&tx, length);

	if (!to)
		return false;
	assert_true(to >= nring_data_of(memory, &geometry, 1));
	assert_true(to + length <= nring_data_of(memory, &geometry, 1) + geometry.data);
	assert_int_equal((uintptr_t)to % NRING_ALIGN, 0);
	for (uint32_t i = 0; i < length; i++)
		to[i] = (uint8_t)(seed + i * 7);
	nring_commit(&tx, length, NULL);
	return true;
}

static bool receive(uint32_t length, uint32_t seed)
{
	struct nring_frame f;

	if (!nring_peek(&rx, &f))
		return false;
	assert_int_equal(f.length, length);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(((const uint8_t *)f.data)[i], (uint8_t)(seed + i * 7));
	nring_take(&rx);
	return true;
}

static uint64_t violations(const uint64_t *v)
{
	uint64_t sum = 0;

	for (int i = 0; i < NRING_VIOLATIONS; i++)
		sum += v[i];
	return sum;
}

/* Any sizes, any batches, both full and empty at times, and indices that pass 2^32. */
static void frames_arrive_in_order(void **state)
{
	uint32_t sent = 0, got = 0, lengths[64] = {0}, full = 0, empty = 0, largest = 0;

	tx.head = tx.published = tx.tail = rx.next = rx.ready = UINT32_MAX - 1000;
	nring_control_of(memory, 1)->produced.value = tx.head;
	nring_control_of(memory, 1)->consumed.value = tx.head;
	srandom(7);
	while (got < 20000) {
		for (long n = random() % 24; n > 0; n--) {
			long r = random();
			uint32_t length =
				14 +
				(uint32_t)(r % 8 ? r / 8 % 700 : r / 8 % (geometry.frame_max - 13));

			if (!send(length, sent)) {
				full++;
				break;
			}
			largest = length > largest ? length : largest;
			lengths[sent++ % 64] = length;
		}
		assert_true(sent - got <= ENTRIES);
		nring_publish(&tx);
		for (long n = random() % 24; n > 0; n--) {
			if (!receive(lengths[got % 64], got)) {
				assert_int_equal(got, sent);
				empty++;
				break;
			}
			got++;
		}
		nring_release(&rx);
	}
	assert_true(tx.head < 100000); /* it has passed 0 */
	assert_true(full > 100 && empty > 100 && largest > 12000);
	assert_int_equal(violations(tx.violations) + violations(rx.violations), 0);
}

static void nothing_before_publication(void **state)
{
	assert_true(send(60, 1));
	assert_false(receive(60, 1));
	nring_publish(&tx);
	assert_true(receive(60, 1));
	assert_false(receive(60, 1));
}

static void as_many_as_descriptors(void **state)
{
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_true(send(60, i));
	assert_false(send(60, 0));
	nring_publish(&tx);
	assert_true(receive(60, 0));
	assert_false(send(60, 0)); /* taken, not released */
	nring_release(&rx);
	assert_true(send(60, 99));
	assert_false(send(60, 0));
}

/* The largest frame fits into an empty ring wherever the last one ended. */
static void the_largest_frame(void **state)
{
	for (uint32_t first = 64; first <= geometry.frame_max; first += 64) {
		assert_true(send(first, 1));
		nring_publish(&tx);
		assert_true(receive(first, 1));
		nring_release(&rx);
		assert_true(send(geometry.frame_max, 2));
		nring_publish(&tx);
		assert_true(receive(geometry.frame_max, 2));
		nring_release(&rx);
	}
	assert_int_equal(violations(tx.violations) + violations(rx.violations), 0);
}

/* No byte of an outstanding frame is given out again: of a ring that wraps, with a consumer that lags. */
static void outstanding_frames_do_not_overlap(void **state)
{
	static uint8_t used[24576];
	uint32_t from[64], length[64], sent = 0, got = 0;

	assert_int_equal(geometry.data, sizeof(used));
	memset(used, 0, sizeof(used));
	srandom(3);
	for (int step = 0; step < 20000; step++) {
		uint32_t n = 14 + (uint32_t)random() % 4000;
		uint8_t *to = random() % 2 ? nring_reserve(&tx, n) : NULL;

		if (to) {
			uint32_t at = (uint32_t)(to - nring_data_of(memory, &geometry, 1));

			if (random() % 2) /* less than was reserved */
				n -= n / 2 - 7;
			for (uint32_t i = 0; i < n; i++)
				assert_int_equal(used[at + i]++, 0);
			from[sent % 64] = at;
			length[sent++ % 64] = n;
			nring_commit(&tx, n, NULL);
			nring_publish(&tx);
		} else if (got != sent) {
			assert_true(nring_peek(&rx, &(struct nring_frame){0}));
			memset(used + from[got % 64], 0, length[got % 64]);
			got++;
			nring_take(&rx);
			nring_release(&rx);
		}
	}
	assert_true(sent > 5000);
}

static void offloads_arrive(void **state)
{
	static const struct nring_vnet vnet = {
		NRING_NEEDS_CSUM, NRING_GSO_TCPV6 | NRING_GSO_ECN, 74, 1440, 54, 16};
	struct nring_frame f;

	assert_non_null(nring_reserve(&tx, 9000));
	nring_commit(&tx, 9000, &vnet);
	assert_non_null(nring_reserve(&tx, 60));
	nring_commit(&tx, 60, NULL);
	nring_publish(&tx);
	assert_true(nring_peek(&rx, &f));
	assert_int_equal(f.length, 9000);
	assert_memory_equal(&f.vnet, &vnet, sizeof(vnet));
	nring_take(&rx);
	assert_true(nring_peek(&rx, &f));
	assert_memory_equal(&f.vnet, &(struct nring_vnet){0}, sizeof(vnet));
}

/* --- a peer that breaks the rules ------------------------------------------------------------- */

struct offload_row {
	uint32_t features;
	struct nring_vnet vnet;
	bool good;
};

/* A frame of 100 bytes. */
static const struct offload_row offload_rows[] = {
	{NRING_F_ALL, {0, 0, 0, 0, 0, 0}, true},
	{NRING_F_ALL, {NRING_DATA_VALID, 0, 0, 0, 0, 0}, true},
	{0, {NRING_DATA_VALID, 0, 0, 0, 0, 0}, true},
	{NRING_F_ALL, {4, 0, 0, 0, 0, 0}, false},
	{NRING_F_ALL, {0x80, 0, 0, 0, 0, 0}, false},
	{NRING_F_ALL, {1, 0, 0, 0, 34, 16}, true},
	{0, {1, 0, 0, 0, 34, 16}, false},
	{NRING_F_ALL, {1, 0, 0, 0, 82, 16}, true},
	{NRING_F_ALL, {1, 0, 0, 0, 83, 16}, false},
	{NRING_F_ALL, {1, 0, 0, 0, 65535, 65535}, false},
	{NRING_F_ALL, {1, 1, 54, 1448, 34, 16}, true},
	{NRING_F_ALL, {1, 1, 100, 1, 34, 16}, true},
	{NRING_F_ALL, {1, 1, 101, 1, 34, 16}, false},
	{NRING_F_ALL, {1, 1, 54, 0, 34, 16}, false},
	{NRING_F_ALL, {0, 1, 54, 1448, 34, 16}, false},
	{NRING_F_CSUM, {1, 1, 54, 1448, 34, 16}, false},
	{NRING_F_CSUM | NRING_F_TSO4, {1, 1, 54, 1448, 34, 16}, true},
	{NRING_F_CSUM | NRING_F_TSO4, {1, 4, 54, 1448, 34, 16}, false},
	{NRING_F_CSUM | NRING_F_TSO6, {1, 4, 54, 1448, 34, 16}, true},
	{NRING_F_CSUM | NRING_F_TSO4, {1, 0x81, 54, 1448, 34, 16}, false},
	{NRING_F_CSUM | NRING_F_TSO4 | NRING_F_ECN, {1, 0x81, 54, 1448, 34, 16}, true},
	{NRING_F_ALL, {1, 5, 42, 1400, 34, 6}, true},
	{NRING_F_CSUM, {1, 5, 42, 1400, 34, 6}, false},
	{NRING_F_ALL, {1, 0x80, 54, 1448, 34, 16}, false},
	{NRING_F_ALL, {1, 2, 54, 1448, 34, 16}, false},
	{NRING_F_ALL, {1, 3, 54, 1448, 34, 16}, false},
	{NRING_F_ALL, {1, 0x7f, 54, 1448, 34, 16}, false},
};

static void offloads_that_cannot_be(void **state)
{
	struct nring_frame f;

	for (size_t i = 0; i < sizeof(offload_rows) / sizeof(*offload_rows); i++) {
		const struct offload_row *row = &offload_rows[i];
		uint64_t before = rx.violations[NRING_BAD_OFFLOAD];

		rx.features = row->features;
		assert_non_null(nring_reserve(&tx, 100));
		nring_commit(&tx, 100, &row->vnet);
		nring_publish(&tx);
		assert_int_equal(nring_peek(&rx, &f), row->good);
		assert_int_equal(rx.violations[NRING_BAD_OFFLOAD] - before, !row->good);
		if (row->good)
			nring_take(&rx);
		nring_release(&rx);
	}
}

/* What says nothing is not passed on. */
static void offloads_that_say_nothing(void **state)
{
	static const struct nring_vnet noise = {NRING_DATA_VALID, 0, 999, 999, 999, 999};
	struct nring_frame f;

	assert_non_null(nring_reserve(&tx, 100));
	nring_commit(&tx, 100, &noise);
	nring_publish(&tx);
	assert_true(nring_peek(&rx, &f));
	assert_memory_equal(&f.vnet, &(struct nring_vnet){.flags = NRING_DATA_VALID},
			    sizeof(f.vnet));
}

/* One descriptor of the peer's making, between two good ones. */
static int one_descriptor(uint64_t offset, uint64_t length)
{
	struct nring_frame f;
	int kind = 0;

	assert_true(send(60, 1));
	assert_non_null(nring_reserve(&tx, 60));
	nring_commit(&tx, 60, NULL);
	assert_true(send(61, 2));
	tx.desc[(tx.head - 2) & tx.mask] = (struct nring_desc){.place = offset | length << 32};
	nring_publish(&tx);
	assert_true(receive(60, 1));
	assert_true(nring_peek(&rx, &f));
	for (int i = 1; i < NRING_VIOLATIONS; i++)
		if (rx.violations[i])
			kind = i;
	assert_int_equal(f.length, kind ? 61 : length);
	if (!kind)
		nring_take(&rx);
	assert_true(receive(61, 2));
	nring_release(&rx);
	memset(rx.violations, 0, sizeof(rx.violations));
	return kind;
}

static void descriptors_that_point_elsewhere(void **state)
{
	uint64_t d = geometry.data, max = geometry.frame_max;

	assert_int_equal(one_descriptor(0, 14), 0);
	assert_int_equal(one_descriptor(0, 13), NRING_BAD_LENGTH);
	assert_int_equal(one_descriptor(0, 0), NRING_BAD_LENGTH);
	assert_int_equal(one_descriptor(0, max), 0);
	assert_int_equal(one_descriptor(0, max + 1), NRING_BAD_LENGTH);
	assert_int_equal(one_descriptor(0, 0xffffff), NRING_BAD_LENGTH);
	assert_int_equal(one_descriptor(d - 14, 14), 0);
	assert_int_equal(one_descriptor(d - 13, 14), NRING_BAD_PLACE);
	assert_int_equal(one_descriptor(d, 14), NRING_BAD_PLACE);
	assert_int_equal(one_descriptor(d - max, max), 0);
	assert_int_equal(one_descriptor(d - max + 1, max), NRING_BAD_PLACE);
	assert_int_equal(one_descriptor(0xffffff, max), NRING_BAD_PLACE);
}

/* What is left out is work, too, and bounded with the rest. */
static void bad_descriptors_are_bounded(void **state)
{
	struct nring_frame f;
	uint32_t left = 3;

	for (int i = 0; i < 6; i++)
		assert_true(send(60, 1));
	for (uint32_t i = 0; i < 5; i++)
		tx.desc[i] = (struct nring_desc){.place = 0};
	nring_publish(&tx);
	assert_false(nring_peek_within(&rx, &f, &left));
	assert_int_equal(left, 0);
	assert_int_equal(rx.next, 3);
	assert_int_equal(rx.violations[NRING_BAD_LENGTH], 3);
	assert_false(nring_rx_sleep(&rx)); /* there is more */
	left = 3;
	assert_true(nring_peek_within(&rx, &f, &left));
	assert_int_equal(left, 1);
	assert_int_equal(rx.violations[NRING_BAD_LENGTH], 5);
	assert_true(receive(60, 1));
}

static void produced_out_of_the_ring(void **state)
{
	struct nring_control *c = nring_control_of(memory, 1);
	static const uint32_t off[] = {ENTRIES + 1, 0x80000000, UINT32_MAX, UINT32_MAX - ENTRIES};

	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++) {
		c->produced.value = rx.next + off[i];
		assert_false(nring_peek(&rx, &(struct nring_frame){0}));
		assert_int_equal(rx.violations[NRING_BAD_INDEX], i + 1);
		assert_int_equal(rx.next, 0);
	}
	/* The rules are kept again: nothing was lost. */
	c->produced.value = 0;
	assert_true(send(60, 5));
	nring_publish(&tx);
	assert_true(receive(60, 5));
}

static void consumed_out_of_the_ring(void **state)
{
	struct nring_control *c = nring_control_of(memory, 1);

	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_true(send(60, i));
	c->consumed.value = 1; /* not published yet */
	assert_false(send(60, 0));
	assert_int_equal(tx.violations[NRING_BAD_INDEX], 1);
	nring_publish(&tx);
	c->consumed.value = ENTRIES + 1;
	assert_false(send(60, 0));
	assert_int_equal(tx.violations[NRING_BAD_INDEX], 2);
	c->consumed.value = 3;
	assert_true(send(60, 0));
	c->consumed.value = 2; /* backwards */
	assert_true(send(60, 0) && send(60, 0));
	assert_false(send(60, 0));
	assert_int_equal(tx.violations[NRING_BAD_INDEX], 3);
	assert_int_equal(tx.tail, 3);
}

/* --- sleeping ------------------------------------------------------------------------------- */

static void a_sleeping_consumer_is_rung_for_once(void **state)
{
	assert_false(nring_tx_bell(&tx));
	assert_true(nring_rx_sleep(&rx));
	assert_true(send(60, 1));
	nring_publish(&tx);
	assert_true(nring_tx_bell(&tx));
	assert_false(nring_tx_bell(&tx));
	nring_rx_wake(&rx);
	assert_false(nring_tx_bell(&tx));
	assert_false(nring_rx_sleep(&rx)); /* there is something */
	assert_false(nring_tx_bell(&tx));
	assert_true(receive(60, 1));
	assert_true(nring_rx_sleep(&rx));
	assert_true(nring_tx_bell(&tx));
}

static void a_sleeping_producer_is_rung_for_once(void **state)
{
	assert_false(nring_tx_sleep(&tx, 60)); /* there is room */
	while (send(60, 1))
		;
	nring_publish(&tx);
	assert_true(nring_tx_sleep(&tx, 60));
	assert_true(receive(60, 1));
	nring_release(&rx);
	assert_true(nring_rx_bell(&rx));
	assert_false(nring_rx_bell(&rx));
	nring_tx_wake(&tx);
	assert_true(send(60, 2));
}

static void nobody_looks_without_the_feature(void **state)
{
	nring_tx_start(&tx, memory, &geometry, 1, NRING_F_ALL & ~NRING_F_SLEEP, ends);
	nring_rx_start(&rx, memory, &geometry, 1, NRING_F_ALL & ~NRING_F_SLEEP);
	nring_control_of(memory, 1)->consumer_sleep.value = 1;
	nring_control_of(memory, 1)->producer_sleep.value = 1;
	assert_false(nring_tx_bell(&tx) || nring_rx_bell(&rx));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometry_stays_inside),
		cmocka_unit_test(geometry_of_the_text),
		cmocka_unit_test(geometry_out_of_bounds),
		TEST(frames_arrive_in_order),
		TEST(nothing_before_publication),
		TEST(as_many_as_descriptors),
		TEST(the_largest_frame),
		TEST(outstanding_frames_do_not_overlap),
		TEST(offloads_arrive),
		TEST(offloads_that_cannot_be),
		TEST(offloads_that_say_nothing),
		TEST(descriptors_that_point_elsewhere),
		TEST(bad_descriptors_are_bounded),
		TEST(produced_out_of_the_ring),
		TEST(consumed_out_of_the_ring),
		TEST(a_sleeping_consumer_is_rung_for_once),
		TEST(a_sleeping_producer_is_rung_for_once),
		TEST(nobody_looks_without_the_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
