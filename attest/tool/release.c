/* SPDX-License-Identifier: Apache-2.0 */
/* `release`: an image's keys to the monitor that has just been verified, and to no other (attest/release.h). */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/release.h"
#include "attest/tool/host.h"
#include "attest/tool/hpke_seal.h"
#include "attest/tool/launch.h"
#include "attest/tool/release.h"
#include "crypto/x25519.h"
#include "attest/tool/report.h"
#include "iodecrypt/disk.h"
#include "iodecrypt/keys.h"
#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/keyfile.h"
#include "iodecrypt/tool/output.h"
#include "iodecrypt/tool/receipt.h"

#define NAME_MAX_BYTES 64u

_Static_assert(HPKE_TAG == sizeof(((struct release_message *)0)->sealed) - sizeof(struct release),
	       "room for the tag");

int release_seal(struct release_message *m, const struct release *r, const uint8_t identity[32],
		 const uint8_t receiver[32])
{
	uint8_t ephemeral[32];
	struct hpke_sender s;
	int err;

	*m = (struct release_message){.version = RELEASE_VERSION, .bytes = sizeof(*m)};
	memcpy(m->magic, RELEASE_MAGIC, sizeof(m->magic));
	crypto_x25519_public(m->tenant, identity);
	err = RAND_priv_bytes(ephemeral, sizeof(ephemeral)) != 1 ||
	      hpke_setup(&s, ephemeral, identity, receiver, RELEASE_INFO);
	OPENSSL_cleanse(ephemeral, sizeof(ephemeral));
	if (err)
		return -1;
	memcpy(m->enc, s.enc, sizeof(m->enc));
	return hpke_seal(&s, m, offsetof(struct release_message, sealed), r, sizeof(*r), m->sealed);
}

/* A UUID with hyphens or without: 0, or -1. */
static int parse_uuid(const char *text, uint8_t uuid[16])
{
	char digits[33];
	size_t n = 0;

	for (size_t i = 0; text[i]; i++)
		if (strlen(text) == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (text[i] != '-')
				return -1;
		} else if (n == 32) {
			return -1;
		} else {
			digits[n++] = text[i];
		}
	digits[n] = '\0';
	return n == 32 && hex_decode(uuid, digits, 16) ? 0 : -1;
}

/* What the tenant knows of the image: of a receipt, or of a UUID nothing. */
static int set_image(struct release *r, const struct attest_options *o)
{
	struct disk_receipt receipt;

	if (!parse_uuid(o->image, r->uuid)) {
		if (!o->consent)
			return fail(
				ATTEST_USAGE,
				"by a UUID alone any old state of the image would do: give its receipt, or --consent");
		return ATTEST_OK;
	}
	if (receipt_read(o->image, &receipt))
		return ATTEST_ERROR;
	memcpy(r->uuid, receipt.uuid, sizeof(r->uuid));
	memcpy(r->root, receipt.root, sizeof(r->root));
	r->generation = receipt.generation;
	r->root_known = 1;
	return ATTEST_OK;
}

static int set_keys(struct release *r, const char *path)
{
	uint8_t master[DISK_MASTER_BYTES];
	struct disk_keys keys;
	int status = keyfile_read(path, master);

	if (!status) {
		disk_keys_derive(&keys, master, r->uuid);
		memcpy(r->key_id, keys.id, sizeof(r->key_id));
		memcpy(r->xts, keys.xts, sizeof(r->xts));
		memcpy(r->tag, keys.tag, sizeof(r->tag));
	}
	OPENSSL_cleanse(master, sizeof(master));
	OPENSSL_cleanse(&keys, sizeof(keys));
	return status ? ATTEST_ERROR : ATTEST_OK;
}

int release_fill(struct release *r, const struct attest_options *o, const struct evidence *e)
{
	int status;

	*r = (struct release){.drive = (uint8_t)o->drive,
			      .plain = (uint8_t)o->plain,
			      .consent = o->consent,
			      .anchor = o->again                      ? DISK_ANCHOR_USED
					: e->flags & EVIDENCE_ANCHORS ? DISK_ANCHOR_NEEDED
								      : DISK_ANCHOR_IF_ANY};
	if (!hex_decode(r->digest, o->digest, sizeof(r->digest)))
		return fail(ATTEST_USAGE, "--launch-digest is 64 hexadecimal digits");
	r->expires = e->uptime + o->expires * 1000;
	r->lease = o->lease ? e->uptime + o->lease * 1000 : 0;
	if (RAND_bytes(r->id, sizeof(r->id)) != 1)
		return fail(ATTEST_ERROR, "no random numbers");
	status = set_image(r, o);
	return status ? status : set_keys(r, o->key);
}

