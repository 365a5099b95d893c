/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/work.h"

#include <pthread.h>
#include <stddef.h>

#define THREADS_MAX 128u

static struct work *first, **last = &first;
static pthread_t thread[THREADS_MAX];
static unsigned int threads;
static bool stopping;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static struct work *get(void)
{
	struct work *w;

	pthread_mutex_lock(&lock);
	while (!first && !stopping)
		pthread_cond_wait(&more, &lock);
	w = first;
	if (w) {
		first = w->next;
		if (!first)
			last = &first;
	}
	pthread_mutex_unlock(&lock);
	return w;
}

static void *work(void *arg)
{
	for (struct work *w = get(); w; w = get())
		w->fn(w);
	return NULL;
}

int work_start(unsigned int n)
{
	while (threads < n && threads < THREADS_MAX) {
		if (pthread_create(&thread[threads], NULL, work, NULL))
			return -1;
		threads++;
	}
	return 0;
}

bool work_put(struct work *w)
{
	bool ok;

	pthread_mutex_lock(&lock);
	ok = !stopping;
	if (ok) {
		w->next = NULL;
		*last = w;
		last = &w->next;
		pthread_cond_signal(&more);
	}
	pthread_mutex_unlock(&lock);
	return ok;
}

void work_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
	while (threads)
		pthread_join(thread[--threads], NULL);
}
