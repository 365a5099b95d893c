/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SECONDS 10.0 /* between lines, where they stay */

static struct {
	bool on, terminal, shown;
	uint64_t total, at, worked;
	double start, last;
} p;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress_start(uint64_t total, bool quiet)
{
	p.on = !quiet;
	p.terminal = isatty(STDERR_FILENO);
	p.total = total;
	p.at = p.worked = 0;
	p.start = p.last = now();
}

void progress_at(uint64_t position)
{
	__atomic_store_n(&p.at, position, __ATOMIC_RELAXED);
}

void progress_add(uint64_t bytes)
{
	__atomic_fetch_add(&p.worked, bytes, __ATOMIC_RELAXED);
}

void progress_clear(void)
{
	if (p.shown)
		fputs("\r\033[K", stderr);
	p.shown = false;
}

static void show(uint64_t at, const char *end)
{
	double seconds = now() - p.start, share = p.total ? (double)at / (double)p.total : 1;
	double worked = (double)__atomic_load_n(&p.worked, __ATOMIC_RELAXED);

	flockfile(stderr);
	progress_clear();
	fprintf(stderr, "%3.0f%% of %.1f MiB, %.0f MB/s", 100 * share, (double)p.total / (1 << 20),
		seconds > 0 ? worked / seconds / 1e6 : 0);
	if (*end) {
		fprintf(stderr, "%s", end);
	} else if (share > 0) {
		unsigned long left = (unsigned long)(seconds / share - seconds + 0.5);

		fprintf(stderr, ", %lu:%02lu left%s", left / 60, left % 60, p.terminal ? "" : "\n");
	}
	fflush(stderr);
	p.shown = p.terminal && !*end;
	funlockfile(stderr);
}

void progress_tick(void)
{
	double t = now();

	if (!p.on || (!p.terminal && t - p.last < LINE_SECONDS))
		return;
	p.last = t;
	show(__atomic_load_n(&p.at, __ATOMIC_RELAXED), "");
}

void progress_end(bool done)
{
	char end[64];

	if (p.on && done) {
		snprintf(end, sizeof(end), ", done in %.1f s\n", now() - p.start);
		show(p.total, end);
	}
	p.on = false;
}
