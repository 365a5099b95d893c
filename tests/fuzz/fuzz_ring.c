/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides of a channel against a peer that writes anything anywhere at any time: each load from shared memory may say something else
 * than the one before it. Input: a side, its wish, then steps; a load that lies takes its answer from the input too. The channel's pages, the private
 * copies and `ends` are allocations of exactly their size, for the address sanitizer; after each step, private state is what it may be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t answer(uint64_t real, unsigned int bytes);
#define nring_load(p) answer(__atomic_load_n(p, __ATOMIC_RELAXED), sizeof(*(p)))
#define nring_load_acquire(p) nring_load(p)
#include "switch-channel/ring_attach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())

static const uint8_t *input;
static size_t left;
static bool honest; /* nobody lies now */

static uint8_t *memory;
static struct nring_link link_, peer; /* ours; one that keeps the rules, at times */
static struct nring_tx tx;
static struct nring_rx rx;
static uint32_t *ends;
static uint8_t *copy; /* frame_max bytes */
static uint32_t sent;

static const struct nring_wish peer_wish = {.features = NRING_F_ALL,
					    .mtu = 68,
					    .queues = 1,
					    .order = 4};

static uint64_t take(unsigned int bytes)
{
	uint64_t v = 0;

	bytes = bytes < left ? bytes : (unsigned int)left;
	memcpy(&v, input, bytes);
	input += bytes;
	left -= bytes;
	return v;
}

static uint64_t answer(uint64_t real, unsigned int bytes)
{
	uint64_t how = honest ? 0 : take(1);

	if (how < 0x80)
		return real;
	if (how < 0xa0)
		return real + how - 0x90;
	if (how < 0xb0)
		return 0;
	return take(bytes);
}

/* --- what may be true of private state, whatever the peer does --------------------------------- */

static void check_geometry(void)
{
	const struct nring_geometry *g = &link_.geometry;
	uint32_t rings = 2 * g->queues;

	CHECK(g->queues >= 1 && g->queues <= NRING_QUEUES_MAX && g->pages == link_.pages);
	CHECK(g->entries >= 16 && g->entries <= 16384 && !(g->entries & (g->entries - 1)));
	CHECK(NRING_DESCRIPTORS + (uint64_t)rings * g->entries * 16 <= g->data_from);
	CHECK(g->data_from + (uint64_t)rings * g->data <= (uint64_t)link_.pages * NRING_PAGE);
	CHECK(g->frame_max >= NRING_MTU_MIN + NRING_MTU_EXTRA && g->frame_max <= g->data / 2);
	CHECK(!(link_.features & ~NRING_F_ALL) && !(link_.features & ~link_.wish.features));
	CHECK(link_.mtu >= NRING_MTU_MIN && link_.mtu <= link_.wish.mtu);
	CHECK(link_.mtu + NRING_MTU_EXTRA <= g->frame_max);
}

static void check_rings(void)
{
	uint32_t entries = link_.geometry.entries;

	CHECK(tx.head == sent && tx.head - tx.tail <= entries &&
	      tx.published - tx.tail <= tx.head - tx.tail);
	CHECK(tx.slots <= entries - (tx.head - tx.tail));
	CHECK(tx.size == link_.geometry.data && tx.at <= tx.size && tx.room <= tx.size - tx.at);
	CHECK(tx.tail_at <= tx.size && tx.mask == entries - 1 && tx.ends == ends);
	CHECK(tx.at >= tx.tail_at || tx.at + tx.room < tx.tail_at);
	CHECK(rx.ready - rx.next <= entries && rx.mask == entries - 1);
	CHECK(rx.size == link_.geometry.data && rx.frame_max == link_.geometry.frame_max);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void start(void)
{
	uint32_t ring = 2 * ((uint32_t)take(1) % link_.geometry.queues);

	check_geometry();
	free(ends);
	free(copy);
	ends = malloc(link_.geometry.entries * sizeof(*ends));
	copy = malloc(link_.geometry.frame_max);
	CHECK(ends && copy);
	memset(&tx, 0, sizeof(tx));
	memset(&rx, 0, sizeof(rx));
	nring_tx_start(&tx, memory, &link_.geometry, ring + !link_.offerer, link_.features, ends);
	nring_rx_start(&rx, memory, &link_.geometry, ring + link_.offerer, link_.features);
	sent = 0;
}

static void look(void)
{
	enum nring_event event = nring_link_look(&link_, (uint32_t)take(1));

	CHECK(!(nring_link_peer(&link_) & ~3u));
	if (event == NRING_LINK_START)
		start();
	else if (event == NRING_LINK_END)
		nring_link_reset(&link_);
}

static void send(void)
{
	uint32_t max = link_.geometry.frame_max;

	for (unsigned int n = (unsigned int)take(1) % 32; n > 0; n--) {
		uint32_t length = NRING_FRAME_MIN + (uint32_t)take(2) % (max - NRING_FRAME_MIN + 1);
		struct nring_vnet vnet = {.flags = (uint8_t)n, .hdr_len = 9};
		uint8_t *to = nring_reserve(&tx, length);

		if (!to)
			break;
		CHECK(to >= nring_data_of(memory, &link_.geometry, 0));
		memset(to, (int)n, length);
		nring_commit(&tx, length, n & 1 ? &vnet : NULL);
		sent++;
	}
	if (take(1) & 1)
		nring_publish(&tx);
	nring_tx_bell(&tx);
}

static void receive(void)
{
	struct nring_frame f;

	for (unsigned int n = (unsigned int)take(1) % 32; n > 0 && nring_peek(&rx, &f); n--) {
		CHECK(f.length >= NRING_FRAME_MIN && f.length <= rx.frame_max);
		nring_copy_in(copy, f.data, f.length);
		CHECK(!(f.vnet.flags & 1) ||
		      f.vnet.csum_start + f.vnet.csum_offset + 2u <= f.length);
		CHECK(!f.vnet.gso_type ||
		      (f.vnet.gso_size && f.vnet.hdr_len <= f.length && f.vnet.flags & 1));
		nring_take(&rx);
	}
	nring_release(&rx);
	nring_rx_bell(&rx);
}

static void sleep_(void)
{
	if (nring_rx_sleep(&rx))
		nring_rx_wake(&rx);
	if (nring_tx_sleep(&tx, 60))
		nring_tx_wake(&tx);
	CHECK(!(rx.sleep & 1) && !(tx.sleep & 1));
}

/* Descriptors that ours may look at, and an index to go with them. */
static void describe(void)
{
	uint32_t n = (uint32_t)take(1) % 8;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t place = take(2) | take(2) << 32, offload = 0;

		if (take(1) & 1) {
			place |= take(1) << 24 | take(1) << 56;
			offload = take(8);
		}
		memcpy((void *)(uintptr_t)&rx.desc[(rx.next + i) & rx.mask],
		       &(struct nring_desc){place, offload}, sizeof(struct nring_desc));
	}
	rx.control->produced.value = rx.next + n;
	tx.control->consumed.value = tx.tail + n;
}

