/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/known.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/tool/bundle.h"
#include "attest/tool/rows.h"
#include "attest/tool/tool.h"
#include "iodecrypt/tool/file.h"

#define KNOWN_MAX (1u << 20)
#define DIGITS 64

/* The directories above it are made if `make`. */
static int default_path(char out[PATH_MAX], bool make)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && *state == '/')
		n = snprintf(out, PATH_MAX, "%s/nether-attest/known", state);
	else
		n = home ? snprintf(out, PATH_MAX, "%s/.local/state/nether-attest/known", home)
			 : -1;
	if (n < 0 || n >= PATH_MAX)
		return fail(ATTEST_USAGE, "no place for the file of known keys: say --known FILE");
	for (char *at = out + 1; make && (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(out, 0700) && errno != EEXIST)
			return fail_file(out);
		*at = '/';
	}
	return ATTEST_OK;
}

static int read_file(const char *path, struct bytes *text)
{
	*text = (struct bytes){NULL, 0};
	if (access(path, F_OK) && errno == ENOENT) {
		*text = bytes_copy("", 0);
		text->at[0] = '\0';
		return ATTEST_OK;
	}
	return bundle_read_file(path, KNOWN_MAX, text);
}

/* A line that is not one of ours is an error: half of a file is not to be taken for all. */
static int search(const char *path, const char *text, const char *key, bool *found)
{
	*found = false;
	for (unsigned int line = 1; *text; line++) {
		const char *end = strchr(text, '\n');

		if (!end || end - text < 2 * DIGITS + 3 || text[DIGITS] != ' ' ||
		    text[2 * DIGITS + 1] != ' ')
			return fail(ATTEST_ERROR, "%s:%u: not a line of known keys", path, line);
		*found |= !memcmp(text, key, 2 * DIGITS + 2);
		text = end + 1;
	}
	return ATTEST_OK;
}

static int find(const char *path, const char *key, bool *found)
{
	struct bytes text;
	int status = read_file(path, &text);

	if (!status && strlen((char *)text.at) != text.n)
		status = fail(ATTEST_ERROR, "%s: not text", path);
	if (!status)
		status = search(path, (char *)text.at, key, found);
	bytes_free(&text);
	return status;
}

static void make_key(char key[2 * DIGITS + 3], const uint8_t ek[32], const uint8_t ak[32])
{
	hex_encode(key, ek, 32);
	key[DIGITS] = ' ';
	hex_encode(key + DIGITS + 1, ak, 32);
	key[2 * DIGITS + 1] = ' ';
	key[2 * DIGITS + 2] = '\0';
}

int known_find(const char *path, const uint8_t ek[32], const uint8_t ak[32], bool *found)
{
	char key[2 * DIGITS + 3], where[PATH_MAX];

	*found = false;
	if (!path && default_path(where, false))
		return ATTEST_USAGE;
	make_key(key, ek, ak);
	return find(path ? path : where, key, found);
}

int known_add(const char *path, const uint8_t ek[32], const uint8_t ak[32], const char *host)
{
	char key[2 * DIGITS + 3], where[PATH_MAX], *safe, *line;
	bool found;
	int fd, status, n;

	if (!path && default_path(where, true))
		return ATTEST_USAGE;
	path = path ? path : where;
	make_key(key, ek, ak);
	status = find(path, key, &found);
	if (status || found)
		return status;
	safe = rows_text(host, strlen(host));
	n = asprintf(&line, "%s%s\n", key, safe);
	free(safe);
	need(n < 0 ? NULL : line);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || file_write(fd, line, (size_t)n) || fsync(fd))
		status = fail_file(path);
	if (fd >= 0)
		close(fd);
	free(line);
	return status;
}
