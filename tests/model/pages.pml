/* SPDX-License-Identifier: Apache-2.0 */
/* Pages change hands: the steps of which moves are made. */

inline done()
{
	d_step {
		g = 0;
		x = 0;
		p = 0;
		v = 0;
		ok = 0
	}
}

inline unlock()
{
	locked[g] = false;
	done()
}

/* HOST -> GUEST: one cmpxchg, then out of the host table. Usable only after a shootdown. */
inline take(pg, xx)
{
	d_step {
		owner[pg] = ATTACHED(xx);
		host_map(pg, ABSENT)
#ifndef BUG_IO_FLUSH_EARLY
		;
		io_clear(pg)
#endif
	}
}

/* GUEST -> HOST, first half: nothing of the guest's may be left in it. */
inline seal(pg, xx)
{
	d_step {
		if
		:: life[g] == DEAD -> content[pg] = HOSTS /* scrubbed */
		:: else ->
			if
			:: content[pg] != GOOD(xx) -> assert(I5_integrity)
			:: else
			fi;
			at[xx] = OUT; /* encrypted, fresh version, tag kept */
#ifndef BUG_PLAIN
			content[pg] = HOSTS
#endif
		fi
	};
#ifndef BUG_STALE_WINDOW
	flush_window(pg)
#endif
}

/* A closed window that TLBs may still have in the page's place. */
inline flush_window(pg)
{
	if
	:: fr_page[0] == pg && pend[0] -> shoot_host()
#if FRAMES == 2
	:: fr_page[1] == pg && pend[1] -> shoot_host()
#endif
	:: else
	fi
}

/* ... TABLE -> HOST too, second half: the map first, so that whoever finds it HOST may take it. */
inline give_map(pg)
{
#ifdef BUG_OWNER_FIRST
	owner[pg] = HOST
#else
	host_map(pg, RW);
#ifdef BUG_IO_OWNER_FIRST
	owner[pg] = HOST
#else
	io_set(pg)
#endif
#endif
}

inline give_owner(pg)
{
	d_step {
		if
		:: content[pg] != HOSTS -> assert(I5_scrubbed_or_encrypted)
		:: else
		fi;
#ifdef BUG_OWNER_FIRST
		host_map(pg, RW)
#elif defined(BUG_IO_OWNER_FIRST)
		io_set(pg)
#else
		owner[pg] = HOST
#endif
	}
}

/* Puts x's bytes into its page, which the host can no longer reach. ok: the guest may see it. */
inline fill(pg, xx)
{
#ifdef BUG_IO_FLUSH_EARLY
	io_clear(pg);
#endif
	if
	:: at[xx] == NEVER -> /* zeroed */
		content[pg] = (had[xx] -> BAD(xx) : GOOD(xx));
		ok = true
	:: at[xx] == OUT -> /* copied, verified, decrypted: right if the host gave the right bytes */
		if
		:: content[pg] = GOOD(xx); ok = true
#ifdef BUG_REPLAY
		:: old_known[xx] -> content[pg] = BAD(xx); ok = true
#endif
#ifdef BUG_EXPORT_BACK
		:: export_known[xx] -> content[pg] = BAD(xx); ok = true
#endif
		:: ok = false
		fi
#ifdef BUG_REPLAY
		;
		old_known[xx] = true
#endif
#ifdef BUG_ZERO_DETACHED
	:: at[xx] < PAGES ->
		content[pg] = (had[xx] -> BAD(xx) : GOOD(xx));
		ok = true
#endif
	fi;
	if
	:: ok -> at[xx] = pg; had[xx] = true
	:: else
	fi
}

/* After the guest's flush: its page is no longer mapped at xx. Cancels the window it may have. */
inline detach(pg, xx)
{
	d_step {
		owner[pg] = DETACHED(xx);
#ifndef BUG_NO_CANCEL
		if
		:: IS_WINDOW(hmap[pg]) ->
			fr[hmap[pg] - WINDOW(0)] = FR_FREE;
			host_map(pg, ABSENT)
		:: else
		fi
#endif
	}
}
