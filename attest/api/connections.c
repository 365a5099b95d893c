/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/connections.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "attest/api/limits.h"
#include "attest/api/metrics.h"

struct connection {
	struct connection *next, *prev;
	int fd;
	uint64_t until; /* milliseconds, 0: no end */
};

static struct connection *first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct connection *connection_begin(int fd, uint64_t seconds)
{
	struct connection *c = calloc(1, sizeof(*c));

	metrics_connections(1);
	if (!c)
		return NULL;
	c->fd = fd;
	c->until = limits_now() + seconds * 1000;
	pthread_mutex_lock(&lock);
	c->next = first;
	if (first)
		first->prev = c;
	first = c;
	pthread_mutex_unlock(&lock);
	return c;
}

void connection_time(struct connection *c, uint64_t seconds)
{
	if (!c)
		return;
	pthread_mutex_lock(&lock);
	c->until = seconds ? limits_now() + seconds * 1000 : 0;
	pthread_mutex_unlock(&lock);
}

void connection_end(struct connection *c)
{
	metrics_connections(-1);
	if (!c)
		return;
	pthread_mutex_lock(&lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&lock);
	free(c);
}

void connections_watch(void)
{
	uint64_t now = limits_now();

	pthread_mutex_lock(&lock);
	for (struct connection *c = first; c; c = c->next) {
		if (c->until && c->until < now) {
			shutdown(c->fd, SHUT_RDWR);
			metrics_cut();
			c->until = 0;
		}
	}
	pthread_mutex_unlock(&lock);
}
