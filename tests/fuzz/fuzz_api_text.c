/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte that says for which parser of netherd-api's, and a text: configuration, tokens, base64, hexadecimal, a
 * number, a name, a path. What is taken is in its ranges, and is the only way to write its value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/api/config.h"
#include "attest/api/route.h"
#include "attest/api/text.h"
#include "attest/api/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x)                          \
	do {                              \
		if (!(x))                 \
			__builtin_trap(); \
	} while (0)

static void try_config(const char *text, size_t size)
{
	struct config c;
	char why[CONFIG_TEXT] = "";

	if (config_parse(&c, text, size, why)) {
		CHECK(*why && strlen(why) < CONFIG_TEXT);
		return;
	}
	CHECK(memchr(c.listen, 0, CONFIG_TEXT) && memchr(c.tcti, 0, CONFIG_TEXT));
	CHECK(*c.certificate && *c.key && *c.state && *c.vms && *c.tokens);
	CHECK(c.connections >= 1 && c.connections <= 1024 && c.tpm_queue >= 1 && c.tpm_queue <= 64);
	CHECK(c.idle_seconds >= 1 && c.header_seconds >= 1 && c.body_seconds >= 1 && c.rate >= 1);
}

static void try_tokens(const char *text, size_t size)
{
	static struct token out[8];
	long n = tokens_parse(text, size, out, 8);

	CHECK(n <= 8);
	for (long i = 0; i < n; i++)
		CHECK(text_name(out[i].tenant) && out[i].role <= ROLE_METRICS &&
		      !out[i].bucket.last);
}

static void try_base64(const char *text)
{
	uint8_t out[256];
	long n = text_base64(text, out, sizeof(out));
	char *again;

	CHECK(n <= (long)sizeof(out));
	if (n < 0)
		return;
	again = text_to_base64(out, (size_t)n);
	CHECK(again && !strcmp(again, text));
	free(again);
}

static void try_small(const char *text)
{
	uint8_t hash[32];
	char hex[65], number[32];
	uint64_t value;
	struct route at = route_parse(text);

	if (text_hex(text, hash, sizeof(hash))) {
		text_to_hex(hash, sizeof(hash), hex);
		CHECK(!strcasecmp(hex, text));
	}
	if (text_number(text, &value)) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
		CHECK(value <= TEXT_NUMBER_MAX &&
		      !strcmp(number, text + (strlen(text) - strlen(number))));
	}
	CHECK(!text_name(text) ||
	      (!strchr(text, '/') && *text != '.' && strlen(text) <= TEXT_NAME_MAX));
	CHECK(at.path < PATH_CLASSES && at.file < IMAGE_FILES);
	CHECK(at.path < PATH_IMAGE || at.path == PATH_VMS || at.path == PATH_OTHER ||
	      text_name(at.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	CHECK(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 4 == 0)
		try_config(text, size - 1);
	else if (data[0] % 4 == 1)
		try_tokens(text, size - 1);
	else if (data[0] % 4 == 2)
		try_base64(text);
	else
		try_small(text);
	free(text);
	return 0;
}
