/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1 learns of an isolated guest's memory when the guest comes out, and what it may do to the
 * guest's memory and registers until it goes back in. One vCPU's part lives in its record.
 *
 *   nested fault at a gpa that is private   where and how (R12); L1 may only change the guest's table
 *   the same where devices are, APIC access, string port I/O, CR accesses that need the instruction
 *                                           the instruction, its operands and the table entries on the
 *                                           way; the registers that the instruction writes come back
 *   hypercall                               what guestcall.h says
 *   CPUID, RDMSR                            what manifest.h says; Xen's leaves are hidden from an HVM guest in
 *                                           long mode (R31)
 *   task switch                             refused: the guest ends
 *   others                                  nothing of its memory
 *
 * Of its registers L1 learns, and may change, what exposure.h says.
 */
#ifndef MONITOR_DISCLOSE_H
#define MONITOR_DISCLOSE_H

#include "ept/lock.h"
#include "monitor/emulated.h"
#include "monitor/exposure.h"
#include "monitor/guestcall.h"
#include "monitor/guestport.h"
#include "monitor/injection.h"
#include "monitor/reasons.h"

struct cpu;
struct guest;
struct guest_vcpu;

#define DISCLOSE_RANGES 8

/* Why the guest came out, as far as it counts here. */
struct guest_exit {
	enum exit_reason reason;
	gpa_t fault;                  /* NESTED_FAULT, APIC */
	bool write;                   /* the same; PORT: OUT */
	bool exec;                    /* NESTED_FAULT: of a fetch */
	bool string;                  /* PORT: INS or OUTS */
	uint8_t bytes;                /* PORT: size of the access */
	uint16_t port;                /* PORT */
	uint8_t vector;               /* EXCEPTION */
	struct injection interrupted; /* the event that was being delivered */
};

enum disclose_result {
	DISCLOSE_TELL,  /* L1 gets the exit */
	DISCLOSE_BARE,  /* L1 gets it without the instruction's bytes */
	DISCLOSE_AGAIN, /* the guest goes on */
	DISCLOSE_OVER,  /* the guest was ended */
};

/* Between an exit that L1 got and the next entry. */
struct disclosure {
	struct lock lock; /* over the end of a call, and over looks of other CPUs for its effects */
	/* What may come back. */
	enum {
		ACCEPT_OWN,    /* nothing: L1 has not had the vCPU */
		ACCEPT_ROW,    /* what the exit's row says */
		ACCEPT_RESULT, /* what the emulated instruction writes */
		ACCEPT_CALL,
	} accept;
	struct exposure exposure;
	struct regs before; /* the guest's own registers */
	struct injection interrupted;
	bool reads_id;        /* the emulated instruction loads the guest's APIC id */
	uint32_t xsave_bytes; /* CPUID, leaf 0Dh: as the CPU answers with the guest's XCR0 in it */
	uint64_t cr3;         /* that L1 sees; 0: none */
	/* CR: the register, and its new value. */
	struct {
		uint8_t number;
		uint64_t value;
	} control;
	/* How often L1 was told of the last fault at a private page, in a row, and where that was. */
	struct {
		gpa_t gpa;
		uint64_t rip;
		unsigned int times;
	} told;
	/* Parts of operands that are the guest's, and where they were found. */
	struct disclosed {
		gva_t gva;
		hpa_t hpa;
		uint16_t bytes;
	} range[DISCLOSE_RANGES];
	unsigned int ranges;
	bool met;  /* an operand is where the fault was */
	bool done; /* RIP has advanced */
	struct emulated emulated;
	struct guestcall call;
	struct guest_port port;
};

/*
 * An isolated guest came out on this CPU. Opens windows over what L1 has to see. May end the guest. If L1
 * gets the exit, cpu->regs are what it sees, and disclosure.before is the guest's.
 */
enum disclose_result disclose(struct cpu *cpu, struct guest_vcpu *v, const struct guest_exit *x);

/*
 * The vCPU is about to be entered with cpu->regs as L1 left them, if L1 has had it: they become what the guest
 * goes on with, and so do its other registers; the event that L1 injects is judged; its memory gets what the
 * windows brought. Windows stay open. Returns STOP_NONE, or why the guest must be ended. *then: what is to be
 * done. After EXIT L1 gets another exit, whose registers cpu->regs are; after AGAIN other CPUs were served.
 */
enum disclose_then {
	DISCLOSE_THEN_ENTER,
	DISCLOSE_THEN_AGAIN,
	DISCLOSE_THEN_EXIT,
};
enum stop_reason disclose_accept(struct cpu *cpu, struct guest_vcpu *v, enum disclose_then *then);

/* The vCPU's record gets another use: nothing of its last exit counts any more. */
void disclose_forget(struct guest_vcpu *v);

/* Whether Xen's CPUID leaves are hidden from the guest as it is now (R31). */
bool disclose_hides_xen(const struct cpu *cpu, const struct guest *g);

/*
 * Whether a call of the vCPU's, in progress, lets L1 do this to gpa of the guest g, whose vCPU it may be.
 * *from: for MOVE, where from. On any CPU.
 */
bool disclose_effect(struct guest_vcpu *v, const struct guest *g, enum guestcall_effect effect,
		     gpa_t gpa, gpa_t *from);

#endif
