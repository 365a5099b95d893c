/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by which an image's keys are released (attest/release.h). */
#ifndef ATTEST_TOOL_RELEASE_H
#define ATTEST_TOOL_RELEASE_H

#include "attest/evidence.h"
#include "attest/release.h"
#include "attest/tool/tool.h"

/*
 * From the command's options and what the monitor says of itself: expiry and lease count from its uptime, and where it has anchors, there must
 * be one. To be wiped.
 */
int release_fill(struct release *r, const struct attest_options *o, const struct evidence *e);

/* With the tenant's identity (private) to the monitor's key (public). 0, or -1. */
int release_seal(struct release_message *m, const struct release *r, const uint8_t identity[32],
		 const uint8_t receiver[32]);

#endif
