/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "attest/api/files.h"
#include "attest/api/image.h"
#include "attest/api/vms.h"
#include "attest/netherd/process.h"

#define RECORD_MAGIC "NHAPIIMG"

/* As it is on the disk. */
struct record {
	char magic[8];
	uint32_t version, state;
	uint64_t bytes[IMAGE_FILES], received[IMAGE_FILES];
	uint8_t sha256[IMAGE_FILES][32];
	uint8_t check[32]; /* SHA-256 of all before it */
};
_Static_assert(sizeof(struct record) == 144, "no padding");

const char *const image_file_name[IMAGE_FILES] = {"data", "sidecar"};
static const char *const state_name[] = {"uploading", "complete", "mismatch", "verifying"};

static const struct config *config;
static char top[PATH_MAX / 2];
static struct image *first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;

void image_lock(void)
{
	pthread_mutex_lock(&lock);
}

void image_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void image_wait(unsigned int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&changed, &lock, &until);
}

void image_changed(void)
{
	pthread_cond_broadcast(&changed);
}

struct image *image_find(const char *tenant, const char *name)
{
	struct image *i = first;

	while (i && (strcmp(i->tenant, tenant) != 0 || strcmp(i->name, name) != 0))
		i = i->next;
	return i;
}

struct image *image_take(const char *tenant, const char *name, struct answer *a)
{
	struct image *i = image_find(tenant, name);

	if (!i)
		answer_error(a, 404, "not_found", "no such image");
	else if (i->busy)
		answer_error(a, 409, "conflict", "the image is being written or verified");
	else
		return i;
	return NULL;
}

unsigned int image_verifying(const char *tenant)
{
	unsigned int n = 0;

	for (struct image *i = first; i; i = i->next)
		n += i->state == IMAGE_VERIFYING && (!tenant || !strcmp(i->tenant, tenant));
	return n;
}

bool images_is_complete(const char *tenant, const char *name)
{
	struct image *i;
	bool ok;

	image_lock();
	i = image_find(tenant, name);
	ok = i && i->state == IMAGE_COMPLETE;
	image_unlock();
	return ok;
}

/* --- the disk ----------------------------------------------------------------------------------- */

void image_path(const struct image *image, const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s/%s%s%s", top, image->tenant, image->name, *file ? "/" : "",
		 file);
}

void image_error(int err, struct answer *a)
{
	if (file_is_full(err))
		answer_error(a, 507, "insufficient_storage", "the disk is full");
	else
		answer_error(a, 500, "internal", "the disk: error %d", -err);
}

bool image_room(uint64_t bytes, struct answer *a)
{
	struct statvfs fs;

	if (statvfs(top, &fs)) {
		image_error(-errno, a);
		return false;
	}
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= bytes + (config->reserve_mib << 20))
		return true;
	image_error(-ENOSPC, a);
	return false;
}

int image_open(const struct image *image, enum image_file file)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, err = 0;

	image_path(image, image_file_name[file], path);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < image->received[file])
		err = -EIO; /* what was synced is not there */
	else if ((uint64_t)st.st_size > image->received[file] &&
		 ftruncate(fd, (off_t)image->received[file]))
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

static bool checksum(const struct record *r, uint8_t out[32])
{
	return EVP_Digest(r, offsetof(struct record, check), out, NULL, EVP_sha256(), NULL) == 1;
}

/* Whoever verifies has changed nothing yet. */
int image_record(const struct image *image)
{
	struct record r = {.magic = RECORD_MAGIC, .version = 1};
	char path[PATH_MAX];

	r.state = image->state == IMAGE_VERIFYING ? IMAGE_UPLOADING : image->state;
	memcpy(r.bytes, image->bytes, sizeof(r.bytes));
	memcpy(r.received, image->received, sizeof(r.received));
	memcpy(r.sha256, image->sha256, sizeof(r.sha256));
	if (!checksum(&r, r.check))
		return -EIO;
	image_path(image, "record", path);
	return file_write(path, &r, sizeof(r));
}

static bool read_record(struct image *image)
{
	struct record r;
	uint8_t check[32];
	char path[PATH_MAX];

	image_path(image, "record", path);
	if (file_read(path, &r, sizeof(r)) != sizeof(r) || memcmp(r.magic, RECORD_MAGIC, 8) != 0 ||
	    r.version != 1 || r.state > IMAGE_MISMATCH || !checksum(&r, check) ||
	    memcmp(check, r.check, sizeof(check)) != 0)
		return false;
	image->state = (enum image_state)r.state;
	memcpy(image->bytes, r.bytes, sizeof(r.bytes));
	memcpy(image->received, r.received, sizeof(r.received));
	memcpy(image->sha256, r.sha256, sizeof(r.sha256));
	return true;
}

