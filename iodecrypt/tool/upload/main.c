/* SPDX-License-Identifier: Apache-2.0 */
/* `nether-image upload`: gives an image, which is ciphertext, to a host (docs/api.md, "images"). Goes on where it was cut off. */
#include <cjson/cJSON.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto.h"
#include "iodecrypt/tool/progress.h"
#include "iodecrypt/tool/tool.h"
#include "iodecrypt/tool/upload/file.h"
#include "iodecrypt/tool/upload/http.h"

#define NAME_MAX_BYTES 64u
#define ATTEMPTS 8u /* in a row that bring nothing */
#define WAIT_MAX 30u
#define MESSAGE 200u
#define VERIFY_SECONDS 2 /* between two questions whether the host is through with its hashes */

struct upload {
	struct http_server server;
	const char *name;
	bool quiet;
	struct http *http;
	char path[NAME_MAX_BYTES + 32]; /* of the image, at the host */
	struct upload_file files[2];
	unsigned int failed; /* attempts, since the last that brought something */
	bool completing;     /* the host has been asked to, whatever became of it */
	bool done;
	uint8_t *buf;
};

/* What is worth a repetition. */
#define AGAIN (-1)

static void wait_before(unsigned int attempt, long told)
{
	unsigned int seconds = attempt < 5 ? 1u << attempt : WAIT_MAX;
	struct timespec t = {.tv_sec = told > 0 && told < WAIT_MAX ? told : seconds};

	nanosleep(&t, NULL);
}

/* One attempt more, after a wait; or the end. */
static int again(struct upload *u, const char *why, long told)
{
	if (u->failed + 1 >= ATTEMPTS)
		return fail(STATUS_ERROR, "%s; the same command goes on from here", why);
	if (!u->quiet)
		say("%s: once more", why);
	wait_before(u->failed++, told);
	return AGAIN;
}

/* An answer with one of the codes that are said, in *a; AGAIN; or a status. */
static int ask(struct upload *u, const char *method, const char *path, const char *header,
	       const void *body, size_t n, struct http_answer *a)
{
	char message[MESSAGE];
	bool untrusted;
	long told;
	int err = http_request(u->http, method, path, header, body, n, a, &untrusted);

	if (err && untrusted)
		return fail(STATUS_ERROR, "%s: %s", u->server.host, http_error(u->http));
	if (err)
		return again(u, http_error(u->http), 0);
	if (a->code != 429 && a->code != 500 && a->code != 502 && a->code != 503 && a->code != 504)
		return STATUS_OK;
	http_message(a, message, sizeof(message));
	told = a->retry_after;
	free(a->body);
	*a = (struct http_answer){0};
	return again(u, message, told);
}

static int refused(const struct http_answer *a, const char *what)
{
	char message[MESSAGE];

	return fail(STATUS_ERROR, "%s: %s", what, http_message(a, message, sizeof(message)));
}

/* A number of bytes: what fits a double whole. */
static bool whole(const cJSON *json, const char *name, uint64_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 9e15))
		return false;
	*out = (uint64_t)item->valuedouble;
	return (double)*out == item->valuedouble;
}

static int read_file_state(struct upload_file *f, const cJSON *json)
{
	const cJSON *state = cJSON_GetObjectItemCaseSensitive(json, f->name);
	uint64_t bytes, received;

	if (!whole(state, "bytes", &bytes) || !whole(state, "received", &received))
		return fail(STATUS_ERROR, "the host's answer says nothing of %s", f->name);
	if (bytes != f->bytes)
		return fail(STATUS_OTHER_IMAGE,
			    "the host expects %" PRIu64 " bytes of %s, %s has %" PRIu64, bytes,
			    f->name, f->path, f->bytes);
	return upload_file_received(f, received, NULL);
}

