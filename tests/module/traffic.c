/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that can be checked, through TCP or UDP: traffic recv tcp|udp|exact PORT COUNT [LONGEST], traffic send tcp|udp|exact ADDRESS PORT COUNT
 * [LONGEST].
 * TCP: COUNT bytes, each compared. UDP: COUNT datagrams of all lengths from 4 to LONGEST (1472), half of them short, each with its number;
 * the receiver ends at the last one, or after three seconds of silence (ten where there are long ones), and prints how many came. One that came is right to the byte, or the status is 1.
 * exact: the same datagrams, no more than WINDOW of them on their way; each must come, once, and in its order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHORT 1472u
#define LONG 65507u
#define WINDOW 256u
#define ACKNOWLEDGE (WINDOW / 4)

static uint32_t longest = SHORT;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The bytes from..from + count of the endless text `key`; from is a multiple of 8. */
static void fill(uint8_t *to, uint64_t key, uint64_t from, size_t count)
{
	for (size_t i = 0; i < count; i += 8) {
		uint64_t word = mix(key * 0x9e3779b97f4a7c15u + (from + i) / 8);

		memcpy(to + i, &word, count - i < 8 ? count - i : 8);
	}
}

static size_t length_of(uint32_t number)
{
	uint64_t random = mix(number + 1);

	return 4 + (random >> 1) % ((random & 1 ? longest : SHORT) - 3);
}

static int bound(int type, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, size = 8 << 20;
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	return fd;
}

static int receive_tcp(uint16_t port, uint64_t count)
{
	static uint8_t got[1 << 16], want[1 << 16];
	int listener = bound(SOCK_STREAM, port), fd;
	uint64_t done = 0;
	size_t have = 0;

	if (listen(listener, 1))
		die("listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	while (done < count) {
		ssize_t n = read(fd, got + have, sizeof(got) - have);

		if (n <= 0) {
			printf("ended after %" PRIu64 " bytes\n", done + have);
			return 1;
		}
		have += (size_t)n;
		if (have < sizeof(got) && done + have < count)
			continue;
		fill(want, 1, done, have);
		if (memcmp(got, want, have)) {
			printf("wrong bytes after %" PRIu64 "\n", done);
			return 1;
		}
		done += have;
		have = 0;
	}
	printf("%" PRIu64 " bytes are right\n", done);
	return 0;
}

/* The datagram `number` of n bytes; says what is wrong with it. */
static bool right(const uint8_t *got, ssize_t n, uint32_t number)
{
	static uint8_t want[LONG + 8];

	if (n < 4 || (size_t)n != length_of(number)) {
		printf("wrong length %zd, number %u\n", n, number);
		return false;
	}
	fill(want, number + 2, 0, (size_t)n);
	memcpy(want, &number, sizeof(number));
	if (memcmp(got, want, (size_t)n)) {
		printf("wrong bytes in number %u\n", number);
		return false;
	}
	return true;
}

/* A datagram of one byte asks how many have come; so do WINDOW / 4 others. */
static int receive_exact(uint16_t port, uint32_t count)
{
	static uint8_t got[LONG + 8];
	int fd = bound(SOCK_DGRAM, port);
	uint32_t next = 0, number;

	while (next < count) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &length);

		if (n < 0)
			die("recvfrom");
		if (n >= 4) {
			memcpy(&number, got, sizeof(number));
			if (number != next) {
				printf("number %u came for %u\n", number, next);
				return 1;
			}
			if (!right(got, n, next++))
				return 1;
		}
		if (n == 1 || next % ACKNOWLEDGE == 0 || next == count)
			sendto(fd, &next, sizeof(next), 0, (struct sockaddr *)&from, length);
	}
	printf("%u datagrams, each once, in order, and right\n", next);
	return 0;
}

static int receive_udp(uint16_t port, uint32_t count)
{
	static uint8_t got[LONG + 8];
	int fd = bound(SOCK_DGRAM, port);
	struct timeval patience = {.tv_sec = 60};
	uint32_t good = 0, number = 0;

	while (number + 1 != count) {
		ssize_t n;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		n = recv(fd, got, sizeof(got), 0);
		if (n < 0 && errno == EAGAIN)
			break;
		patience.tv_sec = longest > SHORT ? 10 : 3;
		memcpy(&number, got, sizeof(number));
		if (number >= count || !right(got, n, number))
			return 1;
		good++;
	}
	printf("%u of %u datagrams, all right\n", good, count);
	return 0;
}

