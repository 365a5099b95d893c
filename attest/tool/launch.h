/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a guest for which a release was sent (docs/api.md, `GET /v1/vms/NAME`): by the host's word, no more. */
#ifndef ATTEST_TOOL_LAUNCH_H
#define ATTEST_TOOL_LAUNCH_H

#include "attest/tool/host.h"

#define LAUNCH_STATE 16

/* The state of o->vm, before the release is sent. An attest_status. */
int launch_before(struct http *h, const struct attest_options *o, char before[LAUNCH_STATE]);

/*
 * Asks until o->vm runs, or the host has given it up, or its message has expired: and says which. ATTEST_OK, ATTEST_FAILED, or
 * ATTEST_ERROR if nothing is known of it in the end.
 */
int launch_wait(struct http *h, const struct attest_options *o, const char before[LAUNCH_STATE]);

#endif
