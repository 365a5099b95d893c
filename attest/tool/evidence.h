/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's evidence (attest/evidence.h), as it arrived. */
#ifndef ATTEST_TOOL_EVIDENCE_H
#define ATTEST_TOOL_EVIDENCE_H

#include <stdio.h>

#include "attest/evidence.h"
#include "attest/tool/bytes.h"

#define EVIDENCE_WHY 96

struct evidence_all {
	struct evidence head;
	struct evidence_guest guests[EVIDENCE_GUESTS_MAX];
	struct evidence_disk disks[EVIDENCE_DISKS_MAX];
	struct evidence_channel channels[EVIDENCE_CHANNELS_MAX];
};

/* 0, or -1 with why. Nothing is true of it before its signature is, by a key that the TPM has vouched for. */
int evidence_parse(struct evidence_all *e, const struct bytes *in, char why[EVIDENCE_WHY]);

/* Whether it is signed by the key, P-256's X and Y. */
bool evidence_signed(const struct bytes *in, const uint8_t sign[64]);

/* SHA-256(EVIDENCE_QUOTE, nonce, evidence): a quote's qualifying data. */
void evidence_qualifying(uint8_t out[32], const uint8_t nonce[EVIDENCE_NONCE],
			 const struct bytes *in);

/* Guests, disks and channels, for people; a line each. */
void evidence_print_guest(const struct evidence_guest *g, FILE *to);
void evidence_print_disk(const struct evidence_disk *d, FILE *to);
void evidence_print_channel(const struct evidence_channel *c, FILE *to);
void evidence_print(const struct evidence_all *e, FILE *to);

#endif
