/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a guest for which a release was sent (docs/api.md, `GET /v1/vms/NAME`): by the host's word, no more. */
#ifndef ATTEST_TOOL_LAUNCH_H
#define ATTEST_TOOL_LAUNCH_H

#include "attest/tool/host.h"

/*
 * Asks until o->vm runs, or the host has given it up, or its message has expired: and says which. ATTEST_OK, ATTEST_FAILED, or
 * ATTEST_ERROR if nothing is known of it in the end.
 */
int launch_wait(struct http *h, const struct attest_options *o);

#endif
