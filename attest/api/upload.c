/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/upload.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/api/image.h"
#include "attest/api/images.h"
#include "attest/api/text.h"

struct upload {
	struct image *image;
	enum image_file file;
	int fd;
	uint64_t bytes, done;
	EVP_MD_CTX *md;
	uint8_t want[32];
	int err; /* the first */
};

/* With the lock: whether [offset, offset + bytes) is what comes next. */
static bool comes_next(const struct image *i, enum image_file file, uint64_t offset, uint64_t bytes,
		       struct answer *a)
{
	if (i->state != IMAGE_UPLOADING)
		answer_error(a, 409, "conflict",
			     "the image is complete, or was not what it should be");
	else if (offset != i->received[file])
		answer_received(a, i->received[file]);
	else if (!bytes || bytes > i->bytes[file] - offset)
		answer_error(a, 400, "bad_request", "nothing, or beyond the end");
	return a->status == 0;
}

/* Takes the image, and opens its file. */
static int take(const char *tenant, const char *name, enum image_file file, uint64_t offset,
		uint64_t bytes, struct image **out, struct answer *a)
{
	struct image *i;
	int fd = -1;

	image_lock();
	i = image_take(tenant, name, a);
	if (i && comes_next(i, file, offset, bytes, a))
		i->busy = true;
	image_unlock();
	*out = i;
	if (!i || a->status)
		return -1;
	fd = image_open(i, file);
	if (fd < 0) {
		image_error(fd, a);
		image_lock();
		i->busy = false;
		image_unlock();
	}
	return fd;
}

/* What has come is on the disk, or is cut off again. */
static void settle(struct image *i, enum image_file file, int fd, uint64_t bytes, int err,
		   struct answer *a)
{
	struct image after = *i; /* which nobody changes while it is taken */

	after.received[file] += bytes;
	if (!err && bytes && fsync(fd))
		err = -errno;
	if (!err && bytes)
		err = image_record(&after);
	if ((err || !bytes) && ftruncate(fd, (off_t)i->received[file]))
		err = err ? err : -errno;
	image_lock();
	if (!err)
		i->received[file] += bytes;
	i->busy = false;
	image_changed();
	image_unlock();
	close(fd);
	if (err)
		image_error(err, a);
}

struct upload *upload_begin(const struct principal *who, const struct route *at, const char *offset,
			    const char *sha256, uint64_t bytes, struct answer *a)
{
	struct upload *u = calloc(1, sizeof(*u));
	uint64_t from = 0;

	if (!u || !text_number(offset, &from) || !sha256 || !text_hex(sha256, u->want, 32) ||
	    bytes > UPLOAD_CHUNK_MAX) {
		answer_error(a, u ? 400 : 500, u ? "bad_request" : "internal",
			     "offset and Content-SHA256 are needed");
		free(u);
		return NULL;
	}
	*u = (struct upload){
		.file = at->file, .bytes = bytes, .fd = -1, .md = EVP_MD_CTX_new(), .want = {0}};
	text_hex(sha256, u->want, sizeof(u->want));
	if (u->md && EVP_DigestInit_ex(u->md, EVP_sha256(), NULL) && image_room(bytes, a))
		u->fd = take(who->tenant, at->name, at->file, from, bytes, &u->image, a);
	if (u->fd >= 0)
		return u;
	if (!a->status)
		answer_error(a, 500, "internal", "no memory");
	EVP_MD_CTX_free(u->md);
	free(u);
	return NULL;
}

void upload_data(struct upload *u, const void *data, size_t bytes)
{
	uint64_t at = u->image->received[u->file] + u->done;

	if (bytes > u->bytes - u->done)
		u->err = -EINVAL;
	if (u->err)
		return;
	EVP_DigestUpdate(u->md, data, bytes);
	while (bytes) {
		ssize_t n = pwrite(u->fd, data, bytes, (off_t)at);

		if (n < 0) {
			u->err = -errno;
			return;
		}
		data = (const char *)data + n;
		at += (uint64_t)n;
		u->done += (uint64_t)n;
		bytes -= (size_t)n;
	}
}

/* Whether all is there, and what was said to come. */
static bool is_right(struct upload *u, struct answer *a)
{
	uint8_t have[32];

	if (u->err)
		return true; /* settle() says which */
	if (u->done == u->bytes && EVP_DigestFinal_ex(u->md, have, NULL) &&
	    !memcmp(have, u->want, sizeof(have)))
		return true;
	answer_error(a, 422, "mismatch", "not what Content-SHA256 says");
	return false;
}

void upload_end(struct upload *u, struct answer *a)
{
	bool right = is_right(u, a);

	settle(u->image, u->file, u->fd, right ? u->bytes : 0, u->err, a);
	if (!a->status) {
		metrics_bytes(u->bytes);
		a->status = 204;
	}
	EVP_MD_CTX_free(u->md);
	free(u);
}

void upload_abort(struct upload *u)
{
	struct answer none = {0};

	settle(u->image, u->file, u->fd, 0, 0, &none);
	answer_free(&none);
	EVP_MD_CTX_free(u->md);
	free(u);
}

void images_zero(const struct request *r, struct answer *a)
{
	const char *file = NULL;
	uint64_t offset = 0, bytes = 0;
	const struct body_field fields[] = {
		{"file", BODY_TEXT, &file, NULL},
		{"offset", BODY_NUMBER, NULL, &offset},
		{"bytes", BODY_NUMBER, NULL, &bytes},
	};
	cJSON *body = body_parse(r, fields, 3, a);
	enum image_file which = IMAGE_DATA;
	struct image *i;
	int fd;

	if (!body)
		return;
	while (which < IMAGE_FILES && strcmp(file, image_file_name[which]) != 0)
		which++;
	cJSON_Delete(body);
	if (which == IMAGE_FILES) {
		answer_error(a, 400, "bad_request", "file is data or sidecar");
		return;
	}
	fd = take(r->tenant, r->name, which, offset, bytes, &i, a);
	if (fd < 0)
		return;
	settle(i, which, fd, bytes, ftruncate(fd, (off_t)(offset + bytes)) ? -errno : 0, a);
	if (!a->status)
		a->status = 204;
}
