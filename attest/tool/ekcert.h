/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of an endorsement key (TCG EK Credential Profile 2.5, 3). */
#ifndef ATTEST_TOOL_EKCERT_H
#define ATTEST_TOOL_EKCERT_H

#include "attest/tool/policy.h"
#include "attest/tool/public.h"

#define EKCERT_WHY 200

/*
 * Whether the certificate, in DER, leads to one of the policy's roots today, and is that key's. Text for people in `what`:
 * whose it is, or what is wrong.
 */
bool ekcert_check(const struct bytes *der, const struct public *ek, STACK_OF(X509) * roots,
		  bool any_host, char what[EKCERT_WHY]);

/* Whether it is a certificate of that key at all, whoever says so. */
bool ekcert_of(const struct bytes *der, const struct public *ek);

#endif
