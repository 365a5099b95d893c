/* SPDX-License-Identifier: Apache-2.0 */
/* exits.h for Intel. */
#include "tests/attack/l1/exits.h"

#include "lib/mem.h"

#define JUNK 0x4141414000ull
#define CR0_TOGGLED CR0_WP
#define CR4_TOGGLED 0x100u
#define MAP_WRITE 0x800u /* of low MSRs, in the MSR bitmap */

const struct hv_kind hv_kinds[KIND_COUNT] = {
	[KIND_OUT] = {"OUT", X_IO, 1},
	[KIND_IN] = {"IN", X_IO, 1},
	[KIND_CPUID] = {"CPUID", X_CPUID, 2},
	[KIND_HLT] = {"HLT", X_HLT, 1},
	[KIND_PAUSE] = {"PAUSE", X_PAUSE, 2},
	[KIND_WBINVD] = {"WBINVD", X_WBINVD, 2},
	[KIND_RDPMC] = {"RDPMC", X_RDPMC, 2},
	[KIND_RDMSR] = {"RDMSR", X_RDMSR, 2},
	[KIND_WRMSR] = {"WRMSR", X_WRMSR, 2},
	[KIND_CR0] = {"MOV to CR0", X_CR, 3},
	[KIND_CR4] = {"MOV to CR4", X_CR, 3},
	[KIND_MWAIT] = {"MWAIT", X_MWAIT, 3},
	[KIND_CALL] = {"hypercall", X_VMCALL, 3},
	[KIND_DEVICE] = {"load from a device", X_EPT_VIOLATION, 3},
	[KIND_FAULT] = {"EPT misconfiguration", X_EPT_MISCONFIGURATION, 0},
	[KIND_STEP] = {"#DB", X_EXCEPTION, 0},
	[KIND_XSETBV] = {"XSETBV", X_XSETBV, 3},
	[KIND_READ_CR3] = {"MOV from CR3", X_CR, 3},
	[KIND_WRITE_CR3] = {"MOV to CR3", X_CR, 3},
	[KIND_READ_DR7] = {"MOV from DR7", X_DR, 3},
	[KIND_WRITE_DR7] = {"MOV to DR7", X_DR, 3},
	[KIND_INVLPG] = {"INVLPG", X_INVLPG, 3},
	[KIND_SGDT] = {"SGDT", X_GDTR_IDTR, 4},
	[KIND_LIDT] = {"LIDT", X_GDTR_IDTR, 4},
	[KIND_RDRAND] = {"RDRAND", X_RDRAND, 4},
};

const uint64_t hv_exit_interrupt = X_INTERRUPT, hv_exit_over = X_TRIPLE_FAULT;

/* The bits of C_PROC and C_PROC2 for each. */
static const uint32_t proc[KIND_COUNT] = {
	[KIND_HLT] = PROC_HLT,
	[KIND_PAUSE] = PROC_PAUSE,
	[KIND_RDPMC] = PROC_RDPMC,
	[KIND_MWAIT] = PROC_MWAIT,
	[KIND_READ_CR3] = PROC_CR3_STORE,
	[KIND_WRITE_CR3] = PROC_CR3_LOAD,
	[KIND_READ_DR7] = PROC_MOV_DR,
	[KIND_WRITE_DR7] = PROC_MOV_DR,
	[KIND_INVLPG] = PROC_INVLPG,
};
static const uint32_t proc2[KIND_COUNT] = {
	[KIND_WBINVD] = PROC2_WBINVD,
	[KIND_SGDT] = PROC2_TABLES,
	[KIND_LIDT] = PROC2_TABLES,
	[KIND_RDRAND] = PROC2_RDRAND,
};

/* A bit in the VMCS that the CPU, or the monitor, does not offer is not set: the guest does it by itself. */
void hv_ask(struct guest *g, enum kind kind)
{
	if (kind == KIND_RDMSR)
		g->msr_map[SPARE_MSR / 8] |= (uint8_t)(1u << SPARE_MSR % 8);
	else if (kind == KIND_WRMSR)
		g->msr_map[MAP_WRITE + SPARE_MSR / 8] |= (uint8_t)(1u << SPARE_MSR % 8);
	else if (kind == KIND_CR0)
		set_bits(g, C_CR0_MASK, CR0_TOGGLED);
	else if (kind == KIND_CR4)
		set_bits(g, C_CR4_MASK, CR4_TOGGLED);
	else if (kind == KIND_STEP)
		set_bits(g, C_EXCEPTIONS, 1u << VEC_DB);
	if (proc[kind] && can(C_PROC, proc[kind]))
		set_bits(g, C_PROC, proc[kind]);
	if (proc2[kind] && can(C_PROC2, proc2[kind]))
		set_bits(g, C_PROC2, proc2[kind]);
}

