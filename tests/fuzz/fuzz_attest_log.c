/* SPDX-License-Identifier: Apache-2.0 */
/* An event log from a host: bytes as they come; and events with right digests, so that what is in them is read, too. */
#include <stdlib.h>

#include "attest/tool/loaded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_all(const uint8_t *at, size_t n, bool launched)
{
	struct measured_keys keys;
	struct loaded loaded;
	char why[LOG_WHY];
	struct log l;

	if (log_parse(&l, at, n, launched, why))
		return;
	for (unsigned int i = 0; i < l.count; i++)
		free(log_words(&l.events[i]));
	if (!loaded_read(&loaded, &l, why))
		for (unsigned int i = 0; i < loaded.count; i++) {
			char name[LOADED_NAME];

			loaded_name(&loaded.list[i], name);
			free(loaded_words(&loaded.list[i]));
		}
	loaded_keys(&keys, &l, why);
	log_free(&l);
}

/* Events of PCRs 11 and 12 as the input says: its bytes, a length before each; their digests as they must be. */
static void read_measured(const uint8_t *data, size_t n)
{
	struct log_event events[LOADED_MAX + 2];
	uint8_t digests[LOADED_MAX + 2][32];
	struct log l = {.events = events};
	struct measured_keys keys;
	struct loaded loaded;
	char why[LOG_WHY];

	while (n >= 2 && l.count < LOADED_MAX + 2) {
		uint32_t bytes = data[0] | (data[1] & 3u) << 8, pcr = data[1] & 0x80 ? 12 : 11;

		data += 2;
		n -= 2;
		bytes = bytes < n ? bytes : (uint32_t)n;
		hash(digests[l.count], data, bytes);
		events[l.count] = (struct log_event){.pcr = pcr,
						     .type = EV_EVENT_TAG,
						     .bytes = bytes,
						     .number = l.count,
						     .digest = digests[l.count],
						     .data = data};
		l.count++;
		data += bytes;
		n -= bytes;
	}
	if (!loaded_read(&loaded, &l, why))
		for (unsigned int i = 0; i < loaded.count; i++)
			free(loaded_words(&loaded.list[i]));
	loaded_keys(&keys, &l, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!n)
		return 0;
	if (*data & 1)
		read_all(data + 1, n - 1, *data & 2);
	else
		read_measured(data + 1, n - 1);
	return 0;
}
