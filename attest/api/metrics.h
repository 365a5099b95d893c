/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, for Prometheus (text format 0.0.4). */
#ifndef ATTEST_API_METRICS_H
#define ATTEST_API_METRICS_H

#include <stdint.h>

#include "attest/api/answer.h"

/* Paths by what they are for. X(NAME, "path") */
#define PATHS(X)                                \
	X(HEALTHZ, "/healthz")                  \
	X(METRICS, "/metrics")                  \
	X(IDENTITY, "/v1/identity")             \
	X(ACTIVATE, "/v1/activate")             \
	X(EVIDENCE, "/v1/evidence")             \
	X(IMAGES, "/v1/images")                 \
	X(IMAGE, "/v1/images/NAME")             \
	X(CHUNK, "/v1/images/NAME/FILE")        \
	X(ZERO, "/v1/images/NAME/zero")         \
	X(COMPLETE, "/v1/images/NAME/complete") \
	X(VMS, "/v1/vms")                       \
	X(VM, "/v1/vms/NAME")                   \
	X(OTHER, "other")

enum path_class {
#define X(name, text) PATH_##name,
	PATHS(X)
#undef X
		PATH_CLASSES
};

void metrics_request(enum path_class path, unsigned int status, uint64_t microseconds);
void metrics_bytes(uint64_t n);       /* of chunks, written */
void metrics_connections(int change); /* that are open */
void metrics_cut(void);               /* a connection that took too long */
void metrics_quote(void);
void metrics_tpm_error(void);
void metrics_images(int change);
void metrics_answer(const struct request *r, struct answer *a);

#endif
