/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the two sides of a channel find each other (docs/channel.md, "Attaching"; switch-channel/ring_attach.h): CPU 0 offers, CPU 1
 * accepts. Both are honest, and either may go, at any step, and come again: a program that is killed leaves the pages as they are; when the
 * acceptor's guest is over the monitor zeroes them, word by word, while the offerer runs, and only then the next one comes.
 *
 * A step is one load or store of the shared pages, in program order: what processors and compilers may change in that order is
 * tests/channel/litmus's. Looks at the header that would find nothing new are left out, so a side that waits for ever is a
 * hang.
 */
#ifndef LIVES
#define LIVES 3 /* ends and new starts, of both sides together */
#endif
#ifndef FRAMES
#define FRAMES 3 /* that are sent in all */
#endif
#define N 1	/* descriptors of a ring */
#define COUNT 3 /* free-running indices are modulo this, its multiple */
#ifdef BACK
#define SENDER 1
#else
#define SENDER 0
#endif
#define MAGIC 1

/* The pages. Ring r leads from CPU r to the other one; a descriptor holds the epoch that it was written in. */
byte magic, offer_epoch, offer_rest; /* rest: of the offer; as the epoch that it belongs to */
byte accept_epoch, refused, reason, accept_rest;
byte produced[2], consumed[2];
byte desc[2 * N];

/* A side's own memory. */
byte epoch[2];
bool attached[2];
byte in[2], out[2]; /* indices that it publishes: of what it has taken, and put in */

byte lives = LIVES, frames = FRAMES;

/* Never true: Spin prints the name of the one that is asserted. */
bool offer_torn, accept_torn, ring_index, ring_frame;
#define MUST(holds, name)                 \
	if                                \
	:: (holds)                        \
	:: else -> assert(name)           \
	fi

#define OVER_0 (magic != MAGIC || accept_epoch != epoch[0] || (refused == epoch[0] && reason == 0))
#define OVER_1 (magic != MAGIC || offer_epoch != epoch[1])
#define OVER(me) ((me) == 0 && OVER_0 || (me) == 1 && OVER_1)
#ifdef BUG_RING_ONE_WORD
#define CHANGED (magic != MAGIC)
#else
#define CHANGED (magic != MAGIC || offer_epoch != epoch[0] || offer_rest != epoch[0])
#endif

/* Whether a look at the header would find something: what follows it loads the same again, one by one. */
#define NEWS_0                                                                                  \
	(CHANGED || (refused == epoch[0] && reason == 0) || attached[0] != (accept_epoch == epoch[0]))
#define NEWS_1                                                                        \
	(attached[1] -> OVER_1 : magic == MAGIC && offer_epoch != 0 &&                \
					 !(refused == offer_epoch && epoch[1] == offer_epoch && (reason == 0) == (offer_rest != 0)))

/* The words that this side writes. */
inline clear()
{
	produced[_pid] = 0;
	out[_pid] = 0;
	consumed[1 - _pid] = 0;
	in[_pid] = 0
}

/* nring_offer_write() */
inline write_offer()
{
	d_step {
		attached[0] = false;
		in[0] = 0;
		out[0] = 0
	};
	last = (epoch[0] -> epoch[0] : offer_epoch);
	magic = 0;
#ifndef BUG_RING_CLEAR_LATE
	clear();
#endif
	seen = accept_epoch;
	also = refused;
	d_step {
		do
		:: last++;
		   if
		   :: last != seen && last != also -> break
		   :: else
		   fi
		od;
		epoch[0] = last
	}
	offer_epoch = epoch[0];
	offer_rest = epoch[0];
	magic = MAGIC;
#ifdef BUG_RING_CLEAR_LATE
	clear()
#endif
}

/* nring_offer_look(); in its own order */
inline offerer_looks()
{
	seen = accept_epoch;
	if
	:: CHANGED -> write_offer()
	:: else ->
	   also = refused;
	   if
	   :: also == epoch[0] && reason == 0 -> write_offer()
	   :: else ->
	      if
	      :: attached[0] && seen != epoch[0] -> write_offer()
	      :: !attached[0] && seen == epoch[0] ->
		 also = accept_rest;
		 MUST(also == epoch[0] || OVER_0, accept_torn);
		 attached[0] = true
	      :: else
	      fi
	   fi
	fi
}

inline refuse(why)
{
	reason = why;
	refused = last;
	epoch[1] = last
}

/* nring_accept_leave() */
inline leave()
{
	d_step {
		attached[1] = false;
		in[1] = 0;
		out[1] = 0
	};
	reason = 0;
	refused = epoch[1];
	accept_epoch = 0
}