static int read_state(struct upload *u, const struct http_answer *a)
{
	cJSON *json = cJSON_ParseWithLength(a->body ? a->body : "", a->n);
	const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "state"));
	int status;

	if (!state)
		status = fail(STATUS_ERROR, "the host's answer is not an image");
	else if (!strcmp(state, "complete") && !u->completing)
		status = fail(STATUS_ERROR, "the host has %s already, complete", u->name);
	else
		status = read_file_state(&u->files[0], json);
	status = status ? status : read_file_state(&u->files[1], json);
	u->done = !status && state && !strcmp(state, "complete");
	cJSON_Delete(json);
	return status;
}

static int create(struct upload *u)
{
	struct http_answer a;
	char body[NAME_MAX_BYTES + 128];
	int status;

	snprintf(body, sizeof(body),
		 "{\"name\": \"%s\", \"data_bytes\": %" PRIu64 ", \"sidecar_bytes\": %" PRIu64 "}",
		 u->name, u->files[0].bytes, u->files[1].bytes);
	status = ask(u, "POST", "/v1/images", NULL, body, strlen(body), &a);
	if (status)
		return status;
	if (a.code == 409) /* made by an attempt whose answer was lost */
		status = again(u, "there is one", 0);
	else if (a.code != 201)
		status = refused(&a, u->name);
	free(a.body);
	return status;
}

/* How far the host is; at first it has to be told what comes. */
static int synchronize(struct upload *u)
{
	struct http_answer a;
	int status = ask(u, "GET", u->path, NULL, NULL, 0, &a);

	if (status)
		return status;
	if (a.code == 404)
		status = create(u);
	else if (a.code == 200)
		status = read_state(u, &a);
	else
		status = refused(&a, u->name);
	free(a.body);
	return status;
}

static int send_hole(struct upload *u, struct upload_file *f, uint64_t bytes, struct http_answer *a)
{
	char path[sizeof(u->path) + 8], body[128];

	snprintf(path, sizeof(path), "%s/zero", u->path);
	snprintf(body, sizeof(body),
		 "{\"file\": \"%s\", \"offset\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", f->name,
		 f->received, bytes);
	return ask(u, "POST", path, NULL, body, strlen(body), a);
}

static int send_data(struct upload *u, struct upload_file *f, uint32_t n, struct http_answer *a)
{
	char path[sizeof(u->path) + 48], header[100] = "Content-SHA256: ";
	uint8_t digest[32];

	crypto_sha256(u->buf, n, digest);
	upload_hex(header + strlen(header), digest);
	snprintf(path, sizeof(path), "%s/%s?offset=%" PRIu64, u->path, f->name, f->received);
	return ask(u, "PUT", path, header, u->buf, n, a);
}

/* What comes next. AGAIN: nobody knows whether the host has it. */
static int send_next(struct upload *u, struct upload_file *f)
{
	uint64_t before = f->received, hole;
	struct http_answer a;
	uint32_t n;
	int status = upload_file_next(f, u->buf, &hole, &n);

	if (!status)
		status = hole ? send_hole(u, f, hole, &a) : send_data(u, f, n, &a);
	if (status)
		return status;
	if (a.code == 409)
		status = again(u, "the host is elsewhere", 0);
	else if (a.code != 204)
		status = refused(&a, f->name);
	free(a.body);
	if (status)
		return status;
	u->failed = 0;
	progress_add(n);
	return upload_file_received(f, before + (hole ? hole : n), hole ? NULL : u->buf);
}

static int complete(struct upload *u)
{
	char path[sizeof(u->path) + 16], body[256], data[65], sidecar[65];
	struct upload_file files[2] = {u->files[0], u->files[1]};
	struct http_answer a;
	int status;

	upload_file_hash(&files[0], data);
	upload_file_hash(&files[1], sidecar);
	snprintf(path, sizeof(path), "%s/complete", u->path);
	snprintf(body, sizeof(body), "{\"data_sha256\": \"%s\", \"sidecar_sha256\": \"%s\"}", data,
		 sidecar);
	u->completing = true;
	status = ask(u, "POST", path, NULL, body, strlen(body), &a);
	if (status)
		return status;
	u->done = a.code == 200;
	if (a.code == 202) /* it takes its time, in the end as long as reading the image does */
		nanosleep(&(struct timespec){.tv_sec = VERIFY_SECONDS}, NULL);
	else if (a.code == 422)
		status =
			fail(STATUS_ERROR,
			     "the host has other bytes than these files: delete %s, and begin anew",
			     u->name);
	else if (a.code != 200)
		status = refused(&a, "complete");
	free(a.body);
	return status;
}

