/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/host.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/tool/credential.h"
#include "attest/tool/known.h"
#include "attest/tool/report.h"

#define MESSAGE 200

struct http *host_open(const struct attest_options *o, const char *host)
{
	return http_open(&(struct http_server){host, o->token, o->pin, o->cacert});
}

/* -1: no answer; and said so. */
static int request(struct http *h, const char *method, const char *path, const cJSON *body,
		   struct http_answer *a)
{
	char *text = body ? need(cJSON_PrintUnformatted(body)) : NULL;
	bool untrusted;
	int err = http_request(h, method, path, NULL, text, text ? strlen(text) : 0, a, &untrusted);

	cJSON_free(text);
	if (err)
		fail(ATTEST_ERROR, "%s: %s", path, http_error(h));
	return err;
}

static bool success(const struct http_answer *a)
{
	return a->code >= 200 && a->code <= 299;
}

int host_call(struct http *h, const char *method, const char *path, const cJSON *body,
	      cJSON **answer)
{
	char message[MESSAGE];
	struct http_answer a;
	int status = ATTEST_OK;

	if (request(h, method, path, body, &a))
		return ATTEST_ERROR;
	if (!success(&a))
		status = fail(ATTEST_ERROR, "%s: %s", path,
			      http_message(&a, message, sizeof(message)));
	if (!status && answer) {
		*answer = bundle_json(a.body ? a.body : "", a.n);
		if (!*answer)
			status = fail(ATTEST_ERROR, "%s: the answer is not JSON", path);
	}
	free(a.body);
	return status;
}

static int ask_identity(struct http *h, struct bundle *b)
{
	char why[BUNDLE_WHY];
	cJSON *answer = NULL;
	int status = host_call(h, "GET", "/v1/identity", NULL, &answer);

	if (!status && bundle_identity(b, answer, why))
		status = fail(ATTEST_ERROR, "/v1/identity: %s", why);
	cJSON_Delete(answer);
	return status;
}

static int ask_evidence(struct http *h, struct bundle *b)
{
	cJSON *body = need(cJSON_CreateObject()), *answer = NULL;
	char why[BUNDLE_WHY], nonce[2 * sizeof(b->nonce) + 1];
	int status;

	hex_encode(nonce, b->nonce, sizeof(b->nonce));
	need(cJSON_AddStringToObject(body, "nonce", nonce));
	status = host_call(h, "POST", "/v1/evidence", body, &answer);
	if (!status && bundle_evidence(b, answer, why))
		status = fail(ATTEST_ERROR, "/v1/evidence: %s", why);
	cJSON_Delete(answer);
	cJSON_Delete(body);
	return status;
}

static cJSON *credential_json(const struct bytes *blob, const struct bytes *enc)
{
	cJSON *body = need(cJSON_CreateObject());
	char *text = base64_encode(blob->at, blob->n);

	need(cJSON_AddStringToObject(body, "credential_blob", text));
	free(text);
	text = base64_encode(enc->at, enc->n);
	need(cJSON_AddStringToObject(body, "secret", text));
	free(text);
	return body;
}

static bool is_secret(const struct http_answer *a, const uint8_t secret[CREDENTIAL_BYTES])
{
	cJSON *json = success(a) ? bundle_json(a->body ? a->body : "", a->n) : NULL;
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "credential"));
	struct bytes got = {NULL, 0};
	bool is = text && base64_decode(&got, text, 64) && got.n == CREDENTIAL_BYTES &&
		  !CRYPTO_memcmp(got.at, secret, CREDENTIAL_BYTES);

	bytes_free(&got);
	cJSON_Delete(json);
	return is;
}

/* A TPM that refuses says that the attestation key is not its own: a row, where no answer at all is an error. */
static int activate(struct http *h, struct check *c)
{
	uint8_t secret[CREDENTIAL_BYTES];
	struct bytes blob, enc;
	char message[MESSAGE] = "another credential than was wrapped";
	struct http_answer a = {0};
	cJSON *body;
	int err;
	bool is;

	if (RAND_bytes(secret, sizeof(secret)) != 1 ||
	    credential_make(&c->ek, &c->ak, secret, &blob, &enc))
		return fail(ATTEST_ERROR, "OpenSSL cannot wrap a credential for this key");
	body = credential_json(&blob, &enc);
	err = request(h, "POST", "/v1/activate", body, &a);
	is = !err && is_secret(&a, secret);
	if (!err && !success(&a))
		http_message(&a, message, sizeof(message));
	if (!err)
		rows_add(&c->rows, is, "activation", "this TPM has the attestation key", "%s",
			 is ? "this TPM has the attestation key" : message);
	free(a.body);
	cJSON_Delete(body);
	bytes_free(&blob);
	bytes_free(&enc);
	OPENSSL_cleanse(secret, sizeof(secret));
	return err ? ATTEST_ERROR : ATTEST_OK;
}

int host_check(struct http *h, const char *host, const struct policy *p, struct bundle *b,
	       struct check *c)
{
	int status;

	*b = (struct bundle){.host = need(strdup(host))};
	*c = (struct check){0};
	if (RAND_bytes(b->nonce, sizeof(b->nonce)) != 1)
		return fail(ATTEST_ERROR, "no random numbers");
	status = ask_identity(h, b);
	if (status)
		return status;
	check_identity(c, b, p);
	if (c->has_ek && c->has_ak)
		status = activate(h, c);
	else
		rows_add(&c->rows, false, "activation", "this TPM has the attestation key",
			 "not asked");
	if (!status)
		status = ask_evidence(h, b);
	if (!status)
		check_state(c, b, p);
	return status;
}

void host_remember(const struct attest_options *o, const char *host, const struct check *c)
{
	if (!c->rows.failed && known_add(o->known, c->ek.spki, c->ak_id, host))
		say("warning: this host's keys are not kept: `evidence check` will not know them");
}

/* --- commands -------------------------------------------------------------------------------- */

int attest_verify(const struct attest_options *o, char **args)
{
	struct policy p = {0};
	struct bundle b = {0};
	struct check c = {0};
	struct http *h;
	int status;

	if (!o->policy)
		return fail(ATTEST_USAGE, "`verify` takes a --policy: see `policy init`");
	status = policy_load(&p, o->policy);
	if (status)
		return status;
	h = host_open(o, args[0]);
	status = h ? host_check(h, args[0], &p, &b, &c) : ATTEST_ERROR;
	if (!status) {
		status = report(&c, &b, o->json);
		host_remember(o, args[0], &c);
	}
	http_close(h);
	check_free(&c);
	bundle_free(&b);
	policy_free(&p);
	return status;
}

/* Without a policy, to make one: whether all fits together. */
int attest_evidence_save(const struct attest_options *o, char **args)
{
	struct policy p = {0};
	struct bundle b = {0};
	struct check c = {0};
	struct http *h = NULL;
	int status = o->policy ? policy_load(&p, o->policy) : ATTEST_OK, saved;

	if (!status) {
		h = host_open(o, args[0]);
		status = h ? host_check(h, args[0], o->policy ? &p : NULL, &b, &c) : ATTEST_ERROR;
	}
	if (!status) {
		status = report(&c, &b, o->json);
		saved = bundle_save(&b, args[1], o->force);
		status = saved ? saved : status;
		host_remember(o, args[0], &c);
	}
	http_close(h);
	check_free(&c);
	bundle_free(&b);
	policy_free(&p);
	return status;
}
