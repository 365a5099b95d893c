/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak FRAMES [PAGES ORDER SEED]: two threads exchange frames both ways through a channel, FRAMES in all, of any size, in batches of any size. Each byte of
 * each frame is checked. Who has nothing to do sleeps until the other's bell, and a sleep that no bell ends although there is something is a failure.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch-channel/ring_attach.h"

#define BATCH 64u
#define WAIT_MS 10000

struct side {
	struct nring_link link;
	struct nring_tx tx;
	struct nring_rx rx;
	uint64_t to_send, to_get, sent, got, bytes, sleeps, bells, random;
	uint32_t *ends;
	uint8_t *copy;
	int bell, other_bell;
	const char *name;
};

/* Where a frame's length, fields and bytes come from: its number. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
	return x ^ x >> 29;
}

static uint64_t next_random(struct side *s)
{
	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return s->random >> 33;
}

static uint32_t length_of(const struct side *s, uint64_t number)
{
	uint64_t h = mix(number);
	uint32_t max =
		h & 0xff ? 1500 : s->link.geometry.frame_max; /* 1 of 256 as large as can be */

	if (h & 0x700)
		max = 200;
	return NRING_FRAME_MIN + (uint32_t)((h >> 16) % (max - NRING_FRAME_MIN + 1));
}

static struct nring_vnet vnet_of(uint64_t number)
{
	struct nring_vnet v = {0};

	if (number & 1) {
		v.flags = NRING_NEEDS_CSUM;
		v.csum_start = (uint16_t)(number % 7);
		v.csum_offset = (uint16_t)(number % 5);
	}
	return v;
}

static void die(const struct side *s, const char *what)
{
	fprintf(stderr, "soak: %s: %s (sent %llu, got %llu, head %u tail %u next %u ready %u)\n",
		s->name, what, (unsigned long long)s->sent, (unsigned long long)s->got, s->tx.head,
		s->tx.tail, s->rx.next, s->rx.ready);
	exit(1);
}

static void ring_bell(struct side *s)
{
	uint64_t one = 1;

	s->bells++;
	if (write(s->other_bell, &one, sizeof(one)) != sizeof(one))
		die(s, "eventfd");
}

static bool send_some(struct side *s)
{
	uint64_t n = 1 + next_random(s) % BATCH, left = s->to_send - s->sent;
	uint64_t before = s->sent;

	for (n = n < left ? n : left; n > 0; n--) {
		uint32_t length = length_of(s, s->sent);
		struct nring_vnet vnet = vnet_of(s->sent);
		uint64_t word = mix(s->sent + 1);
		uint8_t *to = nring_reserve(&s->tx, length);

		if (!to)
			break;
		for (uint32_t i = 0; i < length; i++)
			to[i] = (uint8_t)(word + i);
		nring_commit(&s->tx, length, vnet.flags ? &vnet : NULL);
		s->sent++;
	}
	if (s->sent == before)
		return false;
	nring_publish(&s->tx);
	if (nring_tx_bell(&s->tx))
		ring_bell(s);
	return true;
}

static void check(struct side *s, const struct nring_frame *f)
{
	struct nring_vnet vnet = vnet_of(s->got);
	uint8_t word = (uint8_t)mix(s->got + 1), wrong = 0;

	if (f->length != length_of(s, s->got))
		die(s, "a frame of another length");
	if (memcmp(&vnet, &f->vnet, sizeof(vnet)) != 0)
		die(s, "other offload fields");
	nring_copy_in(s->copy, f->data, f->length);
	for (uint32_t i = 0; i < f->length; i++)
		wrong |= s->copy[i] ^ (uint8_t)(word + i);
	if (wrong)
		die(s, "other bytes");
	s->bytes += f->length;
}

