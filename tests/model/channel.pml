/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels' grants (docs/channel.md): a page that a guest offers, what reaches it, and whose bytes are in
 * it. Guest 0 offers, to guest 1 or to the host; guest 2 is not named. With TWO, guests 0 and 1 offer to
 * each other, and there are no windows.
 *
 * As in isolation.pml TLBs hold all that they may hold, the host is the adversary, and an atomic block is
 * a step of the implementation. A channel has one page, and is made and ended with its record in a state
 * that others wait for (MAKING, ACCEPTING, ENDING). The channels' lock is held for single steps: to look at a
 * record and change it.
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
#define MAKING 1
#define OFFERED 2
#define ACCEPTING 3
#define OPEN 4
#define CLOSING 5
byte state[CHANNELS];
#define SETTLED(h) (state[h] == FREE || state[h] == OFFERED || state[h] == OPEN)
byte named[CHANNELS], acceptor[CHANNELS];

/*
 * The slot in an acceptor's aperture, and whose that is. After the offerer has left it shows a scratch
 * page, which is set aside when the channel is accepted.
 */
#define NONE 0
#define PAGE 1
#define SCRATCH 2
byte slot[CHANNELS], slot_of[CHANNELS];
bool lent[CHANNELS]; /* the scratch page is not free */

/* The offerer's own entry, the host's table and what of tables is left in TLBs. */
bool mapped[CHANNELS];
#define ABSENT 0
#define FRAME 1 /* a window: ciphertext, zeros for a channel's page */
#define RW 2
byte hmap[CHANNELS];
byte stale_rw[2], stale_frame[2]; /* for each CPU a set of pages */
byte stale[2 * GUESTS];		  /* sets of pages and scratch pages */
#define STALE(cpu, g) stale[(cpu)*GUESTS + (g)]
#define SCRATCH_BIT(h) BIT(2 + (h))
bool knows[2 * GUESTS]; /* the guest has been entered since that CPU last flushed it */
#define KNOWS(cpu, g) knows[(cpu)*GUESTS + (g)]

/* Ghost: whose bytes may be in a page. What the host knows anyway, zeros, ciphertext: nobody's. */
#define DATA(party) BIT(party) /* written where a channel was, by its side */
#define PRIVATE BIT(4)	       /* the offerer's, from when the page was its own */
byte content[CHANNELS];

bool req_host[2];
byte req_guest[2]; /* a set of guests */
#define REQUESTED(cpu) (req_host[cpu] || req_guest[cpu])

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
