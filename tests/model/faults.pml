/* SPDX-License-Identifier: Apache-2.0 */
/* More moves: entries, the host's faults, windows. */

#define MAY_ENTER(g) (RAN(c, g) != ENTERED && life[g] == LIVE)

/* Announced, then checked: who stops a guest sets life and then looks who runs it. */
inline enter()
{
	atomic {
		PICK_GUEST(MAY_ENTER, g);
		printf("CPU %d is about to enter guest %d\n", c, g);
#ifndef BUG_ENTER_UNANNOUNCED
		RAN(c, g) = ANNOUNCED
#endif
	}
	atomic {
#ifdef BUG_ENTER_UNANNOUNCED
		RAN(c, g) = ENTERED;
#else
		RAN(c, g) = (life[g] == LIVE -> ENTERED : 0);
#endif
		done()
	}
}

#ifdef BUG_MERGE_RACE
/* A large page is merged when all in it are HOST: looked at here, and mapped later, unlocked. */
#define ALL_HOST(p) (owner[p] == HOST)
inline merge_large()
{
	atomic { PICK_PAGE(ALL_HOST, p); printf("CPU %d finds page %d HOST\n", c, p) }
	atomic { host_map(p, RW); printf("CPU %d maps page %d\n", c, p); done() }
}
#endif

#define IN_LIMBO(p) (IS_DETACHED(owner[p]) && !locked[OF(X_OF(owner[p]))])

/* The host touches a page that no guest table maps. */
inline touch_detached()
{
	atomic {
		PICK_PAGE(IN_LIMBO, p);
		x = X_OF(owner[p]);
		g = OF(x);
		printf("CPU %d touches page %d, detached from %d\n", c, p, x);
		locked[g] = true;
		seal(p, x)
	}
	atomic { give_map(p) }
	atomic { give_owner(p); unlock() }
}

#define IN_GUEST(p) (IS_ATTACHED(owner[p]) && !locked[OF(X_OF(owner[p]))])
#define WRITE_FAULTS(p) \
	(IN_GUEST(p) && !(IS_WINDOW(hmap[p]) && fr[hmap[p] - WINDOW(0)] == FR_OPERAND))

/* The host writes a page that its guest uses. */
inline break_guest()
{
	atomic {
		PICK_PAGE(WRITE_FAULTS, p);
		x = X_OF(owner[p]);
		g = OF(x);
		printf("CPU %d writes page %d, attached at %d: guest %d is broken\n", c, p, x, g);
		locked[g] = true;
		life[g] = BROKEN;
		guest_unmap(x);
		shoot_guest(g);
		detach(p, x);
		seal(p, x)
	}
	atomic { give_map(p) }
	atomic { give_owner(p); unlock() }
}

#if FRAMES == 1
#define FREE_FRAME (fr[0] == FR_FREE)
#else
#define FREE_FRAME (fr[0] == FR_FREE || fr[1] == FR_FREE)
#endif

/*
 * Puts a frame into p's place. R10: one that was used for another gpa only when all have flushed;
 * and if TLBs may have p's last window in another frame, they must have flushed too.
 */
inline open(kind)
{
	if
	:: fr[0] == FR_FREE
#if FRAMES == 2
	:: fr[1] == FR_FREE -> f = 1
#endif
	fi;
	printf("CPU %d opens window %d (kind %d) for page %d at %d\n", c, f, kind, p, x);
	locked[g] = true;
	fr[f] = FR_CLAIMED;
	v = f; /* what waits may use f */
	if
#ifndef BUG_FRAME_REUSE
	:: pend[f] && (fr_page[f] != p || fr_x[f] != x) -> shoot_host()
#endif
#if FRAMES == 2 && !defined(BUG_TWO_FRAMES)
	:: fr_page[1 - f] == p && pend[1 - f] -> shoot_host()
#endif
	:: else
	fi;
	fr[v] = kind;
	fr_page[v] = p;
	fr_x[v] = x;
	host_map(p, WINDOW(v));
	f = 0;
#ifdef BUG_IO_WINDOW
	io_frame = true;
#endif
	unlock()
}

#define READ_FAULTS(p) (FREE_FRAME && IN_GUEST(p) && !IS_WINDOW(hmap[p]))

/* The host reads a page that its guest uses: ciphertext, in a nonce domain of its own. */
inline open_export()
{
	atomic {
		PICK_PAGE(READ_FAULTS, p);
		x = X_OF(owner[p]);
		g = OF(x);
#ifdef BUG_EXPORT_BACK
		export_known[x] = true;
#endif
		open(FR_EXPORT)
	}
}

#define OPERAND_AT(x) \
	(FREE_FRAME && !locked[OF(x)] && life[OF(x)] == LIVE && RAN(c, OF(x)) == ENTERED && \
	 IN_USE(x) && !IS_SHARED(x) && !IS_WINDOW(hmap[pte[x]]))

/* The guest's exit, on this CPU, discloses bytes of x or is to have some. */
inline open_operand()
{
	atomic {
		PICK_X(OPERAND_AT, x);
		g = OF(x);
		p = pte[x];
		open(FR_OPERAND)
	}
}

#if FRAMES == 1
#define IS_OPEN(p) (fr[0] >= FR_EXPORT && fr_page[0] == p && !locked[OF(fr_x[0])])
#else
#define IS_OPEN(p) \
	((fr[0] >= FR_EXPORT && fr_page[0] == p && !locked[OF(fr_x[0])]) || \
	 (fr[1] >= FR_EXPORT && fr_page[1] == p && !locked[OF(fr_x[1])]))
#endif

/*
 * Before entry of the vCPU whose exit opened it; an export at the guest's next entry. The ranges
 * that may change are copied from the frame once, checked, and merged.
 */
inline close_window()
{
	atomic {
		PICK_PAGE(IS_OPEN, p);
		v = 0;
#if FRAMES == 2
		v = (fr[0] >= FR_EXPORT && fr_page[0] == p -> 0 : 1);
#endif
		x = fr_x[v];
		g = OF(x);
		printf("CPU %d closes the window for page %d at %d\n", c, p, x);
		locked[g] = true;
		host_map(p, ABSENT)
	}
	atomic {
		if
		:: fr[v] == FR_OPERAND && owner[p] != ATTACHED(x) -> assert(I5_integrity)
		:: else
		fi;
		fr[v] = FR_FREE;
		unlock()
	}
}
