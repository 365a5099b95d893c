/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/calls.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "attest/api/metrics.h"
#include "attest/api/source.h"
#include "attest/api/text.h"
#include "attest/api/tpm.h"

#define TBOOT_MEASURED 2u /* docs/attestation.md, "What is measured" */

void call_health(const struct request *r, struct answer *a)
{
	cJSON *json;

	if (!source_is_there()) {
		answer_error(a, 503, "unavailable", "no monitor");
	} else if (!tpm_healthy()) {
		answer_error(a, 503, "unavailable", "no TPM");
	} else {
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "status", "ok");
		answer_json(a, 200, json);
	}
}

/* Whether it went well. */
static bool answered(enum tpm_status status, struct answer *a)
{
	if (status == TPM_QUEUE)
		answer_error(a, 503, "unavailable", "too many wait for the TPM");
	else if (status == TPM_GONE)
		answer_error(a, 503, "unavailable", "no TPM, or it fails");
	else if (status == TPM_REFUSED)
		answer_error(a, 400, "bad_request", "the TPM does not take that");
	return status == TPM_OK;
}

static bool add_blob(cJSON *json, const char *name, const struct tpm_blob *blob)
{
	return answer_add(json, name, blob->data, blob->bytes);
}

/* All of it, or an error. */
static void finish(struct answer *a, cJSON *json, bool ok)
{
	if (!ok) {
		cJSON_Delete(json);
		json = NULL;
	}
	answer_json(a, 200, json);
}

void call_identity(const struct request *r, struct answer *a)
{
	struct tpm_identity *id = calloc(1, sizeof(*id));
	cJSON *json;

	if (!id) {
		answer_json(a, 500, NULL);
		return;
	}
	if (answered(tpm_identity(r->tenant, id), a)) {
		json = cJSON_CreateObject();
		finish(a, json,
		       add_blob(json, "ek_certificate", &id->certificate) &&
			       add_blob(json, "ek_public", &id->ek) &&
			       add_blob(json, "ak_public", &id->ak));
	}
	free(id);
}

void call_activate(const struct request *r, struct answer *a)
{
	const char *blob = NULL, *secret = NULL;
	const struct body_field fields[] = {
		{"credential_blob", BODY_TEXT, &blob, NULL},
		{"secret", BODY_TEXT, &secret, NULL},
	};
	uint8_t b[TPM_BLOB], s[TPM_BLOB];
	struct tpm_blob out;
	cJSON *body = body_parse(r, fields, 2, a), *json;
	long b_bytes, s_bytes;

	if (!body)
		return;
	b_bytes = text_base64(blob, b, sizeof(b));
	s_bytes = text_base64(secret, s, sizeof(s));
	cJSON_Delete(body);
	if (b_bytes < 0 || s_bytes < 0) {
		answer_error(a, 400, "bad_request", "no base64, or too long");
		return;
	}
	if (!answered(tpm_activate(r->tenant, b, (size_t)b_bytes, s, (size_t)s_bytes, &out), a))
		return;
	json = cJSON_CreateObject();
	finish(a, json, add_blob(json, "credential", &out));
	OPENSSL_cleanse(&out, sizeof(out));
}

/* --- evidence ----------------------------------------------------------------------------------- */

struct parts {
	uint8_t evidence[EVIDENCE_MAX];
	size_t bytes;
	bool txt;
	struct tpm_blob quote, signature;
};

/* Only so that nonsense is not quoted: it is the tenant who checks it. */
static bool ask_monitor(struct parts *p, const uint8_t nonce[EVIDENCE_NONCE], struct answer *a)
{
	long bytes = source_evidence(nonce, p->evidence);
	struct evidence head;

	if (bytes < 0) {
		if (source_is_there())
			answer_error(a, 503, "unavailable", "the monitor's error is %ld", bytes);
		else
			answer_error(a, 503, "unavailable", "no monitor");
		return false;
	}
	p->bytes = (size_t)bytes;
	if (p->bytes < sizeof(head))
		return false;
	memcpy(&head, p->evidence, sizeof(head));
	p->txt = head.tboot == TBOOT_MEASURED;
	return !memcmp(head.magic, EVIDENCE_MAGIC, sizeof(head.magic)) && head.bytes == p->bytes;
}

static bool qualify(const struct parts *p, const uint8_t nonce[EVIDENCE_NONCE], uint8_t out[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
		  EVP_DigestUpdate(md, EVIDENCE_QUOTE, sizeof(EVIDENCE_QUOTE) - 1) &&
		  EVP_DigestUpdate(md, nonce, EVIDENCE_NONCE) &&
		  EVP_DigestUpdate(md, p->evidence, p->bytes) && EVP_DigestFinal_ex(md, out, NULL);

	EVP_MD_CTX_free(md);
	return ok;
}

static bool add_logs(cJSON *json, bool txt)
{
	long bytes;
	uint8_t *log = source_log(false, &bytes);
	bool ok = log && answer_add(json, "event_log", log, (size_t)bytes);

	free(log);
	if (!ok || !txt)
		return ok;
	log = source_log(true, &bytes);
	if (log) /* else there is none: the tenant will see */
		ok = answer_add(json, "txt_event_log", log, (size_t)bytes);
	free(log);
	return ok;
}

static void answer_evidence(struct answer *a, const struct parts *p)
{
	cJSON *json = cJSON_CreateObject();

	if (add_logs(json, p->txt)) {
		finish(a, json,
		       answer_add(json, "evidence", p->evidence, p->bytes) &&
			       add_blob(json, "quote", &p->quote) &&
			       add_blob(json, "signature", &p->signature));
		return;
	}
	cJSON_Delete(json);
	answer_error(a, 503, "unavailable", "no event log");
}

void call_evidence(const struct request *r, struct answer *a)
{
	const char *hex = NULL;
	const struct body_field fields[] = {{"nonce", BODY_TEXT, &hex, NULL}};
	cJSON *body = body_parse(r, fields, 1, a);
	uint8_t nonce[EVIDENCE_NONCE], qualifying[32];
	struct parts *p;
	bool ok;

	if (!body)
		return;
	ok = text_hex(hex, nonce, sizeof(nonce));
	cJSON_Delete(body);
	if (!ok) {
		answer_error(a, 400, "bad_request", "nonce: 64 hexadecimal digits");
		return;
	}
	p = calloc(1, sizeof(*p));
	if (!p || !ask_monitor(p, nonce, a) || !qualify(p, nonce, qualifying)) {
		if (!a->status)
			answer_error(a, 500, "internal", "no evidence");
		free(p);
		return;
	}
	if (answered(tpm_quote(r->tenant, qualifying, p->txt, &p->quote, &p->signature), a)) {
		metrics_quote();
		answer_evidence(a, p);
	}
	free(p);
}
