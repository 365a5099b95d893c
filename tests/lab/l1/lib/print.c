/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/print.h"

#include "lib/cpu.h"

#define COM1 0x3f8
#define LINE_CONTROL (COM1 + 3)
#define LINE_8N1 0x3
#define LINE_STATUS (COM1 + 5)
#define TRANSMITTER_EMPTY 0x20

void print_init(void)
{
	outb(LINE_CONTROL, LINE_8N1);
}

static void put(char c)
{
	while (!(inb(LINE_STATUS) & TRANSMITTER_EMPTY))
		cpu_pause();
	outb(COM1, (uint8_t)c);
}

static void put_number(uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(digits[--n]);
}

void print_args(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			if (*fmt == '\n')
				put('\r');
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
			break;
		case 'u':
			put_number(va_arg(ap, unsigned long), 10);
			break;
		case 'x':
			put_number(va_arg(ap, unsigned long), 16);
			break;
		case 'c':
			put((char)va_arg(ap, int));
			break;
		default:
			put('%');
		}
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_args(fmt, ap);
	va_end(ap);
}
