/* SPDX-License-Identifier: Apache-2.0 */
/* nether-port: a channel as a TAP device, for switches and hosts that know no channels. docs/channel.md, "User-space endpoints". */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "switch-channel/call.h"
#include "switch-channel/lib/netherchan.h"
#include "switch-channel/lib/xen/host.h"
#include "switch-channel/port/tap.h"

#define LOOK_MS 100
#define BURST 64
#define STATE (NRING_STATE_UP | NRING_STATE_CARRIER)

struct port {
	struct netherchan *channel;
	struct host_channel *host; /* NULL: a file */
	void *memory;
	uint32_t pages;
	const char *name;
	int tap;
	uint64_t to_tap, to_ring, lost; /* frames; lost: the kernel's errors */
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	stopping = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Without bells: bounded work in each round, and look for more in the next. */
static bool ring_to_tap(struct port *p, uint32_t queue)
{
	struct nring_rx *rx = netherchan_rx(p->channel, queue);
	struct nring_frame f;
	uint32_t before = rx->next;

	for (uint32_t left = BURST; left && nring_peek_within(rx, &f, &left); left--) {
		/* The kernel's copy is the one that is looked at; the header is ours already. */
		if (tap_write(p->tap, f.data, f.length, &f.vnet))
			p->to_tap++;
		else
			p->lost++;
		nring_take(rx);
	}
	if (rx->next == before)
		return false;
	nring_release(rx);
	return true;
}

static bool tap_to_ring(struct port *p)
{
	struct nring_tx *tx = netherchan_tx(p->channel, 0);
	uint32_t max = netherchan_link(p->channel)->geometry.frame_max, before = tx->head;

	for (int n = 0; n < BURST; n++) {
		struct nring_vnet vnet = {0};
		void *to = nring_reserve(tx, max);
		int length = to ? tap_read(p->tap, to, max, &vnet) : 0;

		if (!length)
			break;
		if (length < 0) {
			p->lost++;
			continue;
		}
		nring_commit(tx, (uint32_t)length, &vnet);
		p->to_ring++;
	}
	if (tx->head == before)
		return false;
	nring_publish(tx);
	return true;
}

static void look(struct port *p)
{
	enum nring_event event = netherchan_look(p->channel, STATE);
	const struct nring_link *link = netherchan_link(p->channel);

	if (event == NRING_LINK_START) {
		fprintf(stderr,
			"%s: attached: epoch %u, %u queues, MTU %u, features %#x, frames to %u\n",
			p->name, link->epoch, link->geometry.queues, link->mtu, link->features,
			link->geometry.frame_max);
		if (tap_offload(p->tap, link->features, link->geometry.frame_max) ||
		    tap_mtu(p->name, link->mtu))
			fprintf(stderr, "%s: offloads or MTU: %m\n", p->name);
	} else if (event == NRING_LINK_END) {
		fprintf(stderr, "%s: the other side has gone\n", p->name);
	}
	if (!link->attached && p->host && host_channel_left(p->host)) {
		fprintf(stderr, "%s: for good\n", p->name);
		stopping = 1;
	}
	tap_carrier(p->tap, nring_link_peer(link) == STATE);
}

static void run(struct port *p)
{
	struct netherchan_idle idle = {0};
	int64_t last = 0;

	while (!stopping) {
		bool worked = false;
		uint32_t us;

		if (now_ms() - last >= LOOK_MS) {
			last = now_ms();
			look(p);
		}
		for (uint32_t q = 0; netherchan_rx(p->channel, q); q++)
			worked = ring_to_tap(p, q) || worked;
		if (netherchan_tx(p->channel, 0))
			worked = tap_to_ring(p) || worked;
		us = netherchan_idle(&idle, worked);
		if (us) {
			struct pollfd fd = {.fd = p->tap,
					    .events = netherchan_tx(p->channel, 0) ? POLLIN : 0};
			struct timespec t = {.tv_nsec = us * 1000L};

			ppoll(&fd, 1, &t, NULL);
		}
	}
}

static void report(const struct port *p)
{
	struct netherchan_stats s;

	netherchan_stats(p->channel, &s);
	printf("to_tap %llu\nto_ring %llu\nlost %llu\nepochs %llu\n", (unsigned long long)p->to_tap,
	       (unsigned long long)p->to_ring, (unsigned long long)p->lost,
	       (unsigned long long)s.epochs);
	for (int kind = 1; kind < NRING_VIOLATIONS; kind++)
		printf("violations %d %llu\n", kind, (unsigned long long)s.violations[kind]);
}

/* The file's pages; with `wanted`, of a file that is made that long. */
static bool map_file(struct port *p, const char *path, uint32_t wanted)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (wanted ? O_CREAT : 0), 0600);

	if (fd >= 0 && (!wanted || !ftruncate(fd, (off_t)wanted * NRING_PAGE)))
		p->memory = netherchan_map_fd(fd, &p->pages);
	if (!p->memory)
		fprintf(stderr, "nether-port: %s: %m\n", path);
	if (fd >= 0)
		close(fd);
	return p->memory;
}

