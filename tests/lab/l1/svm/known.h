/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What QEMU's emulated CPU (TCG) is known to do otherwise than the manual. A deviation is skipped
 * aloud, never passed.
 */
#ifndef L1_SVM_KNOWN_H
#define L1_SVM_KNOWN_H

#include "lib/monitor.h"

/*
 * If the deviation was seen, skips the test where the CPU is TCG's, with or without the monitor:
 * what the emulated hardware lacks, the monitor cannot give. On other machines returns: the
 * following check then fails.
 */
void tcg_limit(bool seen, const char *deviation);

/* The same, but the monitor has to do better: skips on bare TCG only. */
void tcg_lax(bool seen, const char *deviation);

#endif
