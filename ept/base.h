/* SPDX-License-Identifier: Apache-2.0 */
/* What every file of the monitor may rely on: sizes, errors, ASSERT. */
#ifndef EPT_BASE_H
#define EPT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE ((uint64_t)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a)-1))
#define ALIGN_UP(x, a) (((x) + (uint64_t)(a)-1) & ~((uint64_t)(a)-1))

/* Errors are negative, with Linux's numbers, since hypercalls hand them to Linux programs. */
enum error {
	ERR_PERM = -1,      /* not allowed to who asks */
	ERR_NOENT = -2,     /* no such object, or not mapped */
	ERR_IO = -5,        /* the hardware said no */
	ERR_2BIG = -7,      /* more than the fixed limit */
	ERR_AGAIN = -11,    /* not done yet: call again (iodecrypt/disk.h) */
	ERR_NOMEM = -12,    /* a pool or the memory map is exhausted */
	ERR_FAULT = -14,    /* an address outside memory, or a walk that faults */
	ERR_BUSY = -16,     /* changed meanwhile: try again */
	ERR_NODEV = -19,    /* another object than was meant */
	ERR_INVAL = -22,    /* malformed input */
	ERR_NOSYS = -38,    /* not supported here */
	ERR_TAG = -74,      /* does not verify */
	ERR_STALE = -116,   /* older than what is known to have been */
	ERR_UNCLEAN = -117, /* not as it was left: its owner has to consent */
	ERR_KEY = -129,     /* of another key */
};

/*
 * Stops the machine (monitor) or the process (tests). For the monitor's own bugs only, never for
 * input.
 */
_Noreturn void assert_failed(const char *what, const char *file, int line);

#define ASSERT(cond)                                                   \
	do {                                                           \
		if (!(cond))                                           \
			assert_failed(#cond, __FILE_NAME__, __LINE__); \
	} while (0)

#endif
