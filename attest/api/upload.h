/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk on its way to an image: to the file as it comes, in nobody's memory. */
#ifndef ATTEST_API_UPLOAD_H
#define ATTEST_API_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "attest/api/answer.h"
#include "attest/api/route.h"
#include "attest/api/tokens.h"

#define UPLOAD_CHUNK_MAX (4u << 20)

struct upload;

/* sha256: the header, or NULL. NULL: a is an error. The image is this upload's until its end. */
struct upload *upload_begin(const struct principal *who, const struct route *at, const char *offset,
			    const char *sha256, uint64_t bytes, struct answer *a);
void upload_data(struct upload *u, const void *data, size_t bytes);
/* All has come: written and synced, 204; or nothing is changed. */
void upload_end(struct upload *u, struct answer *a);
/* No more comes. */
void upload_abort(struct upload *u);

#endif
