/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/upload/http.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/tool.h"

#define TOKEN_MAX 512u
#define HOST_MAX 255u
#define CONNECT_SECONDS 15L
#define REQUEST_SECONDS 120L /* all of one: a TPM takes its time, an image is hashed meanwhile */
/* A chunk has megabytes, and no limit but this, over so many seconds. */
#define SLOW_BYTES 1024L
#define SLOW_SECONDS 60L
#define CIPHERS "DEFAULT:!aNULL" /* who is not known by a certificate has no key to be pinned */

struct http {
	CURL *curl;
	char base[HOST_MAX + 32];
	char authorization[TOKEN_MAX + 32];
	char error[CURL_ERROR_SIZE];
};

/* Letters, digits, dots and hyphens; or an IPv6 address in brackets; then a port. */
static bool set_base(struct http *h, const char *host)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	size_t n = strlen(host), length;
	const char *port;

	if (*host == '[') {
		length = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
		if (length == 1 || host[length++] != ']')
			return false;
	} else {
		length = strspn(host, name);
	}
	port = host + length;
	if (!length || n > HOST_MAX || *host == '-')
		return false;
	if (!*port) {
		snprintf(h->base, sizeof(h->base), "https://%s:%u", host, HTTP_PORT);
		return true;
	}
	snprintf(h->base, sizeof(h->base), "https://%s", host);
	return *port == ':' && port[1] && strspn(port + 1, "0123456789") == strlen(port + 1) &&
	       strlen(port + 1) <= 5;
}

static int check_token(const char *token, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return -1;
	return n && n <= TOKEN_MAX ? 0 : -1;
}

static int read_token(struct http *h, const char *path)
{
	int fd = file_open(path, O_RDONLY, STDIN_FILENO), status = STATUS_OK;
	char token[TOKEN_MAX + 3];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return fail_file(path);
	n = file_read(fd, token, sizeof(token) - 1);
	close(fd);
	if (S_ISREG(st.st_mode) && st.st_mode & 077)
		status = fail(STATUS_KEY_FILE, "%s: others could read this token: chmod 600 %s",
			      path, path);
	while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
		n--;
	if (!status && (n < 0 || check_token(token, (size_t)n)))
		status = fail(STATUS_ERROR, "%s: not a token", path);
	if (!status)
		snprintf(h->authorization, sizeof(h->authorization), "Authorization: Bearer %.*s",
			 (int)n, token);
	crypto_wipe(token, sizeof(token));
	return status;
}

/* As libcurl wants it: base64. */
static int set_pin(struct http *h, const char *pin)
{
	static const char digits[] = "0123456789abcdef";
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t hash[33] = {0};
	char text[8 + 45] = "sha256//", *out = text + 8;

	for (unsigned int i = 0; i < 64; i++) {
		const char *d = pin[i] ? strchr(digits, pin[i] | 0x20) : NULL;

		if (!d)
			return -1;
		hash[i / 2] = (uint8_t)(hash[i / 2] << 4 | (d - digits));
	}
	if (pin[64])
		return -1;
	for (unsigned int i = 0; i < 33; i += 3) {
		uint32_t bits = (uint32_t)hash[i] << 16 | (uint32_t)hash[i + 1] << 8 | hash[i + 2];

		for (unsigned int j = 0; j < 4; j++)
			*out++ = alphabet[bits >> (18 - 6 * j) & 63];
	}
	out[-1] = '=';
	*out = '\0';
	return curl_easy_setopt(h->curl, CURLOPT_PINNEDPUBLICKEY, text) == CURLE_OK ? 0 : -1;
}

/* A pin names the server by itself: its certificate may then be of its own making. */
static int set_trust(struct http *h, const struct http_server *s)
{
	if (!s->pin && !s->cacert)
		return fail(STATUS_USAGE,
			    "the server is known by --tls-pin or --cacert: one must be given");
	if (s->pin && set_pin(h, s->pin))
		return fail(STATUS_USAGE, "--tls-pin is a SHA-256 hash in hexadecimal");
	if (s->cacert && access(s->cacert, R_OK))
		return fail_file(s->cacert);
	if (curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYPEER, s->cacert ? 1L : 0L) != CURLE_OK ||
	    curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYHOST, s->cacert ? 2L : 0L) != CURLE_OK ||
	    curl_easy_setopt(h->curl, CURLOPT_CAPATH, NULL) != CURLE_OK ||
	    (s->cacert && curl_easy_setopt(h->curl, CURLOPT_CAINFO, s->cacert) != CURLE_OK))
		return fail(STATUS_ERROR, "libcurl does not verify servers");
	return STATUS_OK;
}

static int set_limits(struct http *h)
{
	CURL *c = h->curl;

	if (curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_SSL_CIPHER_LIST, CIPHERS) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error) != CURLE_OK)
		return fail(STATUS_ERROR, "libcurl is too old");
	return STATUS_OK;
}

