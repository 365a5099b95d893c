/* SPDX-License-Identifier: Apache-2.0 */
/* A quote: TPMS_ATTEST of TPM2_Quote (TPM 2.0 part 2, 10.12), and its TPMT_SIGNATURE. */
#ifndef ATTEST_TOOL_QUOTE_H
#define ATTEST_TOOL_QUOTE_H

#include "attest/tool/public.h"

#define QUOTE_WHY 96

struct quote {
	uint8_t extra[64]; /* the qualifying data */
	size_t extra_n;
	uint32_t pcrs; /* bit i: PCR i of the SHA-256 bank, and of no other */
	uint8_t digest[32];
	uint32_t resets, restarts;
};

/* 0, or -1 with why. It says nothing yet: the signature has to be checked. */
int quote_parse(struct quote *q, const struct bytes *in, char why[QUOTE_WHY]);

/* NULL, or why the signature is not the key's of these bytes. */
const char *quote_unsigned(const struct public *ak, const struct bytes *quote,
			   const struct bytes *signature);

#endif
