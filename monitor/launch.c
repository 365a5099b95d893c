/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/launch.h"

#include "ept/format.h"
#include "ept/guest_entry.h"
#include "ept/phys.h"
#include "monitor/disks.h"
#include "monitor/guest.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/manifest.h"

#define DECLARED_MAX 16

static struct {
	struct lock lock;
	hpa_t declared[DECLARED_MAX]; /* pages whose guest is to be sealed, oldest first */
	unsigned int count;
	struct launch launch[GUEST_MAX];
} launches;

static void forget(unsigned int i)
{
	launches.count--;
	memmove(&launches.declared[i], &launches.declared[i + 1],
		(launches.count - i) * sizeof(launches.declared[0]));
}

int launch_declare(hpa_t page, bool sealed)
{
	if (owner_kind(owner_of(page)) != OWNER_HOST)
		return ERR_PERM;
	lock_take(&launches.lock);
	for (unsigned int i = 0; i < launches.count; i++)
		if (launches.declared[i].a == page.a)
			forget(i--);
	if (sealed && launches.count == DECLARED_MAX)
		forget(0);
	if (sealed)
		launches.declared[launches.count++] = page;
	lock_drop(&launches.lock);
	return 0;
}

/* Whether a page of this guest's was declared; such declarations are used up. */
static bool take_declared(unsigned int guest)
{
	bool sealed = false;

	lock_take(&launches.lock);
	for (unsigned int i = 0; i < launches.count; i++) {
		owner_t owner = owner_of(launches.declared[i]);
		bool taken = owner_kind(owner) == OWNER_GUEST || owner_kind(owner) == OWNER_SHARED;

		if (taken && owner_guest(owner) == guest) {
			forget(i--);
			sealed = true;
		}
	}
	lock_drop(&launches.lock);
	return sealed;
}

/* Through L1's table, whether it and the page are still L1's or the guest's already. */
static int read_guest(void *context, gpa_t gpa, void *buf, size_t len)
{
	const struct guest_table *t = context;
	struct entry e = {.kind = ENTRY_TABLE, .hpa = t->root};
	hpa_t at;

	for (unsigned int level = TABLE_LEVELS; e.kind == ENTRY_TABLE && level; level--) {
		uint64_t value;

		at = HPA(e.hpa.a + table_index(level, gpa.a) * sizeof(value));
		if (phys_read64(&value, at))
			return ERR_FAULT;
		e = entry_read(value, level, gpa);
	}
	if (e.kind != ENTRY_LEAF)
		return e.kind == ENTRY_NONE ? ERR_NOENT : ERR_FAULT;
	at = HPA(e.hpa.a + (gpa.a & (table_span(e.level) - 1)));
	if (!t->live)
		return phys_read(buf, at, len);
	if (owner_kind(owner_of(at)) != OWNER_GUEST)
		return ERR_FAULT;
	memcpy(buf, phys_at(at), len);
	return 0;
}

int launch_prepare(struct guest_table *t, struct guest_layout *layout)
{
	const char *why;
	int err = layout_find(read_guest, t, layout, &why);

	if (err) {
		log_provoked("a guest can not be launched: %s", why);
		return err;
	}
	t->shared_count = layout->count;
	memcpy(t->shared, layout->shared, sizeof(t->shared));
	return 0;
}

int launch_measure(struct guest_table *t, uint64_t id, const struct guest_layout *layout,
		   const uint64_t state[DIGEST_STATES])
{
	struct launch launch = {.id = id,
				.sealed = take_declared(t->guest) || disks_attached(t->guest)};
	struct guest_layout now;
	uint64_t manifest[MANIFEST_WORDS];
	struct digest digest;
	const char *why;
	int err = layout_find(read_guest, t, &now, &why);

	if (err || !layout_same(&now, layout))
		return ERR_PERM;
	digest_begin(&digest, launch.sealed);
	digest_shared(&digest, layout);
	err = guest_table_each(t, digest_page, &digest);
	if (err)
		return err;
	digest_state(&digest, state);
	manifest_words(cpu_this(), manifest);
	digest_manifest(&digest, manifest, sizeof(manifest));
	digest_end(&digest, launch.digest);
	lock_take(&launches.lock);
	launches.launch[t->guest] = launch;
	lock_drop(&launches.lock);
	return 0;
}

struct launch launch_of(unsigned int number)
{
	struct launch launch;

	lock_take(&launches.lock);
	launch = launches.launch[number];
	lock_drop(&launches.lock);
	return launch;
}

struct launch launch_of_guest(unsigned int number, uint64_t id)
{
	struct launch launch = launch_of(number);

	return launch.id == id ? launch : (struct launch){.id = 0};
}

uint32_t launch_flags(const struct launch *launch)
{
	return (launch->id ? LAUNCH_PROTECTED : 0) | (launch->sealed ? LAUNCH_SEALED : 0);
}
