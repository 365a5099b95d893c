/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the VM exits in a file of xentrace's on stdin, by the reason that the CPU gave Xen (VMX's exit
 * reason, SVM's exit code). Prints one JSON object: {"lost": N, "REASON": COUNT, ...}. Records as Xen's
 * public trace.h says: a word with the event, the number of extra words and whether a time stamp of
 * two words stands before them.
 */
#include <stdint.h>

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_EXIT = 60 };

#define EVENT(word) ((word)&0x0fffffffu)
#define EXTRA(word) ((word) >> 28 & 7)
#define HAS_TIME(word) ((word) >> 31)
#define EVENT_EXIT 0x00081002u
#define EVENT_EXIT_FLAGS 0x00000500u /* a 64-bit RIP; a guest's guest */
#define EVENT_LOST 0x0001f001u
#define MAX_EXTRA 7
#define REASONS 0x1000u /* more than either vendor has; others count as the last */

static uint64_t counts[REASONS], lost;
static uint8_t buffer[1 << 16];
static long at, end;

static long call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

/* One byte, or -1 at the end. */
static int byte(void)
{
	if (at == end) {
		at = 0;
		end = call(SYS_READ, 0, (long)buffer, sizeof(buffer));
		if (end <= 0) {
			end = 0;
			return -1;
		}
	}
	return buffer[at++];
}

static int word(uint32_t *out)
{
	uint32_t value = 0;

	for (int shift = 0; shift < 32; shift += 8) {
		int b = byte();

		if (b < 0)
			return 0;
		value |= (uint32_t)b << shift;
	}
	*out = value;
	return 1;
}

/* Whether there was a whole record, which it counts. */
static int record(void)
{
	uint32_t head, time, extra[MAX_EXTRA] = {0};

	if (!word(&head))
		return 0;
	for (int half = 0; half < 2 && HAS_TIME(head); half++)
		if (!word(&time))
			return 0;
	for (uint32_t i = 0; i < EXTRA(head); i++) {
		if (!word(&extra[i]))
			return 0;
	}
	if ((EVENT(head) & ~EVENT_EXIT_FLAGS) == EVENT_EXIT)
		counts[extra[0] < REASONS ? extra[0] : REASONS - 1]++;
	else if (EVENT(head) == EVENT_LOST)
		lost += extra[0];
	return 1;
}

static void text(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	call(SYS_WRITE, 1, (long)s, n);
}

static void number(uint64_t value)
{
	char digits[24];
	int from = sizeof(digits) - 1;

	digits[from] = 0;
	do {
		digits[--from] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	text(digits + from);
}

__attribute__((used)) static void start(void)
{
	while (record())
		;
	text("{\"lost\": ");
	number(lost);
	for (uint32_t i = 0; i < REASONS; i++) {
		if (!counts[i])
			continue;
		text(", \"");
		number(i);
		text("\": ");
		number(counts[i]);
	}
	text("}\n");
	call(SYS_EXIT, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
