/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/ioreq.h"

#include <xen/hvm/ioreq.h>

#include "iodecrypt/mailbox.h"

static bool is_doorbell(const struct ioreq *r)
{
	return r->type == IOREQ_TYPE_PIO && r->dir == IOREQ_WRITE && !r->data_is_ptr &&
	       r->addr == MAILBOX_PORT && r->size == 4 && r->count == 1;
}

/*
 * Xen has READY written last, and waits for RESP_READY; between them the slot is ours. INPROCESS is for who looks on, or
 * takes over: lists are done twice without harm.
 */
bool ioreq_serve(struct ioreq *slot, ioreq_doorbell bell, void *context)
{
	struct ioreq r;

	if (slot->state != STATE_IOREQ_READY && slot->state != STATE_IOREQ_INPROCESS)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	r = *slot;
	__asm__ volatile("" ::: "memory"); /* nothing of it is read again */
	slot->state = STATE_IOREQ_INPROCESS;
	if (is_doorbell(&r))
		bell(context, (uint32_t)r.data);
	else if (r.type == IOREQ_TYPE_PIO && r.dir == IOREQ_READ && !r.data_is_ptr)
		slot->data = UINT64_MAX;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = STATE_IORESP_READY;
	return true;
}
