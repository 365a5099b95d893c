/* SPDX-License-Identifier: Apache-2.0 */
/* Text that comes from outside: all of it strict, none of it kept. */
#ifndef ATTEST_API_TEXT_H
#define ATTEST_API_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_NAME_MAX 64u
#define TEXT_NUMBER_MAX (UINT64_C(1) << 53) /* what a JSON number holds exactly */

/* 1..64 of a-z 0-9 . _ -, not '.' or '-' at first: never a path, never an option. */
bool text_name(const char *text);
/* The same of a VM or tenant: not of digits alone, which xl takes for a domain's number; nor NAME.release, another VM's message. */
bool text_id(const char *text);
/* Decimal digits alone, up to TEXT_NUMBER_MAX. */
bool text_number(const char *text, uint64_t *out);
/* Exactly 2 * bytes hexadecimal digits. */
bool text_hex(const char *text, uint8_t *out, size_t bytes);
/* out has 2 * bytes + 1. */
void text_to_hex(const uint8_t *in, size_t bytes, char *out);
/* RFC 4648, 4, padded, unused bits zero. Bytes, or -1 if it is something else or more than max. */
long text_base64(const char *text, uint8_t *out, size_t max);
/* To be freed; NULL without memory. */
char *text_to_base64(const uint8_t *in, size_t bytes);

#endif
