/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/api/connections.h"
#include "attest/api/limits.h"
#include "attest/api/route.h"
#include "attest/api/upload.h"
#include "attest/api/work.h"
#include "attest/netherd/process.h"

#define HEADERS_MAX 32768u /* of memory for a connection, its headers among it */
#define STACK (1u << 20)
#define THREADS 8u       /* of connections */
#define WORKERS_MORE 16u /* than wait for the TPM */
#define TLS "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static const struct config *config;
static struct MHD_Daemon *daemon_;

/* A request on its way. */
struct exchange {
	struct work work;
	struct MHD_Connection *connection;
	const char *method, *path; /* while the request is there */
	struct route at;
	struct principal who;
	struct answer answer; /* status 0: not yet */
	uint64_t start;
	uint64_t bytes, got;   /* of the body */
	char *body;            /* what is no chunk */
	struct upload *upload; /* what is one */
};

static struct connection *connection_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* --- answers ------------------------------------------------------------------------------------ */

static enum MHD_Result send_answer(struct MHD_Connection *c, struct exchange *x)
{
	struct answer *a = &x->answer;
	struct MHD_Response *response;
	enum MHD_Result ok;
	char seconds[16];

	response = MHD_create_response_from_buffer(a->bytes, a->body, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	a->body = NULL;
	if (a->type)
		MHD_add_response_header(response, "Content-Type", a->type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (a->allow)
		MHD_add_response_header(response, "Allow", a->allow);
	if (a->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	if (a->retry_after) {
		snprintf(seconds, sizeof(seconds), "%u", a->retry_after);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	ok = MHD_queue_response(c, a->status, response);
	MHD_destroy_response(response);
	connection_time(connection_of(c), config->send_seconds);
	return ok;
}

/* --- before the body ---------------------------------------------------------------------------- */

/* Who asks: a role if a token says so. False: an answer. */
static bool authenticate(struct MHD_Connection *c, struct exchange *x, const enum role **role)
{
	static const char scheme[] = "Bearer ";
	const char *value = header(c, "Authorization");
	enum token_answer t;

	*role = NULL;
	if (!value || strncmp(value, scheme, sizeof(scheme) - 1) != 0)
		return true;
	t = tokens_check(value + sizeof(scheme) - 1, config->rate, &x->who);
	if (t == TOKEN_RATE)
		answer_error(&x->answer, 429, "rate", "too many requests with this token");
	if (t == TOKEN_OK)
		*role = &x->who.role;
	return t != TOKEN_RATE;
}

/* How long the body is. False: an answer. */
static bool measure(struct MHD_Connection *c, struct exchange *x, const char *method)
{
	const char *length = header(c, "Content-Length");
	bool chunk = x->at.path == PATH_CHUNK;

	if (header(c, "Transfer-Encoding"))
		answer_error(&x->answer, 411, "bad_request", "a body has a Content-Length");
	else if (length && !text_number(length, &x->bytes))
		answer_error(&x->answer, 400, "bad_request", "Content-Length");
	else if (!length && (!strcmp(method, "POST") || !strcmp(method, "PUT")))
		answer_error(&x->answer, 411, "bad_request", "a body has a Content-Length");
	else if (x->bytes > (chunk ? UPLOAD_CHUNK_MAX : BODY_MAX))
		answer_error(&x->answer, 413, "too_large", "the body is too large");
	return x->answer.status == 0;
}

static bool begin_body(struct MHD_Connection *c, struct exchange *x)
{
	const char *offset = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "offset");

	if (x->at.path == PATH_CHUNK) {
		x->upload = upload_begin(&x->who, &x->at, offset ? offset : "",
					 header(c, "Content-SHA256"), x->bytes, &x->answer);
		return x->upload != NULL;
	}
	x->body = malloc(x->bytes + 1);
	if (!x->body)
		answer_error(&x->answer, 500, "internal", "no memory");
	return x->body != NULL;
}

/* Whether the request is good so far. If not, and its body is not worth waiting for, the answer goes at once. */
static bool admit(struct MHD_Connection *c, struct exchange *x, const char *method)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const enum role *role;

	if (!info || !limits_address(info->client_addr, config->rate_per_address)) {
		answer_error(&x->answer, 429, "rate", "too many requests from this address");
		return false;
	}
	return measure(c, x, method) && authenticate(c, x, &role) &&
	       route_allowed(&x->at, method, role, &x->answer) && begin_body(c, x);
}

static enum MHD_Result begin(struct MHD_Connection *c, struct exchange *x, const char *method)
{
	bool chunk = x->at.path == PATH_CHUNK;

	connection_time(connection_of(c), chunk ? config->body_seconds : config->header_seconds);
	if (admit(c, x, method))
		return MHD_YES;
	/* A client that is still sending could miss the answer: what is short, or a tenant's, is read to its end. */
	if (x->answer.status == 413 || x->answer.status == 411 ||
	    (x->bytes > BODY_MAX && !*x->who.tenant))
		return send_answer(c, x);
	return MHD_YES;
}

/* --- the body, and the end ---------------------------------------------------------------------- */

static void take(struct exchange *x, const char *data, size_t bytes)
{
	if (bytes > x->bytes - x->got)
		bytes = x->bytes - x->got; /* the library counts, too */
	if (x->upload)
		upload_data(x->upload, data, bytes);
	else if (x->body)
		memcpy(x->body + x->got, data, bytes);
	x->got += bytes;
}

static void finish(struct exchange *x)
{
	struct request r = {.method = x->method,
			    .path = x->path,
			    .tenant = x->who.tenant,
			    .name = x->at.name};

	if (x->answer.status)
		return;
	if (x->upload) {
		upload_end(x->upload, &x->answer);
		x->upload = NULL;
		return;
	}
	x->body[x->got] = '\0';
	r.body = x->body;
	r.bytes = x->got;
	route_answer(&x->at, &r, &x->answer);
}

static void in_worker(struct work *w)
{
	struct exchange *x = (struct exchange *)w; /* its first member */

	finish(x);
	MHD_resume_connection(x->connection);
}

/* Until there is an answer the library leaves the connection alone; then it calls on_request() again. */
static void hand_over(struct exchange *x)
{
	x->work.fn = in_worker;
	MHD_suspend_connection(x->connection);
	if (work_put(&x->work))
		return;
	answer_error(&x->answer, 503, "unavailable", "about to end");
	MHD_resume_connection(x->connection);
}

static bool takes_time(const struct exchange *x)
{
	return x->at.path != PATH_HEALTHZ && x->at.path != PATH_METRICS;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *bytes, void **state)
{
	struct exchange *x = *state;

	if (!x) {
		*state = x = calloc(1, sizeof(*x));
		if (!x)
			return MHD_NO;
		x->start = limits_now();
		x->connection = c;
		x->method = method;
		x->path = url;
		x->at = route_parse(url);
		return begin(c, x, method);
	}
	if (*bytes) {
		take(x, data, *bytes);
		*bytes = 0;
		return MHD_YES;
	}
	connection_time(connection_of(c), 0);
	if (!x->answer.status && takes_time(x)) {
		hand_over(x);
		return MHD_YES;
	}
	finish(x);
	return send_answer(c, x);
}

static void on_end(void *cls, struct MHD_Connection *c, void **state,
		   enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *state;

	connection_time(connection_of(c), config->idle_seconds);
	if (!x)
		return;
	if (x->upload)
		upload_abort(x->upload);
	metrics_request(x->at.path, x->answer.status, (limits_now() - x->start) * 1000);
	answer_free(&x->answer);
	free(x->body);
	free(x);
	*state = NULL;
}

/* --- connections -------------------------------------------------------------------------------- */

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = connection_begin(info->connect_fd, config->header_seconds);
	} else {
		connection_end(*context);
		*context = NULL;
	}
}

