/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/report.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "attest/tool/tool.h"

static void add(cJSON *json, const char *name, const char *text)
{
	need(cJSON_AddStringToObject(json, name, text));
}

static void add_hex(cJSON *json, const char *name, const uint8_t *bytes, size_t n)
{
	char *text = need(malloc(2 * n + 1));

	hex_encode(text, bytes, n);
	add(json, name, text);
	free(text);
}

/* An array's new object. */
static cJSON *add_item(cJSON *array)
{
	cJSON *item = need(cJSON_CreateObject());

	if (!cJSON_AddItemToArray(array, item))
		need(NULL);
	return item;
}

static void add_channels(cJSON *out, const struct evidence_all *e)
{
	cJSON *list = need(cJSON_AddArrayToObject(out, "channels"));

	for (uint32_t i = 0; i < e->head.channels; i++) {
		const struct evidence_channel *c = &e->channels[i];
		cJSON *item = add_item(list);

		need(cJSON_AddNumberToObject(item, "id", (double)c->id));
		add_hex(item, "service", c->service, sizeof(c->service));
		need(cJSON_AddNumberToObject(item, "offerer", (double)c->offerer));
		need(cJSON_AddBoolToObject(item, "host", c->acceptor == EVIDENCE_CHANNEL_HOST));
		if (c->acceptor != EVIDENCE_CHANNEL_HOST)
			need(cJSON_AddNumberToObject(item, "acceptor", (double)c->acceptor));
		need(cJSON_AddNumberToObject(item, "peer", c->peer));
		add_hex(item, "identity", c->identity, sizeof(c->identity));
		need(cJSON_AddNumberToObject(item, "state", c->state));
		need(cJSON_AddNumberToObject(item, "pages", c->pages));
		need(cJSON_AddNumberToObject(item, "accepts", (double)c->accepts));
		need(cJSON_AddNumberToObject(item, "reason", c->reason));
	}
}

static void add_evidence(cJSON *json, const struct evidence_all *e)
{
	cJSON *out = need(cJSON_AddObjectToObject(json, "evidence")), *list;

	need(cJSON_AddNumberToObject(out, "uptime_ms", (double)e->head.uptime));
	add_hex(out, "receive", e->head.receive, sizeof(e->head.receive));
	add_hex(out, "sign", e->head.sign, sizeof(e->head.sign));
	list = need(cJSON_AddArrayToObject(out, "guests"));
	for (uint32_t i = 0; i < e->head.guests; i++) {
		cJSON *item = add_item(list);

		need(cJSON_AddNumberToObject(item, "id", (double)e->guests[i].id));
		add_hex(item, "digest", e->guests[i].digest, sizeof(e->guests[i].digest));
		need(cJSON_AddNumberToObject(item, "flags", e->guests[i].flags));
		need(cJSON_AddNumberToObject(item, "stop_reason", e->guests[i].stop_reason));
	}
	list = need(cJSON_AddArrayToObject(out, "disks"));
	for (uint32_t i = 0; i < e->head.disks; i++) {
		cJSON *item = add_item(list);

		add_hex(item, "uuid", e->disks[i].uuid, sizeof(e->disks[i].uuid));
		need(cJSON_AddNumberToObject(item, "guest", (double)e->disks[i].guest));
		need(cJSON_AddNumberToObject(item, "state", e->disks[i].state));
		add_hex(item, "tenant", e->disks[i].tenant, sizeof(e->disks[i].tenant));
		add_hex(item, "release", e->disks[i].release, sizeof(e->disks[i].release));
	}
	add_channels(out, e);
}

static void print_json(const struct check *c, const struct bundle *b)
{
	cJSON *json = need(cJSON_CreateObject()), *list;
	char *text;

	text = rows_text(b->host, strlen(b->host));
	add(json, "host", text);
	free(text);
	need(cJSON_AddBoolToObject(json, "ok", !c->rows.failed));
	list = need(cJSON_AddArrayToObject(json, "rows"));
	for (size_t i = 0; i < c->rows.count; i++) {
		cJSON *item = add_item(list);

		add(item, "name", c->rows.list[i].name);
		need(cJSON_AddBoolToObject(item, "ok", c->rows.list[i].ok));
		add(item, "found", c->rows.list[i].found);
		add(item, "expected", c->rows.list[i].expected);
	}
	if (!c->rows.failed)
		add_evidence(json, &c->evidence);
	text = need(cJSON_Print(json));
	puts(text);
	cJSON_free(text);
	cJSON_Delete(json);
}

int report(const struct check *c, const struct bundle *b, bool json)
{
	if (json) {
		print_json(c, b);
	} else {
		rows_print(&c->rows, stdout);
		if (!c->rows.failed)
			evidence_print(&c->evidence, stdout);
	}
	return c->rows.failed ? ATTEST_FAILED : ATTEST_OK;
}
