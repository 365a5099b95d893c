/* SPDX-License-Identifier: Apache-2.0 */
/* switch-channel/ring_attach.h: every way in which an epoch begins and ends. The monitor's part is played by memset(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch-channel/ring_attach.h"

#define PAGES 64u

static uint8_t *memory;
static struct nring_header *header;
static struct nring_link offerer, acceptor;
static const struct nring_wish wish = {
	.features = NRING_F_ALL, .mtu = 1500, .domid = 3, .queues = 2, .order = 5, .port = {7, 8}};

static int set_up(void **state)
{
	memory = aligned_alloc(NRING_PAGE, PAGES * NRING_PAGE);
	memset(memory, 0, PAGES * NRING_PAGE);
	header = (struct nring_header *)(void *)memory;
	assert_int_equal(nring_link_init(&offerer, memory, PAGES, true, &wish), 0);
	assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &wish), 0);
	return 0;
}

static int tear_down(void **state)
{
	free(memory);
	return 0;
}

static void attach(void)
{
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_START);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_START);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
	assert_true(offerer.attached && acceptor.attached);
	assert_int_equal(offerer.epoch, acceptor.epoch);
}

/* Indices as an epoch leaves them. */
static void use_rings(void)
{
	for (uint32_t ring = 0; ring < 4; ring++) {
		nring_control_of(memory, ring)->produced.value = 77;
		nring_control_of(memory, ring)->consumed.value = 77;
	}
}

static void rings_are_new(void)
{
	for (uint32_t ring = 0; ring < 4; ring++) {
		assert_int_equal(nring_control_of(memory, ring)->produced.value, 0);
		assert_int_equal(nring_control_of(memory, ring)->consumed.value, 0);
	}
}

static void both_know_the_same(void **state)
{
	struct nring_wish less = wish;

	less.features = NRING_F_CSUM | NRING_F_TSO4 | 1u << 30;
	less.mtu = 1400;
	less.domid = 9;
	assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &less), 0);
	attach();
	assert_int_equal(offerer.features, NRING_F_CSUM | NRING_F_TSO4);
	assert_int_equal(acceptor.features, NRING_F_CSUM | NRING_F_TSO4);
	assert_int_equal(offerer.mtu + acceptor.mtu, 2800);
	assert_memory_equal(&offerer.geometry, &acceptor.geometry, sizeof(offerer.geometry));
	assert_int_equal(offerer.peer_domid, 9);
	assert_int_equal(acceptor.peer_domid, 3);
	assert_int_equal(offerer.peer_port[1], 8);
}

static void states_and_heartbeats(void **state)
{
	attach();
	assert_int_equal(nring_link_peer(&offerer), 0);
	nring_link_look(&acceptor, NRING_STATE_UP | NRING_STATE_CARRIER);
	assert_int_equal(nring_link_peer(&offerer), NRING_STATE_UP | NRING_STATE_CARRIER);
	header->acceptor.state = ~0u;
	assert_int_equal(nring_link_peer(&offerer), NRING_STATE_UP | NRING_STATE_CARRIER);
	nring_link_look(&offerer, 0);
	assert_int_equal(offerer.silent, 0);
	nring_link_look(&offerer, 0);
	nring_link_look(&offerer, 0);
	assert_int_equal(offerer.silent, 2);
	nring_link_look(&acceptor, 0);
	nring_link_look(&offerer, 0);
	assert_int_equal(offerer.silent, 0);
}

/* The monitor zeroes all when an acceptor's guest is over, or closes. */
static void pages_are_zeroed(void **state)
{
	uint32_t epoch;

	attach();
	epoch = offerer.epoch;
	memset(memory, 0, PAGES * NRING_PAGE);
	use_rings(); /* what a side that has not noticed yet writes */
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
	nring_link_reset(&offerer);
	assert_int_not_equal(offerer.epoch, epoch);
	assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &wish), 0);
	attach();
	rings_are_new();
	assert_int_equal(offerer.epochs, 2);
}

