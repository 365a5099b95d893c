/* SPDX-License-Identifier: Apache-2.0 */
/* netherctl eventlog: the log of what was measured into the TPM. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/base.h"
#include "monitor/ctl/command.h"

/* The monitor writes into it, and finds no page that is not in memory. */
static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE];

static int copy(FILE *out, struct monitor_eventlog *log)
{
	uint64_t at = 0;
	int err;

	do {
		err = ask_eventlog(page, at, log);
		if (!err && out && fwrite(page, 1, log->copied, out) != log->copied)
			err = ERR_IO;
		at += log->copied;
	} while (!err && out && log->copied);
	return err;
}

int cmd_eventlog(int argc, char **argv)
{
	struct monitor_eventlog log;
	FILE *out = NULL;
	int err;

	if (argc > 1) {
		fprintf(stderr, "usage: netherctl eventlog [FILE]\n");
		return STATUS_ERROR;
	}
	memset(page, 0, sizeof(page));
	if (mlock(page, sizeof(page)) || (argc && !(out = fopen(argv[0], "wb")))) {
		perror("netherctl: eventlog");
		return STATUS_ERROR;
	}
	err = copy(out, &log);
	if (out && fclose(out))
		err = ERR_IO;
	if (err) {
		fprintf(stderr,
			err == ERR_NOENT ? "netherctl: nothing was measured: no TPM\n"
					 : "netherctl: the event log could not be copied: %d\n",
			err);
		return STATUS_ERROR;
	}
	printf("%" PRIu64 " bytes; %s\n", log.size,
	       log.complete ? "all was measured"
			    : "not all was measured: no key can be released to this monitor");
	return STATUS_OK;
}
