/* SPDX-License-Identifier: Apache-2.0 */
/* nether-port: a channel as a TAP device, for switches and hosts that know no channels. docs/channel.md, "User-space endpoints". */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "switch-channel/call.h"
#include "switch-channel/lib/netherchan.h"
#include "switch-channel/lib/xen/claim.h"
#include "switch-channel/lib/xen/host.h"
#include "switch-channel/port/options.h"
#include "switch-channel/port/tap.h"

#define LOOK_MS 100
#define WAIT_MS 500    /* between two looks for an offer */
#define LEFT_LOOKS 10u /* of those at the link, between two questions to the monitor */
#define STALLED_LOOKS (NRING_STALLED_MS / LOOK_MS)
#define BURST 64
#define STATE (NRING_STATE_UP | NRING_STATE_CARRIER)

enum status { /* the program's */
	      STATUS_OK = 0,
	      STATUS_ERROR = 1,
	      STATUS_USAGE = 2,
	      STATUS_VIOLATIONS = 3,
};

enum end {
	END_NONE = 0, /* told to */
	END_LEFT,     /* the guest has closed it, or is over */
	END_VIOLATIONS,
};

struct port {
	const struct choice *choice;
	struct netherchan *channel;
	struct host_channel *host; /* NULL: a file */
	int claim;                 /* of host's */
	uint64_t id;               /* of host's */
	void *memory;
	uint32_t pages;
	int tap;
	enum end end;
	bool stalled;
	uint32_t alone;           /* looks at a link that is not attached */
	uint64_t channels;        /* of guests, up to now */
	uint64_t to_tap, to_ring; /* frames */
	uint64_t refused, lost;   /* by the kernel, for their headers; for other errors */
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
		if (!nring_link_goes_on(netherchan_link(p->channel)))
			break;
		/* The kernel's copy is the one that is looked at; the header is ours already. */
		switch (tap_write(p->tap, f.data, f.length, &f.vnet)) {
		case 0:
			p->to_tap++;
			break;
		case EINVAL: /* the ring's rules leave more open than the kernel does */
			p->refused++;
			break;
		default:
			p->lost++;
		}
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

static void start_epoch(struct port *p)
{
	const struct nring_link *link = netherchan_link(p->channel);
	const char *name = p->choice->tap;

	fprintf(stderr, "%s: attached: epoch %u, %u queues, MTU %u, features %#x, frames to %u\n",
		name, link->epoch, link->geometry.queues, link->mtu, link->features,
		link->geometry.frame_max);
	if (tap_offload(p->tap, link->features, link->geometry.frame_max) ||
	    tap_mtu(name, link->mtu))
		fprintf(stderr, "%s: offloads or MTU: %m\n", name);
}

/* A guest that only starts anew answers for what it did before. */
static void end_epoch(struct port *p)
{
	fprintf(stderr, "%s: the other side has gone\n", p->choice->tap);
	if (!p->host || !host_channel_left(p->host))
		netherchan_blame(p->channel);
}

static void check_heart(struct port *p, const struct nring_link *link)
{
	bool stalled = link->attached && link->silent >= STALLED_LOOKS;

	if (stalled && !p->stalled)
		fprintf(stderr, "%s: the other side has had no heartbeat for %u s\n",
			p->choice->tap, NRING_STALLED_MS / 1000);
	else if (p->stalled && !stalled && link->attached)
		fprintf(stderr, "%s: the other side is back\n", p->choice->tap);
	p->stalled = stalled;
}

static uint64_t violations(const struct port *p)
{
	struct netherchan_stats s;
	uint64_t all = 0;

	netherchan_stats(p->channel, &s);
	for (int kind = 1; kind < NRING_VIOLATIONS; kind++)
		all += s.violations[kind];
	return all;
}

static void look(struct port *p)
{
	enum nring_event event = netherchan_look(p->channel, STATE);
	const struct nring_link *link = netherchan_link(p->channel);
	const char *name = p->choice->tap;

	if (event == NRING_LINK_START)
		start_epoch(p);
	else if (event == NRING_LINK_END)
		end_epoch(p);
	check_heart(p, link);
	tap_carrier(p->tap, nring_link_peer(link) == STATE && !p->stalled);
	if (p->choice->violations && violations(p) > p->choice->violations) {
		fprintf(stderr,
			"%s: more than %" PRIu32 " violations of the ring's rules: closed\n", name,
			p->choice->violations);
		p->end = END_VIOLATIONS;
	}
	p->alone = link->attached ? 0 : p->alone + 1;
	if (!p->end && p->host && p->alone % LEFT_LOOKS == 1 && host_channel_left(p->host)) {
		fprintf(stderr, "%s: for good\n", name);
		p->end = END_LEFT;
	}
}

static void run(struct port *p)
{
	struct netherchan_idle idle = {.longest = p->choice->sleep};
	int64_t last = 0;

	while (!stopping && !p->end) {
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
	printf("to_tap %" PRIu64 "\nto_ring %" PRIu64 "\nrefused %" PRIu64 "\nlost %" PRIu64
	       "\nepochs %" PRIu64 "\n",
	       p->to_tap, p->to_ring, p->refused, p->lost, s.epochs);
	for (int kind = 1; kind < NRING_VIOLATIONS; kind++)
		printf("violations %d %" PRIu64 "\n", kind, s.violations[kind]);
	fflush(stdout);
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

static const char *why_no_claim(int error)
{
	switch (error) {
	case -EAGAIN:
		return "no such channel is offered to the host";
	case -EBUSY:
		return "another program has it";
	case -ESRCH:
		return "there is no such domain";
	case -ENODEV:
		return "there is no monitor, or another one";
	default:
		return strerror(-error);
	}
}

/* A guest's channel: 0, or a negative errno that has been told, but for those that it has told before: *told. */
static int map_guest(struct port *p, const char **told)
{
	uint16_t domid;
	const char *why;

	p->claim = host_domain(p->choice->domain, &domid);
	if (!p->claim)
		p->claim = host_channel_claim(domid, p->choice->service, &p->id);
	why = p->claim < 0 ? why_no_claim(p->claim) : NULL;
	if (!why)
		p->host = host_channel_accept(domid, p->id, &p->memory, &p->pages, &why);
	if (p->host) {
		fprintf(stderr, "%s: channel %" PRIu64 " of domain %s, %u\n", p->choice->tap, p->id,
			p->choice->domain, domid);
		p->channels++;
		return 0;
	}
	if (why != *told)
		fprintf(stderr, "nether-port: domain %s, %s: %s\n", p->choice->domain,
			p->choice->service ? p->choice->service : p->choice->where, why);
	*told = why;
	if (p->claim < 0)
		return p->claim;
	close(p->claim);
	return -EAGAIN;
}

static bool is_number(const char *text)
{
	return strspn(text, "0123456789") == strlen(text);
}

/* By its number: now. By its service: when there is one; of a domain by its name: when there is one, too. */
static bool wait_for_guest(struct port *p)
{
	const char *told = NULL;
	int err;

	tap_carrier(p->tap, false);
	while (!stopping) {
		err = map_guest(p, &told);
		if (!err)
			return true;
		if (!p->choice->service || (err != -EAGAIN && err != -EBUSY && err != -ESRCH))
			return false;
		if (err == -ESRCH && is_number(p->choice->domain))
			return false;
		poll(NULL, 0, WAIT_MS);
	}
	return false;
}

static void unmap(struct port *p)
{
	if (p->host) {
		host_channel_close(p->host, p->end == END_VIOLATIONS ? CHANNEL_REASON_VIOLATION
								     : CHANNEL_REASON_CLOSED);
		close(p->claim);
	} else {
		netherchan_unmap(p->memory, p->pages);
	}
	p->host = NULL;
	p->memory = NULL;
}

/* One channel, from its beginning to its end. */
static bool serve(struct port *p, const struct nring_wish *wish)
{
	bool opened;
	int why;

	p->end = END_NONE;
	p->stalled = false;
	p->alone = 0;
	if (!(p->choice->domain ? wait_for_guest(p)
				: map_file(p, p->choice->where, p->choice->offer)))
		return false;
	p->channel = netherchan_open(p->memory, p->pages, p->choice->offer != 0, wish, &why);
	opened = p->channel;
	if (opened) {
		run(p);
		report(p);
		netherchan_close(p->channel); /* writes to the pages, for the last time */
	} else {
		fprintf(stderr, "nether-port: these pages cannot be such a channel (%d)\n", why);
	}
	unmap(p);
	return opened;
}

static bool channel_number(const char *text, uint64_t *id)
{
	char *end;

	*id = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};
	struct choice choice;
	struct nring_wish wish;
	struct port port = {.choice = &choice};
	bool served;

	if (!options(argc, argv, &choice))
		return STATUS_USAGE;
	if (choice.domain && choice.where && !channel_number(choice.where, &port.id)) {
		fprintf(stderr, "nether-port: %s: not a channel's number\n", choice.where);
		return STATUS_USAGE;
	}
	port.tap = tap_open(choice.tap);
	if (port.tap < 0) {
		fprintf(stderr, "nether-port: %s: %m\n", choice.tap);
		return STATUS_ERROR;
	}
	wish = choice.wish;
	wish.features &= tap_features(port.tap);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	do
		served = serve(&port, &wish);
	while (served && port.end == END_LEFT && choice.service);
	close(port.tap);
	if (port.end == END_VIOLATIONS)
		return STATUS_VIOLATIONS;
	/* A domain that is over by now has not failed. */
	return served || stopping || port.channels ? STATUS_OK : STATUS_ERROR;
}
