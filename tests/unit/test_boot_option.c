/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "monitor/boot/option.h"
#include "monitor/log.h"

static bool one, two;
static const struct boot_option options[] = {{"one", &one}, {"no-two", &two}, {NULL, NULL}};

/* What parsing cmdline added to the log. */
static const char *logged(const char *cmdline)
{
	static char text[LOG_SIZE];
	uint64_t pos = 0;
	size_t before;

	one = two = false;
	before = log_read(&pos, text, sizeof(text));
	boot_options(cmdline, options);
	pos = before;
	text[log_read(&pos, text, sizeof(text) - 1)] = 0;
	return text;
}

static void words(void **state)
{
	assert_string_equal(logged(""), "");
	assert_false(one || two);
	assert_string_equal(logged("one"), "");
	assert_true(one && !two);
	assert_string_equal(logged("  no-two   one "), "");
	assert_true(one && two);
}

static void parts_of_words(void **state)
{
	assert_non_null(strstr(logged("x on"), ": on\n"));
	assert_false(one || two);
	assert_non_null(strstr(logged("x ones no-two"), ": ones\n"));
	assert_true(!one && two);
	assert_non_null(strstr(logged("x one=1"), ": one=1\n"));
	assert_false(one || two);
}

static void an_image_name(void **state)
{
	assert_string_equal(logged("/boot/image.elf one"), "");
	assert_true(one);
	assert_string_equal(logged("file0 one"), "");
	assert_true(one);
	assert_non_null(strstr(logged("one /boot/image.elf"), ": /boot/image.elf\n"));
}

static void a_long_word(void **state)
{
	char line[300];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	line[1] = ' ';
	assert_non_null(strstr(logged(line), "unknown word"));
	assert_true(strlen(logged(line)) < 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(parts_of_words),
		cmocka_unit_test(an_image_name),
		cmocka_unit_test(a_long_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
