/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by which an image's keys are released (attest/release.h). */
#ifndef ATTEST_TOOL_RELEASE_H
#define ATTEST_TOOL_RELEASE_H

#include "attest/release.h"
#include "attest/tool/tool.h"

/* From the command's options; expiry and lease count from the monitor's uptime, in milliseconds. To be wiped. */
int release_fill(struct release *r, const struct attest_options *o, uint64_t uptime);

/* With the tenant's identity (private) to the monitor's key (public). 0, or -1. */
int release_seal(struct release_message *m, const struct release *r, const uint8_t identity[32],
		 const uint8_t receiver[32]);

#endif