static bool is_name(const char *text)
{
	return *text && *text != '.' && strlen(text) <= NAME_MAX_BYTES &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(text);
}

static int check_usage(const struct attest_options *o)
{
	if (!o->policy || !o->image || !o->key || !o->identity || !o->digest)
		return fail(
			ATTEST_USAGE,
			"`release` takes --policy, --image, --key, --identity and --launch-digest");
	if (!o->out == !o->vm)
		return fail(ATTEST_USAGE, "`release` takes either --vm or --out");
	if (o->no_wait && !o->vm)
		return fail(ATTEST_USAGE, "--no-wait is of --vm");
	if ((o->vm && !is_name(o->vm)) || (o->stored && !is_name(o->stored)))
		return fail(ATTEST_USAGE,
			    "a name is 1 to 64 of a-z 0-9 . _ -, and begins with no dot");
	return ATTEST_OK;
}

/* The image by the name that the host has it under: the VM's, if no other is said. */
static int send(struct http *h, const struct attest_options *o, const struct release_message *m)
{
	cJSON *body = need(cJSON_CreateObject());
	char path[NAME_MAX_BYTES + 16], *text = base64_encode((const uint8_t *)m, sizeof(*m));
	char before[LAUNCH_STATE] = "";
	int status = o->no_wait ? ATTEST_OK : launch_before(h, o, before);

	need(cJSON_AddStringToObject(body, "image", o->stored ? o->stored : o->vm));
	need(cJSON_AddStringToObject(body, "release", text));
	snprintf(path, sizeof(path), "/v1/vms/%s", o->vm);
	status = status ? status : host_call(h, "PUT", path, body, NULL);
	if (!status)
		say("sent: keys for one launch of %s", o->vm);
	free(text);
	cJSON_Delete(body);
	return status || o->no_wait ? status : launch_wait(h, o, before);
}

static int write_out(const struct attest_options *o, const struct release_message *m)
{
	int fd, status = output_create(o->out, false, o->force, &fd);

	if (!status && file_write(fd, m, sizeof(*m)))
		status = fail_file(o->out);
	status = status ? status : output_commit();
	output_discard();
	return status ? ATTEST_ERROR : ATTEST_OK;
}

/* The host is verified: its monitor's key is the one in PCR 12. */
static int release(struct http *h, const struct attest_options *o, const struct check *c)
{
	uint8_t identity[DISK_MASTER_BYTES];
	struct release_message m;
	struct release r;
	int status = release_fill(&r, o, &c->evidence.head);

	if (!status && keyfile_read(o->identity, identity))
		status = ATTEST_ERROR;
	if (!status && release_seal(&m, &r, identity, c->keys.receive))
		status = fail(ATTEST_ERROR, "nothing can be sealed to the monitor's key");
	OPENSSL_cleanse(identity, sizeof(identity));
	OPENSSL_cleanse(&r, sizeof(r));
	if (status)
		return status;
	return o->out ? write_out(o, &m) : send(h, o, &m);
}

int attest_release(const struct attest_options *o, char **args)
{
	struct policy p = {0};
	struct bundle b = {0};
	struct check c = {0};
	struct http *h = NULL;
	int status = check_usage(o);

	status = status ? status : policy_load(&p, o->policy);
	if (!status) {
		h = host_open(o, args[0]);
		status = h ? host_check(h, args[0], &p, &b, &c) : ATTEST_ERROR;
	}
	if (!status && c.rows.failed) {
		status = report(&c, &b, o->json);
		say("nothing is released");
	}
	if (!status) {
		status = release(h, o, &c);
		host_remember(o, args[0], &c);
	}
	http_close(h);
	check_free(&c);
	bundle_free(&b);
	policy_free(&p);
	return status;
}