static int remove_dir(const char *dir)
{
	static const char *const files[] = {"record", "record~", "data", "sidecar"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir) ? -errno : 0;
}

/* --- what there is ------------------------------------------------------------------------------ */

static void load_image(const char *tenant, const char *name)
{
	struct image *i = calloc(1, sizeof(*i));

	if (!i)
		return;
	snprintf(i->tenant, sizeof(i->tenant), "%.64s", tenant);
	snprintf(i->name, sizeof(i->name), "%.64s", name);
	if (!read_record(i)) {
		process_say("image %s of %s: no record, or a broken one: left alone", name, tenant);
		free(i);
		return;
	}
	i->next = first;
	first = i;
	metrics_images(1);
}

/* A name with a dot at first is an image that is being made or deleted, and was left so. */
static void load_tenant(const char *tenant)
{
	char path[PATH_MAX], one[2 * PATH_MAX];
	const struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", top, tenant);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		if (text_name(e->d_name)) {
			load_image(tenant, e->d_name);
		} else if (!strncmp(e->d_name, ".new-", 5) || !strncmp(e->d_name, ".old-", 5)) {
			snprintf(one, sizeof(one), "%s/%s", path, e->d_name);
			remove_dir(one);
		}
	}
	if (d)
		closedir(d);
}

int images_start(const struct config *c)
{
	pthread_condattr_t attr;
	const struct dirent *e;
	DIR *d;

	config = c;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	pthread_condattr_destroy(&attr);
	snprintf(top, sizeof(top), "%s/api/images", c->state);
	if (mkdir(top, 0700) && errno != EEXIST) {
		process_say("%s: %s", top, strerror(errno));
		return -1;
	}
	d = opendir(top);
	while (d && (e = readdir(d)) != NULL) {
		if (text_name(e->d_name))
			load_tenant(e->d_name);
	}
	if (d)
		closedir(d);
	return d ? 0 : -1;
}

/* --- requests ----------------------------------------------------------------------------------- */

static cJSON *file_json(const struct image *i, enum image_file file)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "bytes", (double)i->bytes[file]);
	cJSON_AddNumberToObject(json, "received", (double)i->received[file]);
	return json;
}

static cJSON *image_json(const struct image *i)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "name", i->name);
	cJSON_AddStringToObject(json, "state", state_name[i->state]);
	cJSON_AddItemToObject(json, "data", file_json(i, IMAGE_DATA));
	cJSON_AddItemToObject(json, "sidecar", file_json(i, IMAGE_SIDECAR));
	if (i->state == IMAGE_VERIFYING)
		cJSON_AddNumberToObject(json, "verified", (double)i->verified);
	return json;
}

void images_list(const struct request *r, struct answer *a)
{
	cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "images");

	image_lock();
	for (struct image *i = first; i; i = i->next) {
		if (!strcmp(i->tenant, r->tenant))
			cJSON_AddItemToArray(list, image_json(i));
	}
	image_unlock();
	answer_json(a, 200, json);
}

void images_show(const struct request *r, struct answer *a)
{
	struct image *i;

	image_lock();
	i = image_find(r->tenant, r->name);
	if (i)
		answer_json(a, 200, image_json(i));
	else
		answer_error(a, 404, "not_found", "no such image");
	image_unlock();
}

/* With the lock. */
static bool in_quota(const struct image *fresh, struct answer *a)
{
	uint64_t bytes = fresh->bytes[0] + fresh->bytes[1], n = 1;

	for (struct image *i = first; i; i = i->next) {
		if (strcmp(i->tenant, fresh->tenant) != 0)
			continue;
		bytes += i->bytes[0] + i->bytes[1];
		n++;
	}
	if (n <= config->images && bytes <= config->quota_mib << 20)
		return true;
	answer_error(a, 413, "too_large", "above the quota: %llu images, %llu MiB",
		     (unsigned long long)config->images, (unsigned long long)config->quota_mib);
	return false;
}

