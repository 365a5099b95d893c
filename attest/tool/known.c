/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/tool/bundle.h"
#include "attest/tool/rows.h"
#include "attest/tool/tool.h"
#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/output.h"

#define KNOWN_MAX (1u << 20)
#define DIGITS 64
#define KNOWN_OF_ONE 16u /* of one endorsement key; then the oldest goes */

int known_default(char out[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && *state == '/')
		n = snprintf(out, PATH_MAX, "%s/nether-attest/known", state);
	else
		n = home && *home == '/'
			    ? snprintf(out, PATH_MAX, "%s/.local/state/nether-attest/known", home)
			    : -1;
	if (n < 0 || n >= PATH_MAX)
		return fail(ATTEST_USAGE, "no place for the file of known keys: say --known FILE");
	return ATTEST_OK;
}

static int make_directories(const char *path)
{
	char *copy = need(strdup(path));
	int status = ATTEST_OK;

	for (char *at = copy + 1; !status && (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(copy, 0700) && errno != EEXIST)
			status = fail_file(copy);
		*at = '/';
	}
	free(copy);
	return status;
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

struct found {
	bool key;        /* it is there */
	unsigned int of; /* keys of that endorsement key's */
	size_t whole;    /* bytes of whole lines */
	size_t oldest;   /* where the first line of that endorsement key's begins, and its length */
	size_t oldest_n;
};

/*
 * A line that is not one of ours is an error: half of a file is not to be taken for all. But a last line without its end is one
 * whose writer was interrupted: it says nothing.
 */
static int search(const char *path, const char *text, const char *key, struct found *f)
{
	const char *at = text;

	*f = (struct found){0};
	for (unsigned int line = 1; *at; line++) {
		const char *end = strchr(at, '\n');

		if (!end)
			break;
		if (end - at < 2 * DIGITS + 3 || at[DIGITS] != ' ' || at[2 * DIGITS + 1] != ' ')
			return fail(ATTEST_ERROR, "%s:%u: not a line of known keys", path, line);
		if (!memcmp(at, key, DIGITS)) {
			if (!f->of++) {
				f->oldest = (size_t)(at - text);
				f->oldest_n = (size_t)(end + 1 - at);
			}
			f->key |= !memcmp(at, key, 2 * DIGITS + 2);
		}
		at = end + 1;
	}
	f->whole = (size_t)(at - text);
	return ATTEST_OK;
}

/* text: the caller's to free, whatever comes. */
static int find(const char *path, const char *key, struct bytes *text, struct found *f)
{
	int status = read_file(path, text);

	if (!status && strlen((char *)text->at) != text->n)
		status = fail(ATTEST_ERROR, "%s: not text", path);
	return status ? status : search(path, (char *)text->at, key, f);
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
	char key[2 * DIGITS + 3];
	struct bytes text;
	struct found f;
	int status;

	make_key(key, ek, ak);
	status = find(path, key, &text, &f);
	*found = !status && f.key;
	bytes_free(&text);
	return status;
}

static int append(const char *path, const char *line, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), status = ATTEST_OK;

	if (fd < 0 || file_write(fd, line, n) || fsync(fd))
		status = fail_file(path);
	if (fd >= 0)
		close(fd);
	return status;
}

/* Without what is too old and what is half. What another process adds meanwhile may be lost: its next success adds it again. */
static int rewrite(const char *path, const struct bytes *text, const struct found *f,
		   const char *line, size_t n)
{
	size_t skip = f->of >= KNOWN_OF_ONE ? f->oldest_n : 0, from = f->oldest + skip;
	int fd, status = output_create(path, true, true, &fd);

	if (!status &&
	    (file_write(fd, text->at, f->oldest) ||
	     file_write(fd, text->at + from, f->whole - from) || file_write(fd, line, n)))
		status = fail_file(path);
	status = status ? status : output_commit();
	output_discard();
	return status ? ATTEST_ERROR : ATTEST_OK;
}

int known_add(const char *path, const uint8_t ek[32], const uint8_t ak[32], const char *host)
{
	char key[2 * DIGITS + 3], *safe, *line;
	struct bytes text;
	struct found f;
	int status, n;

	make_key(key, ek, ak);
	status = find(path, key, &text, &f);
	status = status ? status : make_directories(path);
	if (!status && !f.key) {
		safe = rows_text(host, strlen(host));
		n = asprintf(&line, "%s%s\n", key, safe);
		free(safe);
		need(n < 0 ? NULL : line);
		if (f.of >= KNOWN_OF_ONE || f.whole != text.n)
			status = rewrite(path, &text, &f, line, (size_t)n);
		else
			status = append(path, line, (size_t)n);
		free(line);
	}
	bytes_free(&text);
	return status;
}
