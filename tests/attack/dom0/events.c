/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that have the victim take an exception or interrupt that nobody has sent it. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <xen/hvm/dm_op.h>

#include "tests/attack/pattern.h"

/* Types as the processors have them (APM vol. 2, 15.20). */
enum { EXCEPTION = 3, SOFTWARE = 4 };

#define NO_ERROR (~0u)
#define MESSAGE_ADDRESS 0xfee00000u /* to local APIC 0 */
#define VECTOR_MC 18
#define SYSTEM_CALL 0x80 /* the victim has its gate for programs, as Linux has */

static void inject(struct world *w, uint8_t type, uint8_t vector, uint32_t error)
{
	if (xendevicemodel_inject_event(w->model, (domid_t)w->victim, 0, vector, type, error, 0,
					0x41000))
		return untried(w, errno, "injecting vector %u", vector);
	expect_sign(w, SIGN_EVENT, "a handler");
}

void inject_page_fault(struct world *w)
{
	inject(w, EXCEPTION, 14, 6);
}

void inject_double_fault(struct world *w)
{
	inject(w, EXCEPTION, 8, 0);
}

void inject_machine_check(struct world *w)
{
	inject(w, EXCEPTION, VECTOR_MC, NO_ERROR);
}

void inject_system_call(struct world *w)
{
	inject(w, SOFTWARE, SYSTEM_CALL, NO_ERROR);
}

static void message(struct world *w, uint32_t data)
{
	if (xendevicemodel_inject_msi(w->model, (domid_t)w->victim, MESSAGE_ADDRESS, data))
		return untried(w, errno, "sending message %#x", data);
	expect_sign(w, SIGN_EVENT, "a handler");
}

void message_system_call(struct world *w)
{
	message(w, SYSTEM_CALL);
}

/* For a handler of the processor's own exceptions it looks like one. */
void message_machine_check(struct world *w)
{
	message(w, VECTOR_MC);
}

void trigger_nmi(struct world *w)
{
	if (xc_domain_send_trigger(w->xc, w->victim, XEN_DOMCTL_SENDTRIGGER_NMI, 0))
		return untried(w, errno, "sending an NMI");
	expect_sign(w, SIGN_EVENT, "a handler");
}
