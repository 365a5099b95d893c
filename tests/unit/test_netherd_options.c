/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/options.h */
#include "tests/unit/test_netherd.h"

#include "attest/netherd/options.h"

static struct options o;

/* Words of one text; the program's name comes first. */
static int parse(const char *text)
{
	static char copy[512];
	char *argv[32], *save = NULL;
	int argc = 0;

	assert_true(snprintf(copy, sizeof(copy), "%s", text) < (int)sizeof(copy));
	argv[argc++] = (char *)"netherd";
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(&o, argc, argv);
}

static void releases(void **state)
{
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release=/r,receipt=/x"), 0);
	assert_string_equal(o.disk[0].release, "/r");
	assert_null(o.disk[0].key);
	assert_string_equal(o.disk[0].receipt, "/x");
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release=-"), 0);
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release=r,key=k"), -1);
	assert_int_equal(parse("--domain 7 --disk hda=a,b,consent,release=r"), -1);
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release=r,release=r"), -1);
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release="), -1);
	assert_int_equal(parse("--domain 7 --disk hda=a,b,release=- --disk hdb=c,d,key=-"), -1);
}

static void least(void **state)
{
	assert_int_equal(parse("--domain 7 --disk hda=a,b"), 0);
	assert_string_equal(o.domain, "7");
	assert_string_equal(o.disk[0].data, "a");
	assert_string_equal(o.disk[0].sidecar, "b");
	assert_null(o.disk[0].key);
	assert_null(o.disk[0].receipt);
	assert_false(o.disk[0].consent);
	for (int i = 1; i < 4; i++)
		assert_null(o.disk[i].data);
	assert_int_equal(o.plain, 0);
	assert_false(o.foreground);
	assert_false(o.help);
	assert_int_equal(o.ready_fd, -1);
	assert_string_equal(o.state_dir, OPTIONS_STATE_DIR);
}

static void all(void **state)
{
	assert_int_equal(parse("--foreground --domain vm --ready-fd 3 --state-dir /s "
			       "--disk hdb=/a=b,/c,receipt=/r,consent,key=/k=1 --plain hdc "
			       "--disk=hdd=d,e,key=- --plain hda"),
			 0);
	assert_true(o.foreground);
	assert_string_equal(o.domain, "vm");
	assert_int_equal(o.ready_fd, 3);
	assert_string_equal(o.state_dir, "/s");
	assert_null(o.disk[0].data);
	assert_string_equal(o.disk[1].data, "/a=b");
	assert_string_equal(o.disk[1].sidecar, "/c");
	assert_string_equal(o.disk[1].receipt, "/r");
	assert_string_equal(o.disk[1].key, "/k=1");
	assert_true(o.disk[1].consent);
	assert_string_equal(o.disk[3].data, "d");
	assert_string_equal(o.disk[3].key, "-");
	assert_false(o.disk[3].consent);
	assert_int_equal(o.plain, 1u << 2 | 1u << 0);
	assert_int_equal(parse("--help"), 0);
	assert_true(o.help);
}

static void refused(void **state)
{
	static const char *const text[] = {
		"",
		"--domain 7",
		"--disk hda=a,b",
		"--domain= --disk hda=a,b",
		"--domain 7 --disk hda=a,b more",
		"--domain 7 --disk hda=a,b --unknown",
		"--domain 7 --disk hda=a,b --plain",
		"--domain 7 --disk",
		"--domain 7 --disk hda",
		"--domain 7 --disk hda=",
		"--domain 7 --disk hda=a",
		"--domain 7 --disk hda=a,",
		"--domain 7 --disk hda=,b",
		"--domain 7 --disk hde=a,b",
		"--domain 7 --disk =a,b",
		"--domain 7 --disk hda=a,b --disk hda=c,d",
		"--domain 7 --disk hda=a,b --plain hda",
		"--domain 7 --plain hda --disk hda=a,b",
		"--domain 7 --disk hda=a,b --plain cdrom",
		"--domain 7 --disk hda=a,b,",
		"--domain 7 --disk hda=a,b,c",
		"--domain 7 --disk hda=a,b,key",
		"--domain 7 --disk hda=a,b,key=",
		"--domain 7 --disk hda=a,b,key=1,key=2",
		"--domain 7 --disk hda=a,b,receipt=",
		"--domain 7 --disk hda=a,b,receipt=1,receipt=2",
		"--domain 7 --disk hda=a,b,consent=",
		"--domain 7 --disk hda=a,b,consent=1",
		"--domain 7 --disk hda=a,b,consent,consent",
		"--domain 7 --disk hda=a,b,key=- --disk hdb=c,d,key=-",
		"--domain 7 --disk hda=a,b --ready-fd x",
		"--domain 7 --disk hda=a,b --ready-fd -1",
		"--domain 7 --disk hda=a,b --ready-fd 3x",
		"--domain 7 --disk hda=a,b --ready-fd 99999999999999999999",
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		if (!parse(text[i]))
			fail_msg("taken: %s", text[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases),
		cmocka_unit_test(least),
		cmocka_unit_test(all),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
