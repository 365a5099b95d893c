/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that the operator has configured for tenants, and what they want done with them: attest/api/nether-vm does it, as
 * root, and says how it went.
 */
#ifndef ATTEST_API_VMS_H
#define ATTEST_API_VMS_H

#include <stdbool.h>

#include "attest/api/answer.h"
#include "attest/api/config.h"

/* c stays. */
void vms_start_up(const struct config *c);

void vms_list(const struct request *r, struct answer *a);
void vms_show(const struct request *r, struct answer *a);
void vms_start(const struct request *r, struct answer *a);
void vms_stop(const struct request *r, struct answer *a);

/* Whether a guest that is running, or to be, has this image. */
bool vms_use(const char *tenant, const char *image);

#endif
