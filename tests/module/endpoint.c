/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's end of a channel, by /dev/nether-channel. endpoint pair: offers and accepts by itself, and has both mappings show the same
 * bytes. endpoint hostile SERVICE SECONDS: accepts an offer, attaches as the specification says, and then writes what it excludes.
 * hostile-offer [DIGEST]: the same of one who offers (to the guest with this launch digest; the pretended monitor's); he changes his offer, too.
 * endpoint silent SERVICE SECONDS [MTU]: the same, but does nothing then, up to the channel's end: its heart stands still.
 * Its last line says whether, and why, the other side has closed.
 * endpoint witness: keeps writing to a channel that it has with itself, until the guest's kernel is about to end; the rest is written to
 * the console.
 * endpoint restless SERVICE SECONDS: breaks rules in one epoch after the other, each of which it ends at once. 0: the other side has closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "switch-channel/call.h"
#include "switch-channel/linux/nether_channel.h"
#include "switch-channel/ring_attach.h"

#define CHECK(what)                                                                         \
	do {                                                                                \
		if (!(what)) {                                                              \
			printf("%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #what, errno); \
			exit(1);                                                            \
		}                                                                           \
	} while (0)

#define PAGE 4096u

static int device(void)
{
	int fd = open("/dev/nether-channel", O_RDWR);

	CHECK(fd >= 0);
	return fd;
}

static void *map(int fd, uint32_t pages)
{
	void *base = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(base != MAP_FAILED);
	return base;
}

/* Accepts the first offer of the service, and says how many pages it has. */
static uint32_t accept_offer(int fd, const char *service)
{
	struct nether_channel_pending pending = {.id = 0};
	struct nether_channel_accept accept = {.peer = CHANNEL_PEER_DIGEST};

	do
		CHECK(!ioctl(fd, NETHER_CHANNEL_PENDING, &pending));
	while (strncmp((char *)pending.service, service, sizeof(pending.service)) != 0);
	accept.id = pending.id;
	accept.pages = pending.pages;
	memcpy(accept.service, pending.service, sizeof(accept.service));
	memcpy(accept.identity, pending.digest, sizeof(accept.identity));
	CHECK(!ioctl(fd, NETHER_CHANNEL_ACCEPT, &accept));
	return pending.pages;
}

static int pair(void)
{
	struct nether_channel_offer offer = {.service = "pair",
					     .peer = CHANNEL_PEER_TENANT,
					     .pages = 100};
	struct nether_channel_status status;
	int offers = device(), accepts = device();
	uint8_t *one, *two;
	uint32_t reason = CHANNEL_REASON_OVER;

	memset(offer.identity, 0x22, sizeof(offer.identity));
	CHECK(ioctl(offers, NETHER_CHANNEL_STATUS, &status) && errno == ENOTCONN);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, offers, 0) == MAP_FAILED);
	offer.pages = CHANNEL_PAGES_MAX + 1;
	CHECK(ioctl(offers, NETHER_CHANNEL_OFFER, &offer) && errno == EINVAL);
	offer.pages = 100;
	CHECK(!ioctl(offers, NETHER_CHANNEL_OFFER, &offer) && offer.id);
	CHECK(ioctl(offers, NETHER_CHANNEL_OFFER, &offer) && errno == EBUSY);
	CHECK(accept_offer(accepts, "pair") == 100);
	CHECK(ioctl(offers, NETHER_CHANNEL_REASON, &reason) && errno == EINVAL);
	CHECK(mmap(NULL, 101 * PAGE, PROT_READ, MAP_SHARED, offers, 0) == MAP_FAILED);
	CHECK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, accepts, 99 * PAGE) == MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, offers, 0) == MAP_FAILED);
	one = map(offers, 100);
	two = map(accepts, 100);
	for (uint32_t i = 0; i < 100 * PAGE; i++) {
		CHECK(!one[i]);
		one[i] = (uint8_t)(i * 7 + i / PAGE);
	}
	for (uint32_t i = 0; i < 100 * PAGE; i++)
		CHECK(two[i] == (uint8_t)(i * 7 + i / PAGE));
	CHECK(!ioctl(offers, NETHER_CHANNEL_STATUS, &status) && status.id == offer.id);
	CHECK(status.state == CHANNEL_OPEN && status.accepted == 1 && status.pages == 100);
	/* A mapping keeps the channel: the file may go. */
	close(accepts);
	two[5] = 99;
	CHECK(one[5] == 99);
	munmap(two, 100 * PAGE);
	CHECK(!ioctl(offers, NETHER_CHANNEL_STATUS, &status) && status.state == CHANNEL_OFFERED);
	CHECK(!one[5] && !one[100 * PAGE - 1]);
	printf("a pair of endpoints works\n");
	return 0;
}

