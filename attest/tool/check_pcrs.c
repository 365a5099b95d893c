/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "monitor/hypercall.h"

#define WHY 160
#define NAME 120

/* The next event of that PCR in the policy. */
static const struct policy_event *policy_next(const struct policy *p, uint32_t pcr,
					      unsigned int *from)
{
	while (*from < p->event_count) {
		const struct policy_event *e = &p->events[(*from)++];

		if (e->pcr == pcr)
			return e;
	}
	return NULL;
}

static void text_expected(char *out, size_t n, const struct policy_event *want)
{
	char hex[65];

	if (!want) {
		snprintf(out, n, "no event more");
		return;
	}
	hex_encode(hex, want->digests.list[0], 32);
	snprintf(out, n, "%s%s%s", hex, want->digests.count > 1 ? " (or others): " : ": ",
		 want->what);
}

/* The first that differs. */
static void add_difference(struct check *c, uint32_t pcr, unsigned int number,
			   const struct log_event *e, const struct policy_event *want)
{
	char name[NAME], hex[65] = "no event", *words = e ? log_words(e) : NULL, expected[400];

	snprintf(name, sizeof(name), "PCR %u, event %u%s%.80s", pcr, number,
		 want && *want->what ? ": " : "", want ? want->what : "");
	text_expected(expected, sizeof(expected), want);
	if (e)
		hex_encode(hex, e->digest, 32);
	rows_add(&c->rows, false, name, expected, "%s: %s", hex, words ? words : "the log ends");
	free(words);
}

/* All the PCR's events are those of the list, in its order. */
static void check_events(struct check *c, const struct policy *p, uint32_t pcr)
{
	unsigned int in_log = 0, in_policy = 0, count = 0;
	char name[NAME];

	for (;;) {
		const struct log_event *e = log_next(&c->log, pcr, &in_log);
		const struct policy_event *want = policy_next(p, pcr, &in_policy);

		if (!e && !want)
			break;
		count++;
		if (!e || !want || !policy_has(&want->digests, e->digest)) {
			add_difference(c, pcr, count, e, want);
			return;
		}
	}
	snprintf(name, sizeof(name), "PCR %u", pcr);
	rows_add(&c->rows, true, name, NULL, "%u events, as in the policy", count);
}

static void check_value(struct check *c, const struct policy_event *want)
{
	const uint8_t *pcr = check_replayed(c, want->pcr);
	char name[NAME], found[65], expected[400];

	hex_encode(found, pcr, LOG_DIGEST);
	text_expected(expected, sizeof(expected), want);
	snprintf(name, sizeof(name), "PCR %u", want->pcr);
	rows_add(&c->rows, policy_has(&want->digests, pcr), name, expected, "%s", found);
}

/* --- PCR 11 ---------------------------------------------------------------------------------- */

/* These differ from machine to machine: by what they say, not by a digest. */
static bool by_content(const struct loaded_event *e)
{
	return e->id == MEASURED_TBOOT || e->id == MEASURED_PLATFORM;
}

static void check_platform(struct check *c, const struct policy *p)
{
	const struct measured_platform *is = &c->loaded.platform;
	char dma[LOADED_FLAGS], open[LOADED_FLAGS], want[LOADED_FLAGS + 40], text[LOADED_FLAGS];

	snprintf(want, sizeof(want), "at least %u; DMA: %s", p->iommus, loaded_dma(p->dma, text));
	rows_add(&c->rows,
		 is->iommus >= p->iommus && !(p->dma & ~is->dma) && !(is->dma & DMA_OPEN && p->dma),
		 "IOMMUs driven", want, "%u; DMA: %s", is->iommus, loaded_dma(is->dma, dma));
	rows_add(&c->rows, !(is->open & ~p->may_open), "open to L1", loaded_open(p->may_open, text),
		 "%s", loaded_open(is->open, open));
}

static void check_tboot(struct check *c, const struct policy *p)
{
	uint32_t state = c->loaded.tboot;

	rows_add(&c->rows, state < 32 && (p->tboot & 1u << state), "tboot",
		 "a state that the policy allows", "%s", loaded_tboot(state));
}

/* A row for each event, against the policy's list; what is checked by content may be in that, or not. */
static void check_loaded_events(struct check *c, const struct policy *p)
{
	unsigned int at = 0, before;
	char name[LOADED_NAME], expected[400];

	for (unsigned int i = 0; i < c->loaded.count; i++) {
		const struct loaded_event *e = &c->loaded.list[i];
		const struct policy_event *want;
		char *words;

		before = at;
		want = policy_next(p, MEASURED_PCR_LOADED, &at);
		if (by_content(e)) {
			if (!want || !policy_has(&want->digests, e->e->digest))
				at = before;
			continue;
		}
		loaded_name(e, name);
		text_expected(expected, sizeof(expected), want);
		words = loaded_words(e);
		rows_add(&c->rows, want && policy_has(&want->digests, e->e->digest), name, expected,
			 "%s", words);
		free(words);
	}
	while (policy_next(p, MEASURED_PCR_LOADED, &at)) {
		text_expected(expected, sizeof(expected), &p->events[at - 1]);
		rows_add(&c->rows, false, "PCR 11", expected, "no event more");
	}
}

static void check_loaded(struct check *c, const struct policy *p)
{
	char why[WHY];

	c->has_loaded = !loaded_read(&c->loaded, &c->log, why);
	if (c->has_loaded)
		snprintf(why, sizeof(why), "%u events of the monitor's", c->loaded.count);
	rows_add(&c->rows, c->has_loaded, "PCR 11", "the monitor's events in their order", "%s",
		 why);
	if (!c->has_loaded || !p)
		return;
	check_loaded_events(c, p);
	check_platform(c, p);
	check_tboot(c, p);
}

void check_pcrs(struct check *c, const struct policy *p)
{
	char why[WHY], key[65] = "";
	uint32_t done = 1u << MEASURED_PCR_LOADED;

	for (uint32_t pcr = 0; p && pcr < LOG_PCRS; pcr++) {
		for (unsigned int i = 0; i < p->value_count; i++)
			if (p->values[i].pcr == pcr)
				check_value(c, &p->values[i]);
		for (unsigned int i = 0; i < p->event_count; i++)
			if (p->events[i].pcr == pcr && !(done & 1u << pcr)) {
				done |= 1u << pcr;
				check_events(c, p, pcr);
			}
	}
	check_loaded(c, p);
	c->has_keys = !loaded_keys(&c->keys, &c->log, why);
	hex_encode(key, c->keys.receive, sizeof(c->keys.receive));
	rows_add(&c->rows, c->has_keys, "PCR 12", "the monitor's keys, the end, and nothing else",
		 "%s", c->has_keys ? key : why);
}