struct http *http_open(const struct http_server *s)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) || !(h->curl = curl_easy_init())) {
		free(h);
		fail(STATUS_ERROR, "no memory");
		return NULL;
	}
	if (!set_base(h, s->host)) {
		fail(STATUS_USAGE, "%s: not HOST or HOST:PORT", s->host);
	} else if (!set_trust(h, s) && !set_limits(h) &&
		   (!s->token_file || !read_token(h, s->token_file))) {
		return h;
	}
	http_close(h);
	return NULL;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	crypto_wipe(h, sizeof(*h));
	free(h);
}

/* Fewer bytes taken than there are is an error of libcurl's. */
static size_t take_body(char *at, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	char *more;

	n *= size;
	if (n > HTTP_ANSWER_MAX || a->n > HTTP_ANSWER_MAX - n)
		return 0;
	more = realloc(a->body, a->n + n + 1);
	if (!more)
		return 0;
	a->body = more;
	memcpy(a->body + a->n, at, n);
	a->n += n;
	a->body[a->n] = '\0';
	return n;
}

struct upload {
	const uint8_t *at;
	size_t left;
};

static size_t give_body(char *out, size_t size, size_t n, void *arg)
{
	struct upload *u = arg;

	n *= size;
	if (n > u->left)
		n = u->left;
	if (n)
		memcpy(out, u->at, n);
	u->at += n;
	u->left -= n;
	return n;
}

/* A server that gives a byte now and then is not waited for: a chunk, which is sent with a header of its own, goes on while it moves. */
static CURLcode set_times(struct http *h, bool chunk)
{
	CURL *c = h->curl;
	CURLcode e = curl_easy_setopt(c, CURLOPT_TIMEOUT, chunk ? 0L : REQUEST_SECONDS);

	e = e ? e : curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, chunk ? SLOW_BYTES : 0L);
	return e ? e : curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, chunk ? SLOW_SECONDS : 0L);
}

/* Bodies are given by a function, that none of it is copied: chunks have megabytes. */
static CURLcode prepare(struct http *h, const char *method, const char *url,
			struct curl_slist *headers, struct upload *u, struct http_answer *a)
{
	CURL *c = h->curl;
	CURLcode e = curl_easy_setopt(c, CURLOPT_URL, url);

	e = e ? e : curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	if (u->at)
		e = e ? e : curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	e = e ? e : curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	e = e ? e : curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	e = e ? e : curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)u->left);
	e = e ? e : curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
	e = e ? e : curl_easy_setopt(c, CURLOPT_READDATA, u);
	e = e ? e : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	return e ? e : curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
}

static struct curl_slist *add(struct curl_slist *list, const char *text)
{
	struct curl_slist *more = *text ? curl_slist_append(list, text) : list;

	return more ? more : list;
}

/* Its head would have libcurl wait for "100 Continue". */
static struct curl_slist *headers(const struct http *h, const char *header, bool body)
{
	struct curl_slist *list = add(NULL, h->authorization);

	list = add(list, "Accept: application/json");
	list = add(list, "Expect:");
	if (header)
		return add(list, header);
	return body ? add(list, "Content-Type: application/json") : list;
}

/* libcurl's words may have the server's in them. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

int http_request(struct http *h, const char *method, const char *path, const char *header,
		 const void *body, size_t n, struct http_answer *a, bool *untrusted)
{
	struct curl_slist *list = headers(h, header, body);
	struct upload u = {body, n};
	char url[sizeof(h->base) + 256];
	curl_off_t wait = 0;
	CURLcode e;

	*a = (struct http_answer){0};
	*h->error = '\0';
	snprintf(url, sizeof(url), "%s%s", h->base, path);
	e = set_times(h, !strcmp(method, "PUT") && header);
	e = e ? e : prepare(h, method, url, list, &u, a);
	e = e ? e : curl_easy_perform(h->curl);
	e = e ? e : curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->code);
	if (!e && curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
		a->retry_after = (long)wait;
	curl_slist_free_all(list);
	*untrusted = e == CURLE_PEER_FAILED_VERIFICATION || e == CURLE_SSL_PINNEDPUBKEYNOTMATCH ||
		     e == CURLE_SSL_CACERT_BADFILE;
	if (!e)
		return 0;
	if (!*h->error)
		snprintf(h->error, sizeof(h->error), "%s", curl_easy_strerror(e));
	make_printable(h->error);
	free(a->body);
	*a = (struct http_answer){0};
	return -1;
}

const char *http_error(const struct http *h)
{
	return h->error;
}

const char *http_message(const struct http_answer *a, char *buf, size_t n)
{
	cJSON *json = cJSON_ParseWithLength(a->body ? a->body : "", a->n);
	cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "code"));
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));

	snprintf(buf, n, "%ld %s: %s", a->code, code ? code : "", text ? text : "");
	cJSON_Delete(json);
	make_printable(buf);
	return buf;
}
