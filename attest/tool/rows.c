/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/rows.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tool/bytes.h"

#define NAME_COLUMNS 30

char *rows_text(const char *text, size_t n)
{
	char *safe = need(malloc(4 * n + 1)), *out = safe;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c < 0x7f)
			*out++ = (char)c;
		else
			out += sprintf(out, "\\x%02x", c);
	}
	*out = '\0';
	return safe;
}

bool rows_add(struct rows *r, bool ok, const char *name, const char *expected, const char *found,
	      ...)
{
	struct row *row;
	va_list args;
	char *text;
	int n;

	va_start(args, found);
	n = vasprintf(&text, found, args);
	va_end(args);
	need(n < 0 ? NULL : text);
	r->list = need(reallocarray(r->list, r->count + 1, sizeof(*r->list)));
	row = &r->list[r->count++];
	row->ok = ok;
	row->name = rows_text(name, strlen(name));
	row->found = rows_text(text, (size_t)n);
	row->expected = rows_text(expected ? expected : "", expected ? strlen(expected) : 0);
	free(text);
	r->failed |= !ok;
	return ok;
}

const struct row *rows_find(const struct rows *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (!strcmp(r->list[i].name, name))
			return &r->list[i];
	return NULL;
}

void rows_print(const struct rows *r, FILE *to)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct row *row = &r->list[i];

		fprintf(to, "%-*s  %-6s  %s\n", NAME_COLUMNS, row->name, row->ok ? "ok" : "FAILED",
			row->found);
		if (!row->ok && *row->expected)
			fprintf(to, "%-*s  %-6s  expected: %s\n", NAME_COLUMNS, "", "",
				row->expected);
	}
}

void rows_free(struct rows *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->list[i].name);
		free(r->list[i].found);
		free(r->list[i].expected);
	}
	free(r->list);
	*r = (struct rows){0};
}
