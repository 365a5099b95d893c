/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels' grants (docs/channel.md): a page that a guest offers, what reaches it, and whose bytes are in
 * it. Guest 0 offers, to guest 1 or to the host; guest 2 is not named. With TWO, guests 0 and 1 offer to
 * each other, and the host is no peer and has no windows.
 *
 * As in isolation.pml TLBs hold all that they may hold, the host is the adversary, and an atomic block is
 * a step of the implementation. One lock covers all channels. It is kept over flushes; so who waits for it,
 * or for a guest's table, serves others meanwhile. A guest's table is locked first.
 *
 * h is a channel, the guest that offers it, and its page, which that guest has at one gpa.
 */
#define BIT(n) (1 << (n))
#ifdef TWO
#define CHANNELS 2
#else
#define CHANNELS 1
#define WITH_HOST
#endif
#define K 2 /* the guest that nobody names */
#define GUESTS 3
#define PARTY_HOST 3
#define NOBODY 4

/* A page's owner, and a guest's life. */
#define HOST 0
#define GUEST 1	  /* guest h's */
#define CHANNEL 2 /* channel h's */
#define BUSY 3	  /* it is leaving guest h */
byte owner[CHANNELS];
#define LIVE 0
#define ENDING 1
#define DEAD 2
byte life[GUESTS];
bool locked[GUESTS]; /* the guest's table */
bool lock;	     /* the channels' */

/* A channel's record. */
#define FREE 0
#define OFFERED 1
#define OPEN 2
byte state[CHANNELS], named[CHANNELS], acceptor[CHANNELS];
bool table[CHANNELS]; /* its pages' list, which is the table that hardware walks for an acceptor */

/* The slot in an acceptor's aperture: nothing, the channel's page or, after the offerer has left, nobody's. */
#define NONE 0
#define PAGE 1
#define NOBODYS 2
byte slot[CHANNELS], slot_of[CHANNELS];
bool host_left[CHANNELS]; /* the same of the host's: it has accepted and not closed what the offerer left */

/* The offerer's own entry, the host's table and what of tables is left in TLBs. */
bool mapped[CHANNELS];
#define ABSENT 0
#define FRAME 1 /* a window */
#define ZEROS 2 /* the same, for a channel's page that the host has no part in */
#define LEFT 3	/* nobody's page, for what it had a part in */
#define RW 4
byte hmap[CHANNELS];
byte stale_rw[2], stale_frame[2]; /* for each CPU a set of pages */
byte stale[2 * GUESTS];		  /* sets of pages, reached by channels' tables or the offerer's */
#define STALE(cpu, g) stale[(cpu)*GUESTS + (g)]
bool knows[2 * GUESTS]; /* the guest has been entered since that CPU last flushed it */
#define KNOWS(cpu, g) knows[(cpu)*GUESTS + (g)]

/* Ghost: whose bytes may be in a page. What the host knows anyway, zeros, ciphertext: nobody's. */
#define DATA(party) BIT(party) /* written where a channel was, by its side */
#define PRIVATE BIT(4)	       /* the offerer's, from when the page was its own */
byte content[CHANNELS];

bool req_host[2];
byte req_guest[2]; /* a set of guests */
#define REQUESTED(cpu) (req_host[cpu] || req_guest[cpu])

bool claims[CHANNELS]; /* ghost: host_left, and the page has not left its guest since */
bool busy[2]; /* ghost: that CPU is in the middle of a move */

#include "channel_check.pml"
#include "channel_tlb.pml"
#include "channel_moves.pml"
#include "channel_end.pml"

/* A CPU in the host, until it, or a guest on it, does something that enters the monitor. */
proctype Cpu(byte c)
{
	byte g, h, w, x;
	bool ok;
next:
end:
	do
	:: atomic { REQUESTED(c) -> answer() } /* it interrupts host and guests alike */
	:: enter()
	:: offer()
	:: accept()
	:: close()
	:: store_map()
	:: store_clear()
	:: end_guest()
	:: launch()
	:: touch_dead()
#ifdef WITH_HOST
	:: touch_read()
	:: touch_offered()
	:: host_accept()
#endif
	od
}

init
{
	byte h;

	atomic {
		for (h : 0 .. CHANNELS - 1) {
			owner[h] = GUEST;
			content[h] = PRIVATE;
			mapped[h] = true;
			named[h] = NOBODY;
			acceptor[h] = NOBODY;
			slot_of[h] = NOBODY
		}
		h = 0;
		run Cpu(0);
		run Cpu(1);
		run Invariants()
	}
}
