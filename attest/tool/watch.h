/* SPDX-License-Identifier: Apache-2.0 */
/* What changes between two times that a host was asked. */
#ifndef ATTEST_TOOL_WATCH_H
#define ATTEST_TOOL_WATCH_H

#include <stdio.h>

#include "attest/tool/evidence.h"

/*
 * Prints a line for each change. Whether one of them matters: other keys of the monitor's (it was booted anew), a guest that was
 * stopped or is another, a disk that has lost its guest or has another tenant's keys. Guests that come and go do not.
 */
bool watch_changes(const struct evidence_all *before, const struct evidence_all *now, FILE *to);

#endif
