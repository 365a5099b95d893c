/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the TPM and the monitor. */
#ifndef ATTEST_API_CALLS_H
#define ATTEST_API_CALLS_H

#include "attest/api/answer.h"

void call_health(const struct request *r, struct answer *a);
void call_identity(const struct request *r, struct answer *a);
void call_activate(const struct request *r, struct answer *a);
void call_evidence(const struct request *r, struct answer *a);

#endif
