/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two guests with a network run; the one serves, the other asks it.
 *   net serve                                 answers the others, for ever
 *   net stream ADDRESS BYTES COUNT IF         COUNT messages of BYTES each, one write() each, over TCP (TCP_NODELAY); the answer
 *                                             comes when all have arrived
 *   net datagram ADDRESS BYTES COUNT IF       the same as UDP datagrams; each BURST of them is answered before the next
 *   net turn ADDRESS BYTES COUNT IF           messages over TCP, each answered by one as long before the next
 * The last three set mark 0 (tests/bench/count.c) before the work and 1 after it, once the connection has warmed up, and print
 * "BYTES COUNT ticks packets-sent packets-received STATUS": ticks of the TSC, and what IF's driver counts as packets, which may be longer
 * than the wire's (segmentation offload).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 5000
#define LARGEST (64u << 10)
#define BURST 16u
#define WARM_BYTES (512u << 10)
#define UDP_BUFFER (8 << 20) /* bytes: a burst of the largest, as the kernel counts it */

enum how { STREAM, TURN };

/* What a connection's client says before each piece of work. */
struct order {
	uint32_t how, bytes, count;
};

struct reading {
	uint64_t ticks, sent, received;
};

static uint8_t buffer[LARGEST];

/* count.c's instruction */
static void mark(unsigned int n)
{
	if (n)
		__asm__ volatile("nopl 0x4e485401(%%rax,%%rax,1)" : : : "memory");
	else
		__asm__ volatile("nopl 0x4e485400(%%rax,%%rax,1)" : : : "memory");
}

