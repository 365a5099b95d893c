/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The size of a configuration: DATA pages that guests' memory may be in, TABLES pages besides that
 * hold the guests' tables (0: any page may), GPAS in all, of which the first GPAS0 are guest 0's.
 * SHARED: guest 0's last gpa is shared with the host. TREE: a live guest's table is unlinked, and
 * another one linked.
 */
#ifndef DATA
#define DATA 3
#define TABLES 2
#define GPAS0 2
#define GPAS 3
#endif
#ifndef FRAMES
#define FRAMES 1 /* of windows */
#endif
#define PAGES (DATA + TABLES)
#define MON PAGES /* stands for all of the monitor's pages */
#define NONE 7	  /* no page */

#ifdef SHARED
#define IS_SHARED(x) ((x) == GPAS0 - 1)
#else
#define IS_SHARED(x) false
#endif

/* The adversary's choices: a guest, page or gpa for which f holds; blocks if there is none. */
#define PICK_GUEST(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	fi

#if PAGES == 3
#define ALL_PAGES(f) (f(0) && f(1) && f(2))
#define ALL_PAGES_OF(f, x) (f(x, 0) && f(x, 1) && f(x, 2))
#define PICK_PAGE(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	:: f(2) -> i = 2 \
	fi
#define NO_PAGE_PAIR(f) (!f(0, 1) && !f(0, 2) && !f(1, 2))
#elif PAGES == 4
#define ALL_PAGES(f) (f(0) && f(1) && f(2) && f(3))
#define ALL_PAGES_OF(f, x) (f(x, 0) && f(x, 1) && f(x, 2) && f(x, 3))
#define PICK_PAGE(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	:: f(2) -> i = 2 \
	:: f(3) -> i = 3 \
	fi
#define NO_PAGE_PAIR(f) \
	(!f(0, 1) && !f(0, 2) && !f(0, 3) && !f(1, 2) && !f(1, 3) && !f(2, 3))
#else
#define ALL_PAGES(f) (f(0) && f(1) && f(2) && f(3) && f(4))
#define ALL_PAGES_OF(f, x) (f(x, 0) && f(x, 1) && f(x, 2) && f(x, 3) && f(x, 4))
#define PICK_PAGE(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	:: f(2) -> i = 2 \
	:: f(3) -> i = 3 \
	:: f(4) -> i = 4 \
	fi
#define NO_PAGE_PAIR(f) \
	(!f(0, 1) && !f(0, 2) && !f(0, 3) && !f(0, 4) && !f(1, 2) && !f(1, 3) && !f(1, 4) && \
	 !f(2, 3) && !f(2, 4) && !f(3, 4))
#endif

#if GPAS == 2
#define ALL_GPAS(f) (f(0) && f(1))
#define ALL_PAIRS(f) f(0, 1)
#define PICK_X(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	fi
#else
#define ALL_GPAS(f) (f(0) && f(1) && f(2))
#define ALL_PAIRS(f) (f(0, 1) && f(0, 2) && f(1, 2))
#define PICK_X(f, i) \
	if \
	:: f(0) -> i = 0 \
	:: f(1) -> i = 1 \
	:: f(2) -> i = 2 \
	fi
#endif

/* What may be in an entry: any of the RAM, the monitor's pages, nothing. */
inline any_entry(e)
{
	if
	:: e = 0
	:: e = 1
	:: e = 2
#if PAGES > 3
	:: e = 3
#endif
#if PAGES > 4
	:: e = 4
#endif
	:: e = MON
	:: e = NONE
	fi
}
