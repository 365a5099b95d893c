/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: the only way in which L1 sees bytes of a guest's memory. A window is a frame of the monitor's
 * that L1 sees in the place of a guest's page: zero but for byte ranges that were disclosed, or, where
 * L1 reads the page for no reason that the guest gave it, the whole page's ciphertext (export).
 *
 * A frame stays in its page's place when its windows are closed, since it holds nothing that L1 has
 * not seen; the next window over the page needs no change of L1's table and no flush. What L1 writes
 * there outside of open ranges is lost. A page has one frame, whatever vCPUs have windows over it. A
 * frame gets another page only after every CPU has flushed (R10).
 */
#ifndef MONITOR_WINDOW_H
#define MONITOR_WINDOW_H

#include "ept/owner.h"

#define WINDOWS_PER_VCPU 32

/*
 * Frames, on a machine with so much RAM: a 50th of it, up to what a disk command can ask for (32 MiB) and a
 * quarter. A page may have one of those of its set.
 */
#define WINDOW_SETS 1024u
#define WINDOW_WAYS(ram) ((unsigned int)((ram) / (200 * MIB)))
#define WINDOW_FRAMES(ram) \
	(WINDOW_SETS * (WINDOW_WAYS(ram) < 2 ? 2 : WINDOW_WAYS(ram) < 10 ? WINDOW_WAYS(ram) : 10))

enum window_direction {
	WINDOW_OUT = 1, /* L1 reads what the guest has there */
	WINDOW_IN = 2,  /* the guest gets what L1 writes there */
};

/* An open range, within a page of one guest. */
struct window {
	hpa_t page;
	owner_t owner;
	uint16_t frame, offset, len;
	uint8_t direction;
};

/* Those that one vCPU has open, until it is entered again; the vCPU's user's. */
struct windows {
	struct window open[WINDOWS_PER_VCPU];
	unsigned int count;
};

/* At boot, after crypto_init(). 0, or the error of the random source. */
int window_init(void);

/*
 * L1 gets [hpa, hpa + len), within one page, which is `owner`'s. bytes: what it reads there, or NULL for
 * what the page holds. Returns 0; ERR_NOMEM if the vCPU has too many ranges, or the host table has no
 * room; ERR_BUSY if the page has another owner, or if other CPUs were served to make room, of which
 * there may still be none: what the caller knows about the page may be out of date, it has to look again; or if
 * the page is lent.
 */
int window_open(struct windows *w, hpa_t hpa, size_t len, owner_t owner, unsigned int direction,
		const void *bytes);

/* Copies what L1 has put into part of an open range of direction IN, once. False: there is no such. */
bool window_read(const struct windows *w, hpa_t hpa, size_t len, void *buf);

/*
 * The guest's memory gets bytes, or (NULL) what L1 has put there, in part of an open range of direction
 * IN. False, with nothing done: there is no such range, or the page has left the guest since. This CPU has
 * served nobody since it made sure that the guest is live.
 */
bool window_write(const struct windows *w, hpa_t hpa, size_t len, const void *bytes);

/* Ends them all. */
void window_close(struct windows *w);

/*
 * A frame in the place of a page for as long as a device's transfer takes, whatever parts of the page that is
 * about, and whoever else has windows over it. Returns its number, or an error as window_open(). lend: nobody else
 * has a window over that page, or gets one (ERR_BUSY): what L1 is to find in the frame belongs to another page.
 */
int window_hold(hpa_t page, owner_t owner, bool lend);
void window_unhold(unsigned int frame);

/* Whether anybody has a window over that page. */
bool window_is_held(hpa_t page);

/* Where the monitor sees the frame's byte that is in the place of hpa. L1 may change it at any time. */
void *window_frame(unsigned int frame, hpa_t hpa);

/* As window_write(), into a page that the caller has had held since it was `owner`'s, or has lent a frame for. */
bool window_give(unsigned int frame, hpa_t hpa, owner_t owner, const void *bytes, size_t len);

/* The reverse: what the guest has there. False: the page is not its own any more. */
bool window_take(unsigned int frame, hpa_t hpa, owner_t owner, void *buf, size_t len);

/*
 * L1 reads a page, which is `owner`'s, outside of any window: it gets the ciphertext, as of now. Returns
 * 0, and L1 repeats its access; or ERR_NOMEM.
 */
int window_export(hpa_t page, owner_t owner);

/*
 * No frame is in the place of a page of that guest's any more, which is not entered, when all CPUs have
 * flushed.
 */
void window_forget(unsigned int guest);

/*
 * The page, BUSY, is about to leave its guest: no window is over it any more, and nothing is written to it
 * by one. True: L1's CPUs may still know the frame, so they have to flush before the page is L1's.
 */
bool window_cancel(hpa_t page);

#endif