static _Noreturn void fail(const char *what)
{
	printf("0 0 0 0 0 1\n");
	fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool read_all(int fd, void *p, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = read(fd, (uint8_t *)p + done, bytes - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const void *p, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(fd, (const uint8_t *)p + done, bytes - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	if (inet_pton(AF_INET, text, &at.sin_addr) != 1) {
		errno = EINVAL;
		fail(text);
	}
	return at;
}

static int make_socket(int type)
{
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0)
		fail("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	else
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){UDP_BUFFER}, sizeof(int));
	return fd;
}

/* --- the one that serves --------------------------------------------------------------------------------------- */

/* One piece of work; false when the client is gone. */
static bool obey(int fd)
{
	struct order order;
	uint64_t seen = 0;

	if (!read_all(fd, &order, sizeof(order)) || order.bytes > LARGEST)
		return false;
	if (order.how == TURN) {
		for (uint32_t i = 0; i < order.count; i++)
			if (!read_all(fd, buffer, order.bytes) ||
			    !write_all(fd, buffer, order.bytes))
				return false;
		return true;
	}
	for (uint64_t all = (uint64_t)order.bytes * order.count; seen < all;) {
		ssize_t n = read(fd, buffer, all - seen < LARGEST ? all - seen : LARGEST);

		if (n <= 0)
			return false;
		seen += (uint64_t)n;
	}
	return write_all(fd, &seen, sizeof(seen));
}

static void serve_connections(int fd)
{
	for (;;) {
		int client = accept(fd, NULL, NULL), one = 1;

		if (client < 0)
			continue;
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (obey(client))
			;
		close(client);
	}
}

/* The last of each burst is answered, by its number. */
static void serve_datagrams(int fd)
{
	struct sockaddr_in from;
	uint32_t number, got = 0;

	for (;;) {
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom(fd, buffer, LARGEST, 0, (struct sockaddr *)&from, &length);

		if (n < (ssize_t)sizeof(number))
			continue;
		memcpy(&number, buffer, sizeof(number));
		got = number % BURST ? got + 1 : 1;
		if (number % BURST == BURST - 1 && got == BURST)
			sendto(fd, &number, sizeof(number), 0, (struct sockaddr *)&from, length);
	}
}

static void serve(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int tcp = make_socket(SOCK_STREAM), udp = make_socket(SOCK_DGRAM);

	if (bind(tcp, (struct sockaddr *)&any, sizeof(any)) ||
	    bind(udp, (struct sockaddr *)&any, sizeof(any)) || listen(tcp, 4))
		fail("bind");
	if (fork() == 0)
		serve_datagrams(udp);
	serve_connections(tcp);
}

/* --- the one that asks ------------------------------------------------------------------------------------------ */

static uint64_t packets(const char *interface, const char *what)
{
	char path[128], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s_packets", interface, what);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		fail(path);
	fclose(f);
	return strtoull(text, NULL, 10);
}

static struct reading now(const char *interface)
{
	struct reading r = {__builtin_ia32_rdtsc(), packets(interface, "tx"),
			    packets(interface, "rx")};
	return r;
}

static void say(uint32_t bytes, uint32_t count, struct reading a, struct reading b)
{
	printf("%u %u %llu %llu %llu 0\n", bytes, count, (unsigned long long)(b.ticks - a.ticks),
	       (unsigned long long)(b.sent - a.sent),
	       (unsigned long long)(b.received - a.received));
}

/* One order, carried out; the connection remains. */
static void work(int fd, enum how how, uint32_t bytes, uint32_t count)
{
	struct order order = {how, bytes, count};
	uint64_t seen = 0;

	if (!write_all(fd, &order, sizeof(order)))
		fail("order");
	for (uint32_t i = 0; i < count; i++) {
		if (!write_all(fd, buffer, bytes))
			fail("write");
		if (how == TURN && !read_all(fd, buffer, bytes))
			fail("read");
	}
	if (how == STREAM &&
	    (!read_all(fd, &seen, sizeof(seen)) || seen != (uint64_t)bytes * count))
		fail("answer");
}

static void ask(enum how how, const char *to, uint32_t bytes, uint32_t count, const char *interface)
{
	struct sockaddr_in at = address_of(to);
	int fd = make_socket(SOCK_STREAM);
	struct reading before, after;

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		fail("connect");
	work(fd, how, how == STREAM ? LARGEST : bytes, how == STREAM ? WARM_BYTES / LARGEST : 4);
	before = now(interface);
	mark(0);
	work(fd, how, bytes, count);
	mark(1);
	after = now(interface);
	say(bytes, count, before, after);
}

static void burst(int fd, uint32_t bytes, uint32_t first)
{
	uint32_t number;

	for (uint32_t i = first; i < first + BURST; i++) {
		memcpy(buffer, &i, sizeof(i));
		if (write(fd, buffer, bytes) != (ssize_t)bytes)
			fail("write");
	}
	if (read(fd, &number, sizeof(number)) != sizeof(number) || number != first + BURST - 1)
		fail("a datagram was lost");
}

static void ask_datagrams(const char *to, uint32_t bytes, uint32_t count, const char *interface)
{
	struct sockaddr_in at = address_of(to);
	struct timeval patience = {.tv_sec = 20};
	int fd = make_socket(SOCK_DGRAM);
	struct reading before, after;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		fail("connect");
	burst(fd, bytes, 0);
	before = now(interface);
	mark(0);
	for (uint32_t i = 0; i < count; i += BURST)
		burst(fd, bytes, i);
	mark(1);
	after = now(interface);
	say(bytes, count, before, after);
}

int main(int argc, char **argv)
{
	unsigned long bytes = argc == 6 ? strtoul(argv[3], NULL, 10) : 0;
	unsigned long count = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;

	if (argc == 2 && !strcmp(argv[1], "serve"))
		serve();
	if (bytes < sizeof(uint32_t) || bytes > LARGEST || !count || count % BURST) {
		fprintf(stderr,
			"usage: net serve | net stream|datagram|turn ADDRESS BYTES COUNT IF\n");
		return 2;
	}
	if (!strcmp(argv[1], "stream"))
		ask(STREAM, argv[2], (uint32_t)bytes, (uint32_t)count, argv[5]);
	else if (!strcmp(argv[1], "turn"))
		ask(TURN, argv[2], (uint32_t)bytes, (uint32_t)count, argv[5]);
	else if (!strcmp(argv[1], "datagram"))
		ask_datagrams(argv[2], (uint32_t)bytes, (uint32_t)count, argv[5]);
	else
		return 2;
	return 0;
}
