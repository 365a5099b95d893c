/* SPDX-License-Identifier: Apache-2.0 */
/* How a channel ends, whoever ends it. */

/* The acceptor's way to the page. While it is open. */
inline unhook()
{
	d_step {
		if
		:: w == PARTY_HOST ->
#ifndef BUG_CHANNEL_HOST_LEFT
			host_map(ABSENT);
#endif
			skip
		:: w < GUESTS -> linger(w, BIT(h)); slot[h] = (g == h -> SCRATCH : NONE)
		:: else
		fi
	}
}

inline flush_acceptor()
{
	if
#ifdef WITH_HOST
	:: w == PARTY_HOST ->
#ifndef BUG_CHANNEL_HOST_NO_FLUSH
		shoot_host();
#endif
		skip
#endif
	:: w < GUESTS ->
#ifndef BUG_CHANNEL_NO_FLUSH
		shoot_guest(w);
#endif
		skip
	:: else
	fi
}

inline give_back()
{
	d_step {
		printf("CPU %d: page %d is its offerer's\n", c, h);
		owner[h] = GUEST;
		if
		:: !ONLY(h, DATA(h)) -> assert(I5_returned_zero)
		:: else
		fi;
		content[h] = PRIVATE
	}
}

/* Nobody else is making, accepting or ending it. Whoever does waits for nothing but flushes. */
#ifdef BUG_CHANNEL_NO_WAIT
#define MAY_END(h) true
#else
#define MAY_END(h) SETTLED(h)
#endif

/* Side g of channel h does not want it any more, or is over, or (the offerer) has lost the page. */
inline revoke()
{
	do
	:: atomic {
		MAY_END(h) && !lock ->
			if
			:: g == h && (state[h] == OFFERED || state[h] == OPEN) -> w = acceptor[h]; ok = true
			:: g != h && state[h] == OPEN && acceptor[h] == g -> w = g; ok = true
			:: else ->
				ok = false;
				if
				:: g == h && REACHES(1 - h, h) -> assert(channel_closed)
				:: else
				fi
			fi;
			if
			:: ok ->
				printf("CPU %d: %d ends %d with %d\n", c, g, h, w);
				state[h] = CLOSING;
#ifdef BUG_CHANNEL_LOCK_KEPT
				lock = true;
#endif
#ifdef BUG_CHANNEL_FLUSH_EARLY
				flush_acceptor();
#endif
				unhook()
			:: else
			fi;
			break
		}
	:: atomic { !MAY_END(h) && REQUESTED(c) -> answer() }
	od;
	if
	:: ok ->
#ifdef BUG_CHANNEL_PEER_LOCK
		if
		:: w < GUESTS -> lock_table(w); locked[w] = false
		:: else
		fi;
#endif
#ifdef BUG_CHANNEL_SCRUB_EARLY
		atomic { scrub() };
#endif
#ifdef BUG_CHANNEL_OWNER_EARLY
		atomic {
			if
			:: g == h -> owner[h] = GUEST
			:: else
			fi
		};
#endif
#ifndef BUG_CHANNEL_FLUSH_EARLY
		atomic { flush_acceptor() };
#endif
#ifndef BUG_CHANNEL_SCRUB_EARLY
		atomic { scrub() };
#endif
		atomic {
			if
			:: g == h -> give_back()
			:: else -> skip
			fi
		};
		atomic {
#ifndef BUG_CHANNEL_LOCK_KEPT
			!lock;
#endif
			lock = false;
			state[h] = (g == h -> FREE : OFFERED);
			named[h] = (g == h -> NOBODY : named[h]);
			acceptor[h] = NOBODY;
			if
			:: g != h && g < GUESTS -> lent[h] = false; slot_of[h] = NOBODY
			:: else
			fi;
			if
			:: state[h] == OFFERED && !ONLY(h, DATA(h)) -> assert(I5_returned_zero)
			:: else
			fi
		}
	:: else
	fi
}

/* The offerer has left; now the acceptor, g, does too. */
inline leave_slot()
{
	atomic {
		!lock;
		if
		:: slot[h] == SCRATCH && slot_of[h] == g ->
			printf("CPU %d: %d gives up its scratch page of %d\n", c, g, h);
			slot[h] = NONE;
			linger(g, SCRATCH_BIT(h));
			ok = true
		:: else -> ok = false
		fi
	};
	if
	:: ok ->
#ifndef BUG_CHANNEL_SCRATCH_EARLY
		atomic { shoot_guest(g) };
#endif
		atomic { !lock; lent[h] = false; slot_of[h] = NOBODY }
	:: else
	fi
}

#define OFFERER_CLOSES(h) (RUNS(h) && state[h] != FREE)
#define ACCEPTOR_CLOSES(g, h) (RUNS(g) && slot_of[h] == (g))

/* A side closes, by a call. */
inline close()
{
	atomic {
		if
		:: OFFERER_CLOSES(0) -> skip
		:: ACCEPTOR_CLOSES(1, 0) -> g = 1
#ifdef TWO
		:: OFFERER_CLOSES(1) -> g = 1; h = 1
		:: ACCEPTOR_CLOSES(0, 1) -> h = 1
#endif
#ifdef WITH_HOST
		:: acceptor[0] == PARTY_HOST -> g = PARTY_HOST
#endif
		fi;
		begin();
		printf("CPU %d: %d closes %d\n", c, g, h)
	}
	revoke();
	if
	:: g < GUESTS && g != h -> leave_slot()
	:: else
	fi;
	atomic { done() }
}