static bool receive_some(struct side *s)
{
	struct nring_frame f;
	uint64_t n = next_random(s) % BATCH, before = s->got;

	while (n-- > 0 && nring_peek(&s->rx, &f)) {
		check(s, &f);
		nring_take(&s->rx);
		s->got++;
	}
	if (s->got == before)
		return false;
	nring_release(&s->rx);
	if (nring_rx_bell(&s->rx))
		ring_bell(s);
	return true;
}

static void sleep_until_bell(struct side *s)
{
	bool sends = s->sent < s->to_send, receives = s->got < s->to_get;
	uint32_t length = length_of(s, s->sent);
	struct pollfd p = {.fd = s->bell, .events = POLLIN};
	uint64_t count;

	if (receives && !nring_rx_sleep(&s->rx))
		return;
	if (!sends || nring_tx_sleep(&s->tx, length)) {
		s->sleeps++;
		if (poll(&p, 1, WAIT_MS) != 1)
			die(s, "no bell");
		if (read(s->bell, &count, sizeof(count)) != sizeof(count))
			die(s, "eventfd");
		if (sends)
			nring_tx_wake(&s->tx);
	}
	if (receives)
		nring_rx_wake(&s->rx);
}

static void *run(void *arg)
{
	struct side *s = arg;
	enum nring_event event;

	while ((event = nring_link_look(&s->link, NRING_STATE_UP)) != NRING_LINK_START)
		if (event == NRING_LINK_END)
			die(s, "it ended before it began");
	s->ends = malloc(s->link.geometry.entries * sizeof(*s->ends));
	s->copy = malloc(s->link.geometry.frame_max);
	if (!s->ends || !s->copy)
		die(s, "no memory");
	nring_tx_start(&s->tx, s->link.header, &s->link.geometry, !s->link.offerer,
		       s->link.features, s->ends);
	nring_rx_start(&s->rx, s->link.header, &s->link.geometry, s->link.offerer,
		       s->link.features);
	for (unsigned int idle = 0; s->sent < s->to_send || s->got < s->to_get;) {
		bool busy = send_some(s);

		busy = receive_some(s) || busy;

		idle = busy ? 0 : idle + 1;
		if (idle > next_random(s) % 64) {
			sleep_until_bell(s);
			idle = 0;
		}
	}
	for (int i = 1; i < NRING_VIOLATIONS; i++)
		if (s->tx.violations[i] || s->rx.violations[i] || s->link.violations[i])
			die(s, "a violation was counted");
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t frames = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	uint32_t pages = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 64;
	struct nring_wish wish = {.features = NRING_F_ALL, .mtu = 1500, .queues = 1, .order = 6};
	static struct side side[2];
	pthread_t thread[2];
	uint8_t *memory = mmap(NULL, (size_t)pages * NRING_PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (argc > 3)
		wish.order = (uint32_t)strtoul(argv[3], NULL, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (int i = 0; i < 2; i++) {
		struct side *s = &side[i];

		s->name = i ? "acceptor" : "offerer";
		s->to_send = i ? frames / 2 : frames - frames / 2;
		s->to_get = frames - s->to_send;
		s->random = (argc > 4 ? strtoull(argv[4], NULL, 0) : 1) + (unsigned int)i;
		s->bell = eventfd(0, 0);
		if (s->bell < 0 || nring_link_init(&s->link, memory, pages, !i, &wish)) {
			fprintf(stderr, "soak: cannot begin\n");
			return 1;
		}
	}
	side[0].other_bell = side[1].bell;
	side[1].other_bell = side[0].bell;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, run, &side[i]))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("%llu frames, %llu bytes, %llu sleeps, %llu bells\n",
	       (unsigned long long)side[0].got + side[1].got,
	       (unsigned long long)side[0].bytes + side[1].bytes,
	       (unsigned long long)side[0].sleeps + side[1].sleeps,
	       (unsigned long long)side[0].bells + side[1].bells);
	return side[0].got + side[1].got == frames && side[0].sleeps + side[1].sleeps > 0 ? 0 : 1;
}
