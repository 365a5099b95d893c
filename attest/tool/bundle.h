/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is needed to check a host later: what it answered, and the nonce. As a file, JSON with the names of
 * docs/api.md.
 */
#ifndef ATTEST_TOOL_BUNDLE_H
#define ATTEST_TOOL_BUNDLE_H

#include <cjson/cJSON.h>

#include "attest/evidence.h"
#include "attest/tool/bytes.h"

#define BUNDLE_WHY 96
#define BUNDLE_FILE_MAX (4u << 20)

struct bundle {
	char *host;
	uint8_t nonce[EVIDENCE_NONCE];
	struct bytes ek_certificate, ek_public,
		ak_public; /* a certificate of 0 bytes: there is none */
	struct bytes evidence, quote, signature, event_log;
	struct bytes txt_event_log; /* 0 bytes: no TXT launch */
};

/* From answers of `GET /v1/identity` and `POST /v1/evidence`: 0, or -1 with why. What was read stays to be freed. */
int bundle_identity(struct bundle *b, const cJSON *json, char why[BUNDLE_WHY]);
int bundle_evidence(struct bundle *b, const cJSON *json, char why[BUNDLE_WHY]);

/* One JSON object and nothing else, no name of it twice; or NULL. */
cJSON *bundle_json(const char *text, size_t n);

/* Each an attest_status, and says what is wrong. */
int bundle_load(struct bundle *b, const char *path);
int bundle_save(const struct bundle *b, const char *path, bool force);
void bundle_free(struct bundle *b);

/* A whole file of at most max bytes, with a 0 behind it: an attest_status. "-" is standard input. */
int bundle_read_file(const char *path, size_t max, struct bytes *out);

#endif
