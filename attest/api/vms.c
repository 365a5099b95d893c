/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/vms.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attest/api/files.h"
#include "attest/api/images.h"
#include "attest/api/text.h"
#include "attest/release.h"

#define VMS_MAX 256u
#define LINE 256u

static const char *const states[] = {"defined", "starting", "running", "stopped", "failed"};
enum { DEFINED, STARTING, RUNNING, STOPPED, FAILED, STATES };

struct vm {
	const char *name;
	int state;
	char image[TEXT_NAME_MAX + 1];
	uint64_t domain; /* 0: none */
	char message[LINE];
};

static const struct config *config;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of requests in the spool */

void vms_start_up(const struct config *c)
{
	config = c;
}

/* A short text file: its bytes, with a NUL behind them, or -1. What it has that is no text becomes '?'. */
static long read_text(char *out, size_t max, const char *path)
{
	long n = file_read(path, out, max - 1);

	if (n < 0)
		return -1;
	for (long i = 0; i < n; i++) {
		if (out[i] != '\n' && (out[i] < ' ' || out[i] > '~'))
			out[i] = '?';
	}
	out[n] = '\0';
	return n;
}

/* Whether the operator has configured a guest for this tenant. */
static bool is_his(const char *tenant, const char *name)
{
	char path[PATH_MAX], text[LINE];

	snprintf(path, sizeof(path), "%s/%s.tenant", config->vms, name);
	if (!text_id(name) || read_text(text, sizeof(text), path) < 0)
		return false;
	text[strcspn(text, " \n")] = '\0';
	return !strcmp(text, tenant);
}

static void spool_path(const char *name, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/spool/%s%s", config->state, name, suffix);
}

/* What the starter said: lines of state, image, domain, message. */
static void read_state(struct vm *vm)
{
	char path[PATH_MAX], text[2 * LINE], *line[4] = {NULL}, *rest;

	snprintf(path, sizeof(path), "%s/vms/%s/state", config->state, vm->name);
	if (read_text(text, sizeof(text), path) < 0)
		return;
	rest = text;
	for (int i = 0; i < 4 && rest; i++)
		line[i] = strsep(&rest, "\n");
	for (int i = 0; i < STATES; i++) {
		if (!strcmp(line[0], states[i]))
			vm->state = i;
	}
	if (line[1] && text_name(line[1]))
		snprintf(vm->image, sizeof(vm->image), "%s", line[1]);
	if (line[2])
		text_number(line[2], &vm->domain);
	if (line[3])
		snprintf(vm->message, sizeof(vm->message), "%s", line[3]);
}

/* What was asked for and has not been taken: lines of start or stop, tenant, image. */
static void read_request(struct vm *vm)
{
	char path[PATH_MAX], text[2 * LINE], *rest = text, *verb, *image;

	spool_path(vm->name, "", path);
	if (read_text(text, sizeof(text), path) < 0)
		return;
	verb = strsep(&rest, "\n");
	strsep(&rest, "\n");
	image = strsep(&rest, "\n");
	if (!strcmp(verb, "start") && image && text_name(image)) {
		vm->state = STARTING;
		snprintf(vm->image, sizeof(vm->image), "%s", image);
	}
	snprintf(vm->message, sizeof(vm->message), "asked to %s",
		 !strcmp(verb, "start") ? verb : "stop");
}

static struct vm look(const char *name)
{
	struct vm vm = {.name = name};

	read_state(&vm);
	read_request(&vm);
	return vm;
}

static cJSON *vm_json(const struct vm *vm)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "name", vm->name);
	cJSON_AddStringToObject(json, "state", states[vm->state]);
	if (*vm->image)
		cJSON_AddStringToObject(json, "image", vm->image);
	else
		cJSON_AddNullToObject(json, "image");
	if (vm->domain)
		cJSON_AddNumberToObject(json, "domain", (double)vm->domain);
	else
		cJSON_AddNullToObject(json, "domain");
	cJSON_AddStringToObject(json, "message", vm->message);
	return json;
}

