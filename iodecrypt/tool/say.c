/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iodecrypt/tool/progress.h"
#include "iodecrypt/tool/tool.h"

static void line(const char *format, va_list args)
{
	flockfile(stderr);
	progress_clear();
	fputs("nether-image: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
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
	static bool told;
	va_list args;

	if (__atomic_test_and_set(&told, __ATOMIC_RELAXED))
		return status;
	va_start(args, format);
	line(format, args);
	va_end(args);
	return status;
}

int fail_file(const char *path)
{
	int err = errno;
	bool full = err == ENOSPC || err == EFBIG || err == EDQUOT;

	return fail(full ? STATUS_FULL : STATUS_ERROR, "%s: %s", path, strerror(err));
}

/* Of the engine, and its ASSERT. */
_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "nether-image: a bug: %s (%s:%d)\n", what, file, line);
	abort();
}
