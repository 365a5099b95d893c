/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guest.h"

#include "ept/lock.h"
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/disks.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"

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
	size_t pages =
		ALIGN_UP(GUEST_VCPU_MAX * sizeof(struct disclosure), PAGE_SIZE) >> PAGE_SHIFT;
	struct disclosure *disclosures = mem_pages(pages);

	for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
		guests.vcpu[i].hw = hw_vcpu_create();
		fpu_create(&guests.vcpu[i].fpu);
		guests.vcpu[i].disclosure = &disclosures[i];
	}
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

/* Whether L1's next entry with its root is to be refused: else its pages see to that. */
static bool is_barred(const struct guest *g)
{
	return !g->isolated && g->stop_reason != STOP_NONE;
}

/* A dead guest that is nobody's any more. One that was stopped stays, for its reason, while there is room. */
static void free_if_gone(struct guest *g)
{
	if (g->state == GUEST_DEAD && !g->vcpus && !protect_pages(g) && g->stop_reason == STOP_NONE)
		*g = (struct guest){0};
}

/* Frees a vCPU record that has been taken. */
static void forget_vcpu(struct guest_vcpu *v)
{
	struct guest *g = v->guest;

	add_stats(&g->retired, &v->stats);
	window_close(&v->windows);
	disclose_forget(v);
	v->guest = NULL;
	g->vcpus--;
	free_if_gone(g);
}

/* Drops the guest's vCPU records, but those that are being used. */
static void forget_vcpus(struct guest *g)
{
	for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
		struct guest_vcpu *v = &guests.vcpu[i];

		if (v->guest != g || !try_take_as(v, FORGETTING))
			continue;
		forget_vcpu(v);
		__atomic_store_n(&v->cpu, 0, __ATOMIC_RELEASE);
	}
}

/* Who drops a record and who ends its guest both look for what is left to be forgotten. */
void guest_vcpu_drop(struct guest_vcpu *v)
{
	struct guest *g = v->guest;

	__atomic_store_n(&v->cpu, 0, __ATOMIC_SEQ_CST);
	if (!g || guest_state(g) != GUEST_DEAD)
		return;
	lock_take(&guests.lock);
	if (guest_state(g) == GUEST_DEAD)
		forget_vcpus(g);
	lock_drop(&guests.lock);
}

static uint64_t guest_used(const struct guest *g)
{
	uint64_t used = 0;

	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		if (guests.vcpu[i].guest == g && guests.vcpu[i].used > used)
			used = guests.vcpu[i].used;
	return used;
}

/* The guest that has this root, or that was stopped with it. */
static struct guest *find_guest(hpa_t root)
{
	for (size_t i = 0; i < GUEST_MAX; i++) {
		struct guest *g = &guests.guest[i];
		bool over = g->state >= GUEST_ENDING && !is_barred(g);

		if (g->state != GUEST_FREE && !over && g->root.a == root.a)
			return g;
	}
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

/* Whether its record may go although L1 may enter it again. */
static bool dispensable(const struct guest *g)
{
	return (g->state == GUEST_LIVE || g->state == GUEST_DEAD) && !protect_pages(g) &&
	       !in_use(g);
}

/* A free record, or that of the guest that has not run for the longest time. */
static struct guest *guest_place(void)
{
	struct guest *oldest = NULL;
	uint64_t oldest_used = UINT64_MAX;

	for (size_t i = 0; i < GUEST_MAX; i++) {
		struct guest *g = &guests.guest[i];
		uint64_t used = guest_used(g);

		if (g->state == GUEST_FREE)
			return g;
		if (used < oldest_used && dispensable(g)) {
			oldest = g;
			oldest_used = used;
		}
	}
	if (oldest) {
		forget_vcpus(oldest);
		if (oldest->vcpus)
			return NULL; /* taken meanwhile */
		*oldest = (struct guest){0};
	}
	return oldest;
}

static struct guest *guest_create(hpa_t root)
{
	struct guest *g = guest_place();

