/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host can make the monitor do with guests' tables. Each move is on one CPU, c, begins
 * with the adversary's choices and ends back in the host. A move that needs a guest's lock is
 * chosen when it is free: waiting for it is the same as trapping later.
 */

/* A leaf of a table that is adopted. Its page is HOST, or x's own, or the table is refused. */
inline adopt_leaf()
{
	v = pte[x];
	printf("CPU %d finds page %d at %d in it\n", c, v, x);
	if
	:: v == NONE
	:: v < PAGES && IS_SHARED(x) && owner[v] == HOST -> shares[v]++
	:: v < PAGES && !IS_SHARED(x) && CAN_TAKE(v) && at[x] >= NEVER -> take(v, x)
	:: v < PAGES && owner[v] == DETACHED(x) -> owner[v] = ATTACHED(x)
	:: else -> /* refused; what was not looked at needs no undoing */
		ok = false;
		for (v : x .. LAST(g)) {
			pte[v] = NONE
		}
	fi;
	v = 0
}

/* Contents, when no CPU's host translation is left: hashed at launch, else zeroed or verified. */
inline adopt_contents()
{
	for (x : FIRST(g) .. LAST(g)) {
		for (v : 0 .. PAGES - 1) {
			if
			:: ok && owner[v] == ATTACHED(x) && at[x] != v -> fill(v, x)
			:: else
			fi
		}
	}
	x = 0;
	v = 0
}

inline refuse_leaf()
{
	if
	:: pte[x] != NONE && IS_SHARED(x) -> shares[pte[x]]--
	:: else
	fi;
	for (v : 0 .. PAGES - 1) {
		if
		:: owner[v] == ATTACHED(x) && at[x] == v -> owner[v] = DETACHED(x)
		:: owner[v] == ATTACHED(x) && at[x] != v -> give_map(v); give_owner(v)
		:: else
		fi
	}
	v = 0;
	pte[x] = NONE
}

#ifdef TREE
#define ADOPTS(g) (life[g] <= LIVE && tab[g] == NONE)
#else
#define ADOPTS(g) (life[g] == NEW)
#endif
#define MAY_ADOPT(g) (!locked[g] && ADOPTS(g) && (TABLES == 0 || p == DATA + (g)))

/*
 * Launch: the first entry with a new root. With TREE, also a store that links a new table. The host
 * filled it before; until every CPU has flushed it can change it.
 */
inline adopt_table()
{
	atomic {
		PICK_PAGE(CAN_TAKE, p);
		if
		:: MAY_ADOPT(0) -> g = 0
		:: MAY_ADOPT(1) -> g = 1
		:: else -> done(); goto next
		fi;
		locked[g] = true;
		life[g] = (life[g] == NEW -> LAUNCHING : life[g]);
		owner[p] = TABLE(g);
		tab[g] = p;
		host_map(p, RO);
#ifndef BUG_IO_TABLE
		io_clear(p);
#endif
		for (x : FIRST(g) .. LAST(g)) {
			any_entry(pte[x])
		}
		x = 0;
		printf("CPU %d adopts page %d as guest %d's table (life %d)\n", c, p, g, life[g]);
#ifndef BUG_WALK_EARLY
		shoot_host();
#endif
		ok = true;
		x = FIRST(g)
	}
	do
	:: atomic { ok && x <= LAST(g) -> adopt_leaf(); x++ }
	:: !ok || x > LAST(g) -> break
	od;
	atomic {
		x = 0;
		if
		:: ok ->
#ifdef BUG_HASH_EARLY
			adopt_contents();
			shoot_host()
#else
			shoot_host();
			adopt_contents()
#endif
			;
			if
			:: !ok -> life[g] = BROKEN; shoot_guest(g)
			:: else
			fi
		:: else
		fi;
		if
		:: ok ->
			printf("CPU %d has adopted guest %d's table\n", c, g);
			walked[g] = true;
			life[g] = LIVE;
			unlock();
			goto next
		:: else -> x = FIRST(g)
		fi
	}
	do
	:: atomic { x <= LAST(g) -> refuse_leaf(); x++ }
	:: x > LAST(g) -> break
	od;
	atomic { give_map(p) }
	atomic {
		give_owner(p);
		tab[g] = NONE;
		life[g] = (life[g] == LAUNCHING -> NEW : life[g]);
		unlock()
	}
}

/* A store to the table that traps no longer hinders: a stale translation is still writable. */
#define UNPROTECTED(x) (tab[OF(x)] != NONE && !walked[OF(x)] && (stale_w[c] & BIT(tab[OF(x)])))

inline store_unprotected()
{
	atomic {
		PICK_X(UNPROTECTED, x);
		any_entry(pte[x]);
		printf("CPU %d stores page %d at %d by a stale translation\n", c, pte[x], x);
		done()
	}
}

