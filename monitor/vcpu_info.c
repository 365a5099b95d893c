/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/vcpu_info.h"

#include "ept/phys.h"
#include "monitor/guest.h"
#include "monitor/lib.h"

/* Xen's public xen.h; the guest's event masks and the rest of it mean nothing to an HVM or PVH guest. */
struct info {
	uint8_t pending;
	uint8_t mask;
	uint8_t pad[6];
	uint64_t selector; /* a bit for each word of pending channels */
	uint64_t arch[2];
	struct {
		uint32_t version; /* odd while Xen is writing */
		uint32_t words[7];
	} time;
};
_Static_assert(sizeof(struct info) == VCPU_INFO_BYTES, "struct vcpu_info");

int vcpu_info_register(struct vcpu_infos *infos, uint32_t vcpu, gpa_t gpa)
{
	if (vcpu >= VCPU_INFO_MAX || page_offset(gpa.a) > PAGE_SIZE - VCPU_INFO_BYTES)
		return ERR_INVAL;
	infos->at[vcpu].gpa = gpa;
	return 0;
}

/* NULL: the guest's table does not have it there, or not as a page of that kind. */
static void *find(const struct guest *g, struct info_place *place, enum owner_kind kind)
{
	struct walk_space space = {.nested = true, .nested_root = g->root, .phys_bits = 52};
	owner_t its = owner_word(kind, guest_number(g), place->gpa);
	hpa_t page = HPA(__atomic_load_n(&place->page.a, __ATOMIC_RELAXED));
	struct walk_result at;

	if (!place->gpa.a)
		return NULL;
	if (owner_of(page).w != its.w) {
		guest_space(g, &space);
		if (walk_gpa(&space, place->gpa, 0, &at) || owner_of(at.hpa).w != its.w)
			return NULL;
		page = HPA(ALIGN_DOWN(at.hpa.a, PAGE_SIZE));
		__atomic_store_n(&place->page.a, page.a, __ATOMIC_RELAXED);
	}
	return (char *)phys_at(page) + page_offset(place->gpa.a);
}

static bool find_both(struct guest *g, unsigned int id, struct info **xens, struct info **guests)
{
	struct vcpu_infos *infos = &g->protection.infos;
	struct info *shared;

	if (id >= VCPU_INFO_MAX)
		return false;
	shared = find(g, &infos->shared, OWNER_SHARED);
	*xens = shared ? &shared[id] : NULL;
	*guests = find(g, &infos->at[id], OWNER_GUEST);
	return *xens && *guests;
}

/* As the guest itself would read it, in one try: it is done again at the next entry. */
static void copy_time(struct info *to, const struct info *from)
{
	uint32_t version = __atomic_load_n(&from->time.version, __ATOMIC_ACQUIRE);
	struct info copy;

	if (version == to->time.version || (version & 1))
		return;
	memcpy(&copy.time, &from->time, sizeof(copy.time));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&from->time.version, __ATOMIC_RELAXED) != version)
		return;
	copy.time.version = version;
	to->time = copy.time;
}

/* Xen finds no event pending while the guest runs, so that the next one makes it interrupt the guest. */
void vcpu_info_enter(struct guest_vcpu *v, unsigned int id)
{
	struct info *xens, *guests;

	if (!find_both(v->guest, id, &xens, &guests))
		return;
	if (__atomic_load_n(&xens->selector, __ATOMIC_RELAXED))
		__atomic_or_fetch(&guests->selector,
				  __atomic_exchange_n(&xens->selector, 0, __ATOMIC_ACQ_REL),
				  __ATOMIC_RELEASE);
	if (__atomic_load_n(&xens->pending, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&xens->pending, 0, __ATOMIC_ACQ_REL))
		__atomic_store_n(&guests->pending, 1, __ATOMIC_RELEASE);
	copy_time(guests, xens);
}

/* What the guest has not taken yet is pending for Xen, too. */
void vcpu_info_exit(struct guest_vcpu *v, unsigned int id)
{
	struct info *xens, *guests;

	if (find_both(v->guest, id, &xens, &guests) &&
	    __atomic_load_n(&guests->pending, __ATOMIC_ACQUIRE))
		__atomic_store_n(&xens->pending, 1, __ATOMIC_RELEASE);
}
