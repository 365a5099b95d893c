/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a check, on standard output. */
#ifndef ATTEST_TOOL_REPORT_H
#define ATTEST_TOOL_REPORT_H

#include "attest/tool/check.h"

/* A table, or JSON. ATTEST_OK or ATTEST_FAILED. */
int report(const struct check *c, const struct bundle *b, bool json);

#endif
