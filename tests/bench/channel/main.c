/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel rate WAY SIZE MILLISECONDS    two threads, each on a processor of its own: "WAY SIZE MEAN P99", Mpps in all, and what a hundredth of the
 *                                       milliseconds exceeded: on a busy machine, those in which nobody else had one of the two processors
 * channel alone WAY SIZE MILLISECONDS   the same by one thread, which sends and receives by turns: what the instructions cost
 * channel delay WAY SIZE ROUNDS         ping-pong: "WAY SIZE p50 p90 p99 p99.9" in nanoseconds of a round trip's half
 * channel list
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/channel/way.h"

#define WINDOW_NS 1000000u
#define WARM 50u      /* windows */
#define POOL 0x40000u /* bytes of private memory that frames come from, and go to */

static __thread uint8_t *pool;
static __thread uint32_t pool_at;
static const struct way *way;
uint32_t frame_size;

static uint64_t total; /* frames received in all windows */
static uint64_t rounds;
static bool alone; /* one thread */
static uint64_t *delays;

/* As long as the largest frame more: none of them wraps. */
static void *next_of_pool(void)
{
	void *p;

	if (!pool) {
		pool = aligned_alloc(4096, 2 * POOL);
		if (!pool)
			abort();
		memset(pool, 0x5a, 2 * POOL);
	}
	p = pool + pool_at;
	pool_at = (pool_at + ((frame_size + 63) & ~63u)) & (POOL - 1);
	return p;
}

void *next_source(void)
{
	return next_of_pool();
}

void *next_sink(void)
{
	return next_of_pool();
}

uint32_t frames_under_way(void)
{
	uint32_t n = AREA / ((frame_size + 63) & ~63u);

	return n < SLOTS ? n : SLOTS;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		fprintf(stderr, "no processor %d: the numbers are worth little\n", cpu);
}

static uint32_t batch(void)
{
	uint32_t n = frames_under_way() / 2;

	return n < BATCH ? n : BATCH;
}

static void *sender(void *arg)
{
	uint32_t n = batch();

	pin(1);
	for (;;)
		if (!way->send(0, n))
			__builtin_ia32_pause();
	return NULL;
}

/* Frames of each millisecond or so, as the receiver sees them. */
static void receive_windows(double *rate, uint32_t windows)
{
	uint64_t start = now(), count = 0, t;
	uint32_t n = batch(), filled = 0;

	while (filled < windows) {
		for (int i = 0; i < 16; i++) {
			uint32_t got;

			if (alone)
				way->send(0, n);
			got = way->receive(0, n);

			if (!got)
				__builtin_ia32_pause();
			count += got;
		}
		t = now();
		if (t - start >= WINDOW_NS) {
			rate[filled++] = (double)count * 1e3 / (double)(t - start);
			total += count;
			start = t;
			count = 0;
		}
	}
}

static int compare_rates(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int rate(uint64_t ms)
{
	double *windows = calloc(ms, sizeof(*windows));
	uint64_t start;
	pthread_t thread;

	if (!windows || (!alone && pthread_create(&thread, NULL, sender, NULL))) {
		free(windows);
		return 1;
	}
	pin(0);
	receive_windows(windows, ms < WARM ? (uint32_t)ms : WARM);
	total = 0;
	start = now();
	receive_windows(windows, (uint32_t)ms);
	printf("%s %u %.4f", way->name, frame_size, (double)total * 1e3 / (double)(now() - start));
	qsort(windows, ms, sizeof(*windows), compare_rates);
	printf(" %.4f\n", windows[ms * 99 / 100]);
	fflush(stdout);
	_Exit(0); /* the sender may be waiting in the kernel */
}

static void one(uint32_t (*what)(unsigned int direction, uint32_t n), unsigned int direction)
{
	while (!what(direction, 1))
		__builtin_ia32_pause();
}

static void *answer(void *arg)
{
	pin(1);
	for (uint64_t i = 0; i < rounds; i++) {
		one(way->receive, 0);
		one(way->send, 1);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int delay(void)
{
	static const double percentiles[] = {0.5, 0.9, 0.99, 0.999};
	pthread_t thread;

	delays = calloc(rounds, sizeof(*delays));
	if (!delays || pthread_create(&thread, NULL, answer, NULL))
		return 1;
	pin(0);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t start = now();

		one(way->send, 0);
		one(way->receive, 1);
		delays[i] = (now() - start) / 2;
	}
	qsort(delays, rounds, sizeof(*delays), compare);
	printf("%s %u", way->name, frame_size);
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(*percentiles); i++)
		printf(" %llu",
		       (unsigned long long)delays[(uint64_t)(percentiles[i] * (double)rounds)]);
	putchar('\n');
	fflush(stdout);
	_Exit(0);
}

int bench_main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (int i = 0; ways[i]; i++)
			printf("%s %u\n", ways[i]->name, ways[i]->largest);
		return 0;
	}
	if (argc != 5)
		return 2;
	for (int i = 0; ways[i]; i++)
		if (!strcmp(ways[i]->name, argv[2]))
			way = ways[i];
	frame_size = (uint32_t)strtoul(argv[3], NULL, 10);
	rounds = strtoull(argv[4], NULL, 10);
	if (!way || !rounds || frame_size < 64 || frame_size > way->largest ||
	    !way->open(frame_size)) {
		fprintf(stderr, "%s: cannot do that\n", argv[2]);
		return 1;
	}
	alone = !strcmp(argv[1], "alone");
	return alone || !strcmp(argv[1], "rate") ? rate(rounds) : delay();
}
