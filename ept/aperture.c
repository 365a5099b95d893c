/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/aperture.h"

#include "ept/phys.h"

static void set(hpa_t table, unsigned int i, uint64_t value)
{
	__atomic_store_n(&phys_table(table)[i], value, __ATOMIC_RELEASE);
}

static void free_table(hpa_t *table)
{
	if (table->a)
		phys_table_free(*table);
	*table = HPA(0);
}

void aperture_close(struct aperture *a)
{
	free_table(&a->upper);
	free_table(&a->slots);
	free_table(&a->nobodys);
}

int aperture_open(struct aperture *a, struct guest_table *t, gpa_t gpa, hpa_t page)
{
	int err = phys_table_alloc(&a->upper);

	if (!err)
		err = phys_table_alloc(&a->slots);
	if (!err)
		err = phys_table_alloc(&a->nobodys);
	if (!err) {
		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			set(a->nobodys, i, table_leaf(page, 1, TABLE_R | TABLE_W, table_format.wb));
		set(a->upper, 0, table_entry(a->slots));
		err = guest_table_add(t, gpa, a->upper);
	}
	if (err)
		aperture_close(a);
	return err;
}

bool aperture_is_free(const struct aperture *a, unsigned int slot, unsigned int n)
{
	const uint64_t *slots = phys_table(a->slots);

	if (slot >= APERTURE_SLOTS || n > APERTURE_SLOTS - slot)
		return false;
	for (unsigned int i = slot; i < slot + n; i++)
		if (slots[i])
			return false;
	return true;
}

void aperture_map(struct aperture *a, unsigned int slot, const hpa_t *table, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		set(a->slots, slot + i, table_entry(table[i]));
}

void aperture_leave(struct aperture *a, unsigned int slot, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		set(a->slots, slot + i, table_entry(a->nobodys));
}

void aperture_clear(struct aperture *a, unsigned int slot, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		set(a->slots, slot + i, 0);
}

bool aperture_has(const struct aperture *a, uint64_t offset)
{
	uint64_t slot;

	if (!a->upper.a || offset >= table_span(3))
		return false;
	slot = phys_table(a->slots)[table_index(2, offset)];
	return table_present(slot) &&
	       table_present(phys_table(table_hpa(slot, 2))[table_index(1, offset)]);
}