static int outgoing(int type, const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die("socket");
	for (int i = 0; connect(fd, (struct sockaddr *)&to, sizeof(to)); i++) {
		if (i == 50)
			die("connect");
		usleep(100000);
	}
	return fd;
}

static int send_tcp(const char *address, uint16_t port, uint64_t count)
{
	static uint8_t out[1 << 16];
	int fd = outgoing(SOCK_STREAM, address, port);

	for (uint64_t done = 0; done < count;) {
		size_t n = count - done < sizeof(out) ? (size_t)(count - done) : sizeof(out);

		fill(out, 1, done, n);
		for (size_t sent = 0; sent < n;) {
			ssize_t one = write(fd, out + sent, n - sent);

			if (one <= 0)
				die("write");
			sent += (size_t)one;
		}
		done += n;
	}
	return 0;
}

static int send_udp(const char *address, uint16_t port, uint32_t count)
{
	static uint8_t out[LONG + 8];
	int fd = outgoing(SOCK_DGRAM, address, port);

	for (uint32_t number = 0; number < count; number++) {
		size_t n = length_of(number);

		fill(out, number + 2, 0, n);
		memcpy(out, &number, sizeof(number));
		while (send(fd, out, n, 0) < 0) {
			if (errno != ENOBUFS && errno != ECONNREFUSED)
				die("send");
			usleep(1000);
		}
	}
	return 0;
}

/* How many have come, as the receiver last said; false after a second without its word. */
static bool acknowledged(int fd, uint32_t *come)
{
	uint32_t word;

	if (recv(fd, &word, sizeof(word), 0) != (ssize_t)sizeof(word))
		return false;
	*come = word;
	return true;
}

static int send_exact(const char *address, uint16_t port, uint32_t count)
{
	static uint8_t out[LONG + 8];
	int fd = outgoing(SOCK_DGRAM, address, port), silent = 0;
	struct timeval second = {.tv_sec = 1};
	uint32_t come = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	do {
		if (silent++ == 30)
			die("no answer");
		send(fd, "", 1, 0);
	} while (!acknowledged(fd, &come));
	for (uint32_t number = 0; number < count || come < count;) {
		if (number < count && number - come < WINDOW) {
			size_t n = length_of(number);

			fill(out, number + 2, 0, n);
			memcpy(out, &number, sizeof(number));
			if (send(fd, out, n, 0) != (ssize_t)n)
				die("send");
			number++;
		} else if (acknowledged(fd, &come)) {
			silent = 0;
		} else if (silent++ == 30) {
			fprintf(stderr, "%u have come of %u that were sent\n", come, number);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool receives = argc > 1 && !strcmp(argv[1], "recv");
	bool tcp = argc > 2 && !strcmp(argv[2], "tcp");
	bool exact = argc > 2 && !strcmp(argv[2], "exact");
	int at = receives ? 3 : 4; /* of the port */
	uint16_t port;
	uint64_t count;

	if (argc < at + 2 || argc > at + 3 || (!receives && strcmp(argv[1], "send"))) {
		fprintf(stderr, "traffic recv tcp|udp|exact PORT COUNT [LONGEST] | "
				"send tcp|udp|exact ADDRESS PORT COUNT [LONGEST]\n");
		return 2;
	}
	port = (uint16_t)atoi(argv[at]);
	count = strtoull(argv[at + 1], NULL, 0);
	if (argc == at + 3)
		longest = (uint32_t)atoi(argv[at + 2]);
	if (longest < 4 || longest > LONG)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (tcp)
		return receives ? receive_tcp(port, count) : send_tcp(argv[3], port, count);
	if (exact)
		return receives ? receive_exact(port, (uint32_t)count)
				: send_exact(argv[3], port, (uint32_t)count);
	return receives ? receive_udp(port, (uint32_t)count)
			: send_udp(argv[3], port, (uint32_t)count);
}
