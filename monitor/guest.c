/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guest.h"

#include "ept/format.h"
#include "ept/host.h"
#include "ept/lock.h"
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/store.h"

#define FORGETTING UINT32_MAX /* instead of a CPU that uses a record */

/* The lock covers which records exist and whom they belong to, not what runs in them. */
static struct {
	struct lock lock;
	uint64_t last_id;
	struct guest guest[GUEST_MAX];
	struct guest_vcpu vcpu[GUEST_VCPU_MAX];
} guests;

void guest_init(void)
{
	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		guests.vcpu[i].hw = hw_vcpu_create();
}

static bool try_take_as(struct guest_vcpu *v, uint32_t user)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&v->cpu, &free, user, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static bool try_take(struct guest_vcpu *v, const struct cpu *cpu)
{
	return try_take_as(v, cpu->index + 1);
}

static void add_stats(struct exit_stats *to, const struct exit_stats *from)
{
	for (size_t i = 0; i < EXIT_REASON_COUNT; i++) {
		to->count[i] += from->count[i];
		to->cycles[i] += from->cycles[i];
	}
}

/* Frees a vCPU record that has been taken. */
static void forget_vcpu(struct guest_vcpu *v)
{
	struct guest *g = v->guest;

	add_stats(&g->retired, &v->stats);
	v->guest = NULL;
	if (!--g->vcpus && g->gone)
		*g = (struct guest){0};
}

/* The page becomes writable for L1 again; other CPUs may keep the narrower right a little longer. */
static void unwatch(struct guest *g)
{
	if (g->watched && host_set(g->root, PAGE_SIZE, TABLE_RWX))
		log_line("guest %lu: its root stays read-only, out of table pages", g->id);
	g->watched = false;
}

/* False if one of its vCPUs is being used; those that are not are gone then, too. */
static bool forget_guest(struct guest *g)
{
	bool all = true;

	for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
		struct guest_vcpu *v = &guests.vcpu[i];

		if (v->guest != g)
			continue;
		if (!try_take_as(v, FORGETTING)) {
			all = false;
			continue;
		}
		forget_vcpu(v);
		__atomic_store_n(&v->cpu, 0, __ATOMIC_RELEASE);
	}
	if (all) {
		unwatch(g);
		*g = (struct guest){0};
	}
	return all;
}

/* Of a guest whose table is gone: who drops a record and who tears the table down both look. */
static void forget_if_gone(struct guest *g)
{
	lock_take(&guests.lock);
	if (g->gone)
		forget_guest(g);
	lock_drop(&guests.lock);
}

void guest_vcpu_drop(struct guest_vcpu *v)
{
	struct guest *g = v->guest;

	__atomic_store_n(&v->cpu, 0, __ATOMIC_SEQ_CST);
	if (g && __atomic_load_n(&g->gone, __ATOMIC_SEQ_CST))
		forget_if_gone(g);
}

static uint64_t guest_used(const struct guest *g)
{
	uint64_t used = 0;

	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		if (guests.vcpu[i].guest == g && guests.vcpu[i].used > used)
			used = guests.vcpu[i].used;
	return used;
}

static struct guest *find_guest(hpa_t root)
{
	for (size_t i = 0; i < GUEST_MAX; i++)
		if (guests.guest[i].id && !guests.guest[i].gone && guests.guest[i].root.a == root.a)
			return &guests.guest[i];
	return NULL;
}

