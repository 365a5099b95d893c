/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/receipt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/output.h"

#define LINE 160

static bool unhex(const char *text, uint8_t out[16])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned int i = 0; i < 32; i++) {
		const char *d = strchr(digits, text[i]);

		if (!text[i] || !d)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (d - digits));
	}
	return true;
}

static bool parse(const char *line, struct disk_receipt *r)
{
	char uuid[HEX_BYTES], number[21], root[HEX_BYTES];
	int end;

	if (sscanf(line, "uuid=%32[0-9a-f] generation=%20[0-9] root=%32[0-9a-f]%n", uuid, number,
		   root, &end) != 3 ||
	    (line[end] && strcmp(line + end, "\n") != 0) || !unhex(uuid, r->uuid) ||
	    !unhex(root, r->root))
		return false;
	errno = 0;
	r->generation = strtoull(number, NULL, 10);
	return !errno;
}

int receipt_read(const char *path, struct disk_receipt *r)
{
	int fd = file_open(path, O_RDONLY, STDIN_FILENO);
	char line[LINE];
	ssize_t n;

	if (fd < 0)
		return fail_file(path);
	n = file_read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 0)
		return fail_file(path);
	line[n] = '\0';
	if (!parse(line, r))
		return fail(STATUS_ERROR, "%s is not a receipt", path);
	return STATUS_OK;
}

void receipt_hex(const uint8_t bytes[16], char out[HEX_BYTES])
{
	for (unsigned int i = 0; i < 16; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
}

int receipt_create(const char *path, bool force, int *fd)
{
	*fd = -1;
	return path ? output_create(path, false, force, fd) : STATUS_OK;
}

int receipt_write(int fd, const char *path, const struct disk_receipt *r)
{
	char uuid[HEX_BYTES], root[HEX_BYTES];

	if (fd < 0)
		return STATUS_OK;
	receipt_hex(r->uuid, uuid);
	receipt_hex(r->root, root);
	if (dprintf(fd, "uuid=%s generation=%" PRIu64 " root=%s\n", uuid, r->generation, root) < 0)
		return fail_file(path);
	return STATUS_OK;
}
