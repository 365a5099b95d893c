// SPDX-License-Identifier: GPL-2.0
#include <linux/ctype.h>
#include <linux/etherdevice.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "switch-channel/linux/compat.h"
#include "switch-channel/linux/config.h"
#include "switch-channel/ring.h"

static const char *const modes[] = {"adaptive", "periodic", "busy"};
static const char *const roles[] = {"offer", "accept"};

static const struct number {
	const char *key;
	size_t at;
	u32 min, max, start;
} numbers[] = {
#define NUMBER(field, min, max, start)                                     \
	{                                                                  \
#field, offsetof(struct nv_config, field), min, max, start \
	}
	NUMBER(pages, NRING_PAGES_MIN, NRING_PAGES_MAX, 512),
	NUMBER(queues, 1, NRING_QUEUES_MAX, 1),
	NUMBER(order, 0, NRING_ORDER_MAX, 0),
	NUMBER(period_us, 5, 100000, 50),
	NUMBER(budget, 1, 65536, 256),
	NUMBER(busy_us, 0, 1000000, 50),
	NUMBER(sleep_us, 50, NRING_HEARTBEAT_MS * 1000, 4000),
	NUMBER(bell, 0, 1, 1),
	NUMBER(bell_us, 0, 100000, 20),
	NUMBER(violations, 0, U32_MAX, 100),
	NUMBER(retry_ms, 10, 3600000, 1000),
	NUMBER(close_stalled, 0, 1, 0),
#undef NUMBER
};

static const struct number *number_of(const char *key)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!strcmp(numbers[i].key, key))
			return &numbers[i];
	}
	return NULL;
}

static u32 *field_of(const struct nv_config *config, const struct number *number)
{
	return (u32 *)((char *)config + number->at);
}

void nv_config_init(struct nv_config *config)
{
	size_t i;

	memset(config, 0, sizeof(*config));
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		*field_of(config, &numbers[i]) = numbers[i].start;
}

static int set_service(struct nv_config *config, const char *text)
{
	size_t length = strlen(text), i;

	if (!length || length > CHANNEL_SERVICE)
		return -EINVAL;
	for (i = 0; i < length; i++) {
		if (!isgraph(text[i]))
			return -EINVAL;
	}
	memset(config->service, 0, CHANNEL_SERVICE);
	memcpy(config->service, text, length);
	return 0;
}

/* any, host, digest:HEX, tenant:HEX */
static int set_peer(struct nv_config *config, const char *text)
{
	struct nv_identity peer = {};
	const char *hex = strchr(text, ':');

	if (!strcmp(text, "any")) {
		peer.kind = 0;
	} else if (!strcmp(text, "host")) {
		peer.kind = CHANNEL_PEER_HOST;
	} else {
		if (strstarts(text, "digest:"))
			peer.kind = CHANNEL_PEER_DIGEST;
		else if (strstarts(text, "tenant:"))
			peer.kind = CHANNEL_PEER_TENANT;
		else
			return -EINVAL;
		if (strlen(++hex) != 2 * CHANNEL_IDENTITY ||
		    hex2bin(peer.bytes, hex, CHANNEL_IDENTITY))
			return -EINVAL;
		/* No tenant is shown as zeros: that must not be taken for one. */
		if (!memchr_inv(peer.bytes, 0, CHANNEL_IDENTITY))
			return -EINVAL;
	}
	config->peer = peer;
	config->named = true;
	return 0;
}

static int set_mac(struct nv_config *config, const char *text)
{
	u8 mac[ETH_ALEN];

	if (!mac_pton(text, mac) || !is_valid_ether_addr(mac))
		return -EINVAL;
	memcpy(config->mac, mac, ETH_ALEN);
	return 0;
}

static int set_number(struct nv_config *config, const struct number *number, const char *text)
{
	u32 value;

	if (kstrtou32(text, 0, &value) || value < number->min || value > number->max)
		return -EINVAL;
	if (!strcmp(number->key, "order") && value && value < NRING_ORDER_MIN)
		return -EINVAL;
	*field_of(config, number) = value;
	return 0;
}

int nv_config_set(struct nv_config *config, const char *key, const char *text)
{
	const struct number *number = number_of(key);
	char value[128];
	int which;

	if (strscpy(value, text, sizeof(value)) < 0)
		return -EINVAL;
	text = strim(value);
	if (number)
		return set_number(config, number, text);
	if (!strcmp(key, "service"))
		return set_service(config, text);
	if (!strcmp(key, "peer"))
		return set_peer(config, text);
	if (!strcmp(key, "mac"))
		return set_mac(config, text);
	if (!strcmp(key, "mode")) {
		which = match_string(modes, ARRAY_SIZE(modes), text);
		if (which >= 0)
			config->mode = which;
		return which < 0 ? which : 0;
	}
	if (!strcmp(key, "role")) {
		which = match_string(roles, ARRAY_SIZE(roles), text);
		if (which >= 0)
			config->accept = which;
		return which < 0 ? which : 0;
	}
	return -EINVAL;
}

static ssize_t show_peer(const struct nv_config *config, char *page)
{
	if (!config->named)
		return sysfs_emit(page, "\n");
	switch (config->peer.kind) {
	case CHANNEL_PEER_DIGEST:
		return sysfs_emit(page, "digest:%*phN\n", CHANNEL_IDENTITY, config->peer.bytes);
	case CHANNEL_PEER_TENANT:
		return sysfs_emit(page, "tenant:%*phN\n", CHANNEL_IDENTITY, config->peer.bytes);
	case CHANNEL_PEER_HOST:
		return sysfs_emit(page, "host\n");
	default:
		return sysfs_emit(page, "any\n");
	}
}

ssize_t nv_config_show(const struct nv_config *config, const char *key, char *page)
{
	const struct number *number = number_of(key);

	if (number)
		return sysfs_emit(page, "%u\n", *field_of(config, number));
	if (!strcmp(key, "service"))
		return sysfs_emit(page, "%.*s\n", CHANNEL_SERVICE, config->service);
	if (!strcmp(key, "peer"))
		return show_peer(config, page);
	if (!strcmp(key, "mac"))
		return sysfs_emit(page, "%pM\n", config->mac);
	if (!strcmp(key, "mode"))
		return sysfs_emit(page, "%s\n", modes[config->mode]);
	if (!strcmp(key, "role"))
		return sysfs_emit(page, "%s\n", roles[config->accept]);
	return -EINVAL;
}

int nv_config_check(const struct nv_config *config)
{
	const char *wrong = NULL;

	if (!config->service[0])
		wrong = "no service";
	else if (!config->named)
		wrong = "no peer (digest:HEX, tenant:HEX, host or any)";
	else if (!config->accept && !config->peer.kind)
		wrong = "an offer names its peer: not any";
	else if (config->accept && config->peer.kind == CHANNEL_PEER_HOST)
		wrong = "the host does not offer";
	else if (config->accept && !nv_channel_accepts())
		wrong = "this guest cannot accept (memory in the aperture, or too few address bits)";
	if (!wrong)
		return 0;
	pr_err("nether-vif: %s: %s\n", config->name[0] ? config->name : "parameters", wrong);
	return -EINVAL;
}
