/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/api/files.h"
#include "attest/netherd/process.h"

#define TOKEN_BYTES 32u

static const char *const role_name[] = {"tenant", "metrics"};

static struct token *tokens;
static size_t count;
static struct stat last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* 1 a token, 0 nothing, -1 something else. */
static int parse_line(char *line, struct token *t)
{
	char *rest, *word[4] = {NULL};
	int n = 0;

	for (char *w = strtok_r(line, " \t\r", &rest); w && n < 4;
	     w = strtok_r(NULL, " \t\r", &rest))
		word[n++] = w;
	if (n == 0 || *word[0] == '#')
		return 0;
	memset(t, 0, sizeof(*t));
	if (n != 3 || !text_id(word[0]) || !text_hex(word[2], t->hash, sizeof(t->hash)))
		return -1;
	memcpy(t->tenant, word[0], strlen(word[0]) + 1);
	if (!strcmp(word[1], role_name[ROLE_METRICS]))
		t->role = ROLE_METRICS;
	else if (strcmp(word[1], role_name[ROLE_TENANT]) != 0)
		return -1;
	return 1;
}

long tokens_parse(const char *text, size_t bytes, struct token *out, size_t max)
{
	long n = 0, number = 0;

	for (const char *at = text, *end = text + bytes; at < end;) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((eol ? eol : end) - at);
		struct token t;
		char line[256];
		int found;

		number++;
		if (len >= sizeof(line) || memchr(at, '\0', len))
			return -number;
		memcpy(line, at, len);
		line[len] = '\0';
		found = parse_line(line, &t);
		if (found < 0 || (found && (size_t)n == max))
			return -number;
		if (found)
			out[n++] = t;
		at = eol ? eol + 1 : end;
	}
	return n;
}

/* A token keeps its bucket. */
static void replace(struct token *fresh, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < count; j++) {
			if (!memcmp(fresh[i].hash, tokens[j].hash, sizeof(fresh[i].hash)))
				fresh[i].bucket = tokens[j].bucket;
		}
	}
	free(tokens);
	tokens = fresh;
	count = n;
}

static int load(const char *path)
{
	struct token *fresh = calloc(TOKENS_MAX, sizeof(*fresh));
	char *text = malloc(TOKENS_BYTES);
	long bytes = text ? file_read(path, text, TOKENS_BYTES) : -1, n = -1;

	if (fresh && bytes >= 0)
		n = tokens_parse(text, (size_t)bytes, fresh, TOKENS_MAX);
	free(text);
	if (n < 0) {
		if (bytes < 0)
			process_say("%s: cannot be read, or is too large", path);
		else
			process_say("%s: line %ld is no token", path, -n);
		free(fresh);
		return -1;
	}
	pthread_mutex_lock(&lock);
	replace(fresh, (size_t)n);
	pthread_mutex_unlock(&lock);
	return 0;
}

int tokens_load(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		memset(&st, 0, sizeof(st));
	if (tokens && st.st_ino == last.st_ino && st.st_size == last.st_size &&
	    !memcmp(&st.st_mtim, &last.st_mtim, sizeof(st.st_mtim)))
		return 0;
	last = st;
	return load(path);
}

/* All are compared, each whole: time tells nothing of a hash that is almost right. */
enum token_answer tokens_check(const char *token, uint64_t rate, struct principal *who)
{
	enum token_answer answer = TOKEN_UNKNOWN;
	struct token *found = NULL;
	uint8_t hash[32];

	if (EVP_Digest(token, strlen(token), hash, NULL, EVP_sha256(), NULL) != 1)
		return TOKEN_UNKNOWN;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < count; i++) {
		if (!CRYPTO_memcmp(hash, tokens[i].hash, sizeof(hash)))
			found = &tokens[i];
	}
	if (found) {
		memcpy(who->tenant, found->tenant, sizeof(who->tenant));
		who->role = found->role;
		answer = bucket_take(&found->bucket, rate, limits_now()) ? TOKEN_OK : TOKEN_RATE;
	}
	pthread_mutex_unlock(&lock);
	return answer;
}

int tokens_new(const char *tenant, const char *role)
{
	uint8_t random[TOKEN_BYTES], hash[32];
	char token[2 * TOKEN_BYTES + 1], line[2 * sizeof(hash) + 1];

	if (!text_id(tenant) || (strcmp(role, role_name[ROLE_TENANT]) != 0 &&
				 strcmp(role, role_name[ROLE_METRICS]) != 0)) {
		process_say(
			"a tenant's name is 1..64 of a-z 0-9 . _ -, not digits alone; roles: tenant, metrics");
		return -1;
	}
	if (RAND_bytes(random, sizeof(random)) != 1)
		return -1;
	text_to_hex(random, sizeof(random), token);
	if (EVP_Digest(token, strlen(token), hash, NULL, EVP_sha256(), NULL) != 1)
		return -1;
	text_to_hex(hash, sizeof(hash), line);
	printf("%s\n%s %s %s\n", token, tenant, role, line);
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(token, sizeof(token));
	return 0;
}