/* The pages are gone, and there are no others. */
static int say_end(int offers, int how)
{
	struct nether_channel_offer offer = {.service = "again",
					     .peer = CHANNEL_PEER_DIGEST,
					     .pages = 1};
	bool gone = WIFSIGNALED(how) && WTERMSIG(how) == SIGBUS;
	bool none = ioctl(offers, NETHER_CHANNEL_OFFER, &offer) && errno == EAGAIN;
	FILE *console = fopen("/dev/console", "w");

	CHECK(console);
	fprintf(console, "%s reboot-sigbus: status %d, %s\n", gone && none ? "ok" : "FAILED", how,
		none ? "no new channel" : "a new channel");
	return fclose(console);
}

static int witness(void)
{
	struct nether_channel_offer offer = {.service = "witness",
					     .peer = CHANNEL_PEER_DIGEST,
					     .pages = 16};
	int offers = device(), accepts = device(), how;
	volatile uint64_t *last;
	pid_t writer;

	memset(offer.identity, 0x11, sizeof(offer.identity));
	CHECK(!ioctl(offers, NETHER_CHANNEL_OFFER, &offer));
	CHECK(accept_offer(accepts, "witness") == 16);
	last = (uint64_t *)(void *)((uint8_t *)map(accepts, 16) + 15 * PAGE);
	printf("writes\n");
	writer = fork();
	CHECK(writer >= 0);
	if (!writer)
		for (;;)
			++*last;
	CHECK(waitpid(writer, &how, 0) == writer);
	return say_end(offers, how);
}

