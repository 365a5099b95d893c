/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS by libmicrohttpd: a thread for each connection, of which there are a limited number. */
#ifndef ATTEST_API_SERVER_H
#define ATTEST_API_SERVER_H

#include "attest/api/config.h"

/* The port it listens on, or -1 with a line that says why not. key and certificate are PEM. c stays. */
int server_start(const struct config *c, const char *key, const char *certificate);
/* Ends connections that take too long: to be called about once a second. */
void server_watch(void);
void server_stop(void);

#endif
