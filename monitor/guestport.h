/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port accesses of an isolated HVM guest that its disks are behind, or that guestboot.h has: from the exit, by as many exits to L1 as
 * iodecrypt/ide.h wants, back to the guest. L1 sees port accesses only: the guest's own, others that the
 * monitor makes in its place, with the same processor of the guest's standing still meanwhile, and those to the
 * agent's port, by which the device model's neighbour in dom0 is called (iodecrypt/mailbox.h).
 */
#ifndef MONITOR_GUESTPORT_H
#define MONITOR_GUESTPORT_H

#include "ept/lock.h"
#include "iodecrypt/ahci.h"
#include "iodecrypt/ide.h"
#include "monitor/guestboot.h"

struct cpu;
struct disclosure;
struct guest;
struct guest_vcpu;
struct view;

/* Of a guest; in its record. Zeros: all drives are plain, and there is no lease. */
struct guest_disks {
	struct lock lock; /* taken with lock_take_relaxed(): windows are opened under it */
	struct ide ide;
	struct ahci ahci;
	struct guest_boot boot;
	uint64_t lease;     /* by uptime_ticks(); 0 or UINT64_MAX: none */
	bool has_tenant;    /* somebody released keys of its disks: */
	uint8_t tenant[32]; /* who */
};

/* Of one access; in the disclosure. */
struct guest_port {
	bool active; /* it is under way */
	bool asked; /* L1 gets op.ask, a port access, in the place of what the guest came out for */
	bool string;  /* INS or OUTS */
	bool many;    /* of several elements, which L1 moves by itself */
	uint64_t cr3; /* that L1 sees then */
	bool agent;   /* op.disk's requests are in its mailbox */
	bool wait;    /* another processor is at it */
	unsigned int tries;
	uint8_t boot_step; /* of guestboot_resume() */
	struct ide_op op;
	struct dma element; /* where the one is */
	/* Of an access to the AHCI controller's registers (guestmmio.h). */
	bool memory;
	bool again; /* L1 could not be shown just then what it is to do */
	struct ahci_op registers;
	gpa_t gpa;     /* of the register */
	gva_t gva;     /* the same */
	uint64_t base; /* of the segment by which L1 gets there */
	uint64_t code; /* RIP at the beginning of the page of the guest's instruction */
};

enum guestport_result {
	GUESTPORT_TELL,  /* L1 gets an exit: guestport_show() */
	GUESTPORT_DONE,  /* the guest goes on; its registers are as they have to be */
	GUESTPORT_AGAIN, /* it does it once more */
	GUESTPORT_OTHER, /* not our business after all: as any port */
	GUESTPORT_OVER,  /* the guest was ended */
};

/*
 * With the lock over its disks. False, without it: the guest is over, was perhaps ended while others were served
 * here; windows are closed, keys wiped, and its disks may be another's.
 */
bool guestport_lock(struct guest *g);

/* Whether the guest's access to this port is dealt with here. */
bool guestport_has(const struct guest *g, uint16_t port, uint8_t bytes);

/* The guest came out for it. */
enum guestport_result guestport_exit(const struct view *s);

/* L1 has done what it was told, with cpu->regs as it left them; `before` are the guest's own. */
enum guestport_result guestport_enter(struct cpu *cpu, struct guest_vcpu *v);

/* What L1 sees: the row, and the registers. */
void guestport_show(struct cpu *cpu, struct disclosure *d);

/*
 * Parts of that, for guestmmio.c. What next is to L1, a port access; false: nothing (DONE). 1: L1 has made the port access that it
 * was asked for, 0: it wants to be told again, negative: it did what no honest one does. The agent's answer, of
 * which ERR_AGAIN says that it is asked once more.
 */
bool guestport_tells(struct guest_port *p, enum ide_next next);
int guestport_answer(const struct cpu *cpu, struct disclosure *d);
int guestport_agent(struct guest_port *p, const struct dma_space *s);

/* The processor is not going on with what it was at. */
void guestport_forget(struct guest_vcpu *v);

/* The guest is over, and entered on no CPU. */
void guestport_end(struct guest *g);

#endif
