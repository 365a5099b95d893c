/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/option.h"

#include "monitor/lib.h"
#include "monitor/log.h"

static size_t word_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != ' ')
		n++;
	return n;
}

static bool take(const char *word, size_t n, const struct boot_option *options)
{
	for (const struct boot_option *o = options; o->word; o++) {
		if (strlen(o->word) == n && !memcmp(o->word, word, n)) {
			*o->set = true;
			return true;
		}
	}
	return false;
}

/* Where tboot's shared page is: boot/tboot.c. */
static bool is_tboots(const char *word, size_t n)
{
	static const char name[] = "tboot=";

	return n >= sizeof(name) - 1 && !memcmp(word, name, sizeof(name) - 1);
}

void boot_options(const char *cmdline, const struct boot_option *options)
{
	char text[40];
	size_t n;

	for (const char *s = cmdline; *s; s += n) {
		n = word_length(s);
		if (!n) {
			n = 1;
			continue;
		}
		if (take(s, n, options) || s == cmdline || is_tboots(s, n))
			continue;
		snprintf(text, n < sizeof(text) ? n + 1 : sizeof(text), "%s", s);
		log_line("unknown word on the command line: %s", text);
	}
}
