/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/loaded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/tool/rows.h"
#include "ept/base.h"
#include "monitor/hypercall.h"

#define TXT_MEASURED 2u /* enum tboot_state */

static int wrong(char why[LOG_WHY], const char *format, unsigned int value)
{
	snprintf(why, LOG_WHY, format, value);
	return -1;
}

/* The head, and that its data is what was hashed. */
static int read_head(struct loaded_event *out, const struct log_event *e, char why[LOG_WHY])
{
	struct cursor c = {e->data, e->bytes, false};

	*out = (struct loaded_event){.e = e};
	out->id = (uint32_t)take_le(&c, 4);
	out->bytes = (uint32_t)take_le(&c, 4);
	out->at = c.at;
	if (e->type != MEASURED_EVENT_TYPE || c.bad || c.left != out->bytes ||
	    e->bytes > MEASURED_EVENT_MAX)
		return wrong(why, "event %u is not one of the monitor's", e->number);
	if (log_data(e) != 1)
		return wrong(why, "event %u's data is not what was measured", e->number);
	return 0;
}

static int text_ok(const struct loaded_event *e, char why[LOG_WHY])
{
	if (e->bytes > MEASURED_STRING_MAX || memchr(e->at, 0, e->bytes))
		return wrong(why, "event %u is not a string", e->e->number);
	return 0;
}

static int read_module(struct loaded_event *e, uint32_t *modules, char why[LOG_WHY])
{
	struct measured_module m;

	if (e->bytes != sizeof(m))
		return wrong(why, "event %u is not a module", e->e->number);
	memcpy(&m, e->at, sizeof(m));
	if (m.number != *modules || m.zero)
		return wrong(why, "module %u is not the next", m.number);
	e->number = (*modules)++;
	return 0;
}

static int read_cmdline(struct loaded_event *e, uint32_t modules, char why[LOG_WHY])
{
	struct cursor c = {e->at, e->bytes, false};

	e->number = (uint32_t)take_le(&c, 4);
	if (c.bad || !modules || e->number != modules - 1)
		return wrong(why, "event %u is no command line of the module before", e->e->number);
	e->at = c.at;
	e->bytes = (uint32_t)c.left;
	return text_ok(e, why);
}

static int read_content(struct loaded *l, struct loaded_event *e, uint32_t *modules,
			char why[LOG_WHY])
{
	switch (e->id) {
	case MEASURED_MONITOR:
		if (text_ok(e, why) || e->bytes >= sizeof(l->monitor))
			return wrong(why, "event %u is not a version", e->e->number);
		memcpy(l->monitor, e->at, e->bytes);
		return 0;
	case MEASURED_OPTIONS:
		return text_ok(e, why);
	case MEASURED_TBOOT:
		if (e->bytes != sizeof(l->tboot))
			return wrong(why, "event %u is of another length", e->e->number);
		memcpy(&l->tboot, e->at, sizeof(l->tboot));
		return 0;
	case MEASURED_PLATFORM:
		if (e->bytes != sizeof(l->platform))
			return wrong(why, "event %u is of another length", e->e->number);
		memcpy(&l->platform, e->at, sizeof(l->platform));
		return 0;
	case MEASURED_MODULE:
		return read_module(e, modules, why);
	case MEASURED_CMDLINE:
		return read_cmdline(e, *modules, why);
	}
	return e->bytes ? wrong(why, "event %u is of another length", e->e->number) : 0;
}

/* Which may follow; at first, 0 has been. */
static bool in_order(uint32_t before, uint32_t id)
{
	switch (id) {
	case MEASURED_MONITOR:
		return !before;
	case MEASURED_OPTIONS:
	case MEASURED_TBOOT:
	case MEASURED_PLATFORM:
		return before == id - 1;
	case MEASURED_MODULE:
		return before == MEASURED_PLATFORM || before == MEASURED_CMDLINE;
	case MEASURED_CMDLINE:
		return before == MEASURED_MODULE;
	case MEASURED_LOADED_END:
		return before == MEASURED_CMDLINE;
	}
	return false;
}

int loaded_read(struct loaded *l, const struct log *log, char why[LOG_WHY])
{
	const struct log_event *e;
	unsigned int from = 0;
	uint32_t before = 0, modules = 0;

	*l = (struct loaded){0};
	while ((e = log_next(log, MEASURED_PCR_LOADED, &from))) {
		struct loaded_event *out = &l->list[l->count];

		if (l->count == LOADED_MAX)
			return wrong(why, "more than %u events", LOADED_MAX);
		if (read_head(out, e, why))
			return -1;
		if (!in_order(before, out->id))
			return wrong(why, "event %u is out of order", e->number);
		if (read_content(l, out, &modules, why))
			return -1;
		before = out->id;
		l->count++;
	}
	return before == MEASURED_LOADED_END ? 0 : wrong(why, "no end after %u events", l->count);
}

