/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a whole image is what its tenant says: by a thread, since hashing may take minutes. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/api/files.h"
#include "attest/api/image.h"
#include "attest/api/images.h"
#include "attest/api/limits.h"
#include "attest/api/text.h"

#define BUFFER (1u << 20)
#define MOST 4u      /* at a time, and one of a tenant's */
#define WAIT_MS 2000 /* before a 202 */

struct hashing {
	struct image *image;
	int fd;
	EVP_MD_CTX *md;
	uint8_t *zeros, *buffer;
};

/* Whether to go on. */
static bool progress(struct image *i, uint64_t bytes)
{
	bool on;

	image_lock();
	i->verified += bytes;
	on = !i->cancel;
	image_unlock();
	return on;
}

/* The hash of [at, end): of a hole without reading it. 0 or a negative errno. */
static int hash_part(struct hashing *h, uint64_t at, uint64_t end, bool hole)
{
	while (at < end) {
		size_t want = end - at < BUFFER ? (size_t)(end - at) : BUFFER;
		ssize_t n = hole ? (ssize_t)want : pread(h->fd, h->buffer, want, (off_t)at);

		if (n <= 0)
			return n ? -errno : -EIO;
		if (!EVP_DigestUpdate(h->md, hole ? h->zeros : h->buffer, (size_t)n))
			return -ENOMEM;
		at += (uint64_t)n;
		if (!progress(h->image, (uint64_t)n))
			return -ECANCELED;
	}
	return 0;
}

static int hash_all(struct hashing *h, uint64_t bytes)
{
	int err = 0;

	for (uint64_t at = 0; at < bytes && !err;) {
		off_t data = lseek(h->fd, (off_t)at, SEEK_DATA), hole;

		if (data < 0) /* a hole up to the end; or a file system that knows of none */
			data = errno == ENXIO ? (off_t)bytes : (off_t)at;
		hole = (uint64_t)data < bytes ? lseek(h->fd, data, SEEK_HOLE) : data;
		if (hole < 0 || (uint64_t)hole > bytes)
			hole = (off_t)bytes;
		err = hash_part(h, at, (uint64_t)data, true);
		if (!err)
			err = hash_part(h, (uint64_t)data, (uint64_t)hole, false);
		at = (uint64_t)hole;
	}
	return err;
}

static int hash_file(struct image *i, enum image_file file, uint8_t out[32])
{
	struct hashing h = {.image = i,
			    .md = EVP_MD_CTX_new(),
			    .zeros = calloc(1, BUFFER),
			    .buffer = malloc(BUFFER)};
	char path[PATH_MAX];
	int err = -ENOMEM;

	image_path(i, image_file_name[file], path);
	h.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (h.fd < 0)
		err = -errno;
	else if (h.md && h.zeros && h.buffer && EVP_DigestInit_ex(h.md, EVP_sha256(), NULL))
		err = hash_all(&h, i->bytes[file]);
	if (!err && !EVP_DigestFinal_ex(h.md, out, NULL))
		err = -EIO;
	if (h.fd >= 0)
		close(h.fd);
	EVP_MD_CTX_free(h.md);
	free(h.zeros);
	free(h.buffer);
	return err;
}

/* An error, or being told to stop, says nothing of the image. */
static void *verify(void *image)
{
	struct image *i = image;
	uint8_t have[IMAGE_FILES][32] = {{0}};
	struct image after;
	int err = hash_file(i, IMAGE_DATA, have[IMAGE_DATA]);

	if (!err)
		err = hash_file(i, IMAGE_SIDECAR, have[IMAGE_SIDECAR]);
	after = *i; /* which nobody changes meanwhile */
	after.state = memcmp(have, i->sha256, sizeof(have)) ? IMAGE_MISMATCH : IMAGE_COMPLETE;
	if (!err)
		err = image_record(&after);
	image_lock();
	i->state = err ? IMAGE_UPLOADING : after.state;
	i->err = err;
	i->busy = i->cancel = false;
	image_changed();
	image_unlock();
	return NULL;
}

