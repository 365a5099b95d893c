/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS by libmicrohttpd: a few threads for all connections, and others that do what may take time (work.h). Not a thread
 * for each connection: GnuTLS keeps memory for every thread that there ever was.
 */
#ifndef ATTEST_API_SERVER_H
#define ATTEST_API_SERVER_H

#include "attest/api/config.h"

/* The port it listens on, or -1 with a line that says why not. key and certificate are PEM. c stays. */
int server_start(const struct config *c, const char *key, const char *certificate);
/* Ends connections that take too long: to be called about once a second. */
void server_watch(void);
void server_stop(void);

#endif
