/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image in the store: STATE/api/images/TENANT/NAME/ has data, sidecar and record. What the record says was received has
 * been synced before; what the files have beyond that is cut off when the next chunk comes.
 */
#ifndef ATTEST_API_IMAGE_H
#define ATTEST_API_IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "attest/api/answer.h"
#include "attest/api/config.h"
#include "attest/api/route.h"

enum image_state { IMAGE_UPLOADING, IMAGE_COMPLETE, IMAGE_MISMATCH, IMAGE_VERIFYING };

struct image {
	struct image *next;
	char tenant[TEXT_NAME_MAX + 1], name[TEXT_NAME_MAX + 1];
	enum image_state state;
	uint64_t bytes[IMAGE_FILES], received[IMAGE_FILES];
	uint8_t sha256[IMAGE_FILES][32]; /* as complete has it */
	bool busy;         /* somebody writes or reads its files, and has the fields */
	bool cancel;       /* who verifies is to stop */
	uint64_t verified; /* bytes */
	int err;           /* why it could not be verified, when that was last tried; or 0 */
};

/* All below are with the store's lock, but for image_path(), image_open() and image_room(). */
void image_lock(void);
void image_unlock(void);
/* Until something has changed, or some milliseconds are over. */
void image_wait(unsigned int ms);
void image_changed(void);

struct image *image_find(const char *tenant, const char *name);
/* How many a tenant's are being verified, or with NULL all. */
unsigned int image_verifying(const char *tenant);
/* Finds one for somebody who is to change it; NULL: a is an error. */
struct image *image_take(const char *tenant, const char *name, struct answer *a);
/* 0 or a negative errno. */
int image_record(const struct image *image);

void image_path(const struct image *image, const char *file, char path[PATH_MAX]);
/* To be written at received: what is behind it is cut off. A descriptor or a negative errno. */
int image_open(const struct image *image, enum image_file file);
/* Whether the disk has room for more; if not, a is an error. */
bool image_room(uint64_t bytes, struct answer *a);
/* What an error of the disk's is to a client. */
void image_error(int err, struct answer *a);

extern const char *const image_file_name[IMAGE_FILES];

#endif