static bool map_guest(struct port *p, uint32_t domid, const char *id)
{
	const char *why = "not a channel's number";
	char *end;
	unsigned long long channel = strtoull(id, &end, 10);

	if (end != id && !*end)
		p->host =
			host_channel_accept((uint16_t)domid, channel, &p->memory, &p->pages, &why);
	if (!p->host)
		fprintf(stderr, "nether-port: %s: %s\n", id, why);
	return p->host;
}

static void unmap(struct port *p)
{
	if (p->host)
		host_channel_close(p->host, CHANNEL_REASON_CLOSED);
	else
		netherchan_unmap(p->memory, p->pages);
}

static int usage(void)
{
	fputs("usage: nether-port [OPTION..] [--offer PAGES] FILE TAP\n"
	      "       nether-port [OPTION..] --xen DOMAIN CHANNEL TAP\n"
	      "Bridges the channel in FILE with the device TAP, until it is told to end; then prints counts.\n"
	      "--offer makes FILE of so many pages, and offers the channel; otherwise it is accepted.\n"
	      "--xen, in dom0: the channel that a guest offers to the host, by Xen's number of the guest and the monitor's of the channel.\n"
	      "Options: --mtu N, --no-offload; of an offer: --queues N, --order N (log2 of a ring's descriptors).\n",
	      stderr);
	return 2;
}

struct choice {
	struct nring_wish wish;
	uint32_t offer; /* pages; 0: accept */
	uint32_t xen;   /* a domain; 0: a file */
};

static bool number(const char *text, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || !v || v > max)
		return false;
	*value = (uint32_t)v;
	return true;
}

static bool option(struct choice *choice, int c, const char *text)
{
	switch (c) {
	case 'o':
		return number(text, NRING_PAGES_MAX, &choice->offer);
	case 'x':
		return number(text, 0x7fef, &choice->xen); /* Xen's own numbers begin behind it */
	case 'q':
		return number(text, NRING_QUEUES_MAX, &choice->wish.queues);
	case 'r':
		return number(text, NRING_ORDER_MAX, &choice->wish.order);
	case 'm':
		return number(text, 65535, &choice->wish.mtu);
	case 'n':
		choice->wish.features = 0;
		return true;
	default:
		return false;
	}
}

static bool options(int argc, char **argv, struct choice *choice)
{
	static const struct option known[] = {{"offer", required_argument, NULL, 'o'},
					      {"xen", required_argument, NULL, 'x'},
					      {"queues", required_argument, NULL, 'q'},
					      {"order", required_argument, NULL, 'r'},
					      {"mtu", required_argument, NULL, 'm'},
					      {"no-offload", no_argument, NULL, 'n'},
					      {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!option(choice, c, optarg))
			return false;
	return argc - optind == 2 && !(choice->offer && choice->xen);
}

int main(int argc, char **argv)
{
	/* Nobody here hears bells: tap_features() has no F_SLEEP. */
	struct choice choice = {
		.wish = {.features = NRING_F_ALL, .mtu = 1500, .queues = 1, .order = 9}};
	struct sigaction action = {.sa_handler = stop};
	struct port port = {0};
	const char *where;
	int why;

	if (!options(argc, argv, &choice))
		return usage();
	where = argv[optind];
	port.name = argv[optind + 1];
	port.tap = tap_open(port.name);
	if (port.tap < 0) {
		fprintf(stderr, "nether-port: %s: %m\n", port.name);
		return 1;
	}
	choice.wish.features &= tap_features(port.tap);
	if (!(choice.xen ? map_guest(&port, choice.xen, where)
			 : map_file(&port, where, choice.offer)))
		return 1;
	port.channel =
		netherchan_open(port.memory, port.pages, choice.offer != 0, &choice.wish, &why);
	if (!port.channel) {
		fprintf(stderr, "nether-port: these pages cannot be such a channel (%d)\n", why);
		unmap(&port);
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	run(&port);
	report(&port);
	netherchan_close(port.channel); /* writes to the pages, for the last time */
	unmap(&port);
	close(port.tap);
	return 0;
}
