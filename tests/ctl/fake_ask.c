/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor to test netherctl with. FAKE in the environment names what is odd about it: none, abi,
 * records, refuse. Counters grow with each reading, so that `top` has something to show.
 */
#include <stdlib.h>
#include <string.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "monitor/hypercall.h"
#include "monitor/reasons.h"

#define LOG_START 1000u /* what lies before has been overwritten */

static const char log_text[] = "[    0.000] first line that is longer than one chunk of the log\n"
			       "[    0.001] second line\n";
static unsigned int readings;

static bool odd(const char *what)
{
	const char *fake = getenv("FAKE");

	return fake && !strcmp(fake, what);
}

int ask_version(struct monitor_version *v)
{
	if (odd("none"))
		return ASK_NO_MONITOR;
	*v = (struct monitor_version){.abi = odd("abi") ? 99 : HYPERCALL_ABI, .backend = "fake"};
	strcpy(v->text, "1.2.3-\"quoted\"\n");
	return odd("abi") ? ASK_ABI : 0;
}

int ask_info(struct monitor_info *info)
{
	readings++;
	*info = (struct monitor_info){
		.host_bytes = 3000 * MIB,
		.monitor_bytes = 24 * MIB + MIB / 2,
		.monitor_hpa = 0xbe000000,
		.cpus = 2,
		.records = odd("records") ? UINT64_MAX : 4,
		.tsc_start = 5,
	};
	return odd("refuse") ? ERR_NOSYS : 0;
}

/* The host, a hole, a running guest, one stopped for a reason that is newer than netherctl. */
int ask_guest(uint64_t index, struct monitor_guest *g)
{
	static const struct monitor_guest guests[] = {
		{.id = 0, .vcpus = 2, .exits = 100},
		{.id = 1},
		{.id = 7, .root = 0x1234000, .vcpus = 1, .exits = 30},
		{.id = 9, .root = 0x5678000, .vcpus = 1, .stopped = 1, .why = 77, .exits = 3},
	};

	if (index >= ARRAY_SIZE(guests) || index == 1)
		return ERR_NOENT;
	*g = guests[index];
	return 0;
}

int ask_exits(uint64_t index, unsigned int reason, struct monitor_exits *e)
{
	*e = (struct monitor_exits){0};
	if (reason == EXIT_CPUID && index == 2)
		*e = (struct monitor_exits){.count = 30 * readings, .cycles = 45000 * readings};
	if (reason == EXIT_HYPERCALL && index == 0)
		*e = (struct monitor_exits){.count = 3, .cycles = 10};
	return reason < EXIT_REASON_COUNT ? 0 : ERR_INVAL;
}

int ask_log(uint64_t *pos, char buf[ASK_LOG_CHUNK], uint64_t *lost)
{
	size_t n;

	if (odd("refuse"))
		return ERR_NOSYS;
	*lost = *pos < LOG_START ? LOG_START - *pos : 0;
	*pos += *lost;
	n = sizeof(log_text) - 1 - (*pos - LOG_START);
	if (n > ASK_LOG_CHUNK)
		n = ASK_LOG_CHUNK;
	memcpy(buf, log_text + (*pos - LOG_START), n);
	*pos += n;
	return (int)n;
}
