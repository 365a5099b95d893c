/* SPDX-License-Identifier: Apache-2.0 */
/* netherd-api's configuration file: docs/netherd-api.md. */
#ifndef ATTEST_API_CONFIG_H
#define ATTEST_API_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT 256u

struct config {
	char listen[CONFIG_TEXT]; /* ADDRESS:PORT or [ADDRESS]:PORT */
	char certificate[CONFIG_TEXT], key[CONFIG_TEXT];
	char state[CONFIG_TEXT]; /* directory */
	char tokens[CONFIG_TEXT];
	char vms[CONFIG_TEXT]; /* directory of NAME.cfg and NAME.tenant */
	char tcti[CONFIG_TEXT];
	uint64_t connections, connections_per_address;
	uint64_t rate, rate_per_address; /* requests a second: of a token, of an address */
	uint64_t quota_mib, images;      /* of a tenant */
	uint64_t reserve_mib;            /* free space that uploads leave */
	uint64_t header_seconds, body_seconds, send_seconds, idle_seconds;
	uint64_t tpm_queue; /* who may wait for the TPM */
};

/* 0, or -1: why says what is wrong, and in which line. */
int config_parse(struct config *c, const char *text, size_t bytes, char why[CONFIG_TEXT]);

#endif
