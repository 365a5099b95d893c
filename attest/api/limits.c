/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/limits.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* A set of WAYS addresses; of a full one the address that has been silent longest is forgotten. */
#define SETS 256u
#define WAYS 8u

static struct entry {
	uint64_t address;
	struct bucket bucket;
} table[SETS][WAYS];
static uint64_t salt;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t limits_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

bool bucket_take(struct bucket *b, uint64_t rate, uint64_t now)
{
	double most = 2.0 * (double)rate;

	if (now < b->last) /* the difference would be a very large number */
		now = b->last;
	if (b->last == 0)
		b->level = most;
	else
		b->level += (double)(now - b->last) * (double)rate / 1000;
	if (b->level > most)
		b->level = most;
	b->last = now;
	if (b->level < 1)
		return false;
	b->level -= 1;
	return true;
}

static uint64_t address_of(const struct sockaddr *from)
{
	uint64_t out = 0;

	if (from->sa_family == AF_INET) {
		memcpy(&out, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		const uint8_t *a =
			((const struct sockaddr_in6 *)(const void *)from)->sin6_addr.s6_addr;
		const struct in6_addr *a6 = (const struct in6_addr *)(const void *)a;

		memcpy(&out, IN6_IS_ADDR_V4MAPPED(a6) ? a + 12 : a,
		       IN6_IS_ADDR_V4MAPPED(a6) ? 4 : 8);
	}
	return out;
}

bool limits_address(const struct sockaddr *from, uint64_t rate)
{
	uint64_t address = address_of(from), now;
	struct entry *set, *e;
	bool ok;

	pthread_mutex_lock(&lock);
	now = limits_now(); /* not before: who waited would come with an older time than the last one's */
	if (!salt && RAND_bytes((unsigned char *)&salt, sizeof(salt)) != 1)
		salt = 1;
	set = table[((address ^ salt) * 0x9e3779b97f4a7c15u) >> 56];
	e = set;
	for (struct entry *i = set; i < set + WAYS; i++) {
		if (i->address == address && i->bucket.last) {
			e = i;
			break;
		}
		if (i->bucket.last < e->bucket.last)
			e = i;
	}
	if (e->address != address)
		*e = (struct entry){.address = address};
	ok = bucket_take(&e->bucket, rate, now);
	pthread_mutex_unlock(&lock);
	return ok;
}
