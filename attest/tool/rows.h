/* SPDX-License-Identifier: Apache-2.0 */
/* What was checked: a row for each check. Text of others' is made harmless as it comes in. */
#ifndef ATTEST_TOOL_ROWS_H
#define ATTEST_TOOL_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct row {
	bool ok;
	char *name, *found;
	char *expected; /* "" if found says it */
};

struct rows {
	struct row *list;
	size_t count;
	bool failed;
};

/* expected may be NULL. Returns ok. */
bool rows_add(struct rows *r, bool ok, const char *name, const char *expected, const char *found,
	      ...) __attribute__((format(printf, 5, 6)));

/* Also of what is not a row's: all but printable ASCII as \xNN. To be freed. */
char *rows_text(const char *text, size_t n);

const struct row *rows_find(const struct rows *r, const char *name);
void rows_print(const struct rows *r, FILE *to);
void rows_free(struct rows *r);

#endif
