/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of netherd share: cmocka, and a directory of their own that is removed afterwards. */
#ifndef TESTS_UNIT_TEST_NETHERD_H
#define TESTS_UNIT_TEST_NETHERD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char test_dir[64];

static inline int make_test_dir(void **state)
{
	strcpy(test_dir, "/tmp/test_netherd.XXXXXX");
	return mkdtemp(test_dir) && !chdir(test_dir) ? 0 : -1;
}

static inline int remove_test_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", test_dir);
	return chdir("/") || system(command) ? -1 : 0;
}

static inline void put_file(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	close(fd);
}

static inline void put_text(const char *path, const char *text)
{
	put_file(path, text, strlen(text));
}

static inline size_t get_file(const char *path, void *data, size_t max)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, data, max);
	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

#endif
