/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor to test netherctl with. FAKE in the environment names what is odd about it: none, abi,
 * records, refuse, late, unprotected, open. Counters grow with each reading, so that `top` has something
 * to show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "monitor/hypercall.h"
#include "switch-channel/call.h"
#include "monitor/reasons.h"
#include "tests/ctl/fake_privcmd.h"

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
		.iommus = odd("open") ? 0 : 2,
		.dma = odd("open") ? DMA_OPEN : DMA_BLOCKED | DMA_INTERRUPTS,
	};
	return odd("refuse") ? ERR_NOSYS : 0;
}

int ask_platform(struct monitor_platform *p)
{
	*p = (struct monitor_platform){
		.refused = 2, .space = 1, .address = 0x64, .value = 0xdd, .open = 1};
	if (odd("unprotected"))
		*p = (struct monitor_platform){.open = 30};
	return 0;
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

int ask_refused(unsigned int what, struct monitor_refused *r)
{
	*r = (struct monitor_refused){0};
	if (what == REFUSAL_MICROCODE)
		*r = (struct monitor_refused){.count = 2, .last = 0x79};
	return what < REFUSAL_COUNT ? 0 : ERR_INVAL;
}

/* Three places: a disk of guest 7, none, one that is being opened. Counts are the question times ten, and one more. */
int ask_disk(uint64_t index, unsigned int what, struct monitor_disk *d)
{
	if (index > 2)
		return ERR_INVAL;
	if (index == 1)
		return ERR_NOENT;
	*d = (struct monitor_disk){.number = 4 + index,
				   .uuid = {0x12, 0x34, [15] = 0xff},
				   .state = index ? DISK_STATE_OPENING : DISK_STATE_LIVE,
				   .guest = index ? 0 : 7,
				   .drive = 2,
				   .count = {10 * what, 10 * what + 1}};
	return 0;
}

/* Three places: one that waits, none, one that the host has. */
int ask_channel(uint64_t index, struct monitor_channel *c)
{
	if (index > 2)
		return ERR_INVAL;
	if (index == 1)
		return ERR_NOENT;
	*c = (struct monitor_channel){.id = 8 + index,
				      .service = "lan\x1b",
				      .state = index ? CHANNEL_OPEN : CHANNEL_OFFERED,
				      .reason = index ? CHANNEL_REASON_OVER : CHANNEL_REASON_NONE,
				      .peer = index ? CHANNEL_PEER_HOST : CHANNEL_PEER_TENANT,
				      .pages = 64,
				      .accepts = index,
				      .offerer = 7,
				      .acceptor = index ? CHANNEL_HOST : 0};
	return 0;
}

/* Guest 7 was declared sealed, 9 not; digests count up. */
int ask_launch(uint64_t index, struct monitor_launch *launch)
{
	struct monitor_guest g;

	if (!index || ask_guest(index, &g))
		return index ? ERR_NOENT : ERR_INVAL;
	*launch = (struct monitor_launch){.id = g.id, .index = index};
	if (odd("unprotected"))
		return 0;
	launch->flags = LAUNCH_PROTECTED | (g.id == 7 ? LAUNCH_SEALED : 0);
	for (size_t i = 0; i < sizeof(launch->digest); i++)
		launch->digest[i] = (uint8_t)(16 * g.id + i);
	return 0;
}

/* Domain 3 is guest 7 and keeps all its pages, 4 is guest 9 and has given frame 0x100 away. */
int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	uint64_t gfn;
	uint16_t domid;

	if (odd("refuse"))
		return ERR_NOSYS;
	if (!fake_mapped(page, &domid, &gfn))
		return ERR_FAULT;
	if (domid == 3)
		return ask_launch(2, launch);
	if (domid == 4 && gfn != 0x100)
		return ask_launch(3, launch);
	return ERR_NOENT;
}

/* 5000 bytes, which count up; the TXT launch's log has 5000 that count down. */
int ask_eventlog(void *page, uint64_t at, struct monitor_eventlog *log)
{
	uint8_t *to = page, down = at & EVENTLOG_TXT ? 0xff : 0;

	at &= ~EVENTLOG_TXT;
	*log = (struct monitor_eventlog){.size = 5000, .complete = odd("complete")};
	if (odd("refuse") || odd("open"))
		return odd("open") ? ERR_NOENT : ERR_FAULT;
	for (; log->copied < PAGE_SIZE && at < log->size; at++)
		to[log->copied++] = (uint8_t)at ^ down;
	return 0;
}

/* Tells what was declared on standard output, where netherctl says nothing. */
int ask_declare(const void *page, bool sealed)
{
	uint64_t gfn;
	uint16_t domid;

	if (!fake_mapped(page, &domid, &gfn))
		return ERR_FAULT;
	if (odd("late"))
		return ERR_PERM;
	if (odd("refuse"))
		return ERR_NOSYS;
	printf("declared: domain %u by frame 0x%lx: %s\n", domid, gfn, sealed ? "sealed" : "open");
	return 0;
}

int ask_evidence(void *buf, uint64_t n, uint64_t *bytes)
{
	uint8_t *b = buf;

	*bytes = 300;
	if (odd("refuse") || n < *bytes)
		return ERR_2BIG;
	for (unsigned int i = 0; i < *bytes; i++) /* the nonce, over and over */
		b[i] = b[i % 32];
	return 0;
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