/* The acceptor's view when the offerer has left: zeros that it alone writes to. */
/* The monitor was zeroing the header while the next offer was written into it. */
static void an_offer_is_zeroed_in_part(void **state)
{
	uint32_t *word = (uint32_t *)(void *)&header->offer;
	size_t words = offsetof(struct nring_offer, domid) / sizeof(*word) + 1;

	for (size_t i = 0; i < words; i++) {
		assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
		if (!word[i])
			continue;
		word[i] = 0;
		nring_link_look(&acceptor, 0);
		assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
		nring_link_reset(&offerer);
		if (acceptor.attached) {
			assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_END);
			nring_link_reset(&acceptor);
		}
		attach();
		assert_int_equal(offerer.mtu, wish.mtu);
		nring_link_reset(&acceptor);
		assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
		nring_link_reset(&offerer);
	}
}

static void offerer_is_over(void **state)
{
	attach();
	memset(memory, 0, PAGES * NRING_PAGE);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_END);
	nring_link_reset(&acceptor);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_peer(&acceptor), 0);
}

/* Pages that nobody zeroes: an acceptor that died without a word, and its successor. */
static void acceptor_dies_in_silence(void **state)
{
	attach();
	use_rings();
	assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &wish), 0);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
	nring_link_reset(&offerer);
	attach();
	rings_are_new();
}

/* The same before the offerer has noticed that there was one. */
static void acceptor_dies_unnoticed(void **state)
{
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_START);
	assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &wish), 0);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
	nring_link_reset(&offerer);
	attach();
}

static void acceptor_leaves(void **state)
{
	for (int noticed = 0; noticed < 2; noticed++) {
		if (noticed)
			attach();
		else
			nring_link_look(&acceptor, 0);
		use_rings();
		nring_link_close(&acceptor);
		assert_int_equal(nring_link_init(&acceptor, memory, PAGES, false, &wish), 0);
		assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
		assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
		nring_link_reset(&offerer);
		attach();
		rings_are_new();
		nring_link_reset(&offerer);
		nring_link_reset(&acceptor);
	}
}

static void acceptor_starts_anew(void **state)
{
	uint32_t epoch;

	attach();
	epoch = acceptor.epoch;
	nring_link_reset(&acceptor);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_END);
	nring_link_reset(&offerer);
	attach();
	assert_int_not_equal(acceptor.epoch, epoch);
}

static void offerer_starts_anew(void **state)
{
	attach();
	use_rings();
	assert_int_equal(nring_link_init(&offerer, memory, PAGES, true, &wish), 0);
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_END);
	nring_link_reset(&acceptor);
	attach();
	rings_are_new();
	nring_link_close(&offerer);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_END);
}

static void epochs_pass_zero(void **state)
{
	assert_int_equal(nring_epoch_after(UINT32_MAX, 0, 0), 1);
	assert_int_equal(nring_epoch_after(UINT32_MAX, 1, 2), 3);
	assert_int_equal(nring_epoch_after(4, 6, 5), 7);
}

static void wishes_that_cannot_be(void **state)
{
	struct nring_wish w = wish;
	struct nring_link link;
	uint8_t before[NRING_PAGE];

	memcpy(before, memory, NRING_PAGE);
	assert_int_equal(nring_link_init(&link, memory, 15, true, &w), NRING_BAD_GEOMETRY);
	assert_int_equal(nring_link_init(&link, memory, 15, false, &w), NRING_BAD_GEOMETRY);
	assert_int_equal(nring_link_init(&link, memory, 2049, false, &w), NRING_BAD_GEOMETRY);
	w.queues = 9;
	assert_int_equal(nring_link_init(&link, memory, PAGES, true, &w), NRING_BAD_GEOMETRY);
	w = wish;
	w.mtu = 67;
	assert_int_equal(nring_link_init(&link, memory, PAGES, true, &w), NRING_BAD_CONFIG);
	w.mtu = offerer.geometry.frame_max - NRING_MTU_EXTRA + 1;
	assert_int_equal(nring_link_init(&link, memory, PAGES, true, &w), NRING_BAD_CONFIG);
	w = wish;
	w.features = NRING_F_TSO4;
	assert_int_equal(nring_link_init(&link, memory, PAGES, true, &w), NRING_BAD_CONFIG);
	assert_memory_equal(before, memory, NRING_PAGE);
}

/* --- an offerer that lies -------------------------------------------------------------------- */

static void refused(int kind)
{
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(acceptor.violations[kind], 1);
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_int_equal(acceptor.violations[kind], 1); /* once for each epoch */
	assert_false(acceptor.attached);
	assert_int_equal(header->accept.refused, header->offer.epoch);
	assert_int_equal(header->accept.reason, kind);
	assert_int_equal(header->accept.epoch, 0);
	acceptor.violations[kind] = 0;
	nring_link_reset(&offerer);
}

