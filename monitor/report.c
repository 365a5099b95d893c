/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/report.h"

#include "attest/evidence.h"
#include "ept/lock.h"
#include "monitor/anchor.h"
#include "monitor/boot/tboot.h"
#include "monitor/channel.h"
#include "monitor/disks.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/identity.h"
#include "monitor/iommu/iommu.h"
#include "monitor/keys/keys.h"
#include "monitor/launch.h"
#include "monitor/lib.h"
#include "monitor/measure.h"
#include "monitor/platform.h"
#include "monitor/uptime.h"

_Static_assert(GUEST_MAX <= EVIDENCE_GUESTS_MAX && DISKS_MAX <= EVIDENCE_DISKS_MAX &&
		       CHANNEL_RECORDS <= EVIDENCE_CHANNELS_MAX,
	       "room for all");
_Static_assert(CHANNEL_HOST == EVIDENCE_CHANNEL_HOST, "the host");

/* One at a time. */
static struct {
	struct lock lock;
	_Alignas(8) uint8_t bytes[EVIDENCE_MAX];
} report;

static struct evidence make_head(const uint8_t nonce[EVIDENCE_NONCE])
{
	struct evidence head = {.uptime = uptime_ms(),
				.iommus = iommu_count(),
				.dma = (uint32_t)iommu_flags(),
				.open = (uint32_t)platform_report().open,
				.tboot = tboot_found()->state};
	struct measured_keys keys;

	identity_public(&keys);
	memcpy(head.nonce, nonce, sizeof(head.nonce));
	memcpy(head.monitor, keys_version, sizeof(head.monitor));
	memcpy(head.backend, hw_name, sizeof(head.backend));
	memcpy(head.receive, keys.receive, sizeof(head.receive));
	memcpy(head.sign, keys.sign, sizeof(head.sign));
	head.flags =
		(measure_done() ? 0 : EVIDENCE_NO_TPM) | (protect_off ? EVIDENCE_NO_ISOLATION : 0) |
		(anchor_there() ? EVIDENCE_ANCHORS : 0) | (keys_warning ? EVIDENCE_DEV_KEYS : 0);
	return head;
}

static void add_guest(struct evidence_writer *w, unsigned int index)
{
	struct guest_summary s;
	struct evidence_guest g;
	struct launch l;

	if (guest_summary(index, &s))
		return;
	l = launch_of_guest(index, s.id);
	g = (struct evidence_guest){.id = s.id,
				    .flags = launch_flags(&l),
				    .vcpus = s.vcpus,
				    .stop_reason = s.stop_reason};
	if (s.stop_reason != STOP_NONE)
		g.flags |= EVIDENCE_GUEST_STOPPED;
	memcpy(g.digest, l.digest, sizeof(g.digest));
	evidence_add_guest(w, &g);
}

static void add_disk(struct evidence_writer *w, unsigned int index)
{
	struct disk_summary s;
	struct evidence_disk d;

	if (disks_summary(index, &s))
		return;
	d = (struct evidence_disk){.guest = s.guest, .drive = s.drive, .state = s.state};
	memcpy(d.uuid, s.uuid, sizeof(d.uuid));
	memcpy(d.tenant, s.tenant, sizeof(d.tenant));
	memcpy(d.release, s.release, sizeof(d.release));
	evidence_add_disk(w, &d);
}

static void add_channel(struct evidence_writer *w, unsigned int index)
{
	struct channel_summary s;
	struct evidence_channel c;

	if (channel_summary(index, &s))
		return;
	c = (struct evidence_channel){.id = s.id,
				      .offerer = s.offerer,
				      .acceptor = s.acceptor,
				      .peer = s.peer,
				      .state = s.state,
				      .accepts = s.accepts,
				      .pages = s.pages,
				      .reason = s.reason};
	memcpy(c.service, s.service, sizeof(c.service));
	memcpy(c.identity, s.identity, sizeof(c.identity));
	evidence_add_channel(w, &c);
}

static int copy_out(const struct walk_space *caller, gva_t gva, const uint8_t *from, uint64_t n)
{
	for (uint64_t part, done = 0; done < n; done += part) {
		gva_t at = GVA(gva.a + done);
		struct walk_result found;
		void *to;

		part = PAGE_SIZE - page_offset(at.a);
		part = part < n - done ? part : n - done;
		if (walk_gva(caller, at, WALK_WRITE, &found))
			return ERR_FAULT;
		to = phys_host_rw(found.hpa, part);
		if (!to)
			return ERR_FAULT;
		memcpy(to, from + done, part);
	}
	return 0;
}

int report_give(const struct walk_space *caller, gva_t gva, uint64_t n, uint64_t *bytes)
{
	uint8_t nonce[EVIDENCE_NONCE];
	struct evidence_writer w;
	struct evidence head;
	int err = ERR_2BIG;

	if (walk_copy(caller, gva, WALK_READ, nonce, sizeof(nonce)) != sizeof(nonce))
		return ERR_FAULT;
	head = make_head(nonce);
	lock_take_relaxed(&report.lock);
	evidence_begin(&w, report.bytes, &head);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		add_guest(&w, i);
	for (unsigned int i = 0; i < DISKS_MAX; i++)
		add_disk(&w, i);
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++)
		add_channel(&w, i);
	*bytes = evidence_bytes(&w);
	if (n >= *bytes) {
		evidence_end(&w, identity_sign);
		err = copy_out(caller, gva, report.bytes, *bytes);
	}
	lock_drop(&report.lock);
	return err;
}
