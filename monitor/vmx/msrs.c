/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's MSR lists (SDM vol. 3, 27.4 and 28.4), carried out in software: the hardware gets none, so
 * that no list can name an MSR of the monitor's (R18). An MSR that the VMCS switches is a field of
 * the current one.
 */
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/lib.h"
#include "monitor/msr.h"
#include "monitor/vmx/vmx.h"

#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_SMM_MONITOR 0x9bu
/* Loads microcode from a linear address: here it would be one of the monitor's. */
#define MSR_MICROCODE_UPDATE 0x79u
#define MSR_MICROCODE_VERSION 0x8bu
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

struct msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

static const struct {
	uint32_t msr;
	uint16_t field;
} in_vmcs[] = {
	{MSR_EFER, VMCS_GUEST_EFER},       {MSR_PAT, VMCS_GUEST_PAT},
	{0x174, VMCS_GUEST_SYSENTER_CS},   {0x175, VMCS_GUEST_SYSENTER_ESP},
	{0x176, VMCS_GUEST_SYSENTER_EIP},  {MSR_DEBUGCTL, VMCS_GUEST_DEBUGCTL},
	{MSR_FS_BASE, VMCS_GUEST_FS_BASE}, {MSR_GS_BASE, VMCS_GUEST_GS_BASE},
};

static const uint16_t *field_of(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_vmcs); i++)
		if (in_vmcs[i].msr == msr)
			return &in_vmcs[i].field;
	return NULL;
}

static bool never(uint32_t msr)
{
	return (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) || msr == MSR_SMM_MONITOR ||
	       msr == MSR_MICROCODE_UPDATE || msr == MSR_MICROCODE_VERSION;
}

/* What is an isolated guest's is not in lists: L1 reads what it may see, and its writes do not count. */
static bool is_closed(const struct cpu *cpu)
{
	const struct guest_vcpu *v = cpu->hw->running;

	return v && v->guest->isolated;
}

static int load(struct cpu *cpu, const struct msr_entry *e)
{
	const uint16_t *field = field_of(e->index);

	if (e->reserved || never(e->index) || e->index == MSR_FS_BASE || e->index == MSR_GS_BASE)
		return ERR_INVAL;
	if (!field)
		return msr_write(cpu, e->index, e->value);
	/* VM entry checks PAT and DEBUGCTL; EFER is compared with the mode, and must not change it. */
	if (e->index == MSR_EFER &&
	    ((e->value & ~(uint64_t)EFER_DEFINED) ||
	     ((e->value ^ vmx_read(VMCS_GUEST_EFER)) & (EFER_LME | EFER_LMA))))
		return ERR_INVAL;
	if (!is_closed(cpu))
		vmx_write(*field, e->index == MSR_DEBUGCTL ? e->value & DEBUGCTL_BTF : e->value);
	return 0;
}

static int store(struct cpu *cpu, struct msr_entry *e)
{
	const uint16_t *field = field_of(e->index);

	if (e->reserved || never(e->index))
		return ERR_INVAL;
	if (!field)
		return msr_read(cpu, e->index, &e->value);
	e->value = is_closed(cpu) ? cpu->hw->current.f[field_find(*field)] : vmx_read(*field);
	return 0;
}

/* Entry i of a list, or NULL: check.c has looked at the whole list before the guest ran. */
static const struct msr_entry *entry_at(uint64_t list, uint64_t i)
{
	return phys_host(HPA(list + i * sizeof(struct msr_entry)), sizeof(struct msr_entry));
}

uint32_t msrs_load(struct cpu *cpu, uint64_t list, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const struct msr_entry *at = entry_at(list, i);
		struct msr_entry e = {0, 1, 0};

		if (at)
			memcpy(&e, at, sizeof(e));
		__asm__ volatile("" ::: "memory");
		if (load(cpu, &e))
			return (uint32_t)i + 1;
	}
	return 0;
}

uint32_t msrs_store(struct cpu *cpu, uint64_t list, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct msr_entry *at = phys_host_rw(HPA(list + i * sizeof(*at)), sizeof(*at));
		struct msr_entry e = {0, 1, 0};

		if (at)
			memcpy(&e, at, sizeof(e));
		__asm__ volatile("" ::: "memory");
		if (store(cpu, &e))
			return (uint32_t)i + 1;
		at->value = e.value;
	}
	return 0;
}