int loaded_keys(struct measured_keys *keys, const struct log *log, char why[LOG_WHY])
{
	struct loaded_event first, end;
	const struct log_event *e[3];
	unsigned int from = 0;

	for (unsigned int i = 0; i < 3; i++)
		e[i] = log_next(log, MEASURED_PCR_KEYS, &from);
	if (!e[0] || !e[1])
		return wrong(why, "%u events are missing", e[0] ? 1 : 2);
	if (read_head(&first, e[0], why) || read_head(&end, e[1], why))
		return -1;
	if (first.id != MEASURED_KEYS || first.bytes != sizeof(*keys))
		return wrong(why, "event %u is not keys", e[0]->number);
	if (end.id != MEASURED_KEYS_END || end.bytes)
		return wrong(why, "event %u is not the end", e[1]->number);
	if (e[2])
		return wrong(why, "event %u comes after the end", e[2]->number);
	memcpy(keys, first.at, sizeof(*keys));
	return 0;
}

void loaded_name(const struct loaded_event *e, char name[LOADED_NAME])
{
	const char *text = "end of what was loaded";

	switch (e->id) {
	case MEASURED_MONITOR:
		text = "monitor";
		break;
	case MEASURED_OPTIONS:
		text = "monitor's command line";
		break;
	case MEASURED_TBOOT:
		text = "tboot";
		break;
	case MEASURED_PLATFORM:
		text = "platform";
		break;
	case MEASURED_MODULE:
	case MEASURED_CMDLINE:
		if (e->number)
			snprintf(name, LOADED_NAME, "module %u%s", e->number,
				 e->id == MEASURED_MODULE ? "" : "'s command line");
		else
			snprintf(name, LOADED_NAME, "L1 kernel%s (xen)",
				 e->id == MEASURED_MODULE ? "" : "'s command line");
		return;
	}
	snprintf(name, LOADED_NAME, "%s", text);
}

static char *platform_words(const struct loaded_event *e)
{
	char dma[LOADED_FLAGS], open[LOADED_FLAGS], *words;
	struct measured_platform p;

	memcpy(&p, e->at, sizeof(p));
	if (asprintf(&words, "%u IOMMUs driven; DMA: %s; open: %s", p.iommus,
		     loaded_dma(p.dma, dma), loaded_open(p.open, open)) < 0)
		words = need(NULL);
	return words;
}

static char *module_words(const struct loaded_event *e)
{
	struct measured_module m;
	char digest[2 * sizeof(m.sha256) + 1], *words;

	memcpy(&m, e->at, sizeof(m));
	hex_encode(digest, m.sha256, sizeof(m.sha256));
	if (asprintf(&words, "%s (%" PRIu64 " bytes)", digest, m.bytes) < 0)
		words = need(NULL);
	return words;
}

char *loaded_words(const struct loaded_event *e)
{
	uint32_t state;

	switch (e->id) {
	case MEASURED_TBOOT:
		memcpy(&state, e->at, sizeof(state));
		return need(strdup(loaded_tboot(state)));
	case MEASURED_PLATFORM:
		return platform_words(e);
	case MEASURED_MODULE:
		return module_words(e);
	}
	return rows_text((const char *)e->at, e->bytes);
}

static const char *flags_words(uint32_t flags, const char *const names[], unsigned int count,
			       char buf[LOADED_FLAGS])
{
	size_t n = 0;

	snprintf(buf, LOADED_FLAGS, "nothing");
	for (unsigned int i = 0; i < count; i++)
		if (flags & 1u << i)
			n += (size_t)snprintf(buf + n, LOADED_FLAGS - n, "%s%s", n ? ", " : "",
					      names[i]);
	if (flags >> count)
		snprintf(buf + n, LOADED_FLAGS - n, "%sunknown (%#x)", n ? ", " : "",
			 flags >> count << count);
	return buf;
}

const char *loaded_dma(uint32_t flags, char buf[LOADED_FLAGS])
{
	static const char *const names[] = {"open", "blocked", "interrupts"};

	_Static_assert(DMA_OPEN == 1 && DMA_BLOCKED == 2 && DMA_INTERRUPTS == 4, "names' order");
	return flags_words(flags, names, 3, buf);
}

const char *loaded_open(uint32_t flags, char buf[LOADED_FLAGS])
{
	static const char *const names[] = {"chipset", "config", "power", "memory", "cpus"};

	_Static_assert(PLATFORM_OPEN_CHIPSET == 1 && PLATFORM_OPEN_CONFIG == 2 &&
			       PLATFORM_OPEN_POWER == 4 && PLATFORM_OPEN_MEMORY == 8 &&
			       PLATFORM_OPEN_CPUS == 16,
		       "names' order");
	return flags_words(flags, names, ARRAY_SIZE(names), buf);
}

bool loaded_txt(const struct loaded *l)
{
	return l->tboot == TXT_MEASURED;
}

const char *loaded_tboot(uint32_t state)
{
	static const char *const names[] = {"none", "fell-through", "measured", "broken"};

	return state < 4 ? names[state] : "unknown";
}
