/* SPDX-License-Identifier: Apache-2.0 */
/* As iodecrypt/tool/say.c, under this program's name: what the files of nether-image that are linked with it call. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tool/tool.h"

static void line(const char *format, va_list args)
{
	fputs("nether-attest: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line(format, args);
	va_end(args);
}

int fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line(format, args);
	va_end(args);
	return status;
}

int fail_file(const char *path)
{
	return fail(ATTEST_ERROR, "%s: %s", path, strerror(errno));
}

/* Of the files of the other rooms, and their ASSERT. */
_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "nether-attest: a bug: %s (%s:%d)\n", what, file, line);
	abort();
}
