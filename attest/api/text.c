/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/text.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool text_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= TEXT_NAME_MAX && text[n] == '\0' && text[0] != '.' && text[0] != '-';
}

bool text_id(const char *text)
{
	static const char release[] = ".release";
	size_t n = strlen(text);

	return text_name(text) && strspn(text, "0123456789") != n &&
	       (n < sizeof(release) - 1 || strcmp(text + n - (sizeof(release) - 1), release) != 0);
}

bool text_number(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > TEXT_NUMBER_MAX)
			return false;
	}
	*out = value;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_hex(const char *text, uint8_t *out, size_t bytes)
{
	if (strlen(text) != 2 * bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int high = digit(text[2 * i]);
		int low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void text_to_hex(const uint8_t *in, size_t bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * bytes] = '\0';
}

/* Four characters: 1..3 bytes, or 0. */
static size_t quantum(const char *text, bool last, uint8_t out[3])
{
	size_t padding = 0;
	uint32_t bits = 0;

	if (last)
		padding = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
	for (size_t i = 0; i < 4; i++) {
		const char *at = i < 4 - padding ? strchr(alphabet, text[i]) : alphabet;

		if (!at || (i < 4 - padding && !text[i]))
			return 0;
		bits = bits << 6 | (uint32_t)(at - alphabet);
	}
	if (padding && bits & ((1u << 8 * padding) - 1))
		return 0;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return 3 - padding;
}

long text_base64(const char *text, uint8_t *out, size_t max)
{
	size_t chars = strlen(text), done = 0;

	if (chars % 4)
		return -1;
	for (size_t i = 0; i < chars; i += 4) {
		uint8_t some[3];
		size_t n = quantum(text + i, i + 4 == chars, some);

		if (n == 0 || done + n > max)
			return -1;
		memcpy(out + done, some, n);
		done += n;
	}
	return (long)done;
}

char *text_to_base64(const uint8_t *in, size_t bytes)
{
	char *out = malloc((bytes + 2) / 3 * 4 + 1), *at = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < bytes; i += 3) {
		size_t n = bytes - i < 3 ? bytes - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				(n > 2 ? in[i + 2] : 0);

		*at++ = alphabet[bits >> 18];
		*at++ = alphabet[bits >> 12 & 63];
		*at++ = n > 1 ? alphabet[bits >> 6 & 63] : '=';
		*at++ = n > 2 ? alphabet[bits & 63] : '=';
	}
	*at = '\0';
	return out;
}
