/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/api/text.h"

void answer_free(struct answer *a)
{
	free(a->body);
	*a = (struct answer){0};
}

static void no_memory(struct answer *a)
{
	static const char text[] = "{\"error\":{\"code\":\"internal\",\"message\":\"no memory\"}}";

	answer_free(a);
	a->status = 500;
	a->type = "application/json";
	a->body = strdup(text);
	a->bytes = a->body ? sizeof(text) - 1 : 0;
}

void answer_json(struct answer *a, unsigned int status, cJSON *json)
{
	answer_free(a);
	a->body = json ? cJSON_PrintUnformatted(json) : NULL;
	cJSON_Delete(json);
	if (!a->body) {
		no_memory(a);
		return;
	}
	a->status = status;
	a->bytes = strlen(a->body);
	a->type = "application/json";
}

static cJSON *error(const char *code, const char *message, cJSON **inner)
{
	cJSON *top = cJSON_CreateObject();

	*inner = cJSON_AddObjectToObject(top, "error");
	if (!cJSON_AddStringToObject(*inner, "code", code) ||
	    !cJSON_AddStringToObject(*inner, "message", message)) {
		cJSON_Delete(top);
		return NULL;
	}
	return top;
}

void answer_error(struct answer *a, unsigned int status, const char *code, const char *format, ...)
{
	char message[256];
	cJSON *inner;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	answer_json(a, status, error(code, message, &inner));
	if (status == 429 || status == 503)
		a->retry_after = 1;
}

void answer_received(struct answer *a, uint64_t received)
{
	cJSON *inner, *top = error("conflict", "not where the upload is to go on", &inner);

	if (top && !cJSON_AddNumberToObject(inner, "received", (double)received)) {
		cJSON_Delete(top);
		top = NULL;
	}
	answer_json(a, 409, top);
}

bool answer_add(cJSON *json, const char *name, const uint8_t *data, size_t bytes)
{
	char *text = text_to_base64(data, bytes);
	bool ok = text && cJSON_AddStringToObject(json, name, text);

	free(text);
	return ok;
}

/*
 * cJSON takes control characters, cuts texts at an escaped NUL, and recurses for each bracket: what it is not given it
 * cannot do. No body of ours has anything nested.
 */
static const char *refuse(const char *body, size_t bytes)
{
	unsigned int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)body[i];

		if (c < ' ' && (quoted || !strchr("\t\n\r", c) || !c))
			return "a control character";
		if (quoted && c == '\\') {
			if (!strncmp(body + i, "\\u0000", 6))
				return "a NUL in a text";
			i++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == '{' || c == '[') && ++depth > 1) {
			return "something nested";
		}
	}
	return NULL;
}

static const struct body_field *field_of(const struct body_field *fields, size_t n,
					 const char *name)
{
	for (size_t i = 0; name && i < n; i++) {
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	}
	return NULL;
}

static const char *take(const struct body_field *f, const cJSON *item)
{
	if (f->kind == BODY_TEXT) {
		if (!cJSON_IsString(item))
			return "a member that is no text";
		*f->text = item->valuestring;
		return NULL;
	}
	if (!cJSON_IsNumber(item))
		return "a member that is no number";
	if (!(item->valuedouble >= 0 && item->valuedouble <= (double)TEXT_NUMBER_MAX))
		return "a number out of range";
	*f->number = (uint64_t)item->valuedouble;
	return (double)*f->number == item->valuedouble ? NULL : "a number with a fraction";
}

static const char *take_all(const cJSON *json, const struct body_field *fields, size_t n)
{
	uint32_t seen = 0;
	const cJSON *item;

	if (!cJSON_IsObject(json))
		return "no object";
	cJSON_ArrayForEach(item, json)
	{
		const struct body_field *f = field_of(fields, n, item->string);
		const char *why;

		if (!f)
			return "a member that does not belong there";
		if (seen & 1u << (f - fields))
			return "a member twice";
		seen |= 1u << (f - fields);
		why = take(f, item);
		if (why)
			return why;
	}
	return seen == (1u << n) - 1 ? NULL : "a member is missing";
}

cJSON *body_parse(const struct request *r, const struct body_field *fields, size_t n,
		  struct answer *a)
{
	const char *why = refuse(r->body, r->bytes);
	cJSON *json = NULL;

	if (!why) {
		json = cJSON_ParseWithLengthOpts(r->body, r->bytes + 1, NULL, 1);
		why = json ? take_all(json, fields, n) : "no JSON";
	}
	if (!why)
		return json;
	answer_error(a, 400, "bad_request", "the body: %s", why);
	cJSON_Delete(json);
	return NULL;
}
