/* SPDX-License-Identifier: Apache-2.0 */
/* netherctl channels: what guests have offered each other and the host, a line each. */
#include <inttypes.h>
#include <stdio.h>

#include "ept/base.h"
#include "monitor/ctl/command.h"
#include "switch-channel/call.h"

static const char *text(const char *const *texts, size_t n, uint32_t i)
{
	return i < n && texts[i] ? texts[i] : "?";
}

static void print_channel(const struct monitor_channel *c)
{
	static const char *const state[] = {NULL, "offered", "open", "left by its offerer",
					    "ended"};
	static const char *const peer[] = {NULL, "a launch digest", "a tenant", "the host"};
	static const char *const reason[] = {"",
					     "closed",
					     "a violation of the ring",
					     "no heartbeat",
					     "a guest's end",
					     "L1 took pages"};

	printf("channel %" PRIu64 ", ", c->id);
	for (const char *s = c->service; *s; s++) /* a guest's word */
		putchar(*s > ' ' && *s < 0x7f ? *s : '?');
	printf(": %s, guest %" PRIu64 " to ", text(state, ARRAY_SIZE(state), c->state), c->offerer);
	if (c->acceptor == CHANNEL_HOST)
		printf("the host");
	else if (c->acceptor)
		printf("guest %" PRIu64, c->acceptor);
	else
		printf("%s", text(peer, ARRAY_SIZE(peer), c->peer));
	printf("; %" PRIu32 " pages, accepted %" PRIu64 " times", c->pages, c->accepts);
	if (c->reason)
		printf("; last ended by: %s", text(reason, ARRAY_SIZE(reason), c->reason));
	printf("\n");
}

int cmd_channels(int argc)
{
	struct monitor_channel c;
	int err = 0;

	if (argc) {
		fprintf(stderr, "usage: netherctl channels\n");
		return STATUS_ERROR;
	}
	for (uint64_t i = 0; err != ERR_INVAL; i++) {
		err = ask_channel(i, &c);
		if (!err)
			print_channel(&c);
	}
	return STATUS_OK;
}
