/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "switch-channel/call.h"
#include "switch-channel/lib/xen/host.h"
#include "switch-channel/ring.h"

#define INDEX_MAX 65536u /* more places than any monitor has */

struct host_channel {
	xenforeignmemory_handle *xen;
	uint64_t id;
	void *memory;
	uint32_t pages;
};

/* 0, or ERR_NOENT. */
static int find(uint64_t id, struct monitor_channel *found)
{
	int err = ERR_NOENT;

	for (uint64_t i = 0; i < INDEX_MAX; i++) {
		err = ask_channel(i, found);
		if (!err && found->id == id)
			return 0;
		if (err && err != ERR_NOENT)
			break;
	}
	return ERR_NOENT;
}

/* Where the offerer has its pages: gfn[pages]. */
static int places(uint64_t id, uint32_t pages, xen_pfn_t *gfn)
{
	for (uint32_t n = 0; n < pages;) {
		uint64_t from = 0, run = 0;
		int err = ask_channel_page(id, n, &from, &run);

		if (err)
			return err;
		if (!run)
			return ERR_INVAL;
		for (; run > 0 && n < pages; run--)
			gfn[n++] = from++;
	}
	return 0;
}

/* The pages were looked for in the domain that the caller named, which another guest may have got since. */
static bool is_of(const struct host_channel *c, uint64_t guest)
{
	for (uint32_t n = 0; n < c->pages; n++) {
		struct monitor_launch launch;

		if (ask_launch_of((const uint8_t *)c->memory + (size_t)n * NRING_PAGE, &launch) ||
		    launch.id != guest)
			return false;
	}
	return true;
}

static const char *map(struct host_channel *c, uint16_t domid)
{
	xen_pfn_t *gfn = calloc(c->pages, sizeof(*gfn));
	int *err = calloc(c->pages, sizeof(*err));
	const char *why = NULL;

	if (!gfn || !err)
		why = "no memory";
	else if (places(c->id, c->pages, gfn))
		why = "the monitor does not say where its pages are";
	else if (!(c->memory = xenforeignmemory_map(c->xen, domid, PROT_READ | PROT_WRITE, c->pages,
						    gfn, err)))
		why = "Xen does not map its pages";
	for (uint32_t n = 0; !why && n < c->pages; n++)
		if (err[n])
			why = "Xen maps some of its pages only";
	free(gfn);
	free(err);
	return why;
}

static void give_up(struct host_channel *c)
{
	if (c->memory)
		xenforeignmemory_unmap(c->xen, c->memory, c->pages);
	if (c->xen)
		xenforeignmemory_close(c->xen);
	free(c);
}

/* Until it is accepted its pages read as zeros, and must not be written to. */
static const char *map_and_accept(struct host_channel *c, uint16_t domid, uint64_t guest)
{
	const char *why = map(c, domid);

	if (why)
		return why;
	if (!is_of(c, guest))
		return "these are not pages of the guest that offers it: another domain?";
	switch (ask_channel_accept(c->id, c->memory)) {
	case 0:
		return NULL;
	case ERR_NOENT:
		return "it is accepted already, or has just ended";
	case ERR_BUSY:
		return "an earlier one of that guest's has not been closed in dom0";
	default:
		return "the monitor does not let the host accept it";
	}
}

struct host_channel *host_channel_accept(uint16_t domid, uint64_t id, void **memory,
					 uint32_t *pages, const char **why)
{
	struct host_channel *c = NULL;
	struct monitor_version version;
	struct monitor_channel channel;

	*why = NULL;
	if (ask_version(&version))
		*why = "there is no monitor, or another one";
	else if (find(id, &channel) || channel.peer != CHANNEL_PEER_HOST)
		*why = "no guest offers such a channel to the host";
	else if (channel.pages < NRING_PAGES_MIN || channel.pages > NRING_PAGES_MAX)
		*why = "it has too few or too many pages";
	else if (!(c = calloc(1, sizeof(*c))) || !(c->xen = xenforeignmemory_open(NULL, 0)))
		*why = "Xen's library does not open: this is not dom0, or not root";
	if (*why) {
		free(c);
		return NULL;
	}
	c->id = id;
	c->pages = channel.pages;
	*why = map_and_accept(c, domid, channel.offerer);
	if (*why) {
		give_up(c);
		return NULL;
	}
	*memory = c->memory;
	*pages = c->pages;
	return c;
}

bool host_channel_left(const struct host_channel *c)
{
	struct monitor_channel channel;

	return find(c->id, &channel) || channel.state != CHANNEL_OPEN ||
	       channel.acceptor != CHANNEL_HOST;
}

void host_channel_close(struct host_channel *c, uint32_t reason)
{
	if (!c)
		return;
	/* A write that comes after this ends the guest. */
	ask_channel_close(c->id, c->memory, reason);
	give_up(c);
}
