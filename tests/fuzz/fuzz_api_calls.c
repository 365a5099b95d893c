/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: requests of netherd-api's, each a byte that says which method and whose token, a path, a NUL, a body, a NUL. Of a
 * chunk the path may have "?" and a number behind it. Every one gets an answer that there is, an error that says which, and
 * no tenant more bytes or images than his quota, or anything outside his directory. TPM and monitor are pretended.
 */
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/api/calls.h"
#include "attest/api/images.h"
#include "attest/api/route.h"
#include "attest/api/source.h"
#include "attest/api/tpm.h"
#include "attest/api/upload.h"
#include "attest/api/vms.h"

#define REQUESTS_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x)                          \
	do {                              \
		if (!(x))                 \
			__builtin_trap(); \
	} while (0)

static struct config config;
static char dir[] = "/dev/shm/fuzz_api.XXXXXX";

bool tpm_healthy(void)
{
	return true;
}

enum tpm_status tpm_identity(const char *tenant, struct tpm_identity *out)
{
	memset(out, 0, sizeof(*out));
	out->ak.bytes = TPM_BLOB;
	return TPM_OK;
}

enum tpm_status tpm_activate(const char *tenant, const uint8_t *blob, size_t blob_bytes,
			     const uint8_t *secret, size_t secret_bytes, struct tpm_blob *out)
{
	CHECK(blob_bytes <= TPM_BLOB && secret_bytes <= TPM_BLOB);
	out->bytes = blob_bytes < secret_bytes ? blob_bytes : secret_bytes;
	memcpy(out->data, blob, out->bytes);
	return blob_bytes % 4 ? TPM_OK : TPM_REFUSED;
}

enum tpm_status tpm_quote(const char *tenant, const uint8_t qualifying[32], bool txt,
			  struct tpm_blob *quote, struct tpm_blob *signature)
{
	quote->bytes = signature->bytes = 32;
	memcpy(quote->data, qualifying, 32);
	memcpy(signature->data, qualifying, 32);
	return TPM_OK;
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void make(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK(!mkdir(path, 0700));
}

static void clean(void)
{
	char command[600];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command)) /* NOLINT(cert-env33-c): no name of the input's */
		fputs(command, stderr);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] =
		"certificate = x\nkey = x\nquota_mib = 1\nimages = 4\nreserve_mib = 0\n";
	char why[CONFIG_TEXT];

	CHECK(mkdtemp(dir) && !atexit(clean));
	CHECK(!config_parse(&config, text, sizeof(text) - 1, why));
	snprintf(config.state, sizeof(config.state), "%s", dir);
	snprintf(config.vms, sizeof(config.vms), "%s/cfg", dir);
	make("api");
	make("spool");
	make("cfg");
	put("cfg/web.tenant", "alice\n");
	put("log", "events");
	setenv("MONITOR_DIR", dir, 1);
	CHECK(source_start() && !images_start(&config));
	vms_start_up(&config);
	return 0;
}

static void check_answer(const struct answer *a)
{
	cJSON *json = a->body && a->type && !strcmp(a->type, "application/json")
			      ? cJSON_ParseWithLength(a->body, a->bytes)
			      : NULL;
	const cJSON *error = cJSON_GetObjectItem(json, "error");

	CHECK(a->status >= 200 && a->status < 600 && a->status != 500 && a->status != 507);
	CHECK((a->status >= 400) == (error != NULL));
	if (a->status >= 400)
		CHECK(cJSON_IsString(cJSON_GetObjectItem(error, "code")) &&
		      cJSON_IsString(cJSON_GetObjectItem(error, "message")));
	else
		CHECK(a->status == 204 || a->body);
	CHECK(!a->body || (a->type && strlen(a->body) == a->bytes));
	cJSON_Delete(json);
}