/* Its first line is there. */
static void *on_line(void *cls, const char *uri, struct MHD_Connection *c)
{
	connection_time(connection_of(c), config->header_seconds);
	return NULL;
}

/* No name of ours needs an escape, and none may hide a NUL or a slash. */
static size_t no_unescape(void *cls, struct MHD_Connection *c, char *text)
{
	return strlen(text);
}

static void on_log(void *cls, const char *format, va_list args)
{
}

/* --- the start ---------------------------------------------------------------------------------- */

static int listen_on(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, 128))
		return fd;
	close(fd);
	return -1;
}

/* ADDRESS:PORT or [ADDRESS]:PORT: a socket, or -1. */
static int listen_to(const char *where)
{
	struct addrinfo *list, hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM};
	char host[CONFIG_TEXT], *port, *name = host;
	int fd = -1;

	snprintf(host, sizeof(host), "%s", where);
	port = strrchr(host, ':');
	if (!port)
		return -1;
	*port++ = '\0';
	if (*host == '[' && port - 2 > host && port[-2] == ']') {
		name = host + 1;
		port[-2] = '\0';
	}
	if (getaddrinfo(name, port, &hints, &list))
		return -1;
	fd = listen_on(list);
	freeaddrinfo(list);
	return fd;
}

static int port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = {.v6 = {0}};
	socklen_t bytes = sizeof(at);

	if (getsockname(fd, &at.any, &bytes))
		return -1;
	return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

int server_start(const struct config *c, const char *key, const char *certificate)
{
	const unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
				   MHD_USE_TLS | MHD_USE_ERROR_LOG;
	int fd = listen_to(c->listen), port;

	config = c;
	if (fd < 0) {
		process_say("%s: %s", c->listen, strerror(errno));
		return -1;
	}
	port = port_of(fd);
	if (work_start((unsigned int)c->tpm_queue + WORKERS_MORE))
		return -1;
	daemon_ = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, NULL, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, key,
		MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_HTTPS_PRIORITIES, TLS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)c->connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)c->connections_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)c->idle_seconds,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
		MHD_OPTION_URI_LOG_CALLBACK, on_line, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
	if (!daemon_) {
		process_say("no HTTPS: are certificate and key a pair?");
		close(fd);
		return -1;
	}
	return port;
}

void server_watch(void)
{
	connections_watch();
}

void server_stop(void)
{
	work_stop();
	MHD_stop_daemon(daemon_);
}