static bool in_use(const struct guest *g)
{
	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		if (guests.vcpu[i].guest == g &&
		    __atomic_load_n(&guests.vcpu[i].cpu, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

/* A free record, or that of the guest that has not run for the longest time. */
static struct guest *guest_place(void)
{
	struct guest *oldest = NULL;
	uint64_t oldest_used = UINT64_MAX;

	for (size_t i = 0; i < GUEST_MAX; i++) {
		struct guest *g = &guests.guest[i];
		uint64_t used = guest_used(g);

		if (!g->id)
			return g;
		if (used < oldest_used && !in_use(g)) {
			oldest = g;
			oldest_used = used;
		}
	}
	return oldest && forget_guest(oldest) ? oldest : NULL;
}

/* A new guest's root becomes read-only for L1, on this CPU at once, on others when they flush. */
static struct guest *guest_create(hpa_t root)
{
	struct guest *g = guest_place();

	if (!g)
		return NULL;
	g->id = ++guests.last_id;
	g->root = root;
	g->watched = !page_offset(root.a) && !host_set(root, PAGE_SIZE, TABLE_R | TABLE_X);
	return g;
}

static struct guest_vcpu *vcpu_place(const struct cpu *cpu)
{
	for (;;) {
		struct guest_vcpu *oldest = NULL;

		for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
			struct guest_vcpu *v = &guests.vcpu[i];

			if (__atomic_load_n(&v->cpu, __ATOMIC_ACQUIRE))
				continue;
			if (!oldest || !v->guest || (oldest->guest && v->used < oldest->used))
				oldest = v;
		}
		if (!oldest)
			return NULL;
		if (!try_take(oldest, cpu))
			continue;
		if (oldest->guest)
			forget_vcpu(oldest);
		return oldest;
	}
}

static struct guest_vcpu *find_vcpu(hpa_t key)
{
	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		if (guests.vcpu[i].guest && guests.vcpu[i].key.a == key.a)
			return &guests.vcpu[i];
	return NULL;
}

/* Ties a record that this CPU has taken to the guest with this root. */
static bool bind(struct guest_vcpu *v, hpa_t key, hpa_t root, bool *created)
{
	struct guest *g = find_guest(root);

	/* Of a root that could not be watched, a record without vCPUs tells of an earlier guest. */
	if (g && !g->watched && !g->vcpus && forget_guest(g))
		g = NULL;
	if (!g) {
		g = guest_create(root);
		*created = g && g->watched;
	}
	if (!g)
		return false;
	/* Field by field: cpu must not change for a moment, other CPUs try to take the record. */
	v->key = key;
	v->guest = g;
	v->fresh = true;
	memset(&v->stats, 0, sizeof(v->stats));
	g->vcpus++;
	return true;
}

static bool belongs(const struct guest_vcpu *v, hpa_t root)
{
	return v->guest->root.a == root.a && !v->guest->gone;
}

static struct guest_vcpu *take_slow(struct cpu *cpu, hpa_t key, hpa_t root, bool *created)
{
	struct guest_vcpu *v = find_vcpu(key);

	if (v) {
		if (!try_take(v, cpu))
			return NULL;
		if (belongs(v, root))
			return v;
		forget_vcpu(v);
	} else {
		v = vcpu_place(cpu);
		if (!v)
			return NULL;
	}
	if (bind(v, key, root, created))
		return v;
	guest_vcpu_drop(v);
	return NULL;
}

struct guest_vcpu *guest_vcpu_take(struct cpu *cpu, hpa_t key, hpa_t root)
{
	struct guest_vcpu *v = cpu->last_vcpu;
	bool created = false;

	if (v && v->key.a == key.a && try_take(v, cpu)) {
		/* Only its user changes a record's key and guest, so this look is final. */
		if (v->guest && v->key.a == key.a && belongs(v, root)) {
			v->used = cpu->exit_tsc;
			return v;
		}
		guest_vcpu_drop(v);
	}
	lock_take(&guests.lock);
	v = take_slow(cpu, key, root, &created);
	lock_drop(&guests.lock);
	if (created)
		cpu_flush_all();
	if (v) {
		v->used = arch_rdtsc();
		cpu->last_vcpu = v;
	}
	return v;
}

void guest_stop(struct guest *guest, enum stop_reason reason)
{
	static const char *const text[] = {
#define X(name, words) words,
		STOP_REASONS(X)
#undef X
	};

	guest->stop_reason = reason;
	log_provoked("guest %lu stopped: %s", guest->id, text[reason]);
}

static bool table_empty(hpa_t root)
{
	const uint64_t *entry = phys_host(root, PAGE_SIZE);

	for (size_t i = 0; i < TABLE_ENTRIES; i++)
		if (table_present(__atomic_load_n(&entry[i], __ATOMIC_RELAXED)))
			return false;
	return true;
}

int guest_root_write(struct cpu *cpu, hpa_t hpa, bool in_walk)
{
	hpa_t root = HPA(ALIGN_DOWN(hpa.a, PAGE_SIZE));
	struct store store;
	struct guest *g;
	bool understood;

	lock_take(&guests.lock);
	g = find_guest(root);
	if (!g || !g->watched) {
		lock_drop(&guests.lock);
		return ERR_NOENT;
	}
	understood = !in_walk && !store_decode(cpu, hpa, &store);
	if (understood)
		store_perform(cpu, &store, phys_host(store.hpa, store.size));
	if (!understood || table_empty(root)) {
		unwatch(g);
		__atomic_store_n(&g->gone, true, __ATOMIC_SEQ_CST);
		forget_guest(g);
		hw_flush(cpu);
	}
	lock_drop(&guests.lock);
	return 0;
}

int guest_summary(unsigned int index, struct guest_summary *out)
{
	const struct guest *g = &guests.guest[index];
	struct exit_stats sum = {0};
	int err = ERR_NOENT;

	lock_take(&guests.lock);
	if (g->id) {
		sum = g->retired;
		for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
			if (guests.vcpu[i].guest == g)
				add_stats(&sum, &guests.vcpu[i].stats);
		*out = (struct guest_summary){g->id, g->root, g->vcpus, g->stop_reason, 0};
		for (size_t i = 0; i < EXIT_REASON_COUNT; i++)
			out->exits += sum.count[i];
		err = 0;
	}
	lock_drop(&guests.lock);
	return err;
}

int guest_exits(unsigned int index, enum exit_reason reason, uint64_t *count, uint64_t *cycles)
{
	const struct guest *g = &guests.guest[index];
	int err = ERR_NOENT;

	lock_take(&guests.lock);
	if (g->id) {
		*count = g->retired.count[reason];
		*cycles = g->retired.cycles[reason];
		for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
			if (guests.vcpu[i].guest != g)
				continue;
			*count += guests.vcpu[i].stats.count[reason];
			*cycles += guests.vcpu[i].stats.cycles[reason];
		}
		err = 0;
	}
	lock_drop(&guests.lock);
	return err;
}