static uint64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static uint64_t random_word(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static bool attach(struct nring_link *link)
{
	for (int i = 0; i < 100; i++) {
		if (nring_link_look(link, NRING_STATE_UP | NRING_STATE_CARRIER) == NRING_LINK_START)
			return true;
		usleep(50000);
	}
	return false;
}

/* A descriptor in which nothing, one thing or all is wrong. */
static void lie_frame(struct nring_desc *d, const struct nring_geometry *g)
{
	static const uint8_t types[] = {0, 0, 1, 4, 5, 0x81, 0x84, 3};
	uint64_t r = random_word();
	uint64_t length =
		NRING_FRAME_MIN + (r >> 32) % (r & 1 ? 1500 : g->frame_max - NRING_FRAME_MIN);
	uint64_t offset = random_word() % (g->data - length);
	uint64_t header = 34 + random_word() % 64;

	if (r % 16 == 0)
		length = random_word() & NRING_PLACE_MASK;
	if (r % 16 == 1)
		offset = random_word() & NRING_PLACE_MASK;
	d->place = offset | (r >> 8 & (r % 16 == 2 ? 0xff : 3)) << 24 | length << 32 |
		   (uint64_t)types[r >> 16 & 7] << 56;
	d->offload = r % 8 == 3 ? random_word()
				: header | (random_word() & 0xfff) << 16 | header << 32 |
					  (r >> 24 & 7 ? 16ull : 6ull) << 48;
}

/* Frames by the dozen, which the kernel takes; now and then an index that cannot be. */
static void lie(struct nring_link *link)
{
	const struct nring_geometry *g = &link->geometry;
	uint32_t queue = (uint32_t)(random_word() % g->queues);
	uint32_t away = 2 * queue + !link->offerer, back = 2 * queue + link->offerer;
	struct nring_control *in = nring_control_of(link->header, back);
	struct nring_control *out = nring_control_of(link->header, away);
	struct nring_desc *desc = nring_desc_of(link->header, g, away);
	uint64_t *data = (uint64_t *)(void *)nring_data_of(link->header, g, away);
	uint32_t taken = nring_load(&out->consumed.value);
	uint32_t more = 1 + (uint32_t)(random_word() % 64);

	for (uint32_t i = 0; i < more; i++)
		lie_frame(&desc[(taken + i) % g->entries], g);
	for (int i = 0; i < 256; i++)
		data[random_word() % (g->data / 8)] = i % 2 ? random_word() : 0x0008000000450008u;
	nring_store_release(&out->produced.value, taken + more);
	nring_store(&in->consumer_sleep.value, (uint32_t)random_word());
	nring_store(&out->producer_sleep.value, (uint32_t)random_word());
	nring_store_release(&in->consumed.value, nring_load(&in->produced.value));
	if (random_word() % 512 == 0)
		nring_store_release(&out->produced.value, (uint32_t)random_word());
	if (random_word() % 512 == 0)
		nring_store_release(&in->consumed.value, (uint32_t)random_word());
}

static int begin(struct nring_link *link, const char *service, uint32_t mtu)
{
	struct nring_wish wish = {.features = NRING_F_ALL,
				  .mtu = mtu,
				  .domid = 7,
				  .port = {63, 63}};
	int fd = device();
	uint32_t pages = accept_offer(fd, service);

	CHECK(!nring_link_init(link, map(fd, pages), pages, false, &wish));
	CHECK(attach(link));
	return fd;
}

static int silent(const char *service, int time, uint32_t mtu)
{
	struct nring_link link;

	struct nether_channel_status status;
	int fd = begin(&link, service, mtu);
	uint64_t end = seconds() + (uint64_t)time;

	do {
		CHECK(!ioctl(fd, NETHER_CHANNEL_STATUS, &status));
		usleep(100000);
	} while (status.state != CHANNEL_LEFT && seconds() < end);
	printf("state %u, reason %u\n", status.state, status.reason);
	return 0;
}

/* A ring of descriptors that point nowhere, and when they have all been seen the end of the epoch: before the next tick. */
static void break_epoch(struct nring_link *link)
{
	const struct nring_geometry *g = &link->geometry;
	struct nring_control *out = nring_control_of(link->header, 1);
	struct nring_desc *desc = nring_desc_of(link->header, g, 1);

	for (uint32_t i = 0; i < g->entries; i++)
		desc[i].place = 0;
	nring_store_release(&out->produced.value, g->entries);
	for (int i = 0; i < 2000 && nring_load(&out->consumed.value) != g->entries; i++)
		usleep(500);
	nring_link_reset(link);
}

static int restless(const char *service, int time)
{
	uint64_t end = seconds() + (uint64_t)time, epochs = 0;
	struct nether_channel_status status;
	struct nring_link link;
	int fd = begin(&link, service, 1500);

	while (seconds() < end) {
		break_epoch(&link);
		epochs++;
		while (nring_link_look(&link, NRING_STATE_UP) != NRING_LINK_START) {
			CHECK(!ioctl(fd, NETHER_CHANNEL_STATUS, &status) && seconds() < end);
			if (status.state == CHANNEL_LEFT) {
				CHECK(status.reason == CHANNEL_REASON_VIOLATION);
				printf("closed after %llu epochs\n", (unsigned long long)epochs);
				return 0;
			}
			usleep(5000);
		}
	}
	return 1;
}

static void read_digest(const char *hex, uint8_t to[CHANNEL_IDENTITY])
{
	for (int i = 0; i < CHANNEL_IDENTITY; i++)
		CHECK(sscanf(hex + 2 * i, "%2hhx", &to[i]) == 1);
}

static void begin_offer(struct nring_link *link, const char *service, const char *digest)
{
	struct nring_wish wish = {.features = NRING_F_ALL, .mtu = 1500, .queues = 2, .order = 6};
	struct nether_channel_offer offer = {.peer = CHANNEL_PEER_DIGEST, .pages = 128};
	int fd = device();

	CHECK(strlen(service) <= sizeof(offer.service));
	memcpy(offer.service, service, strlen(service));
	memset(offer.identity, 0x11, sizeof(offer.identity));
	if (digest)
		read_digest(digest, offer.identity);
	CHECK(!ioctl(fd, NETHER_CHANNEL_OFFER, &offer));
	CHECK(!nring_link_init(link, map(fd, 128), 128, true, &wish));
	CHECK(attach(link));
}

/* An offer's numbers change at any time, and whole epochs with them. */
static void lie_offer(struct nring_link *link)
{
	struct nring_offer *o = &link->header->offer;
	uint32_t *fields[] = {&o->version,  &o->pages, &o->queues, &o->order,
			      &o->features, &o->mtu,   &o->domid};
	uint32_t *field = fields[random_word() % 7], old = *field;

	nring_store(field,
		    random_word() % 2 ? (uint32_t)random_word() : (uint32_t)random_word() % 16);
	nring_store_release(&o->epoch, (uint32_t)random_word());
	usleep((unsigned int)(random_word() % 300000));
	nring_store(field, old);
}

static int hostile(const char *service, int time, bool offers, const char *digest)
{
	struct nring_link link;
	uint64_t end, lies = 0;

	if (offers)
		begin_offer(&link, service, digest);
	else
		begin(&link, service, 65521);
	end = seconds() + (uint64_t)time;
	usleep(300000);
	while (seconds() < end) {
		lie(&link);
		usleep(100);
		if (++lies % 64 == 0) {
			link.header->acceptor.heartbeat++;
			link.header->offerer.heartbeat++;
			link.header->accept.reason = (uint32_t)random_word();
		}
		if (offers && lies % 256 == 0)
			lie_offer(&link);
	}
	printf("%llu lies\n", (unsigned long long)lies);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "pair"))
		return pair();
	if (argc == 2 && !strcmp(argv[1], "witness"))
		return witness();
	if (argc == 4 && !strcmp(argv[1], "hostile"))
		return hostile(argv[2], atoi(argv[3]), false, NULL);
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "hostile-offer"))
		return hostile(argv[2], atoi(argv[3]), true, argc == 5 ? argv[4] : NULL);
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "silent"))
		return silent(argv[2], atoi(argv[3]), argc == 5 ? (uint32_t)atoi(argv[4]) : 65521);
	if (argc == 4 && !strcmp(argv[1], "restless"))
		return restless(argv[2], atoi(argv[3]));
	fprintf(stderr,
		"endpoint pair | witness | hostile|hostile-offer|restless|silent SERVICE SECONDS [DIGEST|MTU]\n");
	return 2;
}
