/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's current VMCS. While it is current it is here, and L1 reaches it by VMREAD and VMWRITE alone.
 * Otherwise it lies in L1's own memory, in this layout; what L1 does to it there is as if it had
 * been done by VMWRITE, because every field is checked at each entry.
 */
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/lib.h"
#include "monitor/vmx/vmx.h"

struct region {
	uint32_t revision;
	uint32_t abort;
	uint32_t launched;
	uint32_t reserved;
	uint64_t f[FIELD_COUNT];
};

_Static_assert(sizeof(struct region) <= PAGE_SIZE, "IA32_VMX_BASIC says 4 KiB");

/* Memory that L1 may not write by itself is not written for it either: then the copy is lost. */
static struct region *region_at(uint64_t hpa)
{
	return phys_host_rw(HPA(hpa), sizeof(struct region));
}

void region_clear(uint64_t hpa)
{
	struct region *r = region_at(hpa);

	if (r)
		r->launched = false;
}

bool current_load(struct cpu *cpu, uint64_t hpa)
{
	struct l1_vmcs *current = &cpu->hw->current;
	const struct region *r = phys_host(HPA(hpa), sizeof(*r));

	if (!r)
		return false;
	if (current->hpa != NO_VMCS)
		current_store(cpu);
	current->hpa = hpa;
	current->launched = r->launched;
	memcpy(current->f, r->f, sizeof(current->f));
	memset(&current->dirty, 0xff, sizeof(current->dirty));
	memset(&current->stale, 0, sizeof(current->stale));
	/* No field is wider than a VMWRITE could have made it. */
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		current->f[i] = field_set_value(field_encoding[i], 0, current->f[i]);
	shadow_show(cpu->hw);
	shadow_switch(cpu->hw, true);
	return true;
}

/* Fields that are newer in the VMCS that ran. */
static void fetch_stale(struct cpu *cpu)
{
	struct l1_vmcs *current = &cpu->hw->current;

	if (set_next(&current->stale, -1) < 0)
		return;
	vmx_load(&cpu->hw->held->hw->vmcs);
	for (int i = -1; (i = set_next(&current->stale, i)) >= 0;)
		current->f[i] = vmx_read(field_encoding[i]);
	vmx_load(&cpu->hw->l1);
	memset(&current->stale, 0, sizeof(current->stale));
}

void current_release(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->held;

	if (!v)
		return;
	fetch_stale(cpu);
	memset(&cpu->hw->current.dirty, 0xff, sizeof(cpu->hw->current.dirty));
	vmx_clear(&v->hw->vmcs);
	cpu->hw->held = NULL;
	guest_vcpu_drop(v);
}

void current_store(struct cpu *cpu)
{
	struct l1_vmcs *current = &cpu->hw->current;
	struct region *r = region_at(current->hpa);

	shadow_collect(cpu->hw);
	shadow_switch(cpu->hw, false);
	current_release(cpu);
	if (r) {
		r->launched = current->launched;
		memcpy(r->f, current->f, sizeof(r->f));
	}
	current->hpa = NO_VMCS;
}

uint64_t current_read(struct cpu *cpu, unsigned int field)
{
	struct l1_vmcs *current = &cpu->hw->current;

	if (set_has(&current->stale, field)) {
		vmx_load(&cpu->hw->held->hw->vmcs);
		current->f[field] = vmx_read(field_encoding[field]);
		vmx_load(&cpu->hw->l1);
		set_drop(&current->stale, field);
	}
	return current->f[field];
}

void current_write(struct cpu *cpu, unsigned int field, uint64_t value)
{
	struct l1_vmcs *current = &cpu->hw->current;

	current->f[field] = value;
	set_drop(&current->stale, field);
	set_add(&current->dirty, field);
}
