/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the events of a crypto-agile log lie: a firmware's, a TXT launch's, and the table of those that came after the firmware's log
 * had been asked for (TCG PC Client Platform Firmware Profile 1.05, 10; TCG EFI Protocol Specification 1.00, 7). Bytes in, offsets
 * out: no digest is looked at.
 */
#ifndef ATTEST_FIRMWARELOG_H
#define ATTEST_FIRMWARELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRMWARELOG_BANKS_MAX 8u
#define FIRMWARELOG_NO_ACTION 3u                /* EV_NO_ACTION, which extends nothing */
#define FIRMWARELOG_SIGNATURE "Spec ID Event03" /* with its NUL: 16 bytes */

struct firmwarelog {
	uint32_t first; /* offset of the first event behind the log's header */
	uint32_t banks;
	struct firmwarelog_bank {
		uint16_t algorithm; /* TPM_ALG_ID */
		uint16_t bytes;     /* of its digest */
	} bank[FIRMWARELOG_BANKS_MAX];
};

/* Reads the header, an event of its own. False: that is no crypto-agile log with SHA-256. */
bool firmwarelog_open(struct firmwarelog *log, const uint8_t *bytes, uint32_t len);

/*
 * Goes past the event at *at, within len. False, with *at anywhere: it is malformed. One has a digest of each bank, and a PCR that there is,
 * unless it extends none.
 */
bool firmwarelog_skip(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		      uint32_t *at);

/*
 * *end: offset of the byte behind the event that begins at offset `last`; 0 is the header. False: no event begins there,
 * or one up to it is malformed or does not end within len.
 */
bool firmwarelog_end(const struct firmwarelog *log, const uint8_t *bytes, uint32_t len,
		     uint64_t last, uint32_t *end);

/* EFI_TCG2_FINAL_EVENTS_TABLE; the events follow, without the log's header. */
struct firmwarelog_final {
	uint64_t version; /* 1 */
	uint64_t events;
};

/*
 * Of such a table of at most len bytes, log's the header that counts for its events: [*from, *to) are the events after the
 * first `skip`; false if there are fewer than those, or it is malformed or longer than len.
 */
bool firmwarelog_final(const struct firmwarelog *log, const uint8_t *table, uint32_t len,
		       uint64_t skip, uint32_t *from, uint32_t *to);

#endif
