/* SPDX-License-Identifier: Apache-2.0 */
/* What the victim comes out for while it has its secret in registers: the kinds of victim.h, as L1 sees them. */
#ifndef ATTACK_L1_EXITS_H
#define ATTACK_L1_EXITS_H

#include "tests/attack/l1/world.h"

struct hv_kind {
	const char *name; /* NULL: this vendor, or its emulator, has no such exit */
	uint64_t exit;
	uint8_t bytes; /* of the instruction, or 0: it is repeated */
};

/* hv.h has the vendors' own. */
extern const struct hv_kind hv_kinds[KIND_COUNT];

/* L1 asks for the exit. */
void hv_ask(struct guest *g, enum kind kind);

/* What is not in struct guest_regs: as L1 finds it after an exit, and as it leaves it. */
#define HV_SYSTEM 16
void hv_system(struct guest *g, uint64_t out[HV_SYSTEM], uint32_t class);
void hv_set_system(struct guest *g, uint32_t class);

/* The rest of its context, which the victim has a word of its own or of the secret in: CLASS_GDTR and so on. */
struct hv_context {
	uint64_t gdtr, idtr, cr3, rsp, rflags, dr6, dr7, cs;
};
void hv_context(const struct guest *g, struct hv_context *out);

/* All that the control structure says. */
bool hv_state_has_secret(const struct vm *vm);

/* The next entry delivers it: EVENT_* of the vendor, which both have alike. */
void hv_inject(struct guest *g, uint32_t event, uint32_t error);

/* RFLAGS.IF. Exceptions do not come out any more. */
void hv_set_interrupts(struct guest *g);
void hv_no_exceptions(struct guest *g);
/* L1 leaves all ports and MSRs to it. An MSR that L1 itself may not change, and the emulator has; or 0. */
void hv_open(struct guest *g);
extern const uint32_t hv_closed_msr;

/* Enters it so that an interrupt which waits comes first. */
void hv_enter_interruptible(struct vm *v);
extern const uint64_t hv_exit_interrupt, hv_exit_over;

/* The counter's offset. */
void hv_time_offset(struct guest *g, uint64_t offset);
/* RDTSC comes out. */
void hv_ask_time(struct guest *g);
#define HV_RDTSC_BYTES 2

/* The control structure, to be had again: for one, a copy of its page. */
void hv_snapshot(struct guest *g, void *page);
void hv_restore(struct guest *g, const void *page);

/* events.c: a victim with interrupts on that goes on when it is entered; whether it takes an event. */
struct vm *events_victim(void);
void events_judge(struct vm *v);

/* exits.c: a victim with its secret that does `kind` at its next entry, for which L1 has asked. */
struct vm *exits_victim(enum kind kind);

/* Which classes of registers L1 finds words of the secret in. */
uint32_t exits_look(struct vm *v);

#endif
