/* SPDX-License-Identifier: Apache-2.0 */
/* The channel's ring; and what there is without: a copy alone, a pipe, a socket. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch-channel/ring_attach.h"
#include "tests/bench/channel/way.h"

#define PAGES 512u
#define ORDER 9u /* SLOTS */

/* Private memory of one thread each. */
static _Alignas(NRING_BLOCK) struct nring_tx tx[2];
static _Alignas(NRING_BLOCK) struct nring_rx rx[2];

static bool ring_open(uint32_t size)
{
	struct nring_geometry g;
	void *memory = mmap(NULL, PAGES * (size_t)NRING_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED || nring_geometry(&g, PAGES, 1, ORDER) || g.data != AREA)
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t *ends = calloc(g.entries, sizeof(*ends));

		if (!ends)
			return false;
		nring_tx_start(&tx[i], memory, &g, i, NRING_F_ALL & ~NRING_F_SLEEP, ends);
		nring_rx_start(&rx[i], memory, &g, i, NRING_F_ALL & ~NRING_F_SLEEP);
	}
	return true;
}

static uint32_t ring_send(unsigned int direction, uint32_t n)
{
	struct nring_tx *t = &tx[direction];
	uint32_t i;

	for (i = 0; i < n; i++) {
		void *to = nring_reserve(t, frame_size);

		if (!to)
			break;
		memcpy(to, next_source(), frame_size);
		nring_commit(t, frame_size, NULL);
	}
	if (i)
		nring_publish(t);
	return i;
}

static uint32_t ring_receive(unsigned int direction, uint32_t n)
{
	struct nring_rx *r = &rx[direction];
	struct nring_frame f;
	uint32_t i;

	for (i = 0; i < n && nring_peek(r, &f); i++) {
		nring_copy_in(next_sink(), f.data, f.length);
		nring_take(r);
	}
	if (i)
		nring_release(r);
	return i;
}

static void nothing(void)
{
}

static const struct way ring = {"ring", 65536, ring_open, ring_send, ring_receive, nothing};

/* --- one copy into the same memory, by the receiver's thread alone ----------------------------- */

static uint8_t *area;
static uint32_t area_at;

static bool copy_open(uint32_t size)
{
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
		    -1, 0);
	return area != MAP_FAILED;
}

static uint32_t copy_send(unsigned int direction, uint32_t n)
{
	return 0;
}

static uint32_t copy_receive(unsigned int direction, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		area_at = area_at + frame_size > AREA ? 0 : area_at;
		memcpy(area + area_at, next_source(), frame_size);
		area_at += (frame_size + 63) & ~63u;
	}
	return n;
}

static const struct way copy = {"memcpy", 65536, copy_open, copy_send, copy_receive, nothing};

/* --- the kernel's ------------------------------------------------------------------------------ */

static int fd[2][2]; /* of each direction: to read, to write */

static bool pipe_open(uint32_t size)
{
	for (int i = 0; i < 2; i++)
		if (pipe(fd[i]) || fcntl(fd[i][1], F_SETPIPE_SZ, 1 << 20) < 0)
			return false;
	return true;
}

static uint32_t kernel_send(unsigned int direction, uint32_t n)
{
	uint8_t *from = next_source();
	size_t sent = 0;

	while (sent < frame_size) {
		ssize_t part = write(fd[direction][1], from + sent, frame_size - sent);

		if (part <= 0)
			abort();
		sent += (size_t)part;
	}
	return 1;
}

static uint32_t kernel_receive(unsigned int direction, uint32_t n)
{
	uint8_t *to = next_sink();
	size_t got = 0;

	while (got < frame_size) {
		ssize_t part = read(fd[direction][0], to + got, frame_size - got);

		if (part <= 0)
			abort();
		got += (size_t)part;
	}
	return 1;
}

static const struct way pipe_ = {"pipe", 65536, pipe_open, kernel_send, kernel_receive, nothing};

static bool socket_open(uint32_t size)
{
	int space = AREA;

	for (int i = 0; i < 2; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd[i]) ||
		    setsockopt(fd[i][1], SOL_SOCKET, SO_SNDBUF, &space, sizeof(space)))
			return false;
	return true;
}

static const struct way socket_ = {"unix",      65536,          socket_open,
				   kernel_send, kernel_receive, nothing};

const struct way *const ways[] = {&copy, &pipe_, &socket_, &ring,
				  NULL}; /* then DPDK's: next to the ring */

int main(int argc, char **argv)
{
	return bench_main(argc, argv);
}
