/* SPDX-License-Identifier: Apache-2.0 */
/*
 * litmus CASE ROUNDS: the two orders of memory that the ring rests on, with its own functions, in rounds in which two threads meet as
 * closely as they can. Prints how many rounds went wrong.
 *
 *   sleep    one publishes and looks for a sleeper; the other says that it sleeps and looks for frames. Wrong: neither sees the other.
 *   message  one writes a frame and publishes; the other, once it sees the index, looks at the frame. Wrong: it is an older one.
 *   early    as `message`, but publishes before it writes: what `message` must be able to see.
 *
 * Built a second time with a fence that is none (NO_FENCE), for which `sleep` goes wrong on every processor that has a store buffer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>

#ifdef NO_FENCE
#define nring_fence() __asm__ volatile("" : : : "memory")
#endif
#include "switch-channel/ring_attach.h"

#define PAGES 16u
#define ORDER 8u
#define SPINS 5000 /* before the processor is given up: the other thread may want it */

static _Alignas(NRING_PAGE) uint8_t memory[PAGES * NRING_PAGE];
static struct nring_geometry geometry;
static uint32_t ends[1u << ORDER];
static struct nring_tx tx;
static struct nring_rx rx;
static uint64_t rounds;
static const char *what;

/* Rounds that the first has begun, that the second has ended; each on a line of its own. */
static _Alignas(NRING_BLOCK) uint64_t begun;
static _Alignas(NRING_BLOCK) uint64_t ended;
static _Alignas(
	NRING_BLOCK) uint64_t looked; /* rounds in which the first has looked for a sleeper */
static bool rung;                     /* what it saw */

static void wait_for(const uint64_t *p, uint64_t value)
{
	for (unsigned int i = 0; __atomic_load_n(p, __ATOMIC_ACQUIRE) != value; i++)
		if (i % SPINS == SPINS - 1)
			sched_yield();
}

static void delay(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	for (uint64_t n = (*state >> 33) % 256; n > 0; n--)
		nring_barrier();
}

static void put(uint64_t round)
{
	uint64_t *frame = nring_reserve(&tx, 64);

	if (!frame)
		abort();
	if (what[0] == 'e') {
		nring_commit(&tx, 64, NULL);
		nring_publish(&tx);
		nring_barrier();
		__atomic_store_n(frame, round, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(frame, round, __ATOMIC_RELAXED);
		nring_commit(&tx, 64, NULL);
		nring_publish(&tx);
	}
	if (what[0] == 's') {
		rung = nring_tx_bell(&tx);
		__atomic_store_n(&looked, round, __ATOMIC_RELEASE);
	}
}

static void *first(void *arg)
{
	uint64_t random = 1;

	for (uint64_t i = 1; i <= rounds; i++) {
		__atomic_store_n(&begun, i, __ATOMIC_RELEASE);
		delay(&random);
		put(i);
		wait_for(&ended, i);
	}
	return NULL;
}

/* Whether this round went wrong. */
static bool message(uint64_t round)
{
	struct nring_frame f;

	for (unsigned int i = 0; !nring_peek(&rx, &f); i++)
		if (i % SPINS == SPINS - 1)
			sched_yield();
	return __atomic_load_n((const uint64_t *)f.data, __ATOMIC_RELAXED) != round;
}

static uint64_t second(void)
{
	uint64_t random = 2, wrong = 0, asleep = 0;
	struct nring_frame f;

	for (uint64_t i = 1; i <= rounds; i++) {
		bool slept = false;

		wait_for(&begun, i);
		delay(&random);
		if (what[0] == 's')
			slept = nring_rx_sleep(&rx);
		else
			wrong += message(i);
		while (!nring_peek(&rx, &f))
			sched_yield();
		nring_take(&rx);
		nring_release(&rx);
		if (slept) {
			wait_for(&looked, i);
			wrong += !rung;
			nring_rx_wake(&rx);
			asleep++;
		}
		__atomic_store_n(&ended, i, __ATOMIC_RELEASE);
	}
	printf("%s: %llu of %llu rounds went wrong", what, (unsigned long long)wrong,
	       (unsigned long long)rounds);
	printf(what[0] == 's' ? ", %llu slept\n" : "\n", (unsigned long long)asleep);
	return wrong;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 3)
		return 2;
	what = argv[1];
	rounds = strtoull(argv[2], NULL, 0);
	if (nring_geometry(&geometry, PAGES, 1, ORDER))
		return 2;
	nring_tx_start(&tx, memory, &geometry, 0, NRING_F_SLEEP, ends);
	nring_rx_start(&rx, memory, &geometry, 0, NRING_F_SLEEP);
	if (pthread_create(&thread, NULL, first, NULL))
		return 2;
	second();
	pthread_join(thread, NULL);
	return 0;
}
