/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests and the host make the monitor do about channels. Each move is on one CPU, c. One that needs a
 * guest's lock is chosen when it is free: waiting for it is the same as trapping later. Guests' table locks
 * come before the channels', which is never kept while others are served.
 */

/* A channel, and a guest, for which f holds; blocks if there is none. */
#ifdef TWO
#define PICK_CHANNEL(f) \
	if \
	:: f(0) -> h = 0 \
	:: f(1) -> h = 1 \
	fi
#else
#define PICK_CHANNEL(f) f(0)
#endif
#define PICK_GUEST(f) \
	if \
	:: f(0) -> g = 0 \
	:: f(1) -> g = 1 \
	fi

inline done()
{
	d_step {
		g = 0;
		h = 0;
		w = 0;
		ok = 0;
		busy[c] = false
	}
}

inline begin()
{
	busy[c] = true
}

#define MAY_ENTER(g) (life[g] == LIVE && !KNOWS(c, g))

inline enter()
{
	atomic {
		if
		:: MAY_ENTER(0) -> KNOWS(c, 0) = true; printf("CPU %d enters guest 0\n", c)
		:: MAY_ENTER(1) -> KNOWS(c, 1) = true; printf("CPU %d enters guest 1\n", c)
		fi
	}
}

#define RUNS(g) (KNOWS(c, g) && life[g] == LIVE)

/* The monitor may serve others here. */
inline serve()
{
	if
	:: atomic { REQUESTED(c) -> answer() }
	:: skip
	fi
}

/*
 * The record is taken before the page is: who finds the page CHANNEL finds it, too, and waits. Nobody is served
 * between the walk and the change of the owner: an unmapping either is seen by the walk or waits.
 */
#define MAY_OFFER(h) (!lock && RUNS(h) && state[h] == FREE)

inline offer()
{
	atomic {
		PICK_CHANNEL(MAY_OFFER);
		begin();
		state[h] = MAKING;
		named[h] = 1 - h;
#ifdef WITH_HOST
		if
		:: named[h] = PARTY_HOST
		:: skip
		fi;
#endif
		printf("CPU %d: guest %d begins to offer to %d\n", c, h, named[h])
	}
	atomic { ok = mapped[h]; printf("CPU %d has walked (%d)\n", c, ok) }
#ifdef BUG_CHANNEL_WALK_EARLY
	serve();
#endif
	atomic {
		if
		:: ok && owner[h] == GUEST -> owner[h] = CHANNEL; printf("CPU %d has the page\n", c)
		:: else -> /* nobody waits for it, but who has found the record by its offerer */
			state[h] = FREE;
			named[h] = NOBODY;
			done();
			goto next
		fi
	}
	serve();
#ifndef BUG_CHANNEL_NOT_ZEROED
	atomic { scrub() }
#endif
	atomic {
		!lock;
		printf("CPU %d: guest %d offers\n", c, h);
		state[h] = OFFERED;
		done()
	}
}

#ifdef BUG_CHANNEL_SERVICE_ONLY
#define IS_NAMED(g, h) true
#else
#define IS_NAMED(g, h) (named[h] == (g))
#endif
#ifdef BUG_CHANNEL_ACCEPT_DEAD
#define MAY_ACCEPT(g, h) (state[h] == OFFERED && IS_NAMED(g, h) && !lent[h])
#else
#define MAY_ACCEPT(g, h) (life[g] == LIVE && state[h] == OFFERED && IS_NAMED(g, h) && !lent[h])
#endif

#define TRIES(g, h) (RUNS(g) && !locked[g] && state[h] == OFFERED)

/* A guest's call, with any offer. Looked at under the lock: that the guest lives, after which its end waits. */
inline accept()
{
	atomic {
		if
		:: TRIES(1, 0) -> g = 1
#ifdef TWO
		:: TRIES(0, 1) -> h = 1
#else
		:: TRIES(K, 0) -> g = K
#endif
		fi;
		begin();
		locked[g] = true
	}
	serve(); /* when it waited for that lock */
	atomic {
		!lock;
		if
		:: MAY_ACCEPT(g, h) ->
			printf("CPU %d: guest %d accepts %d\n", c, g, h);
			state[h] = ACCEPTING;
			acceptor[h] = g;
			slot_of[h] = g;
			lent[h] = true
		:: else ->
			locked[g] = false;
			done();
			goto next
		fi
	}
	serve();
	atomic { slot[h] = PAGE; content[h] = content[h] | DATA(g); locked[g] = false }
	atomic { !lock; printf("CPU %d: %d is open\n", c, h); state[h] = OPEN; done() }
}

