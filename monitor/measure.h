/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_MEASURE_H
#define MONITOR_MEASURE_H

#include <stdbool.h>

/* Whether the TPM has all that is to be measured, and PCRs 11 and 12 are capped: else no keys may be released. */
bool measure_done(void);

#endif
