/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of channels, over tables and stale translations alike, in every state. */

#define REACHES(g, h) \
	(((g) == (h) && mapped[h]) || (slot[h] == PAGE && slot_of[h] == (g)) || \
	 ((STALE(0, g) | STALE(1, g)) & BIT(h)))
#define HOST_REACHES(h) (hmap[h] == RW || ((stale_rw[0] | stale_rw[1]) & BIT(h)))

/* A side of a channel that is open, or is being opened or ended. */
#define IS_SIDE(p, h) (owner[h] == CHANNEL && acceptor[h] == (p) && named[h] == (p))
#define ONLY(h, set) ((content[h] & ~(set)) == 0)

/* A page is reached by who has it, and by the sides of its channel; there is nothing in it that was not for them. */
#define GUEST_AT(g, h) \
	(!REACHES(g, h) || ((g) == (h) && (owner[h] == GUEST || owner[h] == CHANNEL)) || \
	 IS_SIDE(g, h))
#define SECRET_AT(g, h) (!REACHES(g, h) || (g) == (h) || ONLY(h, DATA(h) | DATA(g)))
#define HOST_AT(h) \
	(!HOST_REACHES(h) || (owner[h] != CHANNEL && content[h] == 0) || \
	 (IS_SIDE(PARTY_HOST, h) && ONLY(h, DATA(h) | DATA(PARTY_HOST))))

/* No CPU walks a channel's table that was given back. */
#define TABLE_AT(g, h) \
	((g) == (h) || table[h] || \
	 !((slot[h] == PAGE && slot_of[h] == (g)) || ((STALE(0, g) | STALE(1, g)) & BIT(h))))

/*
 * R10: the host does not meet a window in the place of a page that is its own, or that it has accepted; nor zeros in
 * the place of what is no channel's. As long as it has not closed, it does not break a guest that has.
 */
#define SEES_FRAME(h) \
	((hmap[h] != RW && hmap[h] != ABSENT) || ((stale_frame[0] | stale_frame[1]) & BIT(h)))
#define FRAME_AT(h) \
	((!SEES_FRAME(h) || (owner[h] != HOST && !(state[h] == OPEN && acceptor[h] == PARTY_HOST && !lock))) && \
	 (hmap[h] != ZEROS || owner[h] == CHANNEL) && \
	 (!claims[h] || life[h] != LIVE || hmap[h] == LEFT))

/*
 * While no CPU is in a move: an offer stands, is accepted by somebody who lives, or is gone. So one whose
 * acceptor is over can be accepted again.
 */
#define GONE(h) (state[h] == FREE && owner[h] != CHANNEL && !table[h])
#define STANDS(h) (owner[h] == CHANNEL && mapped[h] && life[h] == LIVE && table[h])
#define ACCEPTED(h) \
	(acceptor[h] == PARTY_HOST || \
	 (life[acceptor[h]] == LIVE && slot[h] == PAGE && slot_of[h] == acceptor[h]))
#define REST_CHANNEL(h) \
	((acceptor[h] == NOBODY && (GONE(h) || (state[h] == OFFERED && STANDS(h)))) || \
	 (acceptor[h] != NOBODY && state[h] == OPEN && STANDS(h) && ACCEPTED(h)))
#define REST_LEFT(h) \
	((slot[h] == NONE || life[slot_of[h]] == LIVE) && (!host_left[h] || life[h] == LIVE))
#define REST_AT(h) \
	(REST_CHANNEL(h) && REST_LEFT(h) && owner[h] != BUSY && !locked[h] && life[h] != ENDING)

#define ALL_GUESTS(f, h) (f(0, h) && f(1, h) && f(K, h))
#ifdef TWO
#define ALL_CHANNELS(f) (f(0) && f(1))
#define ALL_OF(f) (ALL_GUESTS(f, 0) && ALL_GUESTS(f, 1))
#else
#define ALL_CHANNELS(f) f(0)
#define ALL_OF(f) ALL_GUESTS(f, 0)
#endif

/* Never true: Spin prints the name of the one that is asserted. */
bool I3_channel_reach, I3_channel_secret, I2_channel_host, I5_returned_zero, R10_channel_frame;
bool channel_table, channel_closed, channel_at_rest;

/* Enabled in a state that breaks an invariant, and only there. */
proctype Invariants()
{
end:
	if
	:: !ALL_OF(GUEST_AT) -> assert(I3_channel_reach)
	:: !ALL_OF(SECRET_AT) -> assert(I3_channel_secret)
	:: !ALL_CHANNELS(HOST_AT) -> assert(I2_channel_host)
	:: !ALL_OF(TABLE_AT) -> assert(channel_table)
	:: !ALL_CHANNELS(FRAME_AT) -> assert(R10_channel_frame)
	:: !busy[0] && !busy[1] && (lock || !ALL_CHANNELS(REST_AT)) -> assert(channel_at_rest)
	fi
}
