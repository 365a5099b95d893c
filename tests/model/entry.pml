/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries and exits of a guest's vCPUs, with hidden registers: what the monitor shows of an exit, what
 * it accepts back, which events it lets in, and the record of each vCPU that it keeps meanwhile.
 *
 * L1 is the adversary. What it asks for at an entry may be anything, whatever its memory held before:
 * so a control structure is not stored but chosen when the monitor copies it, which covers old ones,
 * and stores that race with the copy. HONEST: L1 does as Xen does, and is refused nothing.
 *
 * START: two vCPUs; the second one, the AP, is started by the first by INIT and SIPI, which is all that
 * one does. Otherwise there is one vCPU, with every kind of exit but that.
 *
 * An atomic block is a step. Of a record only the CPU that uses it changes anything, but for the start
 * that is pending. Variables g_* are ghosts: the truth, which the monitor does not look at.
 */
#ifdef START
#define VCPUS 2
#else
#define VCPUS 1
#endif
#define BSP 0
#define AP 1

/* What is in a register: a value of the guest's, which it may change when it runs, or another one. */
#define ZERO 0
#define OWN 1 /* 1 or 2 */
#define FOREIGN 3
#define AT_VECTOR(n) (3 + (n)) /* n = 1, 2: as after a SIPI with that vector */

/* What the exit is: its row. */
#define QUIET 0 /* an interrupt, a fault on a private page: nothing shown, nothing accepted, no advance */
#define INSN 1	/* argument shown; result accepted with the advance; or #GP instead */
#define CALL 2	/* hypercall: likewise, without #GP; or preempted, and continued with other arguments */
#define IPI 3	/* a write to the interrupt command register: advance */
#define BEGIN 4 /* no exit yet since the start: nothing accepted, whatever L1 asks for is ignored */
#define ADVANCES(row) ((row) == INSN || (row) == CALL || (row) == IPI)
#define ACCEPTS(row) ((row) == INSN || (row) == CALL)

/* Where RIP is, seen from the exit. */
#define STAY 0
#define NEXT 1
#define ELSEWHERE 2

#define NONE 0
#define IRQ 1	/* at a vector that the guest has unmasked */
#define FAULT 2 /* #GP */
#define BAD 3	/* any other event */
#define NMI 4	/* one that the guest's APIC has for it */

/* The monitor's record of each vCPU. */
byte user[VCPUS];		   /* the CPU that uses it, plus one */
byte saved_reg[VCPUS];		   /* registers that are never accepted: hidden, or shown at most */
byte saved_res[VCPUS];		   /* the one that a result goes to */
byte row[VCPUS];		   /* of the last exit, until the next entry */
byte kept[VCPUS];		   /* an event whose delivery the exit cut short */
byte call[VCPUS];		   /* the call that was preempted, if any: CALL_ID() */
bool iflag[VCPUS], shadow[VCPUS]; /* in the hardware's own structure: RFLAGS.IF, interrupt shadow */
bool masked[VCPUS];		   /* by an NMI: the monitor makes IRET exit until it is unmasked */
bool nested[VCPUS];		   /* the guest is in an interrupt's handler: another stack pointer */
#define CALL_ID(v) (saved_reg[v] + (nested[v] -> 8 : 0))

byte g_reg[VCPUS], g_res[VCPUS], g_row[VCPUS], g_owed[VCPUS];
bool g_masked[VCPUS]; /* in an NMI's handler */
bool g_iret[VCPUS];   /* at its IRET, which has exited and not been executed */

#ifdef START
#define INIT 1 /* what the BSP sends; above: a SIPI with vector 1 or 2 */
/* Of the AP: a SIPI would start it; the start that is pending, a vector; it has ever been started. */
bool waits, g_waits;
byte start, g_start;
bool started, g_started;
#endif

#ifdef BUG_ROW_OF_CPU
byte row_of[2];
#define ROW(v) row_of[c]
#else
#define ROW(v) row[v]
#endif

#ifdef HONEST
/* What L1 knows: it may enter the vCPU, and what the last exit told it. */
bool has[VCPUS], seen_if[VCPUS], seen_shadow[VCPUS], seen_masked[VCPUS];
byte seen_row[VCPUS], seen_kept[VCPUS];
#ifdef START
bool up, fresh; /* the AP: not down; was started and not entered yet */
byte icr;	/* the BSP's IPI that L1 has still to carry out */
#endif
#endif

