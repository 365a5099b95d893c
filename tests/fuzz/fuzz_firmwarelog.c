/* SPDX-License-Identifier: Apache-2.0 */
/* The input: an offset (4 bytes), a number of events (1), the log's length (2), the log, the table of final events. */
#include <stdlib.h>
#include <string.h>

#include "attest/firmwarelog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t last, end, from, to, table_len;
	struct firmwarelog log;
	uint16_t len;
	uint8_t skip;

	if (size < 7)
		return 0;
	memcpy(&last, data, 4);
	memcpy(&skip, data + 4, 1);
	memcpy(&len, data + 5, 2);
	data += 7;
	size -= 7;
	if (len > size)
		return 0;
	table_len = (uint32_t)(size - len);
	if (!firmwarelog_open(&log, data, len))
		return 0;
	if (log.first > len || !log.banks || log.banks > FIRMWARELOG_BANKS_MAX)
		abort();
	if (firmwarelog_end(&log, data, len, last, &end) &&
	    (end > len || end <= last || end < log.first))
		abort();
	if (firmwarelog_final(&log, data + len, table_len, skip, &from, &to) &&
	    (from > to || to > table_len || from < sizeof(struct firmwarelog_final)))
		abort();
	return 0;
}
