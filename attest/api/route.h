/* SPDX-License-Identifier: Apache-2.0 */
/* From a method and a path to what answers it. */
#ifndef ATTEST_API_ROUTE_H
#define ATTEST_API_ROUTE_H

#include "attest/api/answer.h"
#include "attest/api/metrics.h"
#include "attest/api/text.h"
#include "attest/api/tokens.h"

enum image_file { IMAGE_DATA, IMAGE_SIDECAR, IMAGE_FILES };

struct route {
	enum path_class path; /* PATH_OTHER: there is no such */
	char name[TEXT_NAME_MAX + 1];
	enum image_file file;
};

struct route route_parse(const char *path);
/* Whether somebody may do that: true, or an answer of 401, 403, 404 or 405. role: NULL without a token. */
bool route_allowed(const struct route *at, const char *method, const enum role *role,
		   struct answer *a);
/* Answers what is allowed and no chunk. */
void route_answer(const struct route *at, const struct request *r, struct answer *a);

#endif
