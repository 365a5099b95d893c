/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How dom0.sh has a program lie: a file has one word and perhaps a number, read before each I/O. Another gets a byte
 * longer for each lie told, so that an attack that did not take place is seen.
 */
#ifndef ATTACK_DISK_LIE_H
#define ATTACK_DISK_LIE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIE "/run/lie"
#define LIES_TOLD "/run/lies-told"

/* Whether that is the lie; its number. */
static inline bool lie_is(const char *word, unsigned long *number)
{
	char text[64] = "", found[32] = "";
	int fd = open(LIE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return sscanf(text, "%31s %lu", found, number) >= 1 && !strcmp(found, word);
}

static inline void lie_told(void)
{
	int fd = open(LIES_TOLD, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, ".", 1) != 1)
		_exit(99);
	close(fd);
}

#endif
