/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attest/tool/log.h"
#include "attest/tool/tool.h"
#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/output.h"

#define FORMAT "nethervisor-evidence"
#define HOST_MAX 300u

static const struct field {
	const char *name;
	size_t max;
	bool may_lack;
} identity_fields[] = {{"ek_certificate", 8192, true},
		       {"ek_public", 1024, false},
		       {"ak_public", 1024, false}},
  evidence_fields[] = {{"evidence", EVIDENCE_MAX, false},
		       {"quote", 2048, false},
		       {"signature", 2048, false},
		       {"event_log", LOG_MAX, false},
		       {"txt_event_log", LOG_MAX, true}};

#define IDENTITY_FIELDS 3
#define EVIDENCE_FIELDS 5

static void identity_bytes(struct bundle *b, struct bytes *out[IDENTITY_FIELDS])
{
	out[0] = &b->ek_certificate;
	out[1] = &b->ek_public;
	out[2] = &b->ak_public;
}

static void answer_bytes(struct bundle *b, struct bytes *out[EVIDENCE_FIELDS])
{
	out[0] = &b->evidence;
	out[1] = &b->quote;
	out[2] = &b->signature;
	out[3] = &b->event_log;
	out[4] = &b->txt_event_log;
}

static int read_fields(const cJSON *json, const struct field *f, unsigned int count,
		       struct bytes *const out[], char why[BUNDLE_WHY])
{
	for (unsigned int i = 0; i < count; i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, f[i].name);

		bytes_free(out[i]);
		if (f[i].may_lack && (!item || cJSON_IsNull(item)))
			continue;
		if (!cJSON_IsString(item) || !base64_decode(out[i], item->valuestring, f[i].max)) {
			snprintf(why, BUNDLE_WHY, "\"%s\" is not base64 of up to %zu bytes",
				 f[i].name, f[i].max);
			return -1;
		}
	}
	return 0;
}

int bundle_identity(struct bundle *b, const cJSON *json, char why[BUNDLE_WHY])
{
	struct bytes *out[IDENTITY_FIELDS];

	identity_bytes(b, out);
	return read_fields(json, identity_fields, IDENTITY_FIELDS, out, why);
}

int bundle_evidence(struct bundle *b, const cJSON *json, char why[BUNDLE_WHY])
{
	struct bytes *out[EVIDENCE_FIELDS];

	answer_bytes(b, out);
	return read_fields(json, evidence_fields, EVIDENCE_FIELDS, out, why);
}

/* Each with each: not of an object with more than any of ours has. */
#define ITEMS_MAX 64

static bool names_once(const cJSON *json)
{
	if (cJSON_GetArraySize(json) > ITEMS_MAX)
		return false;
	for (const cJSON *a = json->child; a; a = a->next)
		for (const cJSON *b = a->next; b; b = b->next)
			if (!strcmp(a->string, b->string))
				return false;
	return true;
}

cJSON *bundle_json(const char *text, size_t n)
{
	const char *end;
	cJSON *json = cJSON_ParseWithLengthOpts(text, n, &end, 0);

	while (json && end < text + n && strchr(" \t\r\n", *end) && *end)
		end++;
	if (json && (end != text + n || !cJSON_IsObject(json) || !names_once(json))) {
		cJSON_Delete(json);
		json = NULL;
	}
	return json;
}

int bundle_read_file(const char *path, size_t max, struct bytes *out)
{
	int fd = file_open(path, O_RDONLY, STDIN_FILENO);
	ssize_t n;

	*out = (struct bytes){NULL, 0};
	if (fd < 0)
		return fail_file(path);
	out->at = need(malloc(max + 2));
	n = file_read(fd, out->at, max + 1);
	close(fd);
	if (n < 0 || (size_t)n > max) {
		int status = n < 0 ? fail_file(path)
				   : fail(ATTEST_ERROR, "%s: more than %zu bytes", path, max);

		bytes_free(out);
		return status;
	}
	out->n = (size_t)n;
	out->at[n] = '\0';
	return ATTEST_OK;
}

static int read_json(struct bundle *b, const cJSON *json, char why[BUNDLE_WHY])
{
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "format");
	const cJSON *host = cJSON_GetObjectItemCaseSensitive(json, "host");
	const cJSON *nonce = cJSON_GetObjectItemCaseSensitive(json, "nonce");

	if (!cJSON_IsString(format) || strcmp(format->valuestring, FORMAT) != 0 ||
	    !cJSON_IsString(host) || strlen(host->valuestring) > HOST_MAX ||
	    !cJSON_IsString(nonce) || !hex_decode(b->nonce, nonce->valuestring, sizeof(b->nonce))) {
		snprintf(why, BUNDLE_WHY, "not a file of `nether-attest evidence save`");
		return -1;
	}
	b->host = need(strdup(host->valuestring));
	return bundle_identity(b, json, why) || bundle_evidence(b, json, why) ? -1 : 0;
}

int bundle_load(struct bundle *b, const char *path)
{
	char why[BUNDLE_WHY] = "not JSON";
	struct bytes text;
	int status = bundle_read_file(path, BUNDLE_FILE_MAX, &text);
	cJSON *json;

	*b = (struct bundle){0};
	if (status)
		return status;
	json = bundle_json((char *)text.at, text.n);
	if (!json || read_json(b, json, why))
		status = fail(ATTEST_ERROR, "%s: %s", path, why);
	cJSON_Delete(json);
	bytes_free(&text);
	if (status)
		bundle_free(b);
	return status;
}

static void add_fields(cJSON *json, const struct field *f, unsigned int count,
		       struct bytes *const in[])
{
	for (unsigned int i = 0; i < count; i++) {
		char *text = base64_encode(in[i]->at, in[i]->n);

		if (in[i]->n || !f[i].may_lack)
			need(cJSON_AddStringToObject(json, f[i].name, text));
		free(text);
	}
}

int bundle_save(const struct bundle *b, const char *path, bool force)
{
	struct bytes *identity[IDENTITY_FIELDS], *evidence[EVIDENCE_FIELDS];
	cJSON *json = need(cJSON_CreateObject());
	struct bundle copy = *b;
	char nonce[65], *text;
	int fd, status;

	identity_bytes(&copy, identity);
	answer_bytes(&copy, evidence);
	hex_encode(nonce, b->nonce, sizeof(b->nonce));
	need(cJSON_AddStringToObject(json, "format", FORMAT));
	need(cJSON_AddStringToObject(json, "host", b->host));
	need(cJSON_AddStringToObject(json, "nonce", nonce));
	add_fields(json, identity_fields, IDENTITY_FIELDS, identity);
	add_fields(json, evidence_fields, EVIDENCE_FIELDS, evidence);
	text = need(cJSON_Print(json));
	status = output_create(path, false, force, &fd);
	if (!status && (file_write(fd, text, strlen(text)) || file_write(fd, "\n", 1)))
		status = fail_file(path);
	status = status ? status : output_commit();
	output_discard();
	cJSON_free(text);
	cJSON_Delete(json);
	return status ? ATTEST_ERROR : ATTEST_OK;
}

void bundle_free(struct bundle *b)
{
	struct bytes *identity[IDENTITY_FIELDS], *evidence[EVIDENCE_FIELDS];

	identity_bytes(b, identity);
	answer_bytes(b, evidence);
	for (unsigned int i = 0; i < IDENTITY_FIELDS; i++)
		bytes_free(identity[i]);
	for (unsigned int i = 0; i < EVIDENCE_FIELDS; i++)
		bytes_free(evidence[i]);
	free(b->host);
	*b = (struct bundle){0};
}