static void chunk(const struct route *at, const struct principal *who, const char *offset,
		  const struct request *r, struct answer *a)
{
	uint8_t hash[32];
	char hex[65];
	struct upload *u;

	EVP_Digest(r->body, r->bytes, hash, NULL, EVP_sha256(), NULL);
	text_to_hex(hash, 32, hex);
	if (r->bytes % 7 == 6)
		hex[0] ^= 1;
	u = upload_begin(who, at, offset, hex, r->bytes, a);
	if (!u)
		return;
	upload_data(u, r->body, r->bytes / 2);
	upload_data(u, r->body + r->bytes / 2, r->bytes - r->bytes / 2);
	if (r->bytes % 7 == 5) {
		upload_abort(u);
		a->status = 204;
	} else {
		upload_end(u, a);
	}
}

static void one(uint8_t kind, char *path, const char *body, size_t bytes)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};
	struct principal who = {.role = kind & 0x80 ? ROLE_METRICS : ROLE_TENANT};
	struct request r = {methods[kind % 5], path, who.tenant, NULL, body, bytes};
	char *offset = strchr(path, '?');
	struct answer a = {0};
	struct route at;

	snprintf(who.tenant, sizeof(who.tenant), "%s", kind & 0x40 ? "bob" : "alice");
	if (offset)
		*offset++ = '\0';
	at = route_parse(path);
	r.name = at.name;
	if (!route_allowed(&at, r.method, kind & 0x20 ? NULL : &who.role, &a))
		CHECK(a.status >= 401 && a.status <= 405);
	else if (at.path == PATH_CHUNK)
		chunk(&at, &who, offset ? offset : "", &r, &a);
	else
		route_answer(&at, &r, &a);
	check_answer(&a);
	answer_free(&a);
}

/* Of all that a tenant has. */
static void check_tenant(const char *tenant)
{
	struct request r = {.method = "GET", .path = "/v1/images", .tenant = tenant, .name = ""};
	struct answer a = {0};
	double bytes = 0;
	int n = 0;
	const cJSON *image;
	cJSON *json;

	images_list(&r, &a);
	json = cJSON_Parse(a.body);
	cJSON_ArrayForEach(image, cJSON_GetObjectItem(json, "images"))
	{
		const cJSON *data = cJSON_GetObjectItem(image, "data");
		const cJSON *side = cJSON_GetObjectItem(image, "sidecar");

		CHECK(text_name(cJSON_GetObjectItem(image, "name")->valuestring));
		CHECK(cJSON_GetObjectItem(data, "received")->valuedouble <=
		      cJSON_GetObjectItem(data, "bytes")->valuedouble);
		bytes += cJSON_GetObjectItem(data, "bytes")->valuedouble +
			 cJSON_GetObjectItem(side, "bytes")->valuedouble;
		n++;
	}
	CHECK(bytes <= 1 << 20 && n <= 4);
	cJSON_Delete(json);
	answer_free(&a);
}

/* The next input finds nothing of this one's. */
static void remove_all(const char *tenant)
{
	struct request r = {.method = "DELETE", .tenant = tenant};
	char path[512], command[600];
	struct answer a = {0};
	const struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/api/images/%s", dir, tenant);
	snprintf(command, sizeof(command), "%s/spool/web", dir);
	remove(command);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (*e->d_name == '.' && strchr(". ", e->d_name[1] ? e->d_name[1] : ' '))
			continue;
		CHECK(text_name(e->d_name));
		r.name = e->d_name;
		images_delete(&r, &a);
		CHECK(a.status == 204);
		answer_free(&a);
	}
	if (d)
		closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1), *at = copy, *end = copy + size;

	CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	for (int i = 0; i < REQUESTS_MAX && at < end; i++) {
		uint8_t kind = (uint8_t)*at;
		char *path = at + 1, *body = path + strlen(path) + 1;

		if (path >= end || body > end)
			break;
		at = body + strlen(body);
		one(kind, path, body, (size_t)(at - body));
		at++;
	}
	check_tenant("alice");
	check_tenant("bob");
	remove_all("alice");
	remove_all("bob");
	free(copy);
	return 0;
}
