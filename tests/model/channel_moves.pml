/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests and the host make the monitor do about channels. Each move is on one CPU, c. One that begins with
 * a guest's lock is chosen when that is free: waiting for it is the same as trapping later.
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

/* Who waits, perhaps for a third CPU, serves others. */
inline lock_table(gu)
{
	do
	:: atomic { !locked[gu] -> locked[gu] = true; break }
	:: atomic { REQUESTED(c) -> answer() }
	od
}

inline take_lock()
{
#ifdef BUG_CHANNEL_DEAF
	atomic { !lock -> lock = true }
#else
	do
	:: atomic { !lock -> lock = true; break }
	:: atomic { REQUESTED(c) -> answer() }
	od
#endif
}

inline walk()
{
	atomic { ok = mapped[h]; printf("CPU %d has walked (%d)\n", c, ok) }
}

#define MAY_OFFER(h) (RUNS(h) && !locked[h])
#ifdef BUG_CHANNEL_OFFER_DEAD
#define CAN_OFFER(h) (ok && state[h] == FREE && owner[h] == GUEST)
#else
#define CAN_OFFER(h) (ok && state[h] == FREE && owner[h] == GUEST && life[h] == LIVE)
#endif

/* The table is locked from the walk on: what it maps is not taken away meanwhile. */
inline offer()
{
	atomic {
		PICK_CHANNEL(MAY_OFFER);
		begin();
		printf("CPU %d: guest %d begins to offer\n", c, h);
#ifndef BUG_CHANNEL_WALK_EARLY
		locked[h] = true
#endif
	}
#ifdef BUG_CHANNEL_WALK_EARLY
	walk();
#endif
	take_lock();
#ifndef BUG_CHANNEL_WALK_EARLY
	walk();
#endif
	atomic {
		if
		:: CAN_OFFER(h) ->
			owner[h] = CHANNEL;
			table[h] = true;
			printf("CPU %d has the page\n", c)
		:: else ->
			locked[h] = false;
			lock = false;
			done();
			goto next
		fi
	}
#ifdef WITH_HOST
	atomic {
		if
		:: hmap[h] == FRAME -> host_map(ABSENT); shoot_host()
		:: else
		fi
	}
#endif
	atomic { shoot_guest(h) } /* other CPUs that deal with exits of its */
#ifndef BUG_CHANNEL_NOT_ZEROED
	atomic { scrub() }
#endif
	serve();
	atomic {
		named[h] = 1 - h;
#ifdef WITH_HOST
		if
		:: named[h] = PARTY_HOST
		:: skip
		fi;
#endif
		printf("CPU %d: guest %d offers to %d\n", c, h, named[h]);
		state[h] = OFFERED;
		locked[h] = false;
		lock = false;
		done()
	}
}

#define TRIES(g, h) (RUNS(g) && !locked[g] && state[h] == OFFERED)
#ifdef BUG_CHANNEL_SERVICE_ONLY
#define IS_NAMED(g, h) true
#else
#define IS_NAMED(g, h) (named[h] == (g))
#endif
#define IS_FREE(h) (state[h] == OFFERED && slot[h] == NONE)
#ifdef BUG_CHANNEL_ACCEPT_DEAD
#define MAY_ACCEPT(g, h) (IS_FREE(h) && IS_NAMED(g, h))
#else
#define MAY_ACCEPT(g, h) (IS_FREE(h) && IS_NAMED(g, h) && life[g] == LIVE)
#endif

/* A guest's call, with any offer. That it lives is looked at under the lock, which its end needs. */
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
	take_lock();
	if
	:: atomic {
		MAY_ACCEPT(g, h) ->
			printf("CPU %d: guest %d accepts %d\n", c, g, h);
			acceptor[h] = g;
			slot_of[h] = g;
			slot[h] = PAGE;
			content[h] = content[h] | DATA(g)
		}
		state[h] = OPEN
	:: atomic { else -> skip }
	fi;
	atomic { locked[g] = false; lock = false; done() }
}

/* The same of the host's, which has zeros there if it has looked. */
inline host_accept()
{
	atomic {
		state[0] == OFFERED && named[0] == PARTY_HOST -> begin()
	}
	take_lock();
	if
	:: atomic {
		state[h] == OFFERED && named[h] == PARTY_HOST && !host_left[h] ->
			printf("CPU %d: the host accepts %d\n", c, h);
			acceptor[h] = PARTY_HOST;
			host_map(RW);
			content[h] = content[h] | DATA(PARTY_HOST)
		}
#ifndef BUG_CHANNEL_FRAME_LEFT
		atomic { shoot_host() }
#endif
		state[h] = OPEN
	:: atomic { else -> skip }
	fi;
	atomic { lock = false; done() }
}

/*
 * A trapped store that clears the offerer's leaf. An offer that has found the page has made it CHANNEL by now.
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
	:: owner[h] == CHANNEL ->
		take_lock();
		if
		:: state[h] != FREE -> finish()
		:: else
		fi;
		lock = false
	:: else
	fi;
#endif
	atomic {
		ok = (owner[h] == GUEST);
		owner[h] = (ok -> BUSY : owner[h]);
		claims[h] = false
	}
	leave();
	atomic { locked[h] = false; done() }
}

/*
 * The page, encrypted or zeroed, goes to the host. If it was not BUSY its owner stays as it is. What the host has in
 * its place goes under the lock: if another CPU has just taken that away, it has flushed before.
 */
inline leave()
{
	atomic { scrub() }
#ifdef WITH_HOST
#ifndef BUG_CHANNEL_LEFT_UNLOCKED
	take_lock();
#endif
	atomic {
		if
		:: hmap[h] == FRAME || hmap[h] == LEFT -> host_map(ABSENT); shoot_host()
		:: else
		fi
	}
#ifndef BUG_CHANNEL_LEFT_UNLOCKED
	lock = false;
#endif
#endif
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
	take_lock();
	do
	:: h < CHANNELS ->
		if
#ifdef BUG_CHANNEL_END_NO_HOOK
		:: g == h && state[h] != FREE -> finish()
#else
		:: (g == h && state[h] != FREE) || acceptor[h] == g -> finish()
#endif
		:: else
		fi;
#ifdef WITH_HOST
		if
		:: g == h && host_left[h] -> host_forget()
		:: else
		fi;
#endif
		leave_slot();
		h++
	:: else -> h = 0; break
	od;
	lock = false;
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
#define MAY_READ(h) (hmap[h] == ABSENT && owner[h] == GUEST && life[h] == LIVE)

inline touch_read()
{
	atomic {
		MAY_READ(0);
		printf("CPU %d reads page %d\n", c, h);
		host_map(FRAME)
	}
}

/* Of a channel: under the lock, so that what is shown goes when that ends. */
#define SHOWS(h) (hmap[h] == ABSENT && owner[h] == CHANNEL)

inline touch_offered()
{
	atomic { SHOWS(0) -> begin() }
#ifdef BUG_CHANNEL_SHOWN_UNLOCKED
	atomic { ok = SHOWS(h) }
#else
	take_lock();
	atomic { ok = SHOWS(h) }
#endif
	atomic {
		if
		:: ok -> printf("CPU %d sees zeros for page %d\n", c, h); host_map(ZEROS)
		:: else
		fi;
#ifndef BUG_CHANNEL_SHOWN_UNLOCKED
		lock = false;
#endif
		done()
	}
}
