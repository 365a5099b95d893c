/* SPDX-License-Identifier: Apache-2.0 */
/* Events that the victim does not expect. It has interrupts on, a gate for each vector, and 80h for programs. */
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/exits.h"

#define HOLD_BYTES 1u /* of its OUT */
#define VECTOR_DF 8u
#define VECTOR_PF 14u
#define VECTOR_MC 18u
#define SYSTEM_CALL 0x80u
#define ORDINARY 0x40u

/* A victim that has come out with interrupts on, and goes on behind its OUT. */
struct vm *events_victim(void)
{
	struct vm *v = victim_new();

	vm_tell(v, VICTIM_LISTEN, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_skip(&v->g, HOLD_BYTES);
	return v;
}

void events_judge(struct vm *v)
{
	enum came came = vm_enter(v);

	if (came == CAME_REFUSED)
		failed("it is not entered with the event");
	else if (came == CAME_SIGNAL && v->shared->reply)
		succeeded("it has taken the event");
	else
		failed("it has taken no event: exit 0x%x", v->exit);
}

/* That the filter lets something through is seen each time, too: a device's interrupt. */
static void inject(uint32_t event, uint32_t error)
{
	struct vm *v = events_victim();

	hv_inject(&v->g, EVENT_INTR | ORDINARY, 0);
	CHECK(vm_enter(v) == CAME_SIGNAL && v->shared->reply == 1,
	      "it does not take an interrupt: exit 0x%x", v->exit);
	vm_tell(v, VICTIM_LISTEN, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_skip(&v->g, HOLD_BYTES);
	hv_inject(&v->g, event, error);
	events_judge(v);
}

static void machine_check(void)
{
	inject(EVENT_EXCEPTION | VECTOR_MC, 0);
}

static void double_fault(void)
{
	inject(EVENT_EXCEPTION | EVENT_ERROR | VECTOR_DF, 0);
}

static void page_fault(void)
{
	inject(EVENT_EXCEPTION | EVENT_ERROR | VECTOR_PF, 6);
}

static void interrupt(void)
{
	inject(EVENT_INTR | SYSTEM_CALL, 0);
}

/* To the guest it looks like an exception. */
static void low_interrupt(void)
{
	inject(EVENT_INTR | VECTOR_MC, 0);
}

static void software(void)
{
	inject(EVENT_SOFT | SYSTEM_CALL, 0);
}

static void nmi(void)
{
	inject(EVENT_NMI | 2, 0);
}

static void next_out(struct vm *v)
{
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_skip(&v->g, HOLD_BYTES);
}

/* The victim takes NMIs, one after the other. */
static void nmi_in_nmi(void)
{
	struct vm *v = victim_new();
	enum came came;

	vm_tell(v, VICTIM_NMI, 0, 0);
	CHECK(vm_enter(v) == CAME_FAULT, "exit 0x%x", v->exit);
	hv_skip(&v->g, 2);
	for (unsigned i = 0; i < 2; i++) {
		next_out(v);
		hv_inject(&v->g, EVENT_NMI | 2, 0);
		next_out(v); /* the handler's */
	}
	hv_inject(&v->g, EVENT_NMI | 2, 0);
	came = vm_enter(v);
	if (came == CAME_REFUSED) {
		failed("it is not entered with an NMI inside of another's handler");
		return;
	}
	while (came == CAME_PORT) {
		hv_skip(&v->g, HOLD_BYTES);
		came = vm_enter(v);
	}
	if (came == CAME_SIGNAL && v->shared->reply)
		succeeded("its handler of NMIs was interrupted by an NMI");
	else
		failed("the NMI was not seen inside of another: exit 0x%x", v->exit);
}

/* The gate is there, and interrupts are off. */
static void closed(void)
{
	struct vm *v = victim_new();

	vm_tell(v, VICTIM_LISTEN, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_skip(&v->g, HOLD_BYTES);
	CHECK(vm_enter(v) == CAME_SIGNAL, "exit 0x%x", v->exit);
	vm_tell(v, VICTIM_COUNT, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_skip(&v->g, HOLD_BYTES);
	hv_set_interrupts(&v->g);
	hv_inject(&v->g, EVENT_INTR | ORDINARY, 0);
	if (vm_enter(v) == CAME_REFUSED)
		failed("it is not entered with the event");
	else
		succeeded("it took an interrupt with interrupts off");
}

const struct attack event_attacks[] = {
	{"inject-machine-check", machine_check},
	{"inject-double-fault", double_fault},
	{"inject-page-fault", page_fault},
	{"inject-interrupt", interrupt},
	{"inject-low-interrupt", low_interrupt},
	{"inject-software", software},
	{"inject-nmi", nmi},
	{"inject-nmi-in-nmi", nmi_in_nmi},
	{"inject-while-off", closed},
	{NULL, NULL},
};
