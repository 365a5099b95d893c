/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log in TCG's crypto-agile format (PC Client Platform Firmware Profile 1.05, 10): the firmware's, if there is one that can be
 * continued, then the monitor's events. In a buffer of the caller's.
 */
#ifndef ATTEST_EVENTLOG_H
#define ATTEST_EVENTLOG_H

#include "attest/firmwarelog.h"
#include "attest/tpm.h"

#define EVENTLOG_FIRMWARE_MAX (256u << 10) /* a longer one is not continued */

struct eventlog {
	uint8_t *bytes;
	uint32_t size, used; /* of bytes */
	struct firmwarelog format;
};

/*
 * Walks the n bytes at log->bytes, which the caller has copied there: the firmware's log, which ends with them or where nothing more is
 * written. Returns 0, and events can be added behind it; ERR_INVAL with *why set if it is none: log->used is 0 then.
 */
int eventlog_continue(struct eventlog *log, uint32_t n, const char **why);

/* Begins with a header that lists the TPM's active banks. ERR_2BIG. */
int eventlog_begin(struct eventlog *log, const struct tpm *t);

/*
 * Adds an event. The header may list a bank that the TPM has not: its digest is zeros, which nobody can hold against a PCR. ERR_2BIG:
 * there is no room, and nothing was added.
 */
int eventlog_add(struct eventlog *log, uint32_t pcr, uint32_t type,
		 const struct tpm_digests *digests, const void *data, uint32_t n);

#endif
