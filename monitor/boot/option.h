/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's own command line: words that switch something off. */
#ifndef MONITOR_BOOT_OPTION_H
#define MONITOR_BOOT_OPTION_H

#include <stdbool.h>

/* A word, and what it makes true. */
struct boot_option {
	const char *word;
	bool *set;
};

/*
 * Looks for each word of cmdline in options, which ends with a NULL word. Logs those that nobody
 * knows, but for the first: some loaders put the image's name there.
 */
void boot_options(const char *cmdline, const struct boot_option *options);

#endif
