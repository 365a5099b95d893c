/* SPDX-License-Identifier: Apache-2.0 */
/* The few C library functions that freestanding code needs; hosted builds use libc's. */
#ifndef MONITOR_LIB_H
#define MONITOR_LIB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/*
 * Formats %c %s %d %u %x %p %% with flags 0 and -, a width, and length modifiers l, ll and z.
 * Returns the length the whole text would have had, as C11 7.21.6.5 says.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
