/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/log.h"

#include "monitor/console.h"
#include "monitor/lib.h"
#include "ept/lock.h"

#define LINE_MAX 200
#define PROVOKED_MAX 200

static struct {
	struct lock lock;
	bool quiet;
	uint64_t end; /* bytes ever written */
	char ring[LOG_SIZE];
} log;

static void log_args(const char *fmt, va_list ap)
{
	static const char prefix[] = "nethervisor: ";
	char line[LINE_MAX + sizeof(prefix)];
	size_t n = sizeof(prefix) - 1;

	memcpy(line, prefix, n);
	vsnprintf(line + n, LINE_MAX, fmt, ap);
	n = strlen(line);
	line[n++] = '\n';

	lock_take(&log.lock);
	for (size_t i = 0; i < n; i++)
		log.ring[log.end++ % LOG_SIZE] = line[i];
	if (!log.quiet)
		console_write(line, n);
	lock_drop(&log.lock);
}

void log_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_args(fmt, ap);
	va_end(ap);
}

void log_provoked(const char *fmt, ...)
{
	static uint32_t lines;
	va_list ap;

	if (__atomic_add_fetch(&lines, 1, __ATOMIC_RELAXED) > PROVOKED_MAX)
		return;
	va_start(ap, fmt);
	log_args(fmt, ap);
	va_end(ap);
}

void log_console(bool on)
{
	log.quiet = !on;
}

void log_seize(void)
{
	log.quiet = false;
	log.lock.served = log.lock.next; /* whoever had it, or waited, has been halted */
}

size_t log_read(uint64_t *pos, void *buf, size_t n)
{
	char *out = buf;
	size_t i;

	lock_take(&log.lock);
	if (log.end > LOG_SIZE && *pos < log.end - LOG_SIZE)
		*pos = log.end - LOG_SIZE;
	if (*pos > log.end)
		*pos = log.end;
	for (i = 0; i < n && *pos + i < log.end; i++)
		out[i] = log.ring[(*pos + i) % LOG_SIZE];
	lock_drop(&log.lock);
	return i;
}
