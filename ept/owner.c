/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/owner.h"

static struct {
	owner_t *table;
	uint64_t pages;
	uint64_t taken; /* atomic */
} owners;

void owner_init(owner_t *table, uint64_t pages)
{
	owners.table = table;
	owners.pages = pages;
}

void owner_set(uint64_t start, uint64_t end, enum owner_kind kind)
{
	uint64_t last = end >> PAGE_SHIFT;

	for (uint64_t i = ALIGN_UP(start, PAGE_SIZE) >> PAGE_SHIFT; i < last; i++)
		if (i < owners.pages)
			owners.table[i] = OWNER_WORD(kind);
}

owner_t owner_of(hpa_t hpa)
{
	uint64_t i = hpa.a >> PAGE_SHIFT;

	if (i >= owners.pages)
		return OWNER_WORD(OWNER_NONE);
	return (owner_t){__atomic_load_n(&owners.table[i].w, __ATOMIC_ACQUIRE)};
}

bool owner_all(hpa_t hpa, uint64_t len, unsigned int kinds)
{
	uint64_t last = hpa.a + (len ? len - 1 : 0);

	if (last < hpa.a)
		return false;
	for (uint64_t a = ALIGN_DOWN(hpa.a, PAGE_SIZE); a <= last; a += PAGE_SIZE)
		if (!(1u << owner_kind(owner_of(HPA(a))) & kinds))
			return false;
	return true;
}

bool owner_all_or_guest(hpa_t hpa, uint64_t len, unsigned int kinds, unsigned int guest)
{
	uint64_t last = hpa.a + (len ? len - 1 : 0);

	if (last < hpa.a)
		return false;
	for (uint64_t a = ALIGN_DOWN(hpa.a, PAGE_SIZE); a <= last; a += PAGE_SIZE) {
		owner_t o = owner_of(HPA(a));
		bool own = owner_kind(o) == OWNER_GUEST && owner_guest(o) == guest;

		if (!own && !(1u << owner_kind(o) & kinds))
			return false;
	}
	return true;
}

bool owner_change(hpa_t page, owner_t from, owner_t to)
{
	uint64_t i = page.a >> PAGE_SHIFT;

	if (i >= owners.pages ||
	    !__atomic_compare_exchange_n(&owners.table[i].w, &from.w, to.w, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	if (owner_kind(from) == OWNER_HOST)
		__atomic_add_fetch(&owners.taken, 1, __ATOMIC_RELEASE);
	return true;
}

uint64_t owner_taken(void)
{
	return __atomic_load_n(&owners.taken, __ATOMIC_ACQUIRE);
}

/* The i-th page of a run. */
static hpa_t nth(hpa_t page, uint64_t i)
{
	return HPA(page.a + (i << PAGE_SHIFT));
}

static owner_t guests(unsigned int guest, gpa_t gpa, uint64_t i)
{
	return owner_word(OWNER_GUEST, guest, GPA(gpa.a + (i << PAGE_SHIFT)));
}

bool owner_take(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa)
{
	uint64_t i = 0;

	while (i < n && owner_change(nth(page, i), OWNER_WORD(OWNER_HOST), guests(guest, gpa, i)))
		i++;
	if (i == n)
		return true;
	while (i--)
		owner_change(nth(page, i), guests(guest, gpa, i), OWNER_WORD(OWNER_HOST));
	return false;
}

void owner_hold(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa)
{
	for (uint64_t i = 0; i < n; i++)
		owner_change(nth(page, i), guests(guest, gpa, i), OWNER_WORD(OWNER_BUSY));
}

void owner_unhold(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa)
{
	for (uint64_t i = 0; i < n; i++)
		owner_change(nth(page, i), OWNER_WORD(OWNER_BUSY), guests(guest, gpa, i));
}

void owner_give(hpa_t page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		owner_change(nth(page, i), OWNER_WORD(OWNER_BUSY), OWNER_WORD(OWNER_HOST));
}

bool owner_is_guest(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa)
{
	for (uint64_t i = 0; i < n; i++)
		if (owner_of(nth(page, i)).w != guests(guest, gpa, i).w)
			return false;
	return true;
}
