/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event log: TCG's crypto-agile format (PC Client Platform Firmware Profile 1.05, 10), and the PCRs of the SHA-256
 * bank that it leads to. Nothing of it is true but what replays to quoted PCRs, and of that only digests: an event's data
 * is true where it must hash to its digest, and does.
 */
#ifndef ATTEST_TOOL_LOG_H
#define ATTEST_TOOL_LOG_H

#include "attest/tool/bytes.h"

#define LOG_MAX (1u << 20)
#define LOG_PCRS 24u
#define LOG_DIGEST 32u
#define LOG_WHY 96

/* Profile 1.05, table 27. */
enum log_type {
	EV_NO_ACTION = 3,
	EV_SEPARATOR = 4,
	EV_ACTION = 5,
	EV_EVENT_TAG = 6,
	EV_IPL = 13,
	EV_EFI_PROGRAM = 0x80000003, /* EV_EFI_BOOT_SERVICES_APPLICATION */
	EV_EFI_ACTION = 0x80000007,
};

struct log_event {
	uint32_t pcr, type, bytes;
	unsigned int number;   /* in the log, from 0 on, the head apart */
	const uint8_t *digest; /* SHA-256 */
	const uint8_t *data;   /* within what was parsed */
};

struct log {
	struct log_event *events; /* those that were extended */
	unsigned int count;
	uint8_t pcrs[LOG_PCRS][LOG_DIGEST];
};

/*
 * The bytes stay the caller's, and must stay. launched: the log of a TXT launch, which has reset PCRs 17 to 22. 0, or -1
 * with why: no log then, and nothing to free.
 */
int log_parse(struct log *l, const uint8_t *at, size_t n, bool launched, char why[LOG_WHY]);
void log_free(struct log *l);

/* The next event of that PCR at or after *from, which is moved behind it, or NULL. */
const struct log_event *log_next(const struct log *l, uint32_t pcr, unsigned int *from);

/* Whether the data is of a kind that is hashed: 1 and it is what the digest says, -1 it is not; 0 of another kind. */
int log_data(const struct log_event *e);

/* The event in words, with a mark where the words are not proved. To be freed. */
char *log_words(const struct log_event *e);

#endif
