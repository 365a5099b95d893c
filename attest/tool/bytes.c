/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/bytes.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void *need(void *allocated)
{
	if (!allocated) {
		fputs("nether-attest: no memory\n", stderr);
		exit(3);
	}
	return allocated;
}

void bytes_free(struct bytes *b)
{
	if (b->at)
		OPENSSL_cleanse(b->at, b->n);
	free(b->at);
	*b = (struct bytes){NULL, 0};
}

struct bytes bytes_copy(const void *at, size_t n)
{
	struct bytes b = {need(malloc(n + 1)), n};

	if (n)
		memcpy(b.at, at, n);
	return b;
}

void hex_encode(char *out, const uint8_t *in, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(uint8_t *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return !text[2 * n];
}

/* Four characters at text; the last of the string's may have padding. Bits that padding leaves over are 0. */
static int decode_four(uint8_t out[3], const char *text, bool last)
{
	uint32_t bits = 0;
	int n = 3;

	for (int i = 0; i < 4; i++) {
		const char *at = strchr(alphabet, text[i]);

		if (last && text[i] == '=' && (i == 3 || (i == 2 && text[3] == '='))) {
			n--;
			bits <<= 6;
			continue;
		}
		if (!text[i] || !at || n < 3)
			return -1;
		bits = bits << 6 | (uint32_t)(at - alphabet);
	}
	if (bits & ((1u << 8 * (3 - n)) - 1))
		return -1;
	for (int i = 0; i < 3; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return n;
}

bool base64_decode(struct bytes *out, const char *text, size_t max)
{
	size_t length = strnlen(text, max / 3 * 4 + 8);

	*out = (struct bytes){NULL, 0};
	if (length % 4 || length > max / 3 * 4 + 4)
		return false;
	out->at = need(malloc(length / 4 * 3 + 1));
	for (size_t i = 0; i < length; i += 4) {
		int n = decode_four(out->at + out->n, text + i, i + 4 == length);

		if (n < 0) {
			bytes_free(out);
			return false;
		}
		out->n += (size_t)n;
	}
	if (out->n > max)
		bytes_free(out);
	return out->at != NULL;
}

char *base64_encode(const uint8_t *in, size_t n)
{
	char *text = need(malloc((n + 2) / 3 * 4 + 1)), *out = text;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) |
				(i + 2 < n ? in[i + 2] : 0);

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = i + 1 < n ? alphabet[bits >> 6 & 63] : '=';
		*out++ = i + 2 < n ? alphabet[bits & 63] : '=';
	}
	*out = '\0';
	return text;
}

void hash(uint8_t out[32], const void *data, size_t n)
{
	SHA256(data, n, out);
}