	if (!g)
		return NULL;
	g->id = ++guests.last_id;
	g->root = root;
	__atomic_store_n(&g->state, GUEST_LAUNCHING, __ATOMIC_RELEASE);
	return g;
}

static struct guest_vcpu *vcpu_place(const struct cpu *cpu)
{
	for (;;) {
		struct guest_vcpu *oldest = NULL;

		for (size_t i = 0; i < GUEST_VCPU_MAX; i++) {
			struct guest_vcpu *v = &guests.vcpu[i];

			if (__atomic_load_n(&v->cpu, __ATOMIC_ACQUIRE) ||
			    (v->guest && protect_pages(v->guest)))
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

static bool enterable(const struct guest *g)
{
	enum guest_state state = guest_state(g);

	return state >= GUEST_TAKEN && state <= GUEST_LIVE;
}

static bool belongs(const struct guest_vcpu *v, hpa_t root)
{
	return v->guest->root.a == root.a && enterable(v->guest);
}

/* Ties a record that this CPU has taken to the guest. */
static void bind(struct guest_vcpu *v, hpa_t key, struct guest *g)
{
	/* Field by field: cpu must not change for a moment, other CPUs try to take the record. */
	v->key = key;
	v->guest = g;
	v->fresh = true;
	v->entered = false;
	v->xen_id = UINT8_MAX;
	v->icr_target = 0;
	v->apic_id = STARTUP_UNKNOWN;
	v->nmi_lvt = 0;
	memset(&v->stats, 0, sizeof(v->stats));
	v->clock = (struct clock){.started = false};
	g->vcpus++;
}

static struct guest_vcpu *take_slow(struct cpu *cpu, hpa_t key, struct guest *g)
{
	struct guest_vcpu *v = find_vcpu(key);

	if (v) {
		if (!try_take(v, cpu))
			return NULL;
		if (v->guest == g)
			return v;
		if (protect_pages(v->guest)) { /* its vCPUs are its own (R19) */
			__atomic_store_n(&v->cpu, 0, __ATOMIC_SEQ_CST);
			return NULL;
		}
		forget_vcpu(v);
	} else {
		v = vcpu_place(cpu);
		if (!v)
			return NULL;
	}
	bind(v, key, g);
	return v;
}

/* Launches a guest that this CPU has just made a record of. */
static void launch(struct guest *g)
{
	const char *why = "";
	int err = protect_launch(g, &why);

	if (!err) {
		g->isolated = protect_pages(g);
		__atomic_store_n(&g->state, g->isolated ? GUEST_TAKEN : GUEST_LIVE,
				 __ATOMIC_RELEASE);
		return;
	}
	log_provoked("guest with root %lx not launched: %s", g->root.a, why);
	lock_take(&guests.lock);
	*g = (struct guest){0};
	lock_drop(&guests.lock);
}

/* The live guest with this root, with guests.lock held, or NULL without it. */
static struct guest *guest_get(hpa_t root, const char **why)
{
	bool launched = false;
	struct guest *g;

	for (;;) {
		lock_take(&guests.lock);
		g = find_guest(root);
		if (g && enterable(g))
			return g;
		if (!g && !launched) {
			g = guest_create(root);
			*why = "too many guests";
			launched = true;
			lock_drop(&guests.lock);
			if (!g)
				return NULL;
			launch(g);
			continue;
		}
		lock_drop(&guests.lock);
		if (!g || guest_state(g) != GUEST_LAUNCHING) {
			*why = g ? "the guest was stopped" : "the guest was not launched";
			return NULL;
		}
		phys_relax();
	}
}

struct guest_vcpu *guest_vcpu_take(struct cpu *cpu, hpa_t key, hpa_t root, const char **why)
{
	struct guest_vcpu *v = cpu->last_vcpu;
	struct guest *g;

	if (v && v->key.a == key.a && try_take(v, cpu)) {
		/* Only its user changes a record's key and guest, so this look is final. */
		if (v->guest && v->key.a == key.a && belongs(v, root)) {
			v->used = cpu->exit_tsc;
			cpu_meets(cpu, guest_number(v->guest));
			return v;
		}
		guest_vcpu_drop(v);
	}
	g = guest_get(root, why);
	if (!g)
		return NULL;
	v = take_slow(cpu, key, g);
	lock_drop(&guests.lock);
	*why = "the vCPU is in use on another CPU, or too many are in use";
	if (v) {
		v->used = arch_rdtsc();
		cpu->last_vcpu = v;
		cpu_meets(cpu, guest_number(v->guest));
	}
	return v;
}

void guest_space(const struct guest *g, struct walk_space *space)
{
	space->private = guest_isolated(g);
	space->guest = (uint8_t)guest_number(g);
	if (space->private)
		space->nested_root = g->root;
}

/* Without the lock: a guest that comes or goes meanwhile is flushed anyway. */
hpa_t guest_walked_for(hpa_t root)
{
	for (size_t i = 0; i < GUEST_MAX; i++)
		if (guests.guest[i].root.a == root.a && guest_isolated(&guests.guest[i]))
			return guests.guest[i].protection.table.walked;
	return HPA(0);
}

/* False: the guest is in another state. */
static bool change(struct guest *g, enum guest_state from, enum guest_state to)
{
	uint32_t state = from;

	return __atomic_compare_exchange_n(&g->state, &state, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* The guest is ENDING. */
static void finish(struct guest *g, enum stop_reason reason)
{
	static const char *const text[] = {
#define X(name, words) words,
		STOP_REASONS(X)
#undef X
	};

	g->stop_reason = reason;
	if (reason != STOP_NONE)
		log_provoked("guest %lu stopped: %s", g->id, text[reason]);
	phys_flush_guest(guest_number(g));
	protect_end(g);
	lock_take(&guests.lock);
	__atomic_store_n(&g->state, GUEST_DEAD, __ATOMIC_SEQ_CST);
	forget_vcpus(g);
	free_if_gone(g);
	lock_drop(&guests.lock);
}

/* L1 injects an event before there is anything that could expect one. */
static bool has_event(const struct cpu *cpu)
{
	struct hw_entry entry;

	hw_guest_entry(cpu, &entry);
	return entry.event.type != INJECTION_NONE;
}

/* The first vCPU that is ready has its state measured; others wait. */
static enum guest_entry measure(struct cpu *cpu, struct guest_vcpu *v)
{
	struct guest *g = v->guest;

	if (!change(g, GUEST_TAKEN, GUEST_MEASURING)) {
		phys_relax();
	} else if (!has_event(cpu) && !protect_measure(cpu, g)) {
		startup_first(v, g->protection.layout.vcpus);
		v->entered = change(g, GUEST_MEASURING, GUEST_LIVE);
	} else if (change(g, GUEST_MEASURING, GUEST_ENDING)) {
		finish(g, STOP_LAUNCH);
	}
	return GUEST_ENTRY_AGAIN;
}

enum guest_entry guest_enter(struct cpu *cpu, struct guest_vcpu *v)
{
	enum guest_state state = guest_state(v->guest);
	enum disclose_then then = DISCLOSE_THEN_ENTER;
	enum stop_reason why = STOP_NONE;

	if (state == GUEST_TAKEN || state == GUEST_MEASURING)
		return measure(cpu, v);
	if (disks_lease_over(v->guest)) {
		why = STOP_LEASE;
	} else if (guest_isolated(v->guest) && startup_begin(cpu, v)) {
		v->entered = true;
		disclose_forget(v); /* others may be served */
		why = has_event(cpu) ? STOP_EVENT : STOP_NONE;
		then = DISCLOSE_THEN_AGAIN;
	} else if (!v->entered && guest_isolated(v->guest)) {
		return GUEST_ENTRY_OVER;
	}
	if (state == GUEST_LIVE && why == STOP_NONE && then == DISCLOSE_THEN_ENTER)
		why = disclose_accept(cpu, v, &then);
	if (why == STOP_NONE && then == DISCLOSE_THEN_EXIT && guest_live(v->guest))
		return GUEST_ENTRY_EXIT;
	if (v->windows.count)
		window_close(&v->windows);
	if (why != STOP_NONE)
		guest_end(v->guest, why);
	if (why == STOP_NONE && then == DISCLOSE_THEN_AGAIN)
		return GUEST_ENTRY_AGAIN;
	return state == GUEST_LIVE && why == STOP_NONE ? GUEST_ENTRY_OK : GUEST_ENTRY_OVER;
}

void guest_end(struct guest *g, enum stop_reason reason)
{
	if (change(g, GUEST_LIVE, GUEST_ENDING) || change(g, GUEST_TAKEN, GUEST_ENDING))
		finish(g, reason);
}

void guest_over(struct guest_vcpu *v)
{
	if (v->entered && v->guest->isolated)
		guest_end(v->guest, STOP_ENTRY);
}

bool guest_asked(const struct guest *g, enum guestcall_effect effect, gpa_t gpa, gpa_t *from)
{
	if (!__atomic_load_n(&g->calls, __ATOMIC_ACQUIRE))
		return false;
	for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
		if (disclose_effect(&guests.vcpu[i], g, effect, gpa, from))
			return true;
	return false;
}

unsigned int guest_number(const struct guest *g)
{
	return (unsigned int)(g - guests.guest);
}

struct guest *guest_numbered(unsigned int number)
{
	ASSERT(number < GUEST_MAX);
	return &guests.guest[number];
}

void guest_pages_gone(struct guest *g, uint64_t n)
{
	lock_take(&guests.lock);
	g->protection.table.pages -= n;
	free_if_gone(g);
	lock_drop(&guests.lock);
}

/* Not those that L1 has torn down, although it has not touched all their pages yet. */
static bool is_listed(const struct guest *g)
{
	return g->state != GUEST_FREE && !(g->state >= GUEST_ENDING && g->stop_reason == STOP_NONE);
}

int guest_summary(unsigned int index, struct guest_summary *out)
{
	const struct guest *g = &guests.guest[index];
	struct exit_stats sum = {0};
	int err = ERR_NOENT;

	lock_take(&guests.lock);
	if (is_listed(g)) {
		sum = g->retired;
		for (size_t i = 0; i < GUEST_VCPU_MAX; i++)
			if (guests.vcpu[i].guest == g)
				add_stats(&sum, &guests.vcpu[i].stats);
		*out = (struct guest_summary){.id = g->id,
					      .root = g->root,
					      .vcpus = g->vcpus,
					      .state = g->state,
					      .stop_reason = g->stop_reason,
					      .isolated = guest_isolated(g)};
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
	if (is_listed(g)) {
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
