/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor has measured: the events of PCRs 11 and 12 (attest/measured.h), in their order and no other. */
#ifndef ATTEST_TOOL_LOADED_H
#define ATTEST_TOOL_LOADED_H

#include "attest/measured.h"
#include "attest/tool/log.h"

#define LOADED_MAX 72u /* events: with 33 modules */
#define LOADED_NAME 40

struct loaded_event {
	const struct log_event *e;
	uint32_t id;     /* enum measured_id */
	uint32_t number; /* of a module */
	const uint8_t *at;
	uint32_t bytes; /* without the head, and a command line's number */
};

struct loaded {
	struct loaded_event list[LOADED_MAX];
	unsigned int count;
	char monitor[64]; /* MEASURED_MONITOR's text */
	uint32_t tboot;
	struct measured_platform platform;
};

/* Each: 0, or -1 with why. */
int loaded_read(struct loaded *l, const struct log *log, char why[LOG_WHY]);
int loaded_keys(struct measured_keys *keys, const struct log *log, char why[LOG_WHY]);

/* Whether a TXT launch started it, by its own word: PCRs 17 and 18 have the proof. */
bool loaded_txt(const struct loaded *l);

void loaded_name(const struct loaded_event *e, char name[LOADED_NAME]);
/* What is in it, for people. To be freed. */
char *loaded_words(const struct loaded_event *e);

/* Flags in words: buf is returned. */
#define LOADED_FLAGS 96
const char *loaded_dma(uint32_t flags, char buf[LOADED_FLAGS]);
const char *loaded_open(uint32_t flags, char buf[LOADED_FLAGS]);
const char *loaded_tboot(uint32_t state);

#endif
