/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What QEMU's emulated CPU (TCG) is known to do otherwise than the manual, and whether our monitor
 * runs below. A deviation is skipped aloud, never passed.
 */
#ifndef L1_SVM_KNOWN_H
#define L1_SVM_KNOWN_H

#include "ept/base.h"

/* True if the monitor answers its version hypercall. */
bool monitor_present(void);

/* The same question asked again (after an attack on the monitor). */
bool monitor_answers(void);

/* One hypercall; *rax gets its result, out[] RBX and R8..R14. False if it raised an exception. */
bool hypercall(uint64_t function, uint64_t rdx, uint64_t rsi, int64_t *rax, uint64_t out[8]);

/*
 * If the deviation was seen, skips the test where the CPU is TCG's, with or without the monitor:
 * what the emulated hardware lacks, the monitor cannot give. On other machines returns: the
 * following check then fails.
 */
void tcg_limit(bool seen, const char *deviation);

/* The same, but the monitor has to do better: skips on bare TCG only. */
void tcg_lax(bool seen, const char *deviation);

#endif
