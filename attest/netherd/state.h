/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a netherd leaves for the next one of the same domain, if it is killed: the number of its I/O request
 * server, in a file of the state directory, which is locked as long as one runs.
 */
#ifndef ATTEST_NETHERD_STATE_H
#define ATTEST_NETHERD_STATE_H

#include <stdint.h>

#define STATE_IDENTITY_MAX 128

/*
 * A descriptor, or a negative errno: -EWOULDBLOCK if a netherd for this domain runs. Makes the directory (but
 * not those above).
 */
int state_open(const char *dir, uint16_t domid);

/*
 * identity is a text without white space that no other domain has, so that the number of one that had this domid
 * before is not used. 0, or -ENOENT: nothing is known of this domain.
 */
int state_read(int fd, const char *identity, uint16_t *server);
int state_write(int fd, const char *identity, uint16_t server);

/* The domain is over. */
void state_remove(const char *dir, uint16_t domid);

#endif
