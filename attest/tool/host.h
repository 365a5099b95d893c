/* SPDX-License-Identifier: Apache-2.0 */
/* A host, asked over the network (docs/api.md). */
#ifndef ATTEST_TOOL_HOST_H
#define ATTEST_TOOL_HOST_H

#include "attest/tool/check.h"
#include "attest/tool/tool.h"
#include "iodecrypt/tool/upload/http.h"

/* NULL: said why. */
struct http *host_open(const struct attest_options *o, const char *host);

/* ATTEST_OK for an answer of 2xx, in *answer if that is not NULL: to be deleted. Says what else it was. body may be NULL. */
int host_call(struct http *h, const char *method, const char *path, const cJSON *body,
	      cJSON **answer);

/*
 * A fresh nonce, the TPM's keys, activation, evidence; all is checked.
 * ATTEST_OK: there are rows, which may have failed. b and c are the caller's to free, whatever comes.
 */
int host_check(struct http *h, const char *host, const struct policy *p, struct bundle *b,
	       struct check *c);

/* If no row has failed, keeps in o->known what the TPM has activated. If that cannot be, it warns: the verdict stands. */
void host_remember(const struct attest_options *o, const char *host, const struct check *c);

#endif
