/* SPDX-License-Identifier: Apache-2.0 */
/*
 * liar FILE|--guest SERVICE MOVE..: offers a channel, in FILE or (in a guest, by nether-vif's device) to the host, and when the other side has
 * attached makes these moves, each seen to its end: says how many frames they were. Moves: good, ring (headers that the ring's rules exclude), kernel (such that
 * they do not, and Linux does), many=N (N frames of an impossible length), restless=N (N times BAD_EACH of these, and then a new epoch at once), stay
 * (until it is killed).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch-channel/call.h"
#include "switch-channel/lib/netherchan.h"
#include "switch-channel/linux/nether_channel.h"

#define PAGES 64u
#define LENGTH 60u
#define LOOK_US 20000
#define PATIENCE 3000 /* looks: a minute */
#define BAD_EACH 5

static struct netherchan *channel;
static void *memory;

static const struct nring_wish wish = {
	.features = NRING_F_ALL & ~(uint32_t)NRING_F_SLEEP,
	.mtu = 1500,
	.queues = 1,
	.order = 5,
};

/* To all; for local experiments. */
static const uint8_t ethernet[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
				   0,    0,    0,    0,    1,    0x88, 0xb5};

static const struct nring_vnet good[] = {
	{0},
	{.flags = NRING_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16},
	{.flags = NRING_DATA_VALID},
};

#define TCP .flags = NRING_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16
static const struct nring_vnet ring[] = {
	{.flags = 4},
	{.flags = 0x80},
	{.flags = NRING_NEEDS_CSUM, .csum_start = LENGTH - 1},
	{.flags = NRING_NEEDS_CSUM, .csum_offset = LENGTH - 1},
	{.flags = NRING_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
	{TCP, .gso_type = 2, .gso_size = 8, .hdr_len = 54},
	{TCP, .gso_type = 3, .gso_size = 8, .hdr_len = 42},
	{TCP, .gso_type = NRING_GSO_ECN, .gso_size = 8, .hdr_len = 54},
	{TCP, .gso_type = NRING_GSO_TCPV4, .gso_size = 0, .hdr_len = 54},
	{TCP, .gso_type = NRING_GSO_TCPV4, .gso_size = 8, .hdr_len = LENGTH + 1},
	{.gso_type = NRING_GSO_TCPV4, .gso_size = 8, .hdr_len = 54},
};

/* No room for TCP's header where the checksum begins. */
#define SHORT .flags = NRING_NEEDS_CSUM, .csum_start = LENGTH - 10, .gso_size = 8
static const struct nring_vnet kernel[] = {
	{SHORT, .gso_type = NRING_GSO_TCPV4},
	{SHORT, .gso_type = NRING_GSO_TCPV6},
	{SHORT, .gso_type = NRING_GSO_TCPV4 | NRING_GSO_ECN},
};

static void look(void)
{
	netherchan_look(channel, NRING_STATE_UP | NRING_STATE_CARRIER);
	usleep(LOOK_US);
}

/* Puts a frame into the ring, of another length than it has if `length` is; `last`: waits until it has been taken. */
static bool put(const struct nring_vnet *vnet, uint32_t length, bool last)
{
	struct nring_tx *tx = netherchan_tx(channel, 0);
	uint8_t *to = NULL;
	uint32_t head;

	for (int n = 0; n < PATIENCE && tx && !(to = nring_reserve(tx, LENGTH)); n++) {
		look();
		tx = netherchan_tx(channel, 0);
	}
	if (!to)
		return false;
	memset(to, 0, LENGTH);
	memcpy(to, ethernet, sizeof(ethernet));
	nring_commit(tx, length, vnet);
	nring_publish(tx);
	head = tx->head;
	for (int n = 0; last && n < PATIENCE; n++) {
		if (!tx || nring_load_acquire(&tx->control->consumed.value) == head)
			return true;
		look();
		tx = netherchan_tx(channel, 0);
	}
	return !last;
}

static bool put_all(const char *move, const struct nring_vnet *v, uint32_t n)
{
	printf("%s %u\n", move, n);
	for (uint32_t i = 0; i < n; i++)
		if (!put(&v[i], LENGTH, i == n - 1))
			return false;
	return true;
}

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static bool attached(void)
{
	for (int n = 0; n < PATIENCE && !netherchan_link(channel)->attached; n++)
		look();
	return netherchan_link(channel)->attached;
}

static bool restless(int times)
{
	int why;

	for (; times > 0; times--) {
		for (int n = 1; n <= BAD_EACH; n++)
			if (!put(&good[0], 1, n == BAD_EACH))
				return false;
		netherchan_close(channel);
		channel = netherchan_open(memory, PAGES, true, &wish, &why);
		if (!channel || !attached())
			return false;
	}
	return true;
}

static bool make(const char *move)
{
	if (!strcmp(move, "good"))
		return put_all(move, good, COUNT(good));
	if (!strcmp(move, "ring"))
		return put_all(move, ring, COUNT(ring));
	if (!strcmp(move, "kernel"))
		return put_all(move, kernel, COUNT(kernel));
	if (!strncmp(move, "many=", 5)) {
		/* The other side may end before it has them all. */
		for (int left = atoi(move + 5); left > 0 && put(&good[0], 1, left == 1); left--)
			;
		return true;
	}
	if (!strncmp(move, "restless=", 9))
		return restless(atoi(move + 9));
	while (!strcmp(move, "stay"))
		look();
	return false;
}

static void *map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint32_t pages;

	if (fd < 0 || ftruncate(fd, (off_t)PAGES * NRING_PAGE))
		return NULL;
	return netherchan_map_fd(fd, &pages);
}

/* The file stays open, as long as the program runs. */
static void *map_guest(const char *service)
{
	struct nether_channel_offer offer = {.peer = CHANNEL_PEER_HOST, .pages = PAGES};
	int fd = open("/dev/nether-channel", O_RDWR | O_CLOEXEC);
	void *base;

	memcpy(offer.service, service, strnlen(service, sizeof(offer.service)));
	if (fd < 0 || ioctl(fd, NETHER_CHANNEL_OFFER, &offer))
		return NULL;
	base = mmap(NULL, PAGES * NRING_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return base == MAP_FAILED ? NULL : base;
}

int main(int argc, char **argv)
{
	bool guest = argc > 2 && !strcmp(argv[1], "--guest");
	int why = 0;

	memory = argc < 3 ? NULL : guest ? map_guest(argv[2]) : map_file(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	channel = memory ? netherchan_open(memory, PAGES, true, &wish, &why) : NULL;
	if (!channel) {
		fprintf(stderr, "liar: no channel (%d): %m\n", why);
		return 1;
	}
	attached();
	for (int i = guest ? 3 : 2; i < argc; i++)
		if (!make(argv[i])) {
			fprintf(stderr, "liar: %s: not seen to its end\n", argv[i]);
			return 1;
		}
	netherchan_close(channel);
	return 0;
}
