/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may ask: token buckets, of fixed memory. */
#ifndef ATTEST_API_LIMITS_H
#define ATTEST_API_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct bucket {
	double level;
	uint64_t last; /* milliseconds; 0: never used */
};

/* Of a clock that only goes forward. */
uint64_t limits_now(void);
/* One request of rate per second, of which twice as many may come at once. */
bool bucket_take(struct bucket *b, uint64_t rate, uint64_t now);
/* The same by who asks: an IPv4 address, or the /64 of an IPv6 one. */
bool limits_address(const struct sockaddr *from, uint64_t rate);

#endif
