/* SPDX-License-Identifier: Apache-2.0 */
#define __XEN_TOOLS__ 1
#include "attest/netherd/server.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

#include "iodecrypt/mailbox.h"

_Static_assert(SERVER_VCPUS * sizeof(struct ioreq) == 4096, "a page");

int server_init(struct server *s, struct vm *vm)
{
	*s = (struct server){.vm = vm, .model = xendevicemodel_open(NULL, 0)};
	s->events = s->model ? xenevtchn_open(NULL, 0) : NULL;
	return s->events ? 0 : -errno;
}

/* Without asking for frames of the guest's, by which Xen would put its page there. */
static int info(struct server *s, uint16_t id)
{
	return xendevicemodel_get_ioreq_server_info(s->model, s->vm->domid, id, NULL, NULL, NULL)
		       ? -errno
		       : 0;
}

bool server_find(struct server *s, uint16_t id)
{
	s->id = id;
	return info(s, id) == 0;
}

bool server_gone(struct server *s)
{
	int err = info(s, s->id);

	return err == -ENOENT || err == -ESRCH;
}

int server_create(struct server *s)
{
	ioservid_t id;

	if (xendevicemodel_create_ioreq_server(s->model, s->vm->domid, HVM_IOREQSRV_BUFIOREQ_OFF,
					       &id))
		return -errno;
	s->id = id;
	return 0;
}

/*
 * In Xen each processor has its end of a channel; ours closed when the process before us ended. Binding makes an event
 * (xen/include/public/event_channel.h, EVTCHNOP_bind_interdomain), by which a request is found that waits already.
 */
static int bind_channels(struct server *s)
{
	for (s->vcpus = 0; s->vcpus < SERVER_VCPUS && s->slot[s->vcpus].vp_eport; s->vcpus++) {
		int port = xenevtchn_bind_interdomain(s->events, s->vm->domid,
						      s->slot[s->vcpus].vp_eport);

		if (port < 0)
			return -errno;
		s->port[s->vcpus] = port;
	}
	return s->vcpus ? 0 : -ENODEV;
}

int server_enable(struct server *s)
{
	void *page = NULL;

	if (!xenforeignmemory_map_resource(s->vm->memory, s->vm->domid,
					   XENMEM_resource_ioreq_server, s->id,
					   XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page,
					   PROT_READ | PROT_WRITE, 0))
		return -errno;
	s->slot = page;
	if (xendevicemodel_map_io_range_to_ioreq_server(s->model, s->vm->domid, s->id, 0,
							MAILBOX_PORT, MAILBOX_PORT + 3) &&
	    errno != EEXIST)
		return -errno;
	if (xendevicemodel_set_ioreq_server_state(s->model, s->vm->domid, s->id, 1))
		return -errno;
	return bind_channels(s);
}

int server_fd(const struct server *s)
{
	return xenevtchn_fd(s->events);
}

void server_event(struct server *s, ioreq_doorbell bell, void *context)
{
	int port = xenevtchn_pending(s->events);

	if (port < 0)
		return;
	xenevtchn_unmask(s->events, (evtchn_port_t)port);
	for (unsigned int i = 0; i < s->vcpus; i++) {
		if (s->port[i] == port && ioreq_serve(&s->slot[i], bell, context))
			xenevtchn_notify(s->events, (evtchn_port_t)port);
	}
}
