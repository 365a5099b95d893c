/* SPDX-License-Identifier: Apache-2.0 */
/* What Bochs is known to do otherwise than the manual. A deviation is skipped aloud, never passed. */
#ifndef L1_VMX_KNOWN_H
#define L1_VMX_KNOWN_H

#include "lib/monitor.h"

/*
 * If the deviation was seen, skips the test on a bare Bochs and above the monitor (which may run on
 * Bochs, and cannot give what the hardware lacks). On other machines returns: the following check
 * then fails.
 */
void bochs_limit(bool seen, const char *deviation);

/* The same, but the monitor has to do better: skips on bare Bochs only. */
void bochs_lax(bool seen, const char *deviation);

#endif
