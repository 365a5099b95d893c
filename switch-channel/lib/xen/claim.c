/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenforeignmemory.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "switch-channel/call.h"
#include "switch-channel/lib/xen/claim.h"
#include "switch-channel/ring.h"

#define INDEX_MAX 65536u    /* more places than any monitor has */
#define GUEST_FRAME 0x100ul /* RAM of any guest, from its builder on: 1 MiB */

struct claim {
	xenforeignmemory_handle *xen;
	uint16_t domid;
	const char *service; /* NULL: by id */
	uint64_t id;
	int lock;
};

/* 0 or a negative errno: -EBUSY: another program has it locked. */
static int lock(const struct claim *c, uint64_t id, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)id, .l_len = 1};

	if (!fcntl(c->lock, F_OFD_SETLK, &l))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* One page of the domain's, or NULL and errno. */
static void *map(const struct claim *c, xen_pfn_t gfn)
{
	int err = 0;
	void *page = xenforeignmemory_map(c->xen, c->domid, PROT_READ, 1, &gfn, &err);

	if (page && err) {
		xenforeignmemory_unmap(c->xen, page, 1);
		errno = -err;
		return NULL;
	}
	return page;
}

/* Whether it is one that is looked for, by what is said of it. */
static bool fits(const struct claim *c, const struct monitor_channel *m)
{
	if (m->peer != CHANNEL_PEER_HOST || m->state == CHANNEL_LEFT)
		return false;
	return c->service ? !strcmp(m->service, c->service) : m->id == c->id;
}

static bool is_hosts(const struct monitor_channel *m)
{
	return m->state == CHANNEL_OPEN && m->acceptor == CHANNEL_HOST;
}

/* With the channel at `index` locked, whose program, if it had any, is no more. page: of its guest. 0 or -EAGAIN: it has ended just now. */
static int close_remains(const struct claim *c, uint64_t index, uint64_t id, const void *page)
{
	struct monitor_channel m;
	uint64_t guest;

	if (ask_channel(index, &m) || m.id != id)
		return -EAGAIN;
	guest = m.offerer;
	if (is_hosts(&m) && ask_channel_close(id, page, CHANNEL_REASON_CLOSED))
		return -EAGAIN;
	for (uint64_t i = 0; i < INDEX_MAX; i++) {
		int err = ask_channel(i, &m);

		if (err && err != ERR_NOENT)
			break;
		if (err || m.offerer != guest || m.state != CHANNEL_LEFT || lock(c, m.id, F_WRLCK))
			continue;
		ask_channel_close(m.id, page, CHANNEL_REASON_CLOSED);
		lock(c, m.id, F_UNLCK);
	}
	return 0;
}

/* The channel at `index`. 0, or a negative errno: -EAGAIN: it is another domain's. */
static int take(const struct claim *c, uint64_t index, const struct monitor_channel *m)
{
	struct monitor_launch launch;
	uint64_t gfn, run;
	void *page;
	int err;

	if (ask_channel_page(m->id, 0, &gfn, &run))
		return -EAGAIN;
	page = map(c, gfn);
	if (!page) /* the other domain has nothing there */
		return errno == ESRCH ? -ESRCH : -EAGAIN;
	err = ask_launch_of(page, &launch) || launch.id != m->offerer ? -EAGAIN
								      : lock(c, m->id, F_WRLCK);
	if (!err) {
		err = close_remains(c, index, m->id, page);
		if (err)
			lock(c, m->id, F_UNLCK);
	}
	xenforeignmemory_unmap(c->xen, page, 1);
	return err;
}

static int exists(const struct claim *c)
{
	void *page = map(c, GUEST_FRAME);

	if (!page)
		return errno == ESRCH ? -ESRCH : 0;
	xenforeignmemory_unmap(c->xen, page, 1);
	return 0;
}

static int search(struct claim *c)
{
	int result = -EAGAIN, err = 0;

	for (uint64_t i = 0; i < INDEX_MAX; i++) {
		struct monitor_channel m;

		err = ask_channel(i, &m);
		if (err && err != ERR_NOENT)
			break;
		if (err || !fits(c, &m))
			continue;
		err = take(c, i, &m);
		if (!err) {
			c->id = m.id;
			return 0;
		}
		if (err != -EAGAIN)
			result = err;
	}
	err = exists(c);
	return err ? err : result;
}

int host_channel_claim(uint16_t domid, const char *service, uint64_t *id)
{
	struct claim c = {.domid = domid, .service = service, .id = *id};
	struct monitor_version version;
	int err;

	if (ask_version(&version))
		return -ENODEV;
	c.xen = xenforeignmemory_open(NULL, 0);
	if (!c.xen)
		return -errno;
	c.lock = open(HOST_CLAIMS, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c.lock < 0) {
		err = -errno;
	} else {
		err = search(&c);
		if (err)
			close(c.lock);
	}
	xenforeignmemory_close(c.xen);
	if (err)
		return err;
	*id = c.id;
	return c.lock;
}
