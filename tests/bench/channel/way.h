/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A way for frames from one thread to another and back. Each copies them twice: out of the sender's memory, into the receiver's; but `memcpy`, which is one of
 * the two.
 */
#ifndef TESTS_BENCH_CHANNEL_WAY_H
#define TESTS_BENCH_CHANNEL_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH 32u
#define AREA \
	1034240u   /* bytes of frames under way in one direction: what a channel of 512 pages has */
#define SLOTS 512u /* frames, likewise */

struct way {
	const char *name;
	uint32_t largest;            /* frame, in bytes */
	bool (*open)(uint32_t size); /* frames of this size will come */
	/* direction 0 or 1: up to n frames; how many there were. Without waiting, but for those of the kernel's. */
	uint32_t (*send)(unsigned int direction, uint32_t n);
	uint32_t (*receive)(unsigned int direction, uint32_t n);
	void (*close)(void);
};

/* Ends with a list of ways, terminated by NULL. */
extern const struct way *const ways[];

/* The size that open() was given, in bytes. */
extern uint32_t frame_size;

/* The next frame's bytes in this thread's private memory, of which there are some 256 KiB: to copy from, to copy to. */
void *next_source(void);
void *next_sink(void);

/* Frames of frame_size that may be under way, as AREA and SLOTS have it. */
uint32_t frames_under_way(void);

/* Runs one way by the words of a command line: see main.c. */
int bench_main(int argc, char **argv);

#endif
