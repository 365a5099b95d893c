/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/release.h"

#include "crypto/crypto.h"
#include "ept/lock.h"
#include "monitor/disks.h"
#include "monitor/identity.h"
#include "monitor/lib.h"
#include "monitor/measure.h"
#include "monitor/uptime.h"

#define TAKEN_MAX 256 /* messages at once of which one that is not over has been taken */

/* The lock is outside that of disks: of two calls with one message one finds it taken. */
static struct {
	struct lock lock;
	struct {
		uint8_t id[16];
		uint64_t expires; /* 0: free */
	} taken[TAKEN_MAX];
} releases;

/* The place for an id, which another one leaves when it expires: its message is refused for that then. */
static int find_place(const struct release *r, uint64_t now, unsigned int *place)
{
	int err = ERR_NOMEM;

	for (unsigned int i = 0; i < TAKEN_MAX; i++) {
		if (releases.taken[i].expires && releases.taken[i].expires >= now) {
			if (!memcmp(releases.taken[i].id, r->id, sizeof(r->id)))
				return ERR_STALE;
		} else {
			*place = i;
			err = 0;
		}
	}
	return err;
}

static int in_time(const struct release *r, uint64_t now)
{
	if (r->expires < now || (r->lease && r->lease <= now))
		return ERR_STALE;
	return r->expires - now > RELEASE_EXPIRY_MAX ? ERR_INVAL : 0;
}

static int attach(const struct release *r, const uint8_t tenant[32], hpa_t page, uint64_t *number)
{
	struct disks_terms terms = {.lease = UINT64_MAX, .anchor = r->anchor};
	struct mailbox_attach a = {.version = MAILBOX_VERSION,
				   .drive = r->drive,
				   .plain = r->plain,
				   .consent = r->consent,
				   .root_known = r->root_known,
				   .generation = r->generation};
	int err;

	memcpy(terms.tenant, tenant, sizeof(terms.tenant));
	memcpy(terms.release, r->id, sizeof(terms.release));
	memcpy(terms.digest, r->digest, sizeof(terms.digest));
	if (r->lease && r->lease < UINT64_MAX / uptime_rate())
		terms.lease = r->lease * uptime_rate();
	memcpy(a.root, r->root, sizeof(a.root));
	memcpy(a.uuid, r->uuid, sizeof(a.uuid));
	memcpy(a.key_id, r->key_id, sizeof(a.key_id));
	memcpy(a.xts, r->xts, sizeof(a.xts));
	memcpy(a.tag, r->tag, sizeof(a.tag));
	err = disks_attach(page, &a, &terms, number);
	crypto_wipe(&a, sizeof(a));
	return err;
}

/*
 * A message counts as taken when it has had an effect. One that was refused (the image is in use, no place) may come again while it is in
 * time: L1 gains nothing by that, since it could as well have kept the message until then.
 */
static int take(const struct release *r, const uint8_t tenant[32], hpa_t page, uint64_t *number)
{
	unsigned int place = 0;
	uint64_t now;
	int err;

	lock_take_relaxed(&releases.lock);
	now = uptime_ms(); /* by which no other CPU can have dropped what is still in time */
	err = in_time(r, now);
	if (!err)
		err = find_place(r, now, &place);
	if (!err)
		err = attach(r, tenant, page, number);
	if (!err) {
		memcpy(releases.taken[place].id, r->id, sizeof(r->id));
		releases.taken[place].expires = r->expires;
	}
	lock_drop(&releases.lock);
	return err;
}

int release_take(const struct walk_space *caller, gva_t gva, hpa_t page, uint64_t *number)
{
	struct release_message m;
	struct release r;
	int err;

	if (!measure_done())
		return ERR_NODEV;
	if (!uptime_rate())
		return ERR_NOSYS;
	if (page_offset(gva.a) + sizeof(m) > PAGE_SIZE ||
	    walk_copy(caller, gva, WALK_READ, &m, sizeof(m)) != sizeof(m))
		return ERR_FAULT;
	err = identity_open(&r, &m);
	if (!err)
		err = take(&r, m.tenant, page, number);
	crypto_wipe(&r, sizeof(r));
	return err;
}