/* Never true: Spin prints the name of the one that is asserted. */
bool I6_shown, I6_changed, I6_unaccepted, I6_rip, I6_event, I6_event_lost, I6_event_doubled;
bool I6_start, I6_call, honest_refused, honest_out_of_step;

#include "entry_l1.pml"
#include "entry_check.pml"

/* L1 goes on. Whatever the CPU's registers hold now it can read. */
inline back_to_l1()
{
	if
	:: reg != ZERO || res != ZERO -> assert(I6_shown)
	:: else
	fi;
	d_step {
#ifdef START
		begins = false;
#endif
		v = 0;
		inj = NONE;
		rip = STAY;
		asked = false;
		why = QUIET
	}
}

inline drop()
{
#ifdef HONEST
	/* L1 has been told, and could enter it. */
	if
	:: has[v] && user[v] -> assert(honest_refused)
	:: else
	fi;
#endif
	user[v] = 0
}

/* The entry ends at once. The row, and what it accepts, stay as they were. */
inline refuse()
{
	printf("CPU %d refuses the entry\n", c);
#ifdef HONEST
	assert(honest_refused);
#endif
#ifndef BUG_REFUSE_LEAKS
	reg = ZERO;
	res = ZERO;
#endif
	drop();
	back_to_l1();
	goto next
}

#ifdef START
/* The AP's record becomes what its start makes of it: nothing from before is left. */
inline take_start()
{
	if
	:: v == AP && start != NONE ->
		printf("CPU %d starts the AP at vector %d\n", c, start);
		saved_reg[AP] = AT_VECTOR(start);
		saved_res[AP] = AT_VECTOR(start);
#ifdef BUG_START_HEEDS
		row[AP] = QUIET;
#elif !defined(BUG_START_KEEPS_ROW)
		row[AP] = BEGIN;
#endif
#ifndef BUG_START_KEEPS_EVENT
		kept[AP] = NONE;
#endif
		iflag[AP] = false;
		shadow[AP] = false;
		nested[AP] = false;
		masked[AP] = false;
		started = true;
		begins = true;
#ifndef BUG_START_TWICE
		start = NONE
#endif
	:: else
	fi;
	g_take_start()
}

/* On real hardware a SIPI is ignored unless an INIT came before. */
inline note_ipi(what)
{
	if
	:: what == INIT ->
		waits = true
#ifdef BUG_INIT_WITHDRAWS
		;
		start = NONE
#endif
#ifdef BUG_SECOND_SIPI
	:: what > INIT
#else
	:: what > INIT && waits
#endif
		->
#ifdef BUG_START_IN_PLACE
		saved_reg[AP] = AT_VECTOR(what - INIT);
		saved_res[AP] = AT_VECTOR(what - INIT);
		row[AP] = QUIET;
		kept[AP] = NONE;
		started = true;
#else
		start = what - INIT;
#endif
		waits = false
	:: else
	fi
}
#endif

/* Copies what L1 asks for, once, and makes of it and of the record what will run. ok: nothing wrong. */
inline merge()
{
	reg = saved_reg[v];
	res = saved_res[v];
	ok = true;
	any_request();
	printf("CPU %d: L1 asks for RIP %d, event %d, V_IRQ %d, exits %d\n", c, q_rip, q_event, virq, odd);
#ifndef BUG_VIRQ
	virq = false; /* without an intercept of its own it would be delivered, unfiltered */
#endif
#ifndef BUG_INTERCEPT
	odd = false; /* not in the list of what L1 may ask for */
#endif
	if
	:: q_rip == STAY
	:: q_rip != STAY && ROW(v) == BEGIN
	:: q_rip == NEXT && ADVANCES(ROW(v)) ->
#ifdef BUG_MERGE_TWICE
		rip = (rip == STAY -> NEXT : ELSEWHERE)
#else
		rip = NEXT
#endif
	:: else -> ok = false
	fi;
#ifdef BUG_ACCEPT_ALL
	reg = FOREIGN;
#endif
	if
#ifdef BUG_ACCEPT_STAY
	:: ACCEPTS(ROW(v)) && q_event != FAULT -> res = FOREIGN
#else
	:: ACCEPTS(ROW(v)) && rip == NEXT -> res = FOREIGN
#endif
#ifdef BUG_CALL_ARGUMENTS
	:: ROW(v) == CALL && q_rip == STAY -> reg = FOREIGN
#endif
	:: else
	fi;
	merge_event();
#ifdef BUG_KEPT_EARLY
	kept[v] = NONE;
#endif
	q_rip = STAY;
	q_event = NONE
}