/* For each of a tenant's, until fn is true. */
static bool each(const char *tenant, bool (*fn)(void *arg, const struct vm *vm), void *arg)
{
	DIR *d = opendir(config->vms);
	unsigned int n = 0;
	const struct dirent *e;
	bool found = false;

	while (d && !found && n < VMS_MAX && (e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');
		char name[TEXT_NAME_MAX + 1];
		struct vm vm;

		if (!dot || strcmp(dot, ".tenant") != 0 || dot - e->d_name > (long)TEXT_NAME_MAX)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(dot - e->d_name), e->d_name);
		if (!is_his(tenant, name))
			continue;
		n++;
		vm = look(name);
		found = fn(arg, &vm);
	}
	if (d)
		closedir(d);
	return found;
}

static bool add(void *list, const struct vm *vm)
{
	cJSON_AddItemToArray(list, vm_json(vm));
	return false;
}

void vms_list(const struct request *r, struct answer *a)
{
	cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "vms");

	each(r->tenant, add, list);
	answer_json(a, 200, json);
}

static bool has_image(void *image, const struct vm *vm)
{
	return (vm->state == STARTING || vm->state == RUNNING) && !strcmp(vm->image, image);
}

bool vms_use(const char *tenant, const char *image)
{
	char name[TEXT_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s", image);
	return each(tenant, has_image, name);
}

static bool find(const struct request *r, struct answer *a)
{
	if (is_his(r->tenant, r->name))
		return true;
	answer_error(a, 404, "not_found", "no such VM");
	return false;
}

void vms_show(const struct request *r, struct answer *a)
{
	struct vm vm;

	if (!find(r, a))
		return;
	vm = look(r->name);
	answer_json(a, 200, vm_json(&vm));
}

/* The request is there when the message is. */
static void spool(const struct request *r, const char *verb, const char *image,
		  const struct release_message *message, struct answer *a)
{
	char path[PATH_MAX], text[3 * LINE];
	int err = 0, n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", verb, r->tenant, image);
	struct vm vm;

	if (message) {
		spool_path(r->name, ".release", path);
		err = file_write(path, message, sizeof(*message));
	}
	if (!err) {
		spool_path(r->name, "", path);
		err = file_write(path, text, (size_t)n);
	}
	if (err && message) {
		spool_path(r->name, ".release", path);
		unlink(path);
	}
	if (err) {
		answer_error(a, file_is_full(err) ? 507 : 500,
			     file_is_full(err) ? "insufficient_storage" : "internal",
			     "the request cannot be stored");
		return;
	}
	vm = look(r->name);
	answer_json(a, 202, vm_json(&vm));
}

static bool is_message(const struct release_message *m, long bytes)
{
	return bytes == sizeof(*m) && !memcmp(m->magic, RELEASE_MAGIC, sizeof(m->magic)) &&
	       m->version == RELEASE_VERSION && m->bytes == sizeof(*m);
}

/* With the lock. */
static void start(const struct request *r, const char *image, const struct release_message *m,
		  struct answer *a)
{
	struct vm vm = look(r->name);

	if (vm.state == STARTING || vm.state == RUNNING)
		answer_error(a, 409, "conflict", "the VM is running, or about to");
	else if (!images_is_complete(r->tenant, image))
		answer_error(a, 409, "conflict", "no such image, or it is not complete");
	else
		spool(r, "start", image, m, a);
}

void vms_start(const struct request *r, struct answer *a)
{
	const char *image = NULL, *release = NULL;
	const struct body_field fields[] = {
		{"image", BODY_TEXT, &image, NULL},
		{"release", BODY_TEXT, &release, NULL},
	};
	struct release_message m;
	cJSON *body;

	if (!find(r, a))
		return;
	body = body_parse(r, fields, 2, a);
	if (!body)
		return;
	if (!text_name(image)) {
		answer_error(a, 400, "bad_request", "no name of an image");
	} else if (!is_message(&m, text_base64(release, (uint8_t *)&m, sizeof(m)))) {
		answer_error(a, 400, "bad_request", "not a release's message");
	} else {
		pthread_mutex_lock(&lock);
		start(r, image, &m, a);
		pthread_mutex_unlock(&lock);
	}
	cJSON_Delete(body);
}

void vms_stop(const struct request *r, struct answer *a)
{
	if (!find(r, a))
		return;
	pthread_mutex_lock(&lock);
	spool(r, "stop", "-", NULL, a);
	pthread_mutex_unlock(&lock);
}
