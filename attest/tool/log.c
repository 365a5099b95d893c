/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/log.h"

#include <stdio.h>
#include <stdlib.h>

#include "attest/measured.h"
#include "attest/tool/rows.h"

#define ALGORITHMS_MAX 8u
#define ALG_SHA256 0x000bu
#define EVENTS_MAX 8192u
#define PCR_NONE 0xffffffffu /* of an event that is not extended */
/* Of a TXT launch's log: what only tells, as attest/eventlog.c has it. */
#define TXT_NO_PCR 0xffu
#define TXT_EVENTS 0x400u
#define TXT_EVENTS_END 0x500u
#define GRUB_STRINGS 8u /* the PCR of GRUB's command lines */
#define WORDS_MAX 200u

struct algorithms {
	unsigned int count;
	struct {
		uint16_t id, bytes;
	} list[ALGORITHMS_MAX];
};

static int wrong(char why[LOG_WHY], const char *what, unsigned int event)
{
	snprintf(why, LOG_WHY, "event %u: %s", event, what);
	return -1;
}

/* 10.4.5.1: an event in the old format, with TCG_EfiSpecIDEvent. */
static int parse_head(struct cursor *c, struct algorithms *a, char why[LOG_WHY])
{
	static const uint8_t zeros[20], name[16] = "Spec ID Event03";
	uint32_t pcr = (uint32_t)take_le(c, 4), type = (uint32_t)take_le(c, 4);
	const uint8_t *digest = take(c, sizeof(zeros)), *signature;
	struct cursor in;
	bool sha256 = false;

	in.left = (size_t)take_le(c, 4);
	in.at = take(c, in.left);
	in.bad = c->bad;
	signature = take(&in, sizeof(name));
	take(&in, 4 + 4); /* platform's class, version, errata, size of a UINTN */
	a->count = (unsigned int)take_le(&in, 4);
	if (in.bad || pcr || type != EV_NO_ACTION || memcmp(digest, zeros, sizeof(zeros)) != 0 ||
	    memcmp(signature, name, sizeof(name)) != 0 || !a->count || a->count > ALGORITHMS_MAX)
		return wrong(why, "not the head of a crypto-agile log", 0);
	for (unsigned int i = 0; i < a->count; i++) {
		a->list[i].id = (uint16_t)take_le(&in, 2);
		a->list[i].bytes = (uint16_t)take_le(&in, 2);
		if (!a->list[i].bytes || a->list[i].bytes > 64)
			return wrong(why, "a digest of no or too many bytes", 0);
		for (unsigned int j = 0; j < i; j++)
			if (a->list[j].id == a->list[i].id)
				return wrong(why, "an algorithm twice", 0);
		sha256 |= a->list[i].id == ALG_SHA256 && a->list[i].bytes == LOG_DIGEST;
	}
	take(&in, (size_t)take_le(&in, 1)); /* vendor's */
	if (in.bad || in.left)
		return wrong(why, "a head of another length", 0);
	return sha256 ? 0 : wrong(why, "no SHA-256 digests", 0);
}

static int parse_digests(struct cursor *c, const struct algorithms *a, struct log_event *e,
			 char why[LOG_WHY])
{
	uint32_t count = (uint32_t)take_le(c, 4);
	unsigned int seen = 0;

	if (c->bad || !count || count > a->count)
		return wrong(why, "more digests than algorithms, or none", e->number);
	while (count--) {
		uint16_t id = (uint16_t)take_le(c, 2);
		const uint8_t *at;
		unsigned int i;

		for (i = 0; i < a->count && a->list[i].id != id; i++)
			;
		if (i == a->count || seen & 1u << i)
			return wrong(why, "a digest of no known algorithm, or twice", e->number);
		seen |= 1u << i;
		at = take(c, a->list[i].bytes);
		if (id == ALG_SHA256)
			e->digest = at;
	}
	return e->digest ? 0 : wrong(why, "no SHA-256 digest", e->number);
}

