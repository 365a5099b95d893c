/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants' images, and how far each has come. */
#ifndef ATTEST_API_IMAGES_H
#define ATTEST_API_IMAGES_H

#include <stdbool.h>

#include "attest/api/answer.h"
#include "attest/api/config.h"

/* Finds out what there is. 0, or -1 with a line that says what is wrong. c stays. */
int images_start(const struct config *c);

void images_list(const struct request *r, struct answer *a);
void images_create(const struct request *r, struct answer *a);
void images_show(const struct request *r, struct answer *a);
void images_zero(const struct request *r, struct answer *a);
void images_complete(const struct request *r, struct answer *a);
void images_delete(const struct request *r, struct answer *a);

/* Whether a tenant has an image that is whole and right. */
bool images_is_complete(const char *tenant, const char *name);

#endif
