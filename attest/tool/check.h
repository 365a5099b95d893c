/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is checked of a host, in the order of the chain (docs/attestation.md): a row for each. */
#ifndef ATTEST_TOOL_CHECK_H
#define ATTEST_TOOL_CHECK_H

#include "attest/tool/bundle.h"
#include "attest/tool/ekcert.h"
#include "attest/tool/evidence.h"
#include "attest/tool/loaded.h"
#include "attest/tool/policy.h"
#include "attest/tool/public.h"
#include "attest/tool/quote.h"
#include "attest/tool/rows.h"
#include "attest/tool/tool.h"

/* What a TXT launch measures: SINIT and tboot, and what tboot starts. A bit for each PCR. */
#define TXT_PCRS (1u << 17 | 1u << 18)

struct check {
	struct rows rows;
	/* What was found; each is there only if its row is ok. */
	struct public ek, ak;
	bool has_ek, has_ak;
	uint8_t ak_id[32]; /* SHA-256 of the public area */
	bool from_file;    /* with a nonce that is nobody's here */
	struct log log, txt_log;
	bool has_log, has_quote, has_loaded, has_keys, has_evidence;
	struct quote quote;
	struct loaded loaded;
	struct measured_keys keys;
	struct evidence_all evidence;
};

/*
 * The keys of the TPM. policy NULL, here and below: whether it all fits together, and nothing of what is allowed. To be
 * followed by a row for what says that ak is of that TPM: activation, or a file of known keys.
 */
void check_identity(struct check *c, const struct bundle *b, const struct policy *p);

/*
 * Whether ak is of the TPM that ek is of, when nobody can be asked: by the policy or the file of known keys. An attest_status:
 * ATTEST_OK and a row, or said why not.
 */
int check_known(struct check *c, const struct attest_options *o, const struct policy *p);

/* The PCR's value by the logs: of a TXT launch's, if there is one, for what that has reset. */
const uint8_t *check_replayed(const struct check *c, unsigned int pcr);

/* Quote, log, evidence. */
void check_state(struct check *c, const struct bundle *b, const struct policy *p);

void check_free(struct check *c);

/* check_pcrs.c: what the log says, against the policy. */
void check_pcrs(struct check *c, const struct policy *p);

#endif
