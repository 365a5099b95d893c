/* SPDX-License-Identifier: Apache-2.0 */
/* netherctl evidence: the monitor's, for somebody's nonce, to a file. */
#include <stdio.h>
#include <string.h>

#include "attest/evidence.h"
#include "monitor/ctl/command.h"

/* Exactly 64 hexadecimal digits. */
static int parse_nonce(const char *text, uint8_t nonce[EVIDENCE_NONCE])
{
	unsigned int byte;

	if (strlen(text) != 2ul * EVIDENCE_NONCE ||
	    strspn(text, "0123456789abcdefABCDEF") != 2ul * EVIDENCE_NONCE)
		return -1;
	for (unsigned int i = 0; i < EVIDENCE_NONCE; i++) {
		if (sscanf(text + 2ul * i, "%2x", &byte) != 1)
			return -1;
		nonce[i] = (uint8_t)byte;
	}
	return 0;
}

static int write_file(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(name, "wb");
	size_t done;

	if (!f) {
		perror(name);
		return STATUS_ERROR;
	}
	done = fwrite(data, 1, n, f);
	if (fclose(f) || done != n) {
		perror(name);
		return STATUS_ERROR;
	}
	return STATUS_OK;
}

int cmd_evidence(int argc, char **argv)
{
	static uint8_t buf[EVIDENCE_MAX];
	uint64_t bytes = 0;
	int err;

	memset(buf, 0, sizeof(buf)); /* the monitor writes to pages that are there only */
	if (argc != 2 || parse_nonce(argv[0], buf)) {
		fprintf(stderr, "usage: netherctl evidence NONCE FILE\n"
				"NONCE: 64 hexadecimal digits\n");
		return STATUS_ERROR;
	}
	err = ask_evidence(buf, sizeof(buf), &bytes);
	if (err || bytes > sizeof(buf)) {
		fprintf(stderr, "netherctl: the monitor gives no evidence: %d\n", err);
		return STATUS_ERROR;
	}
	return write_file(argv[1], buf, bytes);
}
