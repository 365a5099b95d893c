/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O request server that Xen has for a domain's MAILBOX_PORT. It outlives the process that made it, and another one of dom0 can
 * take it over: a processor that waits for it goes on waiting.
 */
#ifndef ATTEST_NETHERD_SERVER_H
#define ATTEST_NETHERD_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>

#include "attest/netherd/ioreq.h"
#include "attest/netherd/vm.h"

#define SERVER_VCPUS 128 /* that have a slot in one page */

struct server {
	struct vm *vm;
	xendevicemodel_handle *model;
	xenevtchn_handle *events;
	uint16_t id;
	struct ioreq *slot; /* of each virtual processor */
	unsigned int vcpus;
	int port[SERVER_VCPUS]; /* here, of its event channel */
};

/* 0 or a negative errno. */
int server_init(struct server *s, struct vm *vm);

/* Whether the domain has a server of dom0's by this number; then it is s's. Not, too: the domain is ending. */
bool server_find(struct server *s, uint16_t id);
/* A new one, which does not get requests yet. */
int server_create(struct server *s);
/* Xen gives it requests from now on; it may have one already if it was found. */
int server_enable(struct server *s);

/* Whether the domain is ending: Xen destroys the servers of one that is. */
bool server_gone(struct server *s);

/* To wait for with poll(); then one processor's request is done. */
int server_fd(const struct server *s);
void server_event(struct server *s, ioreq_doorbell bell, void *context);

#endif
