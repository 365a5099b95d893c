/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/lib.h"

#include <stdbool.h>

void *memcpy(void *dst, const void *src, size_t n)
{
	size_t words = n / 8;
	void *ret = dst;

	n %= 8;
	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words)::"memory");
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
	return ret;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t pattern = (uint8_t)c * 0x0101010101010101u;
	size_t words = n / 8;
	void *ret = dst;

	n %= 8;
	__asm__ volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(pattern) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;
	uint64_t wx, wy;
	size_t i = 0;

	for (; i + sizeof(wx) <= n; i += sizeof(wx)) {
		__builtin_memcpy(&wx, x + i, sizeof(wx));
		__builtin_memcpy(&wy, y + i, sizeof(wy));
		if (wx != wy)
			break;
	}
	for (; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* Where formatted text goes: `len` counts all of it, `size` bounds what is stored. */
struct sink {
	char *buf;
	size_t size;
	size_t len;
};

struct spec {
	bool zero;
	bool left;
	size_t width;
};

static void put(struct sink *s, char c)
{
	if (s->len + 1 < s->size)
		s->buf[s->len] = c;
	s->len++;
}

static void put_padded(struct sink *s, const struct spec *spec, const char *text, size_t n)
{
	char pad = spec->zero && !spec->left ? '0' : ' ';

	for (size_t i = n; !spec->left && i < spec->width; i++)
		put(s, pad);
	for (size_t i = 0; i < n; i++)
		put(s, text[i]);
	for (size_t i = n; spec->left && i < spec->width; i++)
		put(s, ' ');
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t v, unsigned int base,
		       bool negative)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		text[--at] = '-';
	put_padded(s, spec, text + at, sizeof(text) - at);
}

static const char *parse_spec(const char *fmt, struct spec *spec, int *longs)
{
	*spec = (struct spec){0};
	for (; *fmt == '0' || *fmt == '-'; fmt++) {
		spec->zero |= *fmt == '0';
		spec->left |= *fmt == '-';
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		spec->width = spec->width * 10 + (size_t)(*fmt - '0');
	for (*longs = 0; *fmt == 'l' || *fmt == 'z'; fmt++)
		(*longs)++;
	return fmt;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct sink s = {buf, size, 0};
	struct spec spec;
	const char *text;
	int64_t d;
	int longs;
	char c;

	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&s, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec, &longs);
		switch (*fmt) {
		case 'c':
			c = (char)va_arg(ap, int);
			put_padded(&s, &spec, &c, 1);
			break;
		case 's':
			text = va_arg(ap, const char *);
			put_padded(&s, &spec, text, strlen(text));
			break;
		case 'd':
			d = longs ? va_arg(ap, int64_t) : va_arg(ap, int);
			put_number(&s, &spec, d < 0 ? 0 - (uint64_t)d : (uint64_t)d, 10, d < 0);
			break;
		case 'u':
		case 'x':
			put_number(&s, &spec,
				   longs ? va_arg(ap, uint64_t) : va_arg(ap, unsigned int),
				   *fmt == 'x' ? 16 : 10, false);
			break;
		case 'p':
			put_number(&s, &spec, (uintptr_t)va_arg(ap, void *), 16, false);
			break;
		case '\0':
			fmt--;
			break;
		default:
			put(&s, *fmt);
		}
	}
	if (size)
		buf[s.len < size ? s.len : size - 1] = '\0';
	return (int)s.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
