/* SPDX-License-Identifier: Apache-2.0 */
/* How a channel ends, whoever ends it: the channels' lock is held. */

/*
 * What the acceptor, w, and the host have in the page's place. The offerer has left if it ends the channel. ok: the
 * host may know what is gone.
 */
inline separate()
{
	d_step {
		ok = (hmap[h] == RW || hmap[h] == ZEROS);
		if
		:: w < GUESTS -> linger(w, BIT(h)); slot[h] = (g == h -> NOBODYS : NONE)
		:: else
		fi;
		if
		:: w == PARTY_HOST && g == h && life[h] == LIVE -> host_left[h] = true; claims[h] = true; host_map(LEFT)
		:: else
#ifdef BUG_CHANNEL_HIDES_LEFT
			host_map(ABSENT)
#else
			if
			:: hmap[h] == ZEROS -> host_map(ABSENT)
#ifndef BUG_CHANNEL_HOST_LEFT
			:: hmap[h] == RW -> host_map(ABSENT)
#endif
			:: else
			fi
#endif
		fi
	}
}

inline flush_sides()
{
	if
	:: w < GUESTS ->
#ifndef BUG_CHANNEL_NO_FLUSH
		shoot_guest(w);
#endif
		skip
	:: else
	fi;
#ifdef WITH_HOST
#ifndef BUG_CHANNEL_HOST_NO_FLUSH
	if
	:: ok -> shoot_host()
	:: else
	fi
#endif
#endif
}

inline give_back()
{
	if
	:: g == h ->
		printf("CPU %d: page %d is its offerer's\n", c, h);
		owner[h] = GUEST;
		if
		:: !ONLY(h, DATA(h)) -> assert(I5_returned_zero)
		:: else
		fi;
		content[h] = PRIVATE
	:: else
	fi
}

/* Side g of channel h does not want it any more, is over, or (the offerer) has lost the page. */
inline finish()
{
	w = acceptor[h];
	printf("CPU %d: %d ends %d with %d\n", c, g, h, w);
#ifdef BUG_CHANNEL_FLUSH_EARLY
	atomic { flush_sides() };
	atomic { separate() };
#else
	atomic { separate() };
#ifdef BUG_CHANNEL_SCRUB_EARLY
	atomic { scrub() };
#endif
#ifdef BUG_CHANNEL_OWNER_EARLY
	atomic { give_back() };
#endif
#ifdef BUG_CHANNEL_TABLE_EARLY
	table[h] = (g != h);
#endif
#ifdef BUG_CHANNEL_PEER_LOCK
	if
	:: w < GUESTS -> lock_table(w); locked[w] = false
	:: else
	fi;
#endif
	atomic { flush_sides() };
#endif
#ifndef BUG_CHANNEL_SCRUB_EARLY
	atomic { scrub() };
#endif
	serve();
	atomic {
#ifndef BUG_CHANNEL_OWNER_EARLY
		give_back();
#endif
		if
		:: g != h && !ONLY(h, DATA(h)) -> assert(I5_returned_zero)
		:: else
		fi
	};
	d_step {
		state[h] = (g == h -> FREE : OFFERED);
		named[h] = (g == h -> NOBODY : named[h]);
		table[h] = (g != h);
		acceptor[h] = NOBODY;
		ok = false;
		w = 0
	}
}

/* After the offerer has left: what the acceptor, g, was left with. */
inline leave_slot()
{
	atomic {
		if
		:: g < GUESTS && slot[h] == NOBODYS && slot_of[h] == g ->
			printf("CPU %d: %d leaves %d\n", c, g, h);
			slot[h] = NONE;
			slot_of[h] = NOBODY
		:: else
		fi
	}
}

/* The same of the host's. */
inline host_forget()
{
	atomic {
		printf("CPU %d: the host leaves %d\n", c, h);
		host_left[h] = false;
		claims[h] = false;
		if
		:: hmap[h] == LEFT -> host_map(ABSENT)
		:: else
		fi
	};
	atomic { shoot_host() }
}

#define OFFERER_CLOSES(h) (RUNS(h) && state[h] != FREE)
#define ACCEPTOR_CLOSES(g, h) (RUNS(g) && slot_of[h] == (g))
#define HOST_CLOSES(h) (acceptor[h] == PARTY_HOST || host_left[h])

/* A side closes, by a call. What it closes may be gone when it gets the lock. */
inline close()
{
	atomic {
		if
		:: OFFERER_CLOSES(0)
		:: ACCEPTOR_CLOSES(1, 0) -> g = 1
#ifdef TWO
		:: OFFERER_CLOSES(1) -> g = 1; h = 1
		:: ACCEPTOR_CLOSES(0, 1) -> h = 1
#endif
#ifdef WITH_HOST
		:: HOST_CLOSES(0) -> g = PARTY_HOST
#endif
		fi;
		begin();
		printf("CPU %d: %d closes %d\n", c, g, h)
	}
	take_lock();
	if
	:: atomic { (g == h && state[h] != FREE) || acceptor[h] == g -> skip }; finish()
	:: atomic { else -> skip };
#ifdef WITH_HOST
		if
		:: g == PARTY_HOST && host_left[h] -> host_forget()
		:: else
		fi
#endif
	fi;
	leave_slot();
	atomic {
		if
		:: g == h && REACHES(1 - h, h) -> assert(channel_closed)
		:: else
		fi;
		lock = false;
		done()
	}
}
