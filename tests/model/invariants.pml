/* SPDX-License-Identifier: Apache-2.0 */
/* docs/design.md's invariants, over tables and stale translations alike, in every state. */

#define HOST_READS(p) \
	(hmap[p] == RO || hmap[p] == RW || ((stale_r[0] | stale_r[1] | stale_w[0] | stale_w[1]) & BIT(p)))
#define HOST_WRITES(p) (hmap[p] == RW || ((stale_w[0] | stale_w[1]) & BIT(p)))
#define HOST_SEES(f, p) (hmap[p] == WINDOW(f) || ((STALE_WIN(0, f) | STALE_WIN(1, f)) & BIT(p)))
#define IN_USE(x) (walked[OF(x)] && pte[x] != NONE)
#define STALE(x, p) ((STALE_PTE(0, x) | STALE_PTE(1, x)) & BIT(p))
#define REACHES(x, p) ((IN_USE(x) && pte[x] == p) || STALE(x, p))
#define WALKS(g, p) ((walked[g] && tab[g] == p) || ((STALE_TAB(0, g) | STALE_TAB(1, g)) & BIT(p)))

/* I1: no table reaches the monitor's pages; no page is in two places; (R5) no place has two. */
#define NOT_MON(x) (!REACHES(x, MON))
#define APART(x, y) (!(IN_USE(x) && IN_USE(y) && pte[x] == pte[y]) || IS_SHARED(x) || IS_SHARED(y))
#define SAME_PLACE(p, q) (owner[p] >= 8 && owner[q] >= 8 && X_OF(owner[p]) == X_OF(owner[q]))

/* I2: no host translation reaches a guest's bytes ... */
#define I2_PAGE(p) (!HOST_READS(p) || content[p] == HOSTS)
/* ... and (R10) one that reaches a window frame finds the page's own window there, open or closed:
 * an honest host never meets another page's, nor an old one when the page is its own again or has a
 * new window in another frame. */
#define R10_FRAME(f, p) \
	(!HOST_SEES(f, p) || \
	 (fr_page[f] == p && owner[p] != HOST && (hmap[p] == WINDOW(f) || !IS_WINDOW(hmap[p]))))
#if FRAMES == 1
#define R10_PAGE(p) R10_FRAME(0, p)
#else
#define R10_PAGE(p) (R10_FRAME(0, p) && R10_FRAME(1, p))
#endif

/* I3: a guest translation reaches the guest's page at this gpa, or a HOST page at a shared one. */
#define I3_AT(x, p) \
	(!REACHES(x, p) || owner[p] == ATTACHED(x) || owner[p] == DETACHED(x) || \
	 (IS_SHARED(x) && owner[p] == HOST))
/* Hardware walks only what the monitor checked: the host can write no such page. */
#define I3_TABLE(g, p) (!WALKS(g, p) || (owner[p] == TABLE(g) && !HOST_WRITES(p)))

/* I4: DMA reaches bytes that the host knows, of no table that hardware walks; and no window frame. */
#define DMA_REACHES(p) ((io_map | stale_io | late_io) & BIT(p))
#define I4_PAGE(p) \
	(!DMA_REACHES(p) || (content[p] == HOSTS && !WALKS(0, p) && !WALKS(1, p)))

/* I5: a guest reads at each gpa what it last had there. */
#define I5_AT(x, p) (!REACHES(x, p) || IS_SHARED(x) || content[p] == GOOD(x))

/* I6: a broken or dead guest has left every CPU, once who stopped it says so. */
#define I6_GUEST(g) \
	(life[g] < BROKEN || locked[g] || (RAN(0, g) != ENTERED && RAN(1, g) != ENTERED))

#define I3_GPA(x) ALL_PAGES_OF(I3_AT, x)
#define I5_GPA(x) ALL_PAGES_OF(I5_AT, x)
#define I1 (ALL_GPAS(NOT_MON) && ALL_PAIRS(APART) && NO_PAGE_PAIR(SAME_PLACE))
#define I2 ALL_PAGES(I2_PAGE)
#define R10 ALL_PAGES(R10_PAGE)
#define I3 (ALL_GPAS(I3_GPA) && ALL_PAGES_OF(I3_TABLE, 0) && ALL_PAGES_OF(I3_TABLE, 1))
#define I4 (ALL_PAGES(I4_PAGE) && !io_frame)
#define I5 ALL_GPAS(I5_GPA)
#define I6 (I6_GUEST(0) && I6_GUEST(1))

/* Never true: Spin prints the name of the one that is asserted. */
bool I1_one_owner, I2_host_table, I3_guest_table, I4_dma, I5_scrubbed_or_encrypted, I5_integrity;
bool I6_stopped, R10_window_frame;

/* Enabled in a state that breaks an invariant, and only there. */
proctype Invariants()
{
end:
	if
	:: !(I1) -> assert(I1_one_owner)
	:: !(I2) -> assert(I2_host_table)
	:: !(I3) -> assert(I3_guest_table)
	:: !(I4) -> assert(I4_dma)
	:: !(I5) -> assert(I5_integrity)
	:: !(I6) -> assert(I6_stopped)
	:: !(R10) -> assert(R10_window_frame)
	fi
}