/* The filter; the shadow ends with an advance. */
#ifdef BUG_SHADOW_STAYS
#define SHADOW (shadow[v])
#else
#define SHADOW (shadow[v] && rip == STAY)
#endif
#ifdef BUG_IF_OF_L1
#define OPEN_TO_IRQ (!SHADOW)
#elif defined(BUG_SHADOW_OF_L1)
#define OPEN_TO_IRQ (iflag[v])
#else
#define OPEN_TO_IRQ (iflag[v] && !SHADOW)
#endif
#ifdef BUG_FAULT_AND_ADVANCE
#define MAY_FAULT (ROW(v) == INSN)
#else
#define MAY_FAULT (ROW(v) == INSN && rip == STAY)
#endif

inline merge_event()
{
	inj = NONE;
	asked = (q_event != NONE);
	if
	:: kept[v] == NONE && ROW(v) == BEGIN
#ifdef BUG_KEPT_BY_L1
	:: kept[v] != NONE && q_event == NONE
	:: kept[v] != NONE && q_event == kept[v] -> inj = q_event
#else
	:: kept[v] != NONE && (q_event == NONE || q_event == kept[v]) -> inj = kept[v]
#endif
	:: kept[v] == NONE && ROW(v) != BEGIN && q_event == NONE
	:: kept[v] == NONE && q_event == IRQ && OPEN_TO_IRQ -> inj = IRQ
	:: kept[v] == NONE && q_event == FAULT && MAY_FAULT -> inj = FAULT
	:: kept[v] == NONE && q_event == NMI && !masked[v] && !SHADOW -> inj = NMI
	:: else -> ok = false
	fi
}

/* The instruction that enters the guest. What was accepted counts from here on. */
inline commit()
{
#ifdef BUG_EVENT_FETCHED_TWICE
	if
	:: inj != NONE -> inj = BAD
	:: inj == NONE
	fi;
#endif
	printf("CPU %d enters vCPU %d: RIP %d, result %d, event %d\n", c, v, rip, res, inj);
	check_entry();
	if
	:: row[v] == CALL && rip == STAY && q_preempted -> call[v] = CALL_ID(v)
	:: row[v] == CALL && rip == NEXT && call[v] == CALL_ID(v) -> call[v] = NONE
	:: else
	fi;
	q_preempted = false;
#ifndef BUG_KEPT_TWICE
	kept[v] = NONE;
#endif
#ifndef BUG_ROW_STAYS
	ROW(v) = QUIET;
#endif
#ifndef BUG_NMI_IN_NMI
	masked[v] = masked[v] || inj == NMI;
#endif
	shadow[v] = shadow[v] && rip == STAY;
	rip = STAY
}

inline iret()
{
	iflag[v] = iflag[v] || nested[v];
	nested[v] = false;
	g_masked[v] = false;
	g_iret[v] = false;
	shadow[v] = false
}

/* The guest runs, and exits. What it does concerns no one else until then. */
inline run_guest()
{
	if
	:: inj != NONE -> /* its delivery is cut short by a fault */
		why = QUIET;
		g_owed[v] = inj
#ifndef START
	:: inj == NONE && !g_iret[v] -> /* so is that of an exception or an INT of its own */
		why = QUIET;
		if
		:: g_owed[v] = FAULT
#ifdef BUG_SOFT_KEPT
		:: soft = true
#else
		:: true /* the INT will be executed again */
#endif
		fi
#endif
	:: inj == NONE && g_iret[v] -> why = QUIET /* before anything is executed */
#ifdef START
	:: v == BSP -> any_exit()
	:: v == AP ->
#else
	:: true ->
#endif
		if
		:: inj == IRQ -> iflag[v] = false; nested[v] = true
		:: inj == NMI -> g_masked[v] = true
		:: g_iret[v] -> iret()
		:: else
		fi;
		if
		:: virq && iflag[v] -> assert(I6_event)
		:: else
		fi;
		inj = NONE;
		if
		:: true
		:: reg = (reg == OWN -> OWN + 1 : OWN); res = reg
		fi;
		if
		:: true
		:: (nested[v] || g_masked[v]) && !masked[v] -> iret()
		:: iflag[v] = !iflag[v]
		fi;
		if
		:: true
		:: shadow[v] = !shadow[v]
		fi;
		if
		:: any_exit()
		:: (nested[v] || g_masked[v]) && masked[v] -> why = QUIET; g_iret[v] = true; exits = true
		fi
	fi;
	printf("CPU %d: vCPU %d exits (row %d), event %d is cut short\n", c, v, why, g_owed[v]);
	g_reg[v] = reg;
	g_res[v] = res;
	g_row[v] = why
}

