/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "attest/api/text.h"

static const struct key {
	const char *name;
	size_t at;
	const char *text; /* the default: of a text; "" must be given; NULL is a number */
	uint64_t number, min, max;
	bool optional;
} keys[] = {
#define TEXT(name, value)                                                   \
	{                                                                   \
#name, offsetof(struct config, name), value, 0, 0, 0, false \
	}
#define NUMBER(name, value, min, max)                                              \
	{                                                                          \
#name, offsetof(struct config, name), NULL, value, min, max, false \
	}
	TEXT(listen, "127.0.0.1:8443"),
	TEXT(certificate, ""),
	TEXT(key, ""),
	TEXT(state, "/var/lib/nethervisor"),
	TEXT(tokens, "/etc/nethervisor/tokens"),
	TEXT(vms, "/etc/nethervisor/vms"),
	TEXT(tcti, "device:/dev/tpmrm0"),
	NUMBER(connections, 256, 1, 1024),
	NUMBER(connections_per_address, 64, 1, 1024),
	NUMBER(rate, 100, 1, 100000),
	NUMBER(rate_per_address, 200, 1, 100000),
	NUMBER(quota_mib, 102400, 0, 1 << 30),
	NUMBER(images, 64, 1, 4096),
	NUMBER(reserve_mib, 64, 0, 1 << 30),
	NUMBER(header_seconds, 10, 1, 3600),
	NUMBER(body_seconds, 120, 1, 3600),
	NUMBER(send_seconds, 60, 1, 3600),
	NUMBER(idle_seconds, 30, 1, 3600),
	NUMBER(tpm_queue, 8, 1, 64),
#undef TEXT
#undef NUMBER
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int fail(char why[CONFIG_TEXT], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int fail(char why[CONFIG_TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, CONFIG_TEXT, format, args);
	va_end(args);
	return -1;
}

static char *text_of(struct config *c, const struct key *k)
{
	return (char *)c + k->at;
}

static void set_number(struct config *c, const struct key *k, uint64_t value)
{
	memcpy((char *)c + k->at, &value, sizeof(value));
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static const struct key *find(const char *name)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

static int take(struct config *c, char *line, unsigned int n, uint32_t *seen, char *why)
{
	char *value = strchr(line, '=');
	const struct key *k;
	uint64_t number;

	if (!value)
		return fail(why, "line %u: not KEY = VALUE", n);
	*value++ = '\0';
	value = trim(value);
	k = find(trim(line));
	if (!k)
		return fail(why, "line %u: no such key", n);
	if (*seen & 1u << (k - keys))
		return fail(why, "line %u: %s is there twice", n, k->name);
	*seen |= 1u << (k - keys);
	if (k->text) {
		if (!*value || strlen(value) >= CONFIG_TEXT)
			return fail(why, "line %u: %s is empty or too long", n, k->name);
		memcpy(text_of(c, k), value, strlen(value) + 1);
		return 0;
	}
	if (!text_number(value, &number) || number < k->min || number > k->max)
		return fail(why, "line %u: %s is a number from %llu to %llu", n, k->name,
			    (unsigned long long)k->min, (unsigned long long)k->max);
	set_number(c, k, number);
	return 0;
}

static void set_defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	for (const struct key *k = keys; k < keys + KEYS; k++) {
		if (k->text)
			memcpy(text_of(c, k), k->text, strlen(k->text) + 1);
		else
			set_number(c, k, k->number);
	}
}

int config_parse(struct config *c, const char *text, size_t bytes, char why[CONFIG_TEXT])
{
	uint32_t seen = 0;
	unsigned int n = 0;

	_Static_assert(KEYS <= 32, "bits of seen");
	set_defaults(c);
	for (const char *at = text, *end = text + bytes; at < end;) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((eol ? eol : end) - at);
		char line[2 * CONFIG_TEXT], *start;

		n++;
		if (len >= sizeof(line) || memchr(at, '\0', len))
			return fail(why, "line %u: too long, or binary", n);
		memcpy(line, at, len);
		line[len] = '\0';
		start = trim(line);
		if (*start && *start != '#' && take(c, start, n, &seen, why))
			return -1;
		at = eol ? eol + 1 : end;
	}
	for (const struct key *k = keys; k < keys + KEYS; k++) {
		if (k->text && !k->optional && !*text_of(c, k))
			return fail(why, "%s is missing", k->name);
	}
	return 0;
}
