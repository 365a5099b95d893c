/* SPDX-License-Identifier: Apache-2.0 */
/* A request as its handler sees it, and what it answers: nothing here knows of HTTP's library. */
#ifndef ATTEST_API_ANSWER_H
#define ATTEST_API_ANSWER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_MAX 65536u

struct request {
	const char *method, *path;
	const char *tenant; /* whose token it came with */
	const char *name;   /* in the path, or "" */
	const char *body;   /* with a NUL behind it */
	size_t bytes;
};

struct answer {
	unsigned int status;
	char *body; /* malloc'd, or NULL */
	size_t bytes;
	const char *type;         /* of the body */
	unsigned int retry_after; /* seconds, or 0 */
	const char *allow;        /* methods, with a 405 */
};

enum body_kind { BODY_TEXT, BODY_NUMBER };

/* One member of a body: where its value goes. */
struct body_field {
	const char *name;
	enum body_kind kind;
	const char **text;
	uint64_t *number; /* 0..TEXT_NUMBER_MAX */
};

/* The answer takes the JSON, or is an error if that is NULL. */
void answer_json(struct answer *a, unsigned int status, cJSON *json);
/* Text goes into the message: ours alone, nothing that came from outside. */
void answer_error(struct answer *a, unsigned int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* 409, with where to go on. */
void answer_received(struct answer *a, uint64_t received);
void answer_free(struct answer *a);

/*
 * A body that is an object with exactly these members, each once. To be deleted after use of the texts; NULL: a is an
 * error.
 */
cJSON *body_parse(const struct request *r, const struct body_field *fields, size_t n,
		  struct answer *a);

/* Adds bytes as base64; false without memory. */
bool answer_add(cJSON *json, const char *name, const uint8_t *data, size_t bytes);

#endif