/*
 * The monitor deals with the exit, and L1 does not learn of it. What L1 asked for has been done: of that
 * nothing is done again, but an event that was cut short is kept here too.
 */
inline reenter()
{
	printf("CPU %d: the monitor enters again by itself\n", c);
#if defined(BUG_INNER_FORGETS)
	inj = NONE;
#elif defined(BUG_INNER_MERGES)
	inj = (g_owed[v] != NONE || !asked -> g_owed[v] : IRQ);
#else
	inj = g_owed[v];
#endif
	asked = false
}

inline save()
{
#ifdef BUG_ROW_STAYS
	if
	:: why != QUIET -> ROW(v) = why /* an interrupt concerns L1 only */
	:: else
	fi;
#else
	ROW(v) = why;
#endif
	saved_reg[v] = reg;
	saved_res[v] = res;
	if
	:: exits ->
		masked[v] = false;
#ifndef BUG_IRET_UNMASKS
		shadow[v] = true /* it has still to be executed */
#endif
	:: else
	fi;
#ifdef BUG_KEPT_TWICE
	kept[v] = (g_owed[v] == NONE -> kept[v] : g_owed[v]);
#else
	kept[v] = g_owed[v]; /* the hardware says so */
#ifdef BUG_SOFT_KEPT
	if
	:: soft -> kept[v] = BAD; soft = false
	:: else
	fi;
#endif
#endif
	if
	:: odd -> ROW(v) = INSN; odd = false
	:: else
	fi;
	virq = false;
#ifdef START
	note_ipi(ipi);
	g_note_ipi(ipi);
#endif
}

/* Into L1's memory. */
inline disclose()
{
	if
#ifdef BUG_SHOW_ALL
	:: true -> check_shown()
#else
	:: why != QUIET -> check_shown()
#endif
	:: else
	fi;
	show_l1()
}

/* A CPU in L1, until L1 enters a vCPU. */
proctype Cpu(byte c)
{
	byte v, reg, res, rip, inj, why, q_rip, q_event;
	bool ok, asked, virq, odd, q_preempted;
	bool exits; /* IRET does */
#ifdef BUG_SOFT_KEPT
	bool soft;
#endif
#ifdef START
	byte ipi;
	bool begins; /* this entry is the AP's start */
#endif
next:
end:
	do
	:: atomic {
		any_vcpu(); /* that no CPU uses */
		printf("CPU %d: L1 enters vCPU %d\n", c, v);
		user[v] = c + 1;
#ifdef START
		take_start();
		if
		:: v == AP && !started -> refuse()
		:: else
		fi
#endif
	}
	atomic {
		merge();
		if
		:: !ok -> ok = false; refuse()
		:: else -> ok = false
		fi
	}
	if
	:: true
	:: atomic { /* others are served first */
		true
#ifdef BUG_MERGE_TWICE
		->
		merge();
		if
		:: !ok -> ok = false; refuse()
		:: else -> ok = false
		fi
#endif
	}
#ifndef HONEST
	:: atomic { true -> refuse() } /* by a check that comes later */
#endif
	fi;
inside:
	atomic { commit() }
	atomic {
		run_guest();
		if
		:: true
		:: why == QUIET && !odd && !exits -> reenter(); goto inside
		fi;
		asked = false;
#ifdef BUG_DROP_EARLY
		drop()
#endif
	}
	atomic {
		save();
#ifdef BUG_SHOW_LATE
		drop()
	}
	atomic {
#endif
		disclose();
#ifdef START
		ipi = NONE;
#endif
		exits = false;
		reg = ZERO;
		res = ZERO
	}
#ifdef BUG_DROP_LATE
	atomic { l1_gets() }
#endif
	atomic {
#if !defined(BUG_DROP_EARLY) && !defined(BUG_SHOW_LATE)
		drop();
#endif
#ifndef BUG_DROP_LATE
		l1_gets();
#endif
		back_to_l1()
	}
	od
}

init
{
	byte k;

	atomic {
		for (k : 0 .. VCPUS - 1) {
			saved_reg[k] = OWN;
			saved_res[k] = OWN;
			g_reg[k] = OWN;
			g_res[k] = OWN
		}
#ifdef HONEST
		for (k : 0 .. VCPUS - 1) {
			has[k] = true
		}
#endif
		k = 0;
#ifdef START
		waits = true;
		g_waits = true;
#endif
		run Cpu(0);
		run Cpu(1)
	}
}
