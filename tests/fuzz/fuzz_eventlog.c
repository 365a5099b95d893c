/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware's event log. One that is taken is walked to its end, and what we add is found behind it. */
#include <stdlib.h>
#include <string.h>

#include "attest/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MORE 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tpm_digests digests = {.count = 1, .of = {{TPM_SHA256, {1, 2, 3}}}};
	const char *why = NULL;
	struct eventlog log;
	uint32_t used;
	uint8_t *copy;

	if (size > 65536)
		return 0;
	copy = malloc(size + MORE);
	if (!copy)
		return 0;
	memcpy(copy + MORE, data,
	       size); /* up to the end, so that the address sanitizer sees a read past it */
	log = (struct eventlog){.bytes = copy + MORE, .size = (uint32_t)size};
	if (eventlog_continue(&log, (uint32_t)size, &why)) {
		ASSERT(why && !log.used);
		free(copy);
		return 0;
	}
	ASSERT(!memcmp(copy + MORE, data, size) && log.used && log.used <= size);
	ASSERT(log.format.banks && log.format.banks <= FIRMWARELOG_BANKS_MAX);
	used = log.used;
	memcpy(copy, data, used);
	log.bytes = copy;
	log.size = used + MORE;
	ASSERT(!eventlog_add(&log, 11, 6, &digests, "event", 5));
	size = log.used;
	ASSERT(size > used && !eventlog_continue(&log, (uint32_t)size, &why) && log.used == size);
	free(copy);
	return 0;
}