static void scribble(void)
{
	uint32_t at = (uint32_t)take(4), bytes = (uint32_t)take(1) % 64;

	at %= take(1) & 1 ? link_.pages * NRING_PAGE : NRING_DESCRIPTORS + NRING_PAGE;
	for (; bytes > 0 && at < link_.pages * NRING_PAGE; bytes--)
		memory[at++] = (uint8_t)take(1);
}

/* A peer that keeps the rules has its turn. */
static void meet(void)
{
	honest = true;
	if (nring_link_look(&peer, NRING_STATE_UP) == NRING_LINK_END)
		nring_link_reset(&peer);
	honest = false;
}

/*
 * An honest peer comes, on pages that the monitor has zeroed if it is an acceptor; an offerer whose predecessor took its epoch's number may have
 * to start twice. The two find each other.
 */
static void recover(void)
{
	unsigned int looks = 0;

	honest = true;
	if (link_.offerer)
		memset(memory, 0, (size_t)link_.pages * NRING_PAGE);
	CHECK(!nring_link_init(&peer, memory, link_.pages, !link_.offerer, &peer_wish));
	link_.wish.features = NRING_F_ALL;
	link_.wish.mtu = 68;
	while (!(link_.attached && peer.attached && link_.epoch == peer.epoch)) {
		CHECK(looks++ < 10);
		if (looks == 5 && peer.offerer)
			nring_link_reset(&peer);
		look();
		if (nring_link_look(&peer, 0) == NRING_LINK_END)
			nring_link_reset(&peer);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t sizes[] = {16, 17, 20, 64};
	struct nring_wish wish = {.features = NRING_F_ALL};
	uint32_t pages;
	bool offerer;

	input = data;
	left = size;
	honest = true;
	offerer = take(1) & 1;
	pages = sizes[take(1) % 4];
	wish.queues = 1 + (uint32_t)take(1) % 9;
	wish.order = 4 + (uint32_t)take(1) % 12;
	wish.mtu = (uint32_t)take(2);
	if (take(1) & 1)
		wish.features = (uint32_t)take(4);
	memory = aligned_alloc(NRING_PAGE, (size_t)pages * NRING_PAGE);
	CHECK(memory);
	memset(memory, 0, (size_t)pages * NRING_PAGE);
	honest = false;
	if (nring_link_init(&link_, memory, pages, offerer, &wish)) {
		free(memory);
		return -1;
	}
	CHECK(!nring_link_init(&peer, memory, pages, !offerer, &peer_wish));
	while (left) {
		uint8_t step = (uint8_t)take(1) % 9;

		if (step == 0 || !link_.attached)
			look();
		if (step == 1)
			scribble();
		if (step == 8 || !link_.attached)
			meet();
		if (!link_.attached)
			continue;
		if (step == 2 || step == 3)
			send();
		if (step == 4 || step == 5)
			receive();
		if (step == 6)
			sleep_();
		if (step == 7)
			describe();
		check_rings();
	}
	recover();
	free(memory);
	free(ends);
	free(copy);
	ends = NULL;
	copy = NULL;
	return 0;
}
