/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about keys and headers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/image.h"
#include "iodecrypt/tool/keyfile.h"
#include "iodecrypt/tool/receipt.h"

int cmd_key_new(const struct options *o, char **args)
{
	return keyfile_new(args[0]);
}

static bool fits(const uint8_t headers[IMAGE_HEADERS], const uint8_t id[DISK_KEY_ID_BYTES])
{
	for (const uint8_t *h = headers; h < headers + IMAGE_HEADERS; h += DISK_HEADER_BYTES)
		if (image_header_there(h) &&
		    !memcmp(h + IMAGE_HEADER_KEY_ID, id, DISK_KEY_ID_BYTES))
			return true;
	return false;
}

/* The id is of the master key alone. */
int cmd_key_id(const struct options *o, char **args)
{
	uint8_t master[DISK_MASTER_BYTES], uuid[DISK_UUID_BYTES] = {0}, headers[IMAGE_HEADERS];
	int status = keyfile_read(o->key, master);
	struct disk_keys keys;
	char id[HEX_BYTES];

	if (!status) {
		disk_keys_derive(&keys, master, uuid);
		receipt_hex(keys.id, id);
		printf("%s\n", id);
	}
	if (!status && o->sidecar)
		status = image_headers(o->sidecar, headers);
	if (!status && o->sidecar && !fits(headers, keys.id))
		status = fail(STATUS_KEY, "%s was made with another key", o->sidecar);
	crypto_wipe(&keys, sizeof(keys));
	crypto_wipe(master, sizeof(master));
	return status;
}

int cmd_key_xts(const struct options *o, char **args)
{
	uint8_t headers[IMAGE_HEADERS];
	struct disk_keys keys;
	int status;

	if (!o->sidecar)
		return fail(STATUS_USAGE, "of which image (--sidecar)?");
	if (isatty(STDOUT_FILENO))
		return fail(STATUS_USAGE, "a key onto a terminal?");
	status = image_headers(o->sidecar, headers);
	if (!status)
		status = image_keys(&keys, o->key, o->sidecar, headers);
	if (!status && file_write(STDOUT_FILENO, keys.xts, sizeof(keys.xts)))
		status = fail_file("standard output");
	crypto_wipe(&keys, sizeof(keys));
	return status;
}

int cmd_mount_help(const struct options *o, char **args)
{
	uint8_t headers[IMAGE_HEADERS];
	struct disk_keys keys;
	int status = image_headers(args[1], headers);

	if (!status)
		status = image_keys(&keys, o->key, args[1], headers);
	crypto_wipe(&keys, sizeof(keys));
	if (status)
		return status;
	printf("nether-image key xts --key '%s' --sidecar '%s' |\n"
	       "\tcryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 \\\n"
	       "\t--sector-size 512 --key-file=- %s'%s' '%s'\n",
	       o->key, args[1], o->readonly ? "--readonly " : "", args[0], args[2]);
	say("nothing is verified that way, and sectors never written are noise there, not zeros");
	if (!o->readonly)
		say("what is written through it does not verify afterwards, since the sidecar does "
		    "not know of it: better take --readonly");
	return STATUS_OK;
}

/* docs/image-format.md, "Header". */
enum {
	AT_VERSION = 8,
	AT_ALGORITHM = 12,
	AT_SECTORS = 48,
	AT_GENERATION = 56,
	AT_STATE = 64,
	AT_LEVELS = 68,
	AT_HALF = 72,
	AT_JOURNAL = 76,
	AT_SEQ = 80,
	AT_SESSION = 88,
	AT_ROOT = 104
};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void print_hex(const char *name, const uint8_t bytes[16])
{
	char hex[HEX_BYTES];

	receipt_hex(bytes, hex);
	printf("  %-11s %s\n", name, hex);
}

static void print_header(const uint8_t *h)
{
	uint32_t state = get32(h + AT_STATE);

	printf("  %-11s %" PRIu32 ", algorithms %" PRIu32 "\n", "version", get32(h + AT_VERSION),
	       get32(h + AT_ALGORITHM));
	print_hex("uuid", h + IMAGE_HEADER_UUID);
	print_hex("key id", h + IMAGE_HEADER_KEY_ID);
	printf("  %-11s %" PRIu64 " (%.1f MiB), levels %" PRIu32 "\n", "sectors",
	       get64(h + AT_SECTORS), (double)get64(h + AT_SECTORS) / 2048, get32(h + AT_LEVELS));
	printf("  %-11s %" PRIu64 "\n", "generation", get64(h + AT_GENERATION));
	printf("  %-11s %s\n", "state",
	       state == DISK_CLEAN  ? "closed"
	       : state == DISK_OPEN ? "open, or not closed"
				    : "nonsense");
	printf("  %-11s half %" PRIu32 " of 2 of %" PRIu32 " bytes, from record %" PRIu64 " on\n",
	       "journal", get32(h + AT_HALF), get32(h + AT_JOURNAL), get64(h + AT_SEQ));
	print_hex("session", h + AT_SESSION);
	print_hex("root", h + AT_ROOT);
}

static const char *judge(const struct disk_keys *keys, const struct crypto_hmac *k,
			 const uint8_t *h, uint32_t slot, uint64_t *generation)
{
	struct disk_header header;

	*generation = 0;
	if (format_header_read(&header, k, h, slot, keys->uuid, keys->id))
		return "DOES NOT VERIFY";
	*generation = header.generation;
	return "verified";
}

/* Without a key anybody could have written it. */
int cmd_info(const struct options *o, char **args)
{
	uint8_t headers[IMAGE_HEADERS];
	const char *verdict = "not verified: no key was given";
	uint64_t generation = 0, newest = 0;
	struct crypto_hmac k;
	struct disk_keys keys;
	int status = image_headers(args[0], headers);

	if (!status && o->key)
		status = image_keys(&keys, o->key, args[0], headers);
	if (status)
		return status;
	if (o->key)
		disk_keys_hmac(&k, &keys, "nethervisor disk v1 header");
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *h = headers + i * DISK_HEADER_BYTES;

		if (!image_header_there(h)) {
			printf("header %" PRIu32 ": none\n", i);
			continue;
		}
		if (o->key)
			verdict = judge(&keys, &k, h, i, &generation);
		newest = generation > newest ? generation : newest;
		printf("header %" PRIu32 ": %s\n", i, verdict);
		print_header(h);
	}
	if (o->key) {
		printf("the one of generation %" PRIu64 " counts\n", newest);
		crypto_wipe(&k, sizeof(k));
		crypto_wipe(&keys, sizeof(keys));
	}
	return STATUS_OK;
}