/* The same of the host's, which loses the window that it may have there. */
inline host_accept()
{
	atomic {
		!lock && state[h] == OFFERED && named[h] == PARTY_HOST;
		printf("CPU %d: the host accepts %d\n", c, h);
		begin();
		state[h] = ACCEPTING;
		acceptor[h] = PARTY_HOST
	}
	atomic { host_map(RW); content[h] = content[h] | DATA(PARTY_HOST) }
#ifndef BUG_CHANNEL_FRAME_LEFT
	atomic { shoot_host() }
#endif
	atomic { !lock; state[h] = OPEN; done() }
}

/*
 * A trapped store that clears the offerer's leaf. When every CPU has flushed no offer's walk finds the page, and
 * one that found it before has made it CHANNEL.
 */
#define MAY_CLEAR(h) (mapped[h] && !locked[h])

inline store_clear()
{
	atomic {
		PICK_CHANNEL(MAY_CLEAR);
		begin();
		printf("CPU %d clears guest %d's leaf\n", c, h);
		g = h;
		locked[h] = true;
		mapped[h] = false;
		linger(h, BIT(h))
	}
	atomic { shoot_guest(h) }
#ifndef BUG_CHANNEL_UNMAP_NO_HOOK
	if
	:: owner[h] == CHANNEL -> revoke()
	:: else
	fi;
#endif
	atomic {
		ok = (owner[h] == GUEST);
		owner[h] = (ok -> BUSY : owner[h])
	}
	leave();
	atomic { locked[h] = false; done() }
}

/* The page, encrypted or zeroed, goes to the host. If it was not BUSY its owner stays as it is. */
inline leave()
{
	atomic {
		scrub();
#ifdef WITH_HOST
		if
		:: hmap[h] == FRAME -> host_map(ABSENT); shoot_host()
		:: else
		fi
#endif
	}
	atomic { host_map(RW) }
	atomic {
		owner[h] = (ok -> HOST : owner[h]);
		printf("CPU %d: page %d has left (%d)\n", c, h, ok)
	}
}

/* A trapped store of the leaf, with a page of the host's. */
#define MAY_MAP(h) (!mapped[h] && !locked[h] && life[h] == LIVE && owner[h] == HOST)

inline store_map()
{
	atomic {
		PICK_CHANNEL(MAY_MAP);
		begin();
		printf("CPU %d maps guest %d's page\n", c, h);
		locked[h] = true;
		owner[h] = GUEST;
		host_map(ABSENT)
	}
	atomic { shoot_host() }
	atomic {
		content[h] = PRIVATE;
		mapped[h] = true;
		locked[h] = false;
		done()
	}
}

inline lock_table(gu)
{
	do
	:: atomic { !locked[gu] -> locked[gu] = true; break }
	:: atomic { locked[gu] && REQUESTED(c) -> answer() }
	od
}

/*
 * A guest is over: for any reason of its host's, also that this wrote to a page of it, or of its channel. Nobody
 * enters it from then on, when all have flushed it is nowhere, and then its channels end.
 */
#define MAY_STOP(g) (life[g] == LIVE)

inline end_guest()
{
	atomic {
		PICK_GUEST(MAY_STOP);
		begin();
		printf("CPU %d ends guest %d\n", c, g);
		life[g] = ENDING
	}
	atomic { shoot_guest(g) }
	do
	:: h < CHANNELS ->
#ifdef BUG_CHANNEL_END_NO_HOOK
		if
		:: g == h -> revoke()
		:: else
		fi;
#else
		revoke();
#endif
		if
		:: g != h -> leave_slot()
		:: else
		fi;
		h++
	:: else -> h = 0; break
	od;
	lock_table(g);
	atomic {
		if
		:: g < CHANNELS -> mapped[g] = false
		:: else
		fi;
		locked[g] = false;
		life[g] = DEAD;
		done()
	}
}

/* The host touches a page of a guest that is no more. */
#define MAY_TOUCH_DEAD(h) (owner[h] == GUEST && life[h] == DEAD)

inline touch_dead()
{
	atomic {
		PICK_CHANNEL(MAY_TOUCH_DEAD);
		begin();
		owner[h] = BUSY;
		ok = true
	}
	leave();
	atomic { done() }
}

/* The next guest with the identity of one that is over. Its id is new, and so are its translations (R3). */
#define MAY_LAUNCH(g) (life[g] == DEAD && (g >= CHANNELS || owner[g] == HOST))

inline launch()
{
	atomic {
		PICK_GUEST(MAY_LAUNCH);
		printf("CPU %d launches another guest %d\n", c, g);
		life[g] = LIVE;
		g = 0
	}
}

/* The host reads a page that it does not have. If it writes, that is a reason to end the guest. */
#define MAY_TOUCH(h) \
	(hmap[h] == ABSENT && (owner[h] == GUEST || owner[h] == CHANNEL) && life[h] == LIVE)

inline touch_read()
{
	atomic {
		PICK_CHANNEL(MAY_TOUCH);
		printf("CPU %d reads page %d\n", c, h);
		host_map(FRAME);
		h = 0
	}
}