/*
 * A trapped store of a leaf. The monitor copied the value, v, once. A page that is detached
 * elsewhere, or a gpa whose page is detached, is first sealed as if the host had touched it: here
 * the store is refused, and touch_detached() and the store again are that sequence.
 */
#define MAY_MAP(x) \
	(!locked[OF(x)] && life[OF(x)] == LIVE && walked[OF(x)] && pte[x] == NONE)

inline store_map()
{
	atomic {
		PICK_X(MAY_MAP, x);
		g = OF(x);
		any_entry(v);
		if
#ifdef BUG_MAP_MONITOR
		:: v == MON -> printf("CPU %d maps the monitor at %d\n", c, x); pte[x] = v; done(); goto next
#endif
		:: v < PAGES && IS_SHARED(x) && owner[v] == HOST ->
			printf("CPU %d shares page %d at %d\n", c, v, x);
			shares[v]++;
			pte[x] = v;
			done();
			goto next
		:: v < PAGES && owner[v] == DETACHED(x) ->
			printf("CPU %d attaches page %d at %d again\n", c, v, x);
			owner[v] = ATTACHED(x);
			pte[x] = v;
			done();
			goto next
#ifdef BUG_ZERO_DETACHED
		:: v < PAGES && !IS_SHARED(x) && CAN_TAKE(v)
#else
		:: v < PAGES && !IS_SHARED(x) && CAN_TAKE(v) && at[x] >= NEVER
#endif
		:: else -> done(); goto next
		fi;
		printf("CPU %d maps page %d at %d (it is at %d)\n", c, v, x, at[x]);
		locked[g] = true;
#ifdef BUG_TWO_GUESTS
	} /* the owner was looked at, and is set later: no cmpxchg */
	atomic {
#endif
		take(v, x);
#ifndef BUG_FILL_EARLY
		shoot_host();
#endif
		fill(v, x);
#ifdef BUG_FILL_EARLY
		shoot_host();
#endif
		if
		:: ok ->
#ifdef BUG_DOUBLE_FETCH
			any_entry(v);
			printf("CPU %d fetches again: page %d\n", c, v);
#endif
			pte[x] = v;
			unlock();
			goto next
		:: else ->
			printf("CPU %d breaks guest %d: wrong bytes\n", c, g);
			life[g] = BROKEN;
			shoot_guest(g)
		fi
	}
	atomic { give_map(v) }
	atomic { give_owner(v); unlock() }
}

#define MAY_CLEAR(x) (!locked[OF(x)] && IN_USE(x))

/* A trapped store that clears a leaf. */
inline store_clear()
{
	atomic {
		PICK_X(MAY_CLEAR, x);
		g = OF(x);
		locked[g] = true;
		p = pte[x];
		printf("CPU %d clears %d, which mapped page %d\n", c, x, p);
		guest_unmap(x);
#ifdef BUG_UNSHARE_EARLY
		if
		:: IS_SHARED(x) -> shares[p]--
		:: else
		fi;
#endif
#ifndef BUG_NO_GUEST_FLUSH
		shoot_guest(g);
#endif
		if
#ifdef BUG_UNSHARE_EARLY
		:: IS_SHARED(x)
#else
		:: IS_SHARED(x) -> shares[p]--
#endif
		:: else -> detach(p, x)
		fi;
		unlock()
	}
}

#define MAY_KILL(g) (!locked[g] && (life[g] == LIVE || life[g] == BROKEN))

/* The root is torn down (R7), which kills the guest; with TREE also: one table is unlinked. */
inline kill()
{
	atomic {
		PICK_GUEST(MAY_KILL, g);
		if
		:: life[g] = DEAD
#ifdef TREE
		:: life[g] == LIVE && walked[g]
#endif
		fi;
		printf("CPU %d unlinks table %d of guest %d (life %d)\n", c, tab[g], g, life[g]);
		locked[g] = true;
		p = tab[g];
		if
		:: p != NONE ->
			v = pte[LAST(g)];
			guest_unlink(g)
		:: else -> v = NONE
		fi;
#ifdef BUG_TABLE_BACK_EARLY
		if
		:: p != NONE -> give_map(p); give_owner(p)
		:: else
		fi;
#endif
		shoot_guest(g);
		for (x : FIRST(g) .. LAST(g)) {
			for (k : 0 .. PAGES - 1) {
				if
				:: owner[k] == ATTACHED(x) -> detach(k, x)
				:: else
				fi
			}
			if
			:: life[g] == DEAD -> at[x] = NEVER; had[x] = false /* its keys and tags are wiped */
			:: else
			fi
		}
		x = 0;
		k = 0;
		if
		:: v != NONE && IS_SHARED(LAST(g)) -> shares[v]--
		:: else
		fi;
		tab[g] = NONE;
		if
		:: p == NONE -> unlock(); goto next
		:: else
		fi
	}
	atomic { give_map(p) }
	atomic { give_owner(p); unlock() }
}