/* With the lock: false and a is an error, or it is on its way. */
static bool start(struct image *i, struct answer *a)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (image_verifying(i->tenant) || image_verifying(NULL) >= MOST) {
		answer_error(a, 429, "rate", "too many images are being verified");
		a->retry_after = 5;
		return false;
	}
	i->busy = true;
	i->verified = 0;
	i->err = 0;
	i->state = IMAGE_VERIFYING;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, verify, i);
	pthread_attr_destroy(&attr);
	if (err) {
		i->busy = false;
		i->state = IMAGE_UPLOADING;
		answer_error(a, 503, "unavailable", "no thread");
	}
	return !err;
}

/* With the lock: whether i is to be verified now. */
static bool is_to_be_verified(const struct image *i, uint8_t want[IMAGE_FILES][32],
			      struct answer *a)
{
	bool same = !memcmp(i->sha256, want, sizeof(i->sha256));

	if (i->state == IMAGE_COMPLETE && !same)
		answer_error(a, 422, "mismatch", "the image is complete, with other hashes");
	else if (memcmp(i->received, i->bytes, sizeof(i->bytes)) != 0)
		answer_error(a, 409, "conflict", "the image is not whole");
	return a->status == 0 && !(same && i->state != IMAGE_UPLOADING);
}

/* With the lock; i may be gone. */
static void answer_state(const struct request *r, struct answer *a)
{
	const struct image *i = image_find(r->tenant, r->name);
	cJSON *json;

	if (i && i->state == IMAGE_UPLOADING && file_is_full(i->err)) {
		image_error(i->err, a);
	} else if (!i || i->state == IMAGE_UPLOADING) {
		answer_error(a, 500, "internal", "the image could not be verified");
	} else if (i->state == IMAGE_MISMATCH) {
		answer_error(a, 422, "mismatch", "the image is not what its hashes say");
	} else {
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "state",
					i->state == IMAGE_COMPLETE ? "complete" : "verifying");
		answer_json(a, i->state == IMAGE_COMPLETE ? 200 : 202, json);
	}
}

static void complete(const struct request *r, uint8_t want[IMAGE_FILES][32], struct answer *a)
{
	struct image *i = image_find(r->tenant, r->name);
	uint8_t before[IMAGE_FILES][32];

	if (i && i->state == IMAGE_VERIFYING && !memcmp(i->sha256, want, sizeof(i->sha256))) {
		answer_state(r, a);
		return;
	}
	i = image_take(r->tenant, r->name, a);
	if (!i)
		return;
	if (is_to_be_verified(i, want, a)) {
		memcpy(before, i->sha256, sizeof(before));
		memcpy(i->sha256, want, sizeof(i->sha256));
		if (!start(i, a)) {
			memcpy(i->sha256, before, sizeof(before));
			return;
		}
		for (uint64_t until = limits_now() + WAIT_MS, now;
		     i && i->state == IMAGE_VERIFYING && (now = limits_now()) < until;) {
			image_wait((unsigned int)(until - now));
			i = image_find(r->tenant, r->name);
		}
	}
	if (!a->status)
		answer_state(r, a);
}

void images_complete(const struct request *r, struct answer *a)
{
	const char *data = NULL, *sidecar = NULL;
	const struct body_field fields[] = {
		{"data_sha256", BODY_TEXT, &data, NULL},
		{"sidecar_sha256", BODY_TEXT, &sidecar, NULL},
	};
	cJSON *body = body_parse(r, fields, 2, a);
	uint8_t want[IMAGE_FILES][32];
	bool ok;

	if (!body)
		return;
	ok = text_hex(data, want[IMAGE_DATA], 32) && text_hex(sidecar, want[IMAGE_SIDECAR], 32);
	cJSON_Delete(body);
	if (!ok) {
		answer_error(a, 400, "bad_request", "hashes: 64 hexadecimal digits each");
		return;
	}
	image_lock();
	complete(r, want, a);
	image_unlock();
}
