/* SPDX-License-Identifier: Apache-2.0 */
/* nether-port's command line. */
#ifndef SWITCH_CHANNEL_PORT_OPTIONS_H
#define SWITCH_CHANNEL_PORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "switch-channel/ring_attach.h"

struct choice {
	struct nring_wish wish;
	uint32_t offer;      /* pages; 0: accept */
	const char *domain;  /* number or name; NULL: a file */
	const char *service; /* with domain; NULL: `where` is the channel's number */
	const char *where;   /* a file, or a channel's number */
	const char *tap;
	uint32_t violations; /* after more than so many the channel is closed; 0: never */
	uint32_t sleep;      /* microseconds of the longest sleep */
};

/* False: it has said what is known. */
bool options(int argc, char **argv, struct choice *choice);

#endif
