/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is connected, and until when he has time. The library's own time-out begins again with each byte; this one does
 * not.
 */
#ifndef ATTEST_API_CONNECTIONS_H
#define ATTEST_API_CONNECTIONS_H

#include <stdint.h>

struct connection;

/* NULL without memory. fd stays open until connection_end(). */
struct connection *connection_begin(int fd, uint64_t seconds);
/* So much from now on; 0: no end, while it is we who take the time. Takes NULL. */
void connection_time(struct connection *c, uint64_t seconds);
void connection_end(struct connection *c);
/* Shuts down those whose time is over. */
void connections_watch(void);

#endif
