/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what L1 tried to change and must not (R20), and logs each MSR or address once. */
#ifndef MONITOR_REFUSAL_H
#define MONITOR_REFUSAL_H

#include <stdint.h>

#include "monitor/hypercall.h"

/* `what` is an MSR's number or a physical address; value is what was to be written. Any CPU. */
void refusal_note(enum refusal why, uint64_t what, uint64_t value);

/* How many of this kind so far. *last: what the last of them was, if there is one. */
uint64_t refusal_count(enum refusal why, uint64_t *last);

#endif
