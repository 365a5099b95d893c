/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "lib/jump.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/start.h"
#include "lib/trap.h"

#define DEBUG_EXIT_PORT 0xf4 /* isa-debug-exit: QEMU's status is value * 2 + 1 */
#define DEBUG_EXIT_PASS 0x10
#define DEBUG_EXIT_FAIL 0x11
#define PM1A_CONTROL 0x604 /* q35's ACPI */
#define PM1A_SLEEP_S5 0x2000
#define BOCHS_SHUTDOWN_PORT 0x8900

enum { TEST_FAILED = 1, TEST_SKIPPED = 2 };

void (*test_reset)(void);
uint64_t test_patience = 60000000000u;

static struct jump leave;
static const char *current;
static uint64_t passed, failed, skipped;

static bool starts_with(const char *s, const char *prefix, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!s[i] || s[i] != prefix[i])
			return false;
	}
	return true;
}

/* What follows "name=" in the command line up to a space; NULL if it is not there. */
static const char *option_text(const char *name, size_t *len)
{
	size_t n = 0;

	while (name[n])
		n++;
	for (const char *s = command_line; *s; s++) {
		if ((s != command_line && s[-1] != ' ') || !starts_with(s, name, n) || s[n] != '=')
			continue;
		s += n + 1;
		for (*len = 0; s[*len] && s[*len] != ' '; ++*len)
			;
		return s;
	}
	return NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
	size_t len;
	const char *s = option_text(name, &len);
	unsigned base = 10;
	uint64_t v = 0;

	if (!s)
		return otherwise;
	if (len > 2 && s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
		len -= 2;
	}
	for (; len; s++, len--) {
		unsigned d = *s <= '9' ? (unsigned)(*s - '0') : (unsigned)((*s | 0x20) - 'a') + 10;

		if (d >= base)
			return otherwise;
		v = v * base + d;
	}
	return v;
}

static void reset(void)
{
	interrupts_off();
	if (test_reset)
		test_reset();
	cpus_stop();
	trap_reset();
}

void test(const char *name, test_fn *fn, const void *arg)
{
	size_t len;
	const char *only = option_text("only", &len);
	size_t mark = pages_mark();

	if (only && !starts_with(name, only, len))
		return;
	current = name;
	reset();
	switch (jump_save(&leave)) {
	case 0:
		fn(arg);
		passed++;
		print("ok %s\n", current);
		break;
	case TEST_FAILED:
		failed++;
		break;
	case TEST_SKIPPED:
		skipped++;
		break;
	}
	reset();
	pages_release(mark);
}

void test_named(const char *prefix, const char *name, test_fn *fn, const void *arg)
{
	char full[64];
	size_t n = 0;

	while (*prefix && n + 1 < sizeof(full))
		full[n++] = *prefix++;
	while (*name && n + 1 < sizeof(full))
		full[n++] = *name++;
	full[n] = 0;
	test(full, fn, arg);
}

void test_fail(const char *fmt, ...)
{
	va_list ap;

	print("FAIL %s: ", current ? current : "start");
	va_start(ap, fmt);
	print_args(fmt, ap);
	va_end(ap);
	print("\n");
	if (cpu_index() != 0 || !current)
		test_end("a check failed outside a test, or on another CPU");
	jump_to(&leave, TEST_FAILED);
}

void test_skip(const char *why)
{
	print("skip %s: %s\n", current, why);
	jump_to(&leave, TEST_SKIPPED);
}

void test_end(const char *broken)
{
	if (broken) {
		failed++;
		print("FAIL program: %s\n", broken);
	}
	print("%u skipped\n%u passed, %u failed\n", skipped, passed, failed);
	outb(DEBUG_EXIT_PORT, failed || !(passed + skipped) ? DEBUG_EXIT_FAIL : DEBUG_EXIT_PASS);
	outw(PM1A_CONTROL, PM1A_SLEEP_S5);
	for (const char *s = "Shutdown"; *s; s++)
		outb(BOCHS_SHUTDOWN_PORT, (uint8_t)*s);
	for (;;)
		__asm__ volatile("cli; hlt");
}