/* 10.4.5.3: from which locality the CPU's start was measured decides with what PCR 0 begins. */
static int startup_locality(struct log *l, const struct log_event *e, bool *begun,
			    char why[LOG_WHY])
{
	static const char name[16] = "StartupLocality";

	if (e->bytes < sizeof(name) || memcmp(e->data, name, sizeof(name)) != 0)
		return 0;
	if (e->bytes != sizeof(name) + 1 || e->pcr || *begun)
		return wrong(why, "StartupLocality in the wrong place", e->number);
	if (e->data[sizeof(name)] > 4)
		return wrong(why, "no such locality", e->number);
	l->pcrs[0][LOG_DIGEST - 1] = e->data[sizeof(name)];
	*begun = true;
	return 0;
}

static void extend(uint8_t pcr[LOG_DIGEST], const uint8_t digest[LOG_DIGEST])
{
	uint8_t both[2 * LOG_DIGEST];

	memcpy(both, pcr, LOG_DIGEST);
	memcpy(both + LOG_DIGEST, digest, LOG_DIGEST);
	hash(pcr, both, sizeof(both));
}

/* *begun: PCR 0's first value is settled. */
static int parse_event(struct log *l, struct cursor *c, const struct algorithms *a, unsigned int n,
		       bool *begun, char why[LOG_WHY])
{
	struct log_event e = {.number = n};

	e.pcr = (uint32_t)take_le(c, 4);
	e.type = (uint32_t)take_le(c, 4);
	if (parse_digests(c, a, &e, why))
		return -1;
	e.bytes = (uint32_t)take_le(c, 4);
	e.data = take(c, e.bytes);
	if (c->bad)
		return wrong(why, "longer than the log", n);
	if (e.pcr == TXT_NO_PCR && e.type >= TXT_EVENTS && e.type < TXT_EVENTS_END)
		return 0; /* it tells, and was extended nowhere */
	if (e.pcr >= LOG_PCRS && !(e.type == EV_NO_ACTION && e.pcr == PCR_NONE))
		return wrong(why, "no such PCR", n);
	if (e.type == EV_NO_ACTION)
		return startup_locality(l, &e, begun, why);
	*begun |= !e.pcr;
	extend(l->pcrs[e.pcr], e.digest);
	if (!(l->count & (l->count - 1)))
		l->events = need(
			reallocarray(l->events, l->count ? 2 * (size_t)l->count : 1, sizeof(e)));
	l->events[l->count++] = e;
	return 0;
}

int log_parse(struct log *l, const uint8_t *at, size_t n, bool launched, char why[LOG_WHY])
{
	struct cursor c = {at, n, false};
	struct algorithms a;
	bool begun = false;
	int err;

	*l = (struct log){0};
	/* 3.3.1: what a DRTM resets begins with ones. */
	for (unsigned int i = 17; i <= 22 && !launched; i++)
		memset(l->pcrs[i], 0xff, LOG_DIGEST);
	err = n > LOG_MAX ? wrong(why, "too long a log", 0) : parse_head(&c, &a, why);
	for (unsigned int i = 1; !err && c.left; i++)
		err = i > EVENTS_MAX ? wrong(why, "too many events", i)
				     : parse_event(l, &c, &a, i, &begun, why);
	if (err)
		log_free(l);
	return err;
}

void log_free(struct log *l)
{
	free(l->events);
	*l = (struct log){0};
}

const struct log_event *log_next(const struct log *l, uint32_t pcr, unsigned int *from)
{
	while (*from < l->count) {
		const struct log_event *e = &l->events[(*from)++];

		if (e->pcr == pcr)
			return e;
	}
	return NULL;
}

/*
 * GRUB 2.06's strings: the event has a prefix, the text and a NUL; what was measured is the text alone. The text's
 * length, or -1.
 */
