/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/dom0/world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xenguest.h>

#include "tests/attack/pattern.h"

#define SILENCE_MS 60000 /* a victim that says nothing for so long hangs */
#define LOOK_MS 250      /* between two looks at whether the domain still runs */

static _Noreturn void give_up(const char *what)
{
	printf("attack: cannot be tried: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- consoles ----------------------------------------------------------------------------- */

static void console_open(struct console *c, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/var/log/xen/console/guest-%s.log", name);
	c->log = open(path, O_RDONLY | O_CREAT, 0600);
	c->notify = inotify_init1(IN_NONBLOCK);
	if (c->log < 0 || c->notify < 0 || inotify_add_watch(c->notify, path, IN_MODIFY) < 0)
		give_up(path);
}

/* The rest of the line that is being read: true when its end has come. */
static bool console_read(struct console *c)
{
	char byte;

	while (read(c->log, &byte, 1) == 1) {
		if (byte == '\n') {
			c->line[c->length] = 0;
			c->length = 0;
			return true;
		}
		if (byte != '\r' && c->length < sizeof(c->line) - 1)
			c->line[c->length++] = byte;
	}
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool domain_stopped(struct world *w, uint32_t domain)
{
	xc_dominfo_t info;

	return xc_domain_getinfo(w->xc, domain, 1, &info) != 1 || info.domid != domain ||
	       info.crashed || info.shutdown || info.dying;
}

const char *console_line(struct world *w, struct console *c, uint32_t domain)
{
	int64_t end = now_ms() + SILENCE_MS;
	struct pollfd wait = {.fd = c->notify, .events = POLLIN};
	char events[4096];

	while (!console_read(c)) {
		bool stopped = domain_stopped(w, domain);

		if (poll(&wait, 1, LOOK_MS) > 0) {
			(void)!read(c->notify, events, sizeof(events));
			continue;
		}
		if (stopped || now_ms() > end)
			return console_read(c) ? c->line : NULL;
	}
	return c->line;
}

const char *ask_accomplice(struct world *w, const char *format, ...)
{
	char command[64];
	va_list args;
	const char *line;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (write(w->accomplice_input, command, strlen(command)) != (ssize_t)strlen(command))
		give_up("the accomplice's console");
	do
		line = console_line(w, &w->accomplice_says, w->accomplice);
	while (line && strncmp(line, "accomplice: ", 12) != 0);
	return line ? line + 12 : NULL;
}

/* --- the victim --------------------------------------------------------------------------- */

static uint64_t number(const char *line, const char *name)
{
	const char *found = strstr(line, name);

	return found ? strtoull(found + strlen(name), NULL, 16) : 0;
}

static void introduction(struct world *w, const char *line)
{
	w->secret = number(line, "secret=");
	w->va = number(line, "va=");
	w->data = number(line, "data=");
	w->epoch = number(line, "epoch=");
	w->hook = number(line, "hook=");
	w->tell = number(line, "tell=");
	w->stray = number(line, "stray=");
	w->root = number(line, "root=");
}

static void start_accomplice(struct world *w)
{
	char command[96];
	char tty[128] = "";
	FILE *out;

	console_open(&w->accomplice_says, "accomplice");
	if (xc_domain_unpause(w->xc, w->accomplice) ||
	    !console_line(w, &w->accomplice_says, w->accomplice))
		give_up("the accomplice does not start");
	(void)snprintf(command, sizeof(command), "exec xenstore-read /local/domain/%u/console/tty",
		       w->accomplice);
	out = popen(command, "r");
	if (!out || !fgets(tty, sizeof(tty), out))
		give_up(command);
	pclose(out);
	tty[strcspn(tty, "\n")] = 0;
	w->accomplice_input = open(tty, O_RDWR | O_NOCTTY);
	if (w->accomplice_input < 0)
		give_up(tty);
}

void world_open(struct world *w, uint32_t victim, uint64_t seed, uint32_t accomplice)
{
	xentoollog_logger *log;

	*w = (struct world){.victim = victim, .seed = seed, .accomplice = accomplice};
	log = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	w->xc = xc_interface_open(log, log, 0);
	w->memory = xenforeignmemory_open(NULL, 0);
	w->model = xendevicemodel_open(NULL, 0);
	if (!w->xc || !w->memory || !w->model)
		give_up("Xen's interfaces");
	console_open(&w->victim_says, "victim");
	if (accomplice)
		start_accomplice(w);
}

void world_start(struct world *w)
{
	const char *line;

	if (xc_domain_unpause(w->xc, w->victim))
		give_up("unpause");
	do
		line = console_line(w, &w->victim_says, w->victim);
	while (line && strncmp(line, "victim: ready ", 14) != 0);
	if (!line)
		give_up("the victim does not start");
	introduction(w, line);
	if (world_watch(w, 1) != LIFE_INTACT)
		give_up("the victim is not intact before the attack");
}

/* Takes a line of the victim's; false if it is not about a beat. */
static bool beat(struct world *w, const char *line, enum life *life)
{
	const char *at = strstr(line, " at ");

	*life = LIFE_INTACT;
	if (!strncmp(line, "victim: intact ", 15))
		return true;
	if (strncmp(line, "victim: changed ", 16) != 0)
		return false;
	*life = LIFE_CHANGED;
	(void)snprintf(w->bad, sizeof(w->bad), "%s", at ? at : "");
	return true;
}

static enum life next_beat(struct world *w)
{
	enum life life;
	const char *line;

	do {
		line = console_line(w, &w->victim_says, w->victim);
		if (!line)
			return domain_stopped(w, w->victim) ? LIFE_STOPPED : LIFE_SILENT;
	} while (!beat(w, line, &life));
	return life;
}

enum life world_watch(struct world *w, unsigned int beats)
{
	enum life life = LIFE_INTACT;

	while (console_read(&w->victim_says)) /* what it said before now */
		;
	while (life == LIFE_INTACT && beats--)
		life = next_beat(w);
	return life;
}

const char *life_name(enum life life)
{
	static const char *const name[] = {
		[LIFE_INTACT] = "goes on",
		[LIFE_CHANGED] = "changed",
		[LIFE_STOPPED] = "stopped",
		[LIFE_SILENT] = "silent",
	};

	return name[life];
}

/* Whether the victim says that `at` has changed, or fails in the meantime: then the outcome is told. */
static bool changed_at(struct world *w, uint64_t address)
{
	enum life life;
	char at[32];
	int after = 0; /* beats heard of after all that had been said before */

	(void)snprintf(at, sizeof(at), " at %016llx", (unsigned long long)address);
	w->text[0] = 0;
	while (after < BEATS) {
		if (console_read(&w->victim_says)) {
			if (!beat(w, w->victim_says.line, &life))
				continue;
		} else {
			life = next_beat(w);
			after++;
		}
		if (life == LIFE_CHANGED && strstr(w->bad, at))
			return true;
		if (life == LIFE_STOPPED || life == LIFE_SILENT) {
			failed(w, "the victim %s", life == LIFE_STOPPED ? "was stopped" : "hangs");
			return false;
		}
	}
	return false;
}

void expect_change(struct world *w, uint64_t gpa)
{
	if (changed_at(w, gpa))
		succeeded(w, "the victim's page at %#llx changed", (unsigned long long)gpa);
	else if (!w->text[0])
		failed(w, "the victim's page is as it was");
}

void expect_sign(struct world *w, unsigned int sign, const char *what)
{
	if (changed_at(w, VICTIM_SIGN(sign)))
		succeeded(w, "the victim noticed %s", what);
	else if (!w->text[0])
		failed(w, "the victim noticed nothing of %s", what);
}

static bool says_secret(struct world *w, const char *line)
{
	char word[17] = "";

	for (int i = 0; i < SECRET_WORDS; i++, line += 16) {
		strncpy(word, line, 16);
		if (strtoull(word, NULL, 16) != pattern(w->seed, PATTERN_SECRET, (uint64_t)i))
			return false;
	}
	return true;
}

void expect_told(struct world *w)
{
	static const char said[] = "victim: the secret is ";
	const char *line;

	for (int lines = 0; lines < 4 * BEATS; lines++) {
		line = console_line(w, &w->victim_says, w->victim);
		if (!line)
			return failed(w, "the victim %s",
				      domain_stopped(w, w->victim) ? "was stopped" : "hangs");
		if (!strncmp(line, said, sizeof(said) - 1) &&
		    says_secret(w, line + sizeof(said) - 1))
			return succeeded(w, "the victim ran the code and told its secret");
	}
	failed(w, "the victim tells no secret");
}

uint64_t data_page(const struct world *w, unsigned int n)
{
	return w->data + (uint64_t)n * PAGE;
}

xen_pfn_t data_gfn(const struct world *w, unsigned int n)
{
	return data_page(w, n) / PAGE;
}

/* --- the outcome -------------------------------------------------------------------------- */

static void outcome(struct world *w, const char *verdict, const char *format, va_list args)
{
	w->verdict = verdict;
	(void)vsnprintf(w->text, sizeof(w->text), format, args);
}

void succeeded(struct world *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	outcome(w, "succeeded", format, args);
	va_end(args);
}

void failed(struct world *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	outcome(w, "failed", format, args);
	va_end(args);
}

void untried(struct world *w, int err, const char *format, ...)
{
	size_t length;
	va_list args;

	va_start(args, format);
	outcome(w, "untried", format, args);
	va_end(args);
	length = strlen(w->text);
	if (err)
		(void)snprintf(w->text + length, sizeof(w->text) - length, ": %s", strerror(err));
}

/* --- memory ------------------------------------------------------------------------------- */

void *map_page(struct world *w, uint32_t domain, int prot, xen_pfn_t gfn)
{
	int err = 0;
	void *page = xenforeignmemory_map(w->memory, domain, prot, 1, &gfn, &err);

	if (page && err) {
		xenforeignmemory_unmap(w->memory, page, 1);
		errno = -err;
		return NULL;
	}
	return page;
}

void unmap_page(struct world *w, void *page)
{
	xenforeignmemory_unmap(w->memory, page, 1);
}

bool has_secret(const struct world *w, const void *memory, size_t size)
{
	const uint64_t *words = memory;
	uint64_t not_secret[SECRET_WORDS];

	for (size_t i = 0; i < SECRET_WORDS; i++)
		not_secret[i] = ~pattern(w->seed, PATTERN_SECRET, i);
	for (size_t at = 0; at < size / sizeof(*words); at++)
		for (size_t i = 0; i < SECRET_WORDS; i++)
			if (~words[at] == not_secret[i])
				return true;
	return false;
}

void judge_secret(struct world *w, const void *memory, size_t size, const char *where)
{
	if (has_secret(w, memory, size))
		succeeded(w, "the secret is in %s", where);
	else
		failed(w, "no byte of the secret in %s", where);
}

int grow_limit(struct world *w, uint32_t domain, unsigned int pages)
{
	xc_dominfo_t info;

	if (xc_domain_getinfo(w->xc, domain, 1, &info) != 1)
		return -1;
	return xc_domain_setmaxmem(w->xc, domain, info.max_memkb + (uint64_t)pages * (PAGE / 1024));
}

size_t frames_of(struct world *w, xen_pfn_t gfn, xen_pfn_t *frames, size_t max)
{
	unsigned long max_frame;
	unsigned long first;
	xen_pfn_t *m2p;
	size_t n = 0;

	if (xc_maximum_ram_page(w->xc, &max_frame))
		give_up("the number of machine frames");
	m2p = xc_map_m2p(w->xc, max_frame, PROT_READ, &first);
	if (!m2p)
		give_up("Xen's table of frames");
	for (unsigned long f = 0; f < max_frame && n < max; f++)
		if (m2p[f] == gfn)
			frames[n++] = f;
	return n;
}
