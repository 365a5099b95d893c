/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a page, what the host's and the guests' tables and TLBs say of it, and what is in it.
 * The host is the adversary: on either CPU, at any time, it does what no check prevents.
 *
 * TLBs hold as much as hardware may hold: every translation that was valid at some moment since the
 * CPU last flushed. So "can be accessed" is "is in the set": reads and writes through a translation
 * are no moves of their own, and the invariants, which invariants.pml states over the sets, cover
 * every access at every time. Only what has left the tables is stored: the stale translations. For
 * the same reason a guest that entered a CPU counts as running there until the CPU flushes it.
 *
 * What the host may write it may write at any time. So its pages have one content, HOSTS, "any
 * bytes that the host knows"; which they were is chosen when the monitor uses them.
 *
 * An atomic block is a step of the implementation: one atomic instruction, or what is done under a
 * lock that all who could tell take. It may be left only where it waits.
 */
#include "config.pml"

#define BIT(n) (1 << (n))

/* A (guest, gpa) is one number x: 0 .. GPAS0 - 1 are guest 0's, the rest of GPAS guest 1's. */
#define OF(x) ((x) < GPAS0 -> 0 : 1)
#define FIRST(g) ((g)*GPAS0)
#define LAST(g) ((g) == 0 -> GPAS0 - 1 : GPAS - 1)

/* The owner of each page: the sole authority. */
#define HOST 0
#define TABLE(g) (1 + (g))
#define ATTACHED(x) (8 + (x))  /* GUEST, mapped at x */
#define DETACHED(x) (16 + (x)) /* GUEST, was mapped at x */
#define IS_ATTACHED(o) ((o) >= 8 && (o) < 16)
#define IS_DETACHED(o) ((o) >= 16)
#define X_OF(o) ((o)&7)
byte owner[PAGES];
byte shares[PAGES]; /* part of a HOST page's owner entry: how many shared gpas map it */
#ifdef BUG_SHARED_TAKEN
#define CAN_TAKE(p) (owner[p] == HOST)
#else
#define CAN_TAKE(p) (owner[p] == HOST && shares[p] == 0)
#endif

/* Ghost: what is in each page. A guest's bytes are a secret that none but it may read or write. */
#define HOSTS 0		  /* bytes the host knows: its own, ciphertext, zeros */
#define GOOD(x) (8 + (x)) /* what the guest last had at x */
#define BAD(x) (16 + (x)) /* anything else that is passed off as x */
byte content[PAGES];
bool had[GPAS]; /* ghost: the guest has had something at x */

/* The host table, and what of it is left in the TLBs. */
#define ABSENT 0
#define RO 1
#define RW 2
#define WINDOW(f) (3 + (f)) /* the window frame f is in the page's place */
#define IS_WINDOW(how) ((how) >= 3)
byte hmap[PAGES];
byte stale_w[2], stale_r[2]; /* for each CPU a set of pages */
byte stale_win[2 * FRAMES];
#define STALE_WIN(cpu, f) stale_win[(cpu)*FRAMES + (f)]

/* The guest tables. All levels of a guest's table are one page, tab, with the entries pte. */
byte tab[2];
bool walked[2]; /* hardware may use it: it is below a root that was checked */
byte pte[GPAS];
byte stale_pte[2 * GPAS]; /* sets of pages */
byte stale_tab[4];
#define STALE_PTE(cpu, x) stale_pte[(cpu)*GPAS + (x)]
#define STALE_TAB(cpu, g) stale_tab[(cpu)*2 + (g)]

/* The monitor's own records. */
#define NEVER 8 /* at[x] is x's page, present or detached, or one of these */
#define OUT 9	/* encrypted and given to the host; the tag is kept */
byte at[GPAS];
#define NEW 0
#define LAUNCHING 1
#define LIVE 2
#define BROKEN 3
#define DEAD 4
byte life[2];
bool locked[2];
#define ANNOUNCED 1 /* the monitor is about to enter the guest on that CPU */
#define ENTERED 2
byte ran[4]; /* since that CPU last flushed the guest */
#define RAN(cpu, g) ran[(cpu)*2 + (g)]

/*
 * Window frames. What a frame was last used for stays pinned while pend is not empty: the CPUs that
 * have not flushed the host's TLB since it closed. A vCPU may move, so either CPU may close it, and
 * at any time: the host decides when it enters the vCPU.
 */
#define FR_FREE 0
#define FR_CLAIMED 1
#define FR_EXPORT 2
#define FR_OPERAND 3 /* fetch too: the one that accepts nothing when it closes */
byte fr[FRAMES], fr_page[FRAMES], fr_x[FRAMES], pend[FRAMES];

/*
 * DMA. The devices are the adversary's too: they read and write at any time what the IO table maps,
 * what is left of it in the IOTLB, and what they had looked up before the IOTLB was flushed and have
 * not accessed yet. Not needed where there is no DMA, and then empty.
 */
byte io_map, stale_io, late_io; /* sets of pages */
bool io_frame;			/* a window frame is in it */
byte io_req, io_taken;		/* sets of CPUs that wait for a flush; those it is being done for */

/* Requests to flush; only the other CPU makes them, and it waits. */
bool req_host[2];
byte req_guest[2]; /* a set of guests */
#define REQUESTED(cpu) (req_host[cpu] || req_guest[cpu])

#ifdef BUG_REPLAY
bool old_known[GPAS]; /* the host has a ciphertext of x that is not the last */
#endif
#ifdef BUG_EXPORT_BACK
bool export_known[GPAS]; /* the host has looked at x through an export window */
#endif

#include "invariants.pml"
#include "tlb.pml"
#include "iommu.pml"
#include "pages.pml"
#include "tables.pml"
#include "faults.pml"

/* A CPU in the host, until the host does something that enters the monitor. */
proctype Cpu(byte c)
{
	byte g, x, p, v, k, f;
	bool ok;
next:
end:
	do
	:: atomic { REQUESTED(c) -> answer() } /* it interrupts host and guests alike */
	:: adopt_table()
	:: enter()
	:: store_map()
	:: store_clear()
	:: touch_detached()
	:: kill()
	:: break_guest()
	:: open_export()
	:: open_operand()
	:: close_window()
	:: store_unprotected()
#ifdef BUG_MERGE_RACE
	:: merge_large()
#endif
	od
}

init
{
	byte k;

	atomic {
		for (k : 0 .. PAGES - 1) {
			hmap[k] = RW
		}
		for (k : 0 .. GPAS - 1) {
			pte[k] = NONE;
			at[k] = NEVER
		}
		tab[0] = NONE;
		tab[1] = NONE;
		for (k : 0 .. FRAMES - 1) {
			fr_page[k] = NONE
		}
		k = 0;
		run Cpu(0);
		run Cpu(1);
#ifdef DMA
		io_map = BIT(PAGES) - 1;
		run Iommu();
#endif
		run Invariants()
	}
}