static int grub_text(const struct log_event *e, const uint8_t **text)
{
	static const char *const prefixes[] = {"grub_cmd: ", "kernel_cmdline: ",
					       "module_cmdline: "};

	if (e->type != EV_IPL || e->pcr != GRUB_STRINGS || !e->bytes || e->data[e->bytes - 1])
		return -1;
	for (unsigned int i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t n = strlen(prefixes[i]);

		if (e->bytes > n && !memcmp(e->data, prefixes[i], n)) {
			*text = e->data + n;
			return (int)(e->bytes - n - 1);
		}
	}
	return -1;
}

static bool hashed_whole(const struct log_event *e)
{
	switch (e->type) {
	case EV_SEPARATOR:
	case EV_ACTION:
	case EV_EFI_ACTION:
		return true;
	case EV_EVENT_TAG:
		return e->pcr == MEASURED_PCR_LOADED || e->pcr == MEASURED_PCR_KEYS;
	}
	return false;
}

int log_data(const struct log_event *e)
{
	const uint8_t *text = e->data;
	int n = hashed_whole(e) ? (int)e->bytes : grub_text(e, &text);
	uint8_t digest[LOG_DIGEST];

	if (n < 0)
		return 0;
	hash(digest, text, (size_t)n);
	return memcmp(digest, e->digest, LOG_DIGEST) ? -1 : 1;
}

static const char *type_name(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{1, "POST code"},
		{EV_SEPARATOR, "separator"},
		{EV_ACTION, "action"},
		{EV_EVENT_TAG, "tagged event"},
		{7, "CRTM contents"},
		{8, "CRTM version"},
		{9, "CPU microcode"},
		{10, "platform configuration"},
		{EV_IPL, "loader"},
		{0x80000001, "EFI variable (configuration)"},
		{0x80000002, "EFI variable (boot)"},
		{EV_EFI_PROGRAM, "EFI boot application"},
		{0x80000004, "EFI boot driver"},
		{0x80000005, "EFI runtime driver"},
		{0x80000006, "EFI GPT"},
		{EV_EFI_ACTION, "EFI action"},
		{0x80000008, "EFI firmware"},
		{0x80000009, "EFI tables"},
		{0x8000000a, "EFI firmware (2)"},
		{0x8000000b, "EFI tables (2)"},
		{0x8000000c, "EFI variable (boot, 2)"},
		{0x800000e0, "EFI variable (authority)"},
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return "event of an unknown type";
}

/* GRUB's: the text, which is proved, and how the log calls it. */
static char *grub_words(const struct log_event *e, const uint8_t *text, int n)
{
	char *safe = rows_text((const char *)text, (size_t)n < WORDS_MAX ? (size_t)n : WORDS_MAX);
	char *words;

	if (asprintf(&words, "%s (%.*s a label)", safe, (int)(text - e->data) - 1, e->data) < 0)
		words = need(NULL);
	free(safe);
	return words;
}

char *log_words(const struct log_event *e)
{
	const uint8_t *text = NULL;
	size_t n = e->bytes;
	bool proved = log_data(e) == 1, is_text;
	int grub = grub_text(e, &text);
	char *safe, *words;

	if (proved && grub >= 0)
		return grub_words(e, text, grub);
	if (e->type == EV_IPL && n && !e->data[n - 1])
		n--;
	is_text = e->type == EV_IPL || e->type == EV_ACTION || e->type == EV_EFI_ACTION;
	safe = is_text ? rows_text((const char *)e->data, n < WORDS_MAX ? n : WORDS_MAX)
		       : need(strdup(type_name(e->type)));
	/* The type is only the log's word: of four bytes that are proved there is no more to say. */
	proved = proved && (is_text || (e->type == EV_SEPARATOR && n == 4));
	if (asprintf(&words, "%s%s", safe, proved ? "" : " (a label)") < 0)
		words = need(NULL);
	free(safe);
	return words;
}