void hv_system(struct guest *g, uint64_t out[HV_SYSTEM], uint32_t class)
{
	if (class == CLASS_CR2) {
		out[0] = read_cr2();
	} else if (class == CLASS_SYSCALL) {
		for (unsigned i = 0; i < 4; i++)
			out[i] = rdmsr(MSR_STAR + i);
		out[4] = rdmsr(MSR_KERNEL_GS_BASE);
	} else if (class == CLASS_BASES) {
		out[0] = get(g, G_FS_BASE);
		out[1] = get(g, G_GS_BASE);
	} else {
		out[0] = get(g, G_SYSENTER_ESP);
		out[1] = get(g, G_SYSENTER_EIP);
	}
}

void hv_context(const struct guest *g, struct hv_context *out)
{
	*out = (struct hv_context){get(g, G_GDTR_BASE), get(g, G_IDTR_BASE), get(g, G_CR3),
				   get(g, G_RSP),       get(g, G_RFLAGS),    read_dr6(),
				   get(g, G_DR7),       get(g, G_CS)};
}

void hv_set_system(struct guest *g, uint32_t class)
{
	if (class & CLASS_CR2)
		write_cr2(JUNK);
	for (unsigned i = 0; class & CLASS_SYSCALL && i < 3; i++)
		wrmsr(MSR_STAR + i, JUNK);
	if (class & CLASS_SYSCALL)
		wrmsr(MSR_KERNEL_GS_BASE, JUNK);
	if (class & CLASS_BASES) {
		put(g, G_FS_BASE, JUNK);
		put(g, G_GS_BASE, JUNK);
	}
	if (class & CLASS_SYSENTER) {
		put(g, G_SYSENTER_ESP, JUNK);
		put(g, G_SYSENTER_EIP, JUNK);
	}
}

static const enum field state[] = {GUEST_STATE_FIELDS};

bool hv_state_has_secret(const struct vm *vm)
{
	static const enum field more[] = {I_QUALIFICATION, I_LINEAR, I_GPA,    I_INFO,
					  G_PDPTE0,        G_PDPTE1, G_PDPTE2, G_PDPTE3};

	for (unsigned i = 0; i < ARRAY_SIZE(state) + ARRAY_SIZE(more); i++) {
		uint64_t value =
			get(&vm->g, i < ARRAY_SIZE(state) ? state[i] : more[i - ARRAY_SIZE(state)]);

		if (has_secret(vm, &value, sizeof(value)))
			return true;
	}
	return false;
}

void hv_inject(struct guest *g, uint32_t event, uint32_t error)
{
	put(g, C_EVENT, EVENT_VALID | event);
	put(g, C_EVENT_ERROR, error);
	put(g, C_EVENT_LENGTH, 2);
}

const uint32_t hv_closed_msr = 0;

void hv_open(struct guest *g)
{
	clear_bits(g, C_PROC, PROC_IO | PROC_IO_MAPS);
	memset(g->msr_map, 0, PAGE_SIZE);
}

void hv_enter_interruptible(struct vm *v)
{
	vm_enter(v);
}

void hv_set_interrupts(struct guest *g)
{
	set_bits(g, G_RFLAGS, FLAG_IF);
}

void hv_no_exceptions(struct guest *g)
{
	put(g, C_EXCEPTIONS, 0);
}

void hv_time_offset(struct guest *g, uint64_t offset)
{
	set_bits(g, C_PROC, PROC_TSC_OFFSET);
	put(g, C_TSC_OFFSET, offset);
}

void hv_ask_time(struct guest *g)
{
	set_bits(g, C_PROC, PROC_RDTSC);
}

void hv_snapshot(struct guest *g, void *page)
{
	for (unsigned i = 0; i < ARRAY_SIZE(state); i++)
		((uint64_t *)page)[i] = get(g, state[i]);
}

void hv_restore(struct guest *g, const void *page)
{
	for (unsigned i = 0; i < ARRAY_SIZE(state); i++)
		put(g, state[i], ((const uint64_t *)page)[i]);
}