static void offers_that_cannot_be(void **state)
{
	struct nring_offer *o = &header->offer;
	static const uint32_t numbers[] = {0, 9, 0x10000, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		o->version = numbers[i];
		refused(NRING_BAD_VERSION);
		o->pages = numbers[i];
		refused(NRING_BAD_GEOMETRY);
		o->queues = numbers[i];
		refused(NRING_BAD_GEOMETRY);
		o->mtu = i == 1 ? 67 : numbers[i];
		refused(NRING_BAD_CONFIG);
	}
	o->pages = PAGES - 1; /* fewer are there */
	refused(NRING_BAD_GEOMETRY);
	o->pages = PAGES + 1;
	refused(NRING_BAD_GEOMETRY);
	o->order = 3;
	refused(NRING_BAD_GEOMETRY);
	o->order = 15;
	refused(NRING_BAD_GEOMETRY);
	o->order = 32 + 4;
	refused(NRING_BAD_GEOMETRY);
	o->features = NRING_F_TSO6;
	refused(NRING_BAD_CONFIG);
	attach();
}

/* A least MTU is this side's own policy. */
static void an_mtu_below_the_wish(void **state)
{
	acceptor.wish.mtu_min = wish.mtu + 1;
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	/* An honest offerer does not start anew for ever. */
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
	assert_int_equal(acceptor.violations[NRING_BAD_CONFIG], 1);
	acceptor.violations[NRING_BAD_CONFIG] = 0;
	nring_link_reset(&offerer);
	acceptor.wish.mtu_min = 1280;
	header->offer.mtu = 1279;
	refused(NRING_BAD_CONFIG);
	attach();
	nring_link_reset(&offerer);
	nring_link_reset(&acceptor);
	acceptor.wish.mtu_min = 0;
	offerer.wish.mtu_min = 1280;
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_START);
	header->accept.mtu = 1279;
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
	assert_int_equal(offerer.violations[NRING_BAD_CONFIG], 1);
	header->accept.mtu = 1280;
	assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_START);
}

static void an_offer_of_epoch_zero(void **state)
{
	header->offer.epoch = 0;
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_false(acceptor.attached);
}

/* Once attached, an acceptor looks at no geometry any more. */
static void geometry_is_taken_once(void **state)
{
	struct nring_geometry before;

	attach();
	before = acceptor.geometry;
	header->offer.pages = 2048;
	header->offer.order = 14;
	header->offer.queues = 8;
	header->offer.features = 0;
	assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_NONE);
	assert_memory_equal(&before, &acceptor.geometry, sizeof(before));
	assert_int_equal(acceptor.features, NRING_F_ALL);
}

/* --- an acceptor that lies ------------------------------------------------------------------- */

static void acceptances_that_cannot_be(void **state)
{
	struct nring_accept *a = &header->accept;
	static const uint32_t features[] = {1u << 6, 1u << 31, NRING_F_TSO4, 0};
	static const uint32_t mtu[] = {1500, 1500, 1500, 67, 1501, UINT32_MAX, 0};

	for (size_t i = 0; i < sizeof(mtu) / sizeof(*mtu); i++) {
		assert_int_equal(nring_link_look(&acceptor, 0), NRING_LINK_START);
		a->features = features[i < 3 ? i : 3];
		a->mtu = mtu[i];
		assert_int_equal(nring_link_look(&offerer, 0), NRING_LINK_NONE);
		assert_false(offerer.attached);
		assert_int_equal(offerer.violations[NRING_BAD_CONFIG], i + 1);
		nring_link_reset(&offerer);
		nring_link_reset(&acceptor);
	}
	attach();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_know_the_same),
		TEST(states_and_heartbeats),
		TEST(pages_are_zeroed),
		TEST(offerer_is_over),
		TEST(acceptor_dies_in_silence),
		TEST(acceptor_dies_unnoticed),
		TEST(acceptor_leaves),
		TEST(acceptor_starts_anew),
		TEST(offerer_starts_anew),
		TEST(epochs_pass_zero),
		TEST(wishes_that_cannot_be),
		TEST(offers_that_cannot_be),
		TEST(an_offer_of_epoch_zero),
		TEST(geometry_is_taken_once),
		TEST(an_offer_is_zeroed_in_part),
		TEST(acceptances_that_cannot_be),
		TEST(an_mtu_below_the_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
