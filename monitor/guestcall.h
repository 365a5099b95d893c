/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protected guest's hypercalls to Xen: which bytes Xen may see and which it may change to carry
 * one out, or what the guest is answered without Xen. A pure function of the registers and of one
 * copy of the guest's memory. Calls that are not in the table are answered with ERR_NOSYS.
 *
 * For a call that passes, Xen is shown arg[] in the argument registers, and an operand window for
 * each operand. When Xen lets the guest go on, and RIP
 * - has advanced: guestcall_accept() says what of its results the guest gets;
 * - is still at the instruction: Xen was interrupted and goes on when the guest repeats the call;
 *   guestcall_resume() says whether the argument registers it left are such, no results are taken.
 */
#ifndef MONITOR_GUESTCALL_H
#define MONITOR_GUESTCALL_H

#include "ept/addr.h"

#define GUESTCALL_ARGS 5
#define GUESTCALL_OPERANDS 2 /* the structure that a register points to, and a list it points to */
#define GUESTCALL_STRUCT_MAX 32
#define GUESTCALL_DATA (GUESTCALL_STRUCT_MAX + PAGE_SIZE)
#define GUESTCALL_GFN_END ((uint64_t)1 << 40) /* architectural: 52 bits of physical address */

/* Whose xenstore the guest has. */
enum guestcall_store {
	GUESTCALL_STORE_L1,
	GUESTCALL_STORE_OWN,  /* the monitor's (monitor/gueststore.h) */
	GUESTCALL_STORE_TOLD, /* the same, and the guest knows where it is */
};

struct guestcall_request {
	uint64_t number;              /* RAX */
	uint64_t arg[GUESTCALL_ARGS]; /* 64-bit: RDI RSI RDX R10 R8; else EBX ECX EDX ESI EDI */
	bool wide;   /* EFER.LMA and CS.L: 64-bit layouts; else 32-bit ones, in any other mode */
	bool grants; /* the guest may have a grant table (see the table in monitor/guestcall.c) */
	enum guestcall_store store;
	uint8_t cpl; /* 0 in real mode, 3 in virtual 8086 mode */
	/* Copies guest memory, with the rights of the guest's supervisor. 0, or ERR_FAULT. */
	int (*read)(void *context, gva_t gva, void *buf, size_t n);
	void *context;
};

/*
 * A range of guest memory that Xen's copy routines touch, as a whole. Its window shows zeros or, if
 * `shown`, the bytes of guestcall.data from `data` on, which the decision was taken on, whatever the
 * guest's memory holds by now. Xen may write all of it (it writes structures back as a whole); only
 * `taken` bytes from taken_at on count, the rest is dropped. The range does not wrap; it may cross a
 * page boundary, and meet the other operand.
 */
struct guestcall_operand {
	gva_t gva;
	uint16_t bytes; /* 1..PAGE_SIZE */
	uint16_t data;
	bool shown;
	uint16_t taken_at, taken;
};

/*
 * What the call lets Xen do to the guest's table until it ends (a call that is repeated is decided
 * on anew). Xen may do less, so what counts is what it stores into the table meanwhile.
 */
enum guestcall_effect {
	GUESTCALL_NOTHING,
	GUESTCALL_RELEASE,  /* take the pages at guestcall_gfn(0..count-1), whose content is void */
	GUESTCALL_POPULATE, /* put new pages there */
	GUESTCALL_MOVE, /* take count pages at gfn `from`, put them at `to`; what is there is void */
	GUESTCALL_SHARE,       /* put a page of Xen's at gfn `to`; what is there is void */
	GUESTCALL_SHARE_INFO,  /* the same, and it is shared_info */
	GUESTCALL_RAM_MAP,     /* say where RAM is: operand 1 takes E820 entries, of 20 bytes */
	GUESTCALL_STORE_PLACE, /* nothing: the guest learns where its xenstore is */
	GUESTCALL_STORE,       /* nothing: the guest has a request to its xenstore */
	GUESTCALL_VCPU_INFO, /* use 64 bytes at `offset` of the page at gfn `to`, from now on, for vcpu */
};

struct guestcall {
	bool pass;                    /* false: Xen does not see the call, RAX becomes answer */
	bool wide;                    /* as requested */
	uint64_t answer;              /* 0 if pass */
	uint64_t arg[GUESTCALL_ARGS]; /* argument registers for Xen; 0 where the call has none */

	unsigned int operands;
	struct guestcall_operand operand[GUESTCALL_OPERANDS];

	enum guestcall_effect effect;
	uint64_t from, to; /* MOVE: from + count and to + count <= GUESTCALL_GFN_END */
	uint32_t count;    /* pages */
	uint32_t vcpu;     /* as the guest says: any number */
	uint16_t offset;   /* a multiple of 8, at most PAGE_SIZE - 64 */

	/* Private: what guestcall_accept() and guestcall_resume() check. */
	uint8_t kind, args, check;
	uint16_t check_at;
	uint32_t most_result, end;
	uint64_t mask, set, least, most;

	uint16_t used;
	uint8_t data[GUESTCALL_DATA]; /* [0, used) */
};

/* Numbers of the registers of a hypercall's arguments, GUESTCALL_ARGS of them. */
const uint8_t *guestcall_registers(bool wide);

/* The value of RAX that tells the caller of this error. */
uint64_t guestcall_error(const struct guestcall *c, int err);

/* Decides about a call. Reads each byte of guest memory at most once. */
void guestcall_decide(const struct guestcall_request *r, struct guestcall *c);

/* The i-th gfn (< GUESTCALL_GFN_END) of a release or population, i < count. */
uint64_t guestcall_gfn(const struct guestcall *c, unsigned int i);

/*
 * The end of a call that passed. *rax is what Xen left and becomes what the guest gets: a result in
 * the call's range, or an error. `taken` is a copy of the bytes that operand 0 takes (NULL if none),
 * in which what the guest could not cope with is masked. True: the guest gets the results, of all
 * operands. False: it gets *rax alone.
 */
bool guestcall_accept(const struct guestcall *c, uint64_t *rax, uint8_t *taken);

/*
 * Whether arg[] is what an honest Xen leaves when it is interrupted in the call: the same, with
 * progress. Registers that hold no argument of the call are not looked at. 0, or ERR_INVAL.
 */
int guestcall_resume(const struct guestcall *c, const uint64_t arg[GUESTCALL_ARGS]);

#endif