/* nring_accept_look() */
inline acceptor_looks()
{
	if
	:: attached[1] && OVER_1 -> leave()
	:: !attached[1] ->
#ifndef BUG_RING_MAGIC_FIRST
	   last = offer_epoch;
	   seen = magic;
#else
	   seen = magic;
	   last = offer_epoch;
#endif
	   also = (seen == MAGIC -> offer_rest : 0);
#ifndef BUG_RING_READ_ONCE
	   if
	   :: seen == MAGIC && last && magic == MAGIC -> seen = offer_epoch
	   :: else -> seen = 0
	   fi;
#else
	   seen = (seen == MAGIC -> last : 0);
#endif
	   if
	   :: seen && seen == last ->
	      MUST(also == last || !also, offer_torn);
	      if
	      :: !also -> refuse(1) /* zeroed in part: it cannot be */
#ifndef BUG_RING_TWICE
	      :: also && (last == epoch[1] || accept_epoch == last) -> refuse(0)
	      :: also && last != epoch[1] && refused == last -> refuse(0)
#endif
	      :: else ->
		 epoch[1] = last;
#ifndef BUG_RING_NOT_CLEARED
		 clear();
#else
		 out[1] = produced[1];
		 in[1] = consumed[0];
#endif
		 accept_rest = last;
		 accept_epoch = last;
		 attached[1] = true
	      fi
	   :: else
	   fi
	:: else
	fi
}

#define IN_RING(from, to) (((to) + COUNT - (from)) % COUNT)

/* As nring_ops does: a `consumed` that cannot be is taken for unchanged, which leaves less room. */
#define ROOM (IN_RING(consumed[_pid], out[_pid]) < N)

/* Puts a frame into its ring, if there is room. */
inline send()
{
	desc[_pid * N + out[_pid] % N] = epoch[_pid];
	out[_pid] = (out[_pid] + 1) % COUNT;
	produced[_pid] = out[_pid]
}

/* Takes one from the other ring. What it finds is of this epoch, or the epoch is over. */
inline receive()
{
	seen = produced[1 - _pid];
	MUST(IN_RING(in[_pid], seen) <= N || OVER(_pid), ring_index);
	if
	:: IN_RING(in[_pid], seen) > 0 && IN_RING(in[_pid], seen) <= N ->
	   also = desc[(1 - _pid) * N + in[_pid] % N];
	   MUST(also == epoch[_pid] || OVER(_pid), ring_frame);
	   in[_pid] = (in[_pid] + 1) % COUNT;
	   consumed[1 - _pid] = in[_pid]
	:: else
	fi
}

/* A side's epoch is over, before it says so or never does; if the program is killed the next one does not know it. */
inline forget(known)
{
	lives--;
	attached[_pid] = false;
	epoch[_pid] = known;
	in[_pid] = 0;
	out[_pid] = 0
}

/* In the order of their addresses. */
inline monitor_zeroes()
{
	magic = 0;
	offer_epoch = 0;
	offer_rest = 0;
	accept_epoch = 0;
	refused = 0;
	reason = 0;
	accept_rest = 0;
	produced[0] = 0;
	consumed[0] = 0;
	produced[1] = 0;
	consumed[1] = 0;
	d_step { /* nobody looks at these before the words above are set anew */
		last = 0;
		do
		:: last < 2 * N -> desc[last] = 0; last++
		:: else -> break
		od;
		last = 0
	}
}

/* What it does not need any more makes no states. */
inline tidy()
{
	d_step {
		last = 0;
		seen = 0;
		also = 0
	}
}

active [2] proctype Cpu()
{
	byte last, seen, also;

	if
	:: _pid == 0 -> write_offer(); tidy()
	:: else
	fi;
	do
	:: _pid == 0 && NEWS_0 -> printf("CPU 0 looks\n"); offerer_looks(); tidy()
	:: _pid == 1 && NEWS_1 -> printf("CPU 1 looks\n"); acceptor_looks(); tidy()
	:: atomic { _pid == SENDER && frames && attached[_pid] && ROOM -> frames-- };
	   send()
	:: _pid != SENDER && attached[_pid] && IN_RING(in[_pid], produced[1 - _pid]) != 0 -> receive(); tidy()
	:: d_step { lives && _pid == 0 -> forget(epoch[0]); printf("CPU 0 starts anew\n") };
	   write_offer();
	   tidy()
	:: d_step { lives && _pid == 0 -> forget(0); printf("CPU 0 is killed, and comes again\n") };
	   write_offer();
	   tidy()
	:: d_step { lives && _pid == 1 && attached[1] -> forget(epoch[1]); printf("CPU 1 goes, and comes again\n") };
	   leave();
	   tidy()
	:: d_step { lives && _pid == 1 -> forget(0); printf("CPU 1 is killed, and comes again\n") };
	:: d_step { lives && _pid == 1 -> forget(0); printf("CPU 1's guest is over\n") };
	   monitor_zeroes();
	   tidy()
	:: lives == 0 && attached[0] && attached[1] && epoch[0] == epoch[1] && !NEWS_0 && !NEWS_1 -> break
	od
}