static int touch(const char *dir, const char *name)
{
	char path[2 * PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

/* Under another name until all is there. */
static int make(struct image *image)
{
	char tenant[PATH_MAX], fresh[PATH_MAX], path[PATH_MAX];
	static _Atomic unsigned int number;
	struct image draft = *image;
	int err;

	snprintf(tenant, sizeof(tenant), "%s/%s", top, image->tenant);
	snprintf(draft.name, sizeof(draft.name), ".new-%u", number++);
	image_path(&draft, "", fresh);
	image_path(image, "", path);
	if (mkdir(tenant, 0700) ? errno != EEXIST : file_sync_dir(top) != 0)
		return -errno;
	remove_dir(fresh);
	if (mkdir(fresh, 0700))
		return -errno;
	err = touch(fresh, "data");
	if (!err)
		err = touch(fresh, "sidecar");
	if (!err)
		err = image_record(&draft);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err)
		remove_dir(fresh);
	return err ? err : file_sync_dir(tenant);
}

/* Takes the name and the quota, while the image is made. */
static bool reserve(struct image *i, struct answer *a)
{
	image_lock();
	if (image_find(i->tenant, i->name)) {
		answer_error(a, 409, "conflict", "there is one of this name");
	} else if (in_quota(i, a)) {
		i->busy = true;
		i->next = first;
		first = i;
	}
	image_unlock();
	return i->busy;
}

/* With the lock. */
static void forget(struct image *i)
{
	struct image **at = &first;

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	free(i);
}

void images_create(const struct request *r, struct answer *a)
{
	struct image *i = calloc(1, sizeof(*i));
	const char *name = NULL;
	const struct body_field fields[] = {
		{"name", BODY_TEXT, &name, NULL},
		{"data_bytes", BODY_NUMBER, NULL, i ? &i->bytes[IMAGE_DATA] : NULL},
		{"sidecar_bytes", BODY_NUMBER, NULL, i ? &i->bytes[IMAGE_SIDECAR] : NULL},
	};
	cJSON *body = i ? body_parse(r, fields, 3, a) : NULL;
	int err;

	if (!body || !text_name(name) || !i->bytes[IMAGE_DATA]) {
		if (!a->status)
			answer_error(a, 400, "bad_request", "a name or a size that cannot be");
		cJSON_Delete(body);
		free(i);
		return;
	}
	snprintf(i->tenant, sizeof(i->tenant), "%s", r->tenant);
	snprintf(i->name, sizeof(i->name), "%.64s", name);
	cJSON_Delete(body);
	if (!reserve(i, a)) {
		free(i);
		return;
	}
	err = make(i);
	image_lock();
	i->busy = false;
	if (err) {
		image_error(err, a);
		forget(i);
	} else {
		answer_json(a, 201, image_json(i));
		metrics_images(1);
	}
	image_changed();
	image_unlock();
}

/* Who verifies it is told to stop; who writes to it is not. With the lock. */
static struct image *take_from_verifier(const char *tenant, const char *name, struct answer *a)
{
	struct image *i;

	while ((i = image_find(tenant, name)) != NULL && i->state == IMAGE_VERIFYING) {
		i->cancel = true;
		image_wait(1000);
	}
	return image_take(tenant, name, a);
}

/* Out of the way, to be removed without the lock. */
static int set_aside(const struct image *image, char to[2 * PATH_MAX])
{
	static _Atomic unsigned int number;
	char from[PATH_MAX], tenant[PATH_MAX];

	image_path(image, "", from);
	snprintf(tenant, sizeof(tenant), "%s/%s", top, image->tenant);
	snprintf(to, 2 * PATH_MAX, "%s/.old-%u", tenant, number++);
	return rename(from, to) ? -errno : file_sync_dir(tenant);
}

void images_delete(const struct request *r, struct answer *a)
{
	struct image *i;
	char aside[2 * PATH_MAX];
	int err;

	image_lock();
	i = take_from_verifier(r->tenant, r->name, a);
	if (i)
		i->busy = true;
	image_unlock();
	if (!i)
		return;
	if (vms_use(r->tenant, r->name)) {
		answer_error(a, 409, "conflict", "a VM uses it");
	} else {
		err = set_aside(i, aside);
		if (err)
			image_error(err, a);
		else
			a->status = 204;
	}
	image_lock();
	i->busy = false;
	if (a->status == 204) {
		forget(i);
		metrics_images(-1);
	}
	image_changed();
	image_unlock();
	if (a->status == 204)
		remove_dir(aside);
}
