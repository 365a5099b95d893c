/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permission maps. The hardware uses the monitor's maps, in which everything exits at first. When a
 * guest does something that L1's map leaves open, and the monitor has nothing against it, the bit is
 * opened and the instruction runs again. At each entry the few bits opened are compared with L1's map
 * again, so that L1 can close them. No map is ever copied or merged as a whole, and what the
 * monitor closes stays closed whatever L1 writes meanwhile.
 */
#ifndef MONITOR_PERMIT_H
#define MONITOR_PERMIT_H

#include "ept/addr.h"

#define PERMIT_OPEN_MAX 16
#define PERMIT_PAGES 3

/* Bits that L1 leaves open and the monitor has opened too. */
struct permit_open {
	uint16_t byte; /* offset in both maps */
	uint8_t mask;
};

/* One map of one vCPU. The backend owns bits and sets everything down to l1[]. */
struct permit_map {
	uint8_t *bits;          /* what the hardware uses; a bit that is set exits */
	unsigned int size;      /* bytes, at most PERMIT_PAGES pages */
	bool l1_closed;         /* L1 has everything exit, whatever its map says */
	bool l1_open;           /* L1 asks for no exits at all (and l1_closed is false) */
	hpa_t l1[PERMIT_PAGES]; /* L1's map, by aligned pages; all closed where there is no host RAM */
	unsigned int count;
	struct permit_open open[PERMIT_OPEN_MAX];
};

/* Closes everything. */
void permit_reset(struct permit_map *m);

/* Before an entry, with l1* set: closes what L1 has closed since. */
void permit_sync(struct permit_map *m);

/* Whether L1 leaves these bits open now. What lies beyond the map is closed. */
bool permit_l1_allows(const struct permit_map *m, uint16_t byte, uint8_t mask);

/*
 * A guest's access left for these bits. True: L1 leaves them open. *opened: they are open in the
 * hardware's map too now, which may_open allows, and the guest tries again.
 */
bool permit_pass(struct permit_map *m, uint16_t byte, uint8_t mask, bool may_open, bool *opened);

/*
 * Opens bits of the map, without a look at L1's. When the list is full, all of it is closed first:
 * what is still used comes back by itself.
 */
void permit_open(struct permit_map *m, uint16_t byte, uint8_t mask);

/*
 * An access of 1, 2 or 4 bytes to a port, in a map of one bit a port. True: L1 leaves it open, and
 * it passes when the guest tries again, now or after one more exit. False: L1 is to have the exit,
 * or the access goes beyond the map, or to a port that even L1 does not reach by itself (port.h), or
 * is an isolated guest's to another port than the two that Xen leaves open, delays on any machine:
 * a device of the host's could be there in the place of what guestport.h follows.
 */
bool permit_port(struct permit_map *m, bool isolated, uint16_t port, unsigned int size);

#endif
