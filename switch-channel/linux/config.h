/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a port is told: docs/nether-vif.md has the keys. Module parameters and configfs lead here with a key and a text.
 */
#ifndef SWITCH_CHANNEL_LINUX_CONFIG_H
#define SWITCH_CHANNEL_LINUX_CONFIG_H

#include <linux/if.h>
#include <linux/if_ether.h>

#include "switch-channel/linux/channel.h"

enum nv_mode { NV_ADAPTIVE, NV_PERIODIC, NV_BUSY };

struct nv_config {
	char name[IFNAMSIZ]; /* the interface's */
	bool accept;         /* else it offers */
	bool named;          /* the peer has been named: `any`, too, must be said */
	u8 service[CHANNEL_SERVICE];
	struct nv_identity peer;
	u32 pages, queues, order; /* of an offer; order 0: fitting */
	u32 mode;                 /* enum nv_mode */
	u32 period_us;
	u32 budget; /* frames in a period, NV_PERIODIC */
	u32 busy_us;
	u32 sleep_us;   /* NV_ADAPTIVE: the longest time between two looks */
	u32 bell;       /* 1: doorbells, where there are event channels */
	u32 bell_us;    /* the shortest time between two of them that are listened to */
	u32 violations; /* close after so many; 0: never */
	u32 retry_ms;   /* from a failed or closed channel to the next */
	u32 close_stalled; /* 1: close a channel whose peer has no heartbeat; 0: only the carrier goes */
	u8 mac[ETH_ALEN]; /* zeros: random */
};

/* The keys, in the order of the document. */
#define NV_KEYS(x)                                                                            \
	x(role) x(service) x(peer) x(pages) x(queues) x(order) x(mode) x(period_us) x(budget) \
		x(busy_us) x(sleep_us) x(bell) x(bell_us) x(violations) x(retry_ms)           \
			x(close_stalled) x(mac)

void nv_config_init(struct nv_config *config);
/* Sets `key` from `text` (white space at the end is left out). -EINVAL: no such key, or value; nothing is changed then. */
int nv_config_set(struct nv_config *config, const char *key, const char *text);
/* Writes its value and a line feed to `page` (PAGE_SIZE); returns the length. */
ssize_t nv_config_show(const struct nv_config *config, const char *key, char *page);
/* Whether it can be started: -EINVAL, and a message that says what is missing. */
int nv_config_check(const struct nv_config *config);

#endif
