/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/pool.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "iodecrypt/tool/progress.h"

#define TICK_NS 200000000L

void chunk_at(struct chunk *c, uint64_t sector, uint64_t sectors)
{
	uint64_t first = ALIGN_DOWN(sector, CHUNK_SECTORS), left = sectors - first;

	c->leaf = first / DISK_FANOUT;
	c->sectors = left < CHUNK_SECTORS ? (uint32_t)left : CHUNK_SECTORS;
}

uint32_t chunk_run(const struct chunk *c, enum have what, uint32_t *first)
{
	uint32_t end;

	while (*first < c->sectors && c->have[*first] != what)
		++*first;
	for (end = *first; end < c->sectors && c->have[end] == what;)
		end++;
	return end - *first;
}

static int take(struct pool *p, struct chunk *c)
{
	int status;

	pthread_mutex_lock(&p->lock);
	c->sectors = 0;
	status = p->status ? p->status : p->take(p, c);
	c->ticket = p->tickets++;
	if (!status && c->sectors)
		progress_at(chunk_sector(c) * DISK_SECTOR);
	pthread_mutex_unlock(&p->lock);
	return status;
}

static void *work(void *arg)
{
	struct chunk *c = calloc(1, sizeof(*c));
	struct pool *p = arg;
	int status = c ? STATUS_OK : fail(STATUS_ERROR, "out of memory");

	while (c && !status) {
		status = take(p, c);
		if (status || !c->sectors)
			break;
		status = p->work(p, c);
	}
	if (c)
		crypto_wipe(c, sizeof(*c));
	free(c);
	pthread_mutex_lock(&p->lock);
	if (!p->status)
		p->status = status;
	p->running--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void wait_for_all(struct pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	pthread_mutex_lock(&p->lock);
	while (p->running) {
		until.tv_nsec += TICK_NS;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		while (p->running && !pthread_cond_timedwait(&p->changed, &p->lock, &until))
			;
		progress_tick();
	}
	pthread_mutex_unlock(&p->lock);
}

int pool_run(struct pool *p, unsigned int threads)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread[THREADS_MAX];
	unsigned int n;

	threads = threads ? threads : cpus > 0 ? (unsigned int)cpus : 1;
	threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->tickets = p->turn = 0;
	p->status = STATUS_OK;
	p->running = threads;
	for (n = 0; n < threads; n++)
		if (pthread_create(&thread[n], NULL, work, p))
			break;
	pthread_mutex_lock(&p->lock);
	p->running -= threads - n;
	if (!n)
		p->status = fail(STATUS_ERROR, "no threads");
	pthread_mutex_unlock(&p->lock);
	wait_for_all(p);
	while (n--)
		pthread_join(thread[n], NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	return p->status;
}

bool pool_turn(struct pool *p, const struct chunk *c)
{
	bool mine;

	pthread_mutex_lock(&p->lock);
	while (p->turn != c->ticket && !p->status)
		pthread_cond_wait(&p->changed, &p->lock);
	mine = p->turn == c->ticket;
	pthread_mutex_unlock(&p->lock);
	return mine;
}

void pool_turned(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->turn++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}
