/* SPDX-License-Identifier: Apache-2.0 */
/* Text to com1. */
#ifndef L1_LIB_PRINT_H
#define L1_LIB_PRINT_H

#include <stdarg.h>

/* Called once, before anything is printed: 8 data bits, which no loader needs to have set. */
void print_init(void);

/* Knows %s, %u and %x (64 bits both), %c and %%. */
void print(const char *fmt, ...);
void print_args(const char *fmt, va_list ap);

/* For print's %u and %x, which take 64 bits. */
#define U64(x) ((unsigned long)(x))

#endif
