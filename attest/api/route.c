/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/route.h"

#include <string.h>

#include "attest/api/calls.h"
#include "attest/api/images.h"
#include "attest/api/vms.h"

typedef void (*answerer)(const struct request *r, struct answer *a);

static const struct entry {
	enum path_class path;
	const char *method;
	answerer answer; /* NULL: a chunk */
} table[] = {
	{PATH_HEALTHZ, "GET", call_health},
	{PATH_METRICS, "GET", metrics_answer},
	{PATH_IDENTITY, "GET", call_identity},
	{PATH_ACTIVATE, "POST", call_activate},
	{PATH_EVIDENCE, "POST", call_evidence},
	{PATH_IMAGES, "GET", images_list},
	{PATH_IMAGES, "POST", images_create},
	{PATH_IMAGE, "GET", images_show},
	{PATH_IMAGE, "DELETE", images_delete},
	{PATH_CHUNK, "PUT", NULL},
	{PATH_ZERO, "POST", images_zero},
	{PATH_COMPLETE, "POST", images_complete},
	{PATH_VMS, "GET", vms_list},
	{PATH_VM, "GET", vms_show},
	{PATH_VM, "PUT", vms_start},
	{PATH_VM, "DELETE", vms_stop},
};
#define ENTRIES (sizeof(table) / sizeof(table[0]))
static const char *const methods[PATH_CLASSES] = {
	[PATH_HEALTHZ] = "GET",       [PATH_METRICS] = "GET",   [PATH_IDENTITY] = "GET",
	[PATH_ACTIVATE] = "POST",     [PATH_EVIDENCE] = "POST", [PATH_IMAGES] = "GET, POST",
	[PATH_IMAGE] = "GET, DELETE", [PATH_CHUNK] = "PUT",     [PATH_ZERO] = "POST",
	[PATH_COMPLETE] = "POST",     [PATH_VMS] = "GET",       [PATH_VM] = "GET, PUT, DELETE",
};

static const struct entry *find(const struct route *at, const char *method)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		if (table[i].path == at->path && !strcmp(table[i].method, method))
			return &table[i];
	}
	return NULL;
}

/* The name at the beginning of text; what follows it, or NULL if that is none. */
static const char *take_name(const char *text, char name[TEXT_NAME_MAX + 1])
{
	size_t n = strcspn(text, "/");

	if (n > TEXT_NAME_MAX)
		return NULL;
	memcpy(name, text, n);
	name[n] = '\0';
	return text_name(name) ? text + n : NULL;
}

static enum path_class image_path(const char *rest, enum image_file *file)
{
	if (!*rest)
		return PATH_IMAGE;
	*file = !strcmp(rest, "/sidecar") ? IMAGE_SIDECAR : IMAGE_DATA;
	if (!strcmp(rest, "/data") || *file == IMAGE_SIDECAR)
		return PATH_CHUNK;
	if (!strcmp(rest, "/zero"))
		return PATH_ZERO;
	return !strcmp(rest, "/complete") ? PATH_COMPLETE : PATH_OTHER;
}

struct route route_parse(const char *path)
{
	static const struct {
		enum path_class path;
		const char *text;
	} fixed[] = {
		{PATH_HEALTHZ, "/healthz"},      {PATH_METRICS, "/metrics"},
		{PATH_IDENTITY, "/v1/identity"}, {PATH_ACTIVATE, "/v1/activate"},
		{PATH_EVIDENCE, "/v1/evidence"}, {PATH_IMAGES, "/v1/images"},
		{PATH_VMS, "/v1/vms"},
	};
	static const char images[] = "/v1/images/", vms[] = "/v1/vms/";
	struct route at = {.path = PATH_OTHER};
	const char *rest;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (!strcmp(path, fixed[i].text))
			at.path = fixed[i].path;
	}
	if (!strncmp(path, images, sizeof(images) - 1)) {
		rest = take_name(path + sizeof(images) - 1, at.name);
		if (rest)
			at.path = image_path(rest, &at.file);
	} else if (!strncmp(path, vms, sizeof(vms) - 1)) {
		rest = take_name(path + sizeof(vms) - 1, at.name);
		if (rest && !*rest)
			at.path = PATH_VM;
	}
	return at;
}

bool route_allowed(const struct route *at, const char *method, const enum role *role,
		   struct answer *a)
{
	if (at->path != PATH_HEALTHZ && !role)
		answer_error(a, 401, "unauthorized", "no token, or not a valid one");
	else if (at->path == PATH_OTHER)
		answer_error(a, 404, "not_found", "no such path");
	else if (at->path != PATH_HEALTHZ && (*role == ROLE_METRICS) != (at->path == PATH_METRICS))
		answer_error(a, 403, "forbidden", "the token is not for that");
	else if (!find(at, method))
		answer_error(a, 405, "method", "not with this method");
	if (a->status == 405)
		a->allow = methods[at->path];
	return a->status == 0;
}

void route_answer(const struct route *at, const struct request *r, struct answer *a)
{
	find(at, r->method)->answer(r, a);
}
