/* SPDX-License-Identifier: Apache-2.0 */
/* netherctl eventlog: the log of what was measured into the TPM, or of what the TXT launch measured before. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/base.h"
#include "monitor/ctl/command.h"
#include "monitor/hypercall.h"

/* The monitor writes into it, and finds no page that is not in memory. */
static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE];

static int copy(FILE *out, uint64_t at, struct monitor_eventlog *log)
{
	int err;

	do {
		err = ask_eventlog(page, at, log);
		if (!err && out && fwrite(page, 1, log->copied, out) != log->copied)
			err = ERR_IO;
		at += log->copied;
	} while (!err && out && log->copied);
	return err;
}

static void complain(int err, bool txt)
{
	if (err == ERR_NOENT)
		fprintf(stderr, "netherctl: %s\n",
			txt ? "no log of a TXT launch; 'netherctl log' says why"
			    : "nothing was measured: no TPM");
	else
		fprintf(stderr, "netherctl: the event log could not be copied: %d\n", err);
}

int cmd_eventlog(int argc, char **argv)
{
	bool txt = argc && !strcmp(argv[0], "--txt");
	struct monitor_eventlog log;
	FILE *out = NULL;
	int err;

	argc -= txt;
	argv += txt;
	if (argc > 1) {
		fprintf(stderr, "usage: netherctl eventlog [--txt] [FILE]\n");
		return STATUS_ERROR;
	}
	memset(page, 0, sizeof(page));
	if (mlock(page, sizeof(page)) || (argc && !(out = fopen(argv[0], "wb")))) {
		perror("netherctl: eventlog");
		return STATUS_ERROR;
	}
	err = copy(out, txt ? EVENTLOG_TXT : 0, &log);
	if (out && fclose(out))
		err = ERR_IO;
	if (err) {
		complain(err, txt);
		return STATUS_ERROR;
	}
	if (txt)
		printf("%" PRIu64 " bytes of the TXT launch\n", log.size);
	else
		printf("%" PRIu64 " bytes; %s\n", log.size,
		       log.complete
			       ? "all was measured"
			       : "not all was measured: no key can be released to this monitor");
	return STATUS_OK;
}
