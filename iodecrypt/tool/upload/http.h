/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to netherd-api (docs/api.md), over TLS with a server that is known by its key or by its authority: there is no
 * other way. For nether-image-upload and nether-attest.
 */
#ifndef IODECRYPT_TOOL_UPLOAD_HTTP_H
#define IODECRYPT_TOOL_UPLOAD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ANSWER_MAX (4u << 20)
#define HTTP_PORT 8443u

struct http;

struct http_server {
	const char *host;       /* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT */
	const char *token_file; /* of mode 0600 or 0400; NULL: none */
	const char *pin; /* SHA-256 of the server's SubjectPublicKeyInfo, in hexadecimal, or NULL */
	const char *cacert; /* PEM, or NULL; one of both must be */
};

struct http_answer {
	long code;        /* of HTTP */
	long retry_after; /* seconds, or 0 */
	char *body;       /* with a 0 behind it; the caller's to free */
	size_t n;
};

/* Connects at the first request. NULL: said why. */
struct http *http_open(const struct http_server *s);
void http_close(struct http *h);

/*
 * One request. header may be NULL. 0, whatever the code; or -1 if there was no answer: http_error() has why. *untrusted is set if
 * that is because the server is not the one that is known: a repetition is useless.
 */
int http_request(struct http *h, const char *method, const char *path, const char *header,
		 const void *body, size_t n, struct http_answer *a, bool *untrusted);
const char *http_error(const struct http *h);

/* What the server says of an answer that is no success, made fit for a terminal: buf is returned. */
const char *http_message(const struct http_answer *a, char *buf, size_t n);

#endif