static int step(struct upload *u)
{
	for (unsigned int i = 0; i < 2; i++)
		if (u->files[i].received < u->files[i].bytes)
			return send_next(u, &u->files[i]);
	return complete(u);
}

static int transfer(struct upload *u)
{
	bool known = false; /* how far the host is */

	while (!u->done) {
		int status = known ? step(u) : synchronize(u);

		if (status > 0)
			return status;
		known = status != AGAIN;
		progress_at(u->files[0].received + u->files[1].received);
		progress_tick();
	}
	return STATUS_OK;
}

static int run(struct upload *u, char **args)
{
	int status;

	u->server.host = args[0];
	u->files[0].fd = u->files[1].fd = -1;
	status = upload_file_open(&u->files[0], args[1], "data");
	status = status ? status : upload_file_open(&u->files[1], args[2], "sidecar");
	u->buf = malloc(CHUNK_MAX);
	if (!status && !u->buf)
		status = fail(STATUS_ERROR, "out of memory");
	if (!status) {
		u->http = http_open(&u->server);
		status = u->http ? STATUS_OK : STATUS_USAGE;
	}
	if (!status) {
		snprintf(u->path, sizeof(u->path), "/v1/images/%s", u->name);
		progress_start(u->files[0].bytes + u->files[1].bytes, u->quiet);
		status = transfer(u);
		progress_end(!status);
	}
	http_close(u->http);
	upload_file_close(&u->files[0]);
	upload_file_close(&u->files[1]);
	free(u->buf);
	return status;
}

static const struct option long_options[] = {
	{"name", required_argument, NULL, 'n'},
	{"token-file", required_argument, NULL, 't'},
	{"tls-pin", required_argument, NULL, 'p'},
	{"cacert", required_argument, NULL, 'c'},
	{"quiet", no_argument, NULL, 'Q'},
	{"help", no_argument, NULL, 'H'},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: nether-image upload --name N --token-file FILE (--tls-pin HASH | --cacert FILE) HOST DATA SIDECAR\n"
	"gives the image to a host; the same command goes on after a break\n"
	"  --name N          the image's name at the host: 1 to 64 of a-z 0-9 . _ -\n"
	"  --token-file FILE what the host gave the tenant: of mode 0600 or 0400\n"
	"  --tls-pin HASH    SHA-256 of the host's SubjectPublicKeyInfo; this, or\n"
	"  --cacert FILE     certificates that the host's leads to\n"
	"  --quiet           no progress\n";

static bool is_name(const char *text)
{
	return text && *text && *text != '.' && strlen(text) <= NAME_MAX_BYTES &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(text);
}

static int set_option(struct upload *u, int letter)
{
	switch (letter) {
	case 'n':
		u->name = optarg;
		return STATUS_OK;
	case 't':
		u->server.token_file = optarg;
		return STATUS_OK;
	case 'p':
		u->server.pin = optarg;
		return STATUS_OK;
	case 'c':
		u->server.cacert = optarg;
		return STATUS_OK;
	case 'Q':
		u->quiet = true;
		return STATUS_OK;
	case 'H':
		fputs(usage, stdout);
		exit(STATUS_OK);
	}
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	struct upload u = {0};
	const char *why;
	int letter, err;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (set_option(&u, letter))
			return STATUS_USAGE;
	if (argc - optind != 3 || !is_name(u.name) || !u.server.token_file) {
		fputs(usage, stderr);
		return STATUS_USAGE;
	}
	err = crypto_init(&why);
	if (err && err != CRYPTO_ERR_SOURCE) /* random numbers are not needed */
		return fail(STATUS_ERROR, "%s", why);
	return run(&u, argv + optind);
}
