/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor, as far as it is asked here. Tests have another one in its place. */
#ifndef ATTEST_API_SOURCE_H
#define ATTEST_API_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attest/evidence.h"

#define SOURCE_LOG_MAX (1u << 20)

/* Before the first thread: whether there is a monitor. */
bool source_start(void);
/* Whether there was one then. */
bool source_is_there(void);
/* Bytes of evidence, or a negative error of the monitor's (ept/base.h); ERR_NOSYS: no monitor. */
long source_evidence(const uint8_t nonce[EVIDENCE_NONCE], uint8_t out[EVIDENCE_MAX]);
/* All of the event log, or of the TXT launch's, to be freed, and its bytes in *bytes; NULL: *bytes is a negative error. */
uint8_t *source_log(bool txt, long *bytes);

#endif
