/* SPDX-License-Identifier: Apache-2.0 */
/* Brings VMX up on a CPU and sets L1's CPU to its architectural states. */
#include "ept/ept.h"
#include "ept/host.h"
#include "monitor/boot/tboot.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/types.h"
#include "monitor/port.h"
#include "monitor/vmx/vmx.h"

/* Segment access rights (SDM vol. 3, table 25-2). */
#define RIGHTS_FLAT_DATA 0xc093
#define RIGHTS_FLAT_CODE 0xc09b

#define CODE_SELECTOR 0x08
#define DATA_SELECTOR 0x10
#define TSS_SELECTOR 0x28 /* VM exit loads TR from the VMCS; no descriptor is ever read */

const char hw_name[8] = "vmx";
const struct boot_option hw_options[] = {PROTECT_OPTION,
					 {"no-vmcs-shadowing", &shadow_off},
					 {NULL, NULL}};
const uint8_t hw_hypercall_insn[3] = {0x0f, 0x01, 0xc1}; /* VMCALL */

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char vmx_exit[];

static uint64_t host_bitmap; /* hpa: MSRs that exit while L1 runs */

/* A TXT launch leaves the CPU in SMX operation: SDM vol. 3, 24.7. */
static uint64_t vmxon_feature(void)
{
	return tboot_found()->state == TBOOT_MEASURED ? FEATURE_VMXON_SMX : FEATURE_VMXON;
}

int hw_check(const char **why)
{
	static struct vmx_caps first;
	int err = caps_read(arch_cpuid, vmxon_feature(), why);

	if (err)
		return err;
	if (first.phys_bits && memcmp(&first, &hw_caps, sizeof(first))) {
		*why = "its VMX capabilities are others";
		return ERR_NOSYS;
	}
	first = hw_caps;
	return 0;
}

const struct mtrr *hw_table_types(bool *leaf_1g)
{
	*leaf_1g = hw_caps.ept_vpid & CAP_1G;
	ept_limits(hw_caps.ept_vpid & CAP_EXEC_ONLY, *leaf_1g);
	return types_read((uint8_t)hw_caps.phys_bits, true);
}

unsigned int hw_address_bits(void)
{
	bool encrypts = arch_cpuid(7, 0).c & CPUID_TME;

	return caps_address_bits((unsigned int)hw_caps.phys_bits,
				 encrypts ? arch_rdmsr(MSR_TME_ACTIVATE) : 0);
}

struct hw_vcpu *hw_vcpu_create(void)
{
	uint8_t *page = mem_pages(5);
	struct hw_vcpu *v = (struct hw_vcpu *)page;

	/* One page each: record, VMCS, MSR bitmap; two for the I/O bitmaps. */
	v->vmcs.hpa = mem_hpa(page + PAGE_SIZE).a;
	v->msr.bits = page + 2 * PAGE_SIZE;
	v->msr.size = PAGE_SIZE;
	v->msr_bitmap = mem_hpa(v->msr.bits).a;
	v->io.bits = page + 3 * PAGE_SIZE;
	v->io.size = 2 * PAGE_SIZE;
	v->io_bitmap = mem_hpa(v->io.bits).a;
	return v;
}

static uint64_t new_vmcs(void)
{
	return mem_hpa(mem_pages(1)).a;
}

void hw_cpu_prepare(struct cpu *cpu)
{
	size_t size = ALIGN_UP(sizeof(struct hw_cpu), PAGE_SIZE) / PAGE_SIZE;
	struct hw_cpu *hw = mem_pages(size);

	if (!host_bitmap) {
		uint8_t *bitmap = mem_pages(1);

		maps_host(bitmap);
		host_bitmap = mem_hpa(bitmap).a;
		fpu_init();
		vmx_regs_init();
	}
	cpu->hw = hw;
	hw->vmxon_hpa = new_vmcs();
	hw->l1.hpa = new_vmcs();
	hw->current.hpa = NO_VMCS;
	tags_init(&hw->vpids, VPID_HOST + 1, VPID_COUNT);
	shadow_create(hw);
}

uint64_t vmx_read_cr(unsigned int number)
{
	uint64_t v;

	if (number == 0)
		__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	else if (number == 3)
		__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	else
		__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

/* What an exit loads: the same for L1's VMCS and for guests', and fixed for this CPU. */
void vmx_write_host_state(void)
{
	struct table_pointer gdtr, idtr;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	vmx_write(VMCS_HOST_CR0, vmx_read_cr(0));
	vmx_write(VMCS_HOST_CR3, vmx_read_cr(3));
	vmx_write(VMCS_HOST_CR4, vmx_read_cr(4));
	vmx_write(VMCS_HOST_CS_SELECTOR, CODE_SELECTOR);
	vmx_write(VMCS_HOST_SS_SELECTOR, DATA_SELECTOR);
	vmx_write(VMCS_HOST_DS_SELECTOR, DATA_SELECTOR);
	vmx_write(VMCS_HOST_ES_SELECTOR, DATA_SELECTOR);
	vmx_write(VMCS_HOST_FS_SELECTOR, 0);
	vmx_write(VMCS_HOST_GS_SELECTOR, 0);
	vmx_write(VMCS_HOST_TR_SELECTOR, TSS_SELECTOR);
	vmx_write(VMCS_HOST_FS_BASE, 0);
	vmx_write(VMCS_HOST_GS_BASE, 0);
	vmx_write(VMCS_HOST_TR_BASE, 0);
	vmx_write(VMCS_HOST_GDTR_BASE, gdtr.base);
	vmx_write(VMCS_HOST_IDTR_BASE, idtr.base);
	vmx_write(VMCS_HOST_SYSENTER_CS, 0);
	vmx_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmx_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmx_write(VMCS_HOST_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	vmx_write(VMCS_HOST_PAT, arch_rdmsr(MSR_PAT));
	vmx_write(VMCS_HOST_RIP, (uint64_t)vmx_exit);
}

/* Nothing of it exits by itself, or hands anything over: the rest is 0. */
void vmx_write_neutral_controls(void)
{
	vmx_write(VMCS_EXCEPTION_BITMAP, 0);
	vmx_write(VMCS_PF_ERROR_MASK, 0);
	vmx_write(VMCS_PF_ERROR_MATCH, 0);
	vmx_write(VMCS_CR3_TARGET_COUNT, 0);
	vmx_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmx_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmx_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmx_write(VMCS_ENTRY_EVENT, 0);
	vmx_write(VMCS_LINK_POINTER, NO_VMCS);
	vmx_write(VMCS_EXIT_CONTROLS, hw_caps.exit.must | EXIT_SAVE_DEBUG | EXIT_HOST_64 |
					      EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
					      EXIT_LOAD_EFER);
	vmx_write(VMCS_ENTRY_CONTROLS,
		  hw_caps.entry.must | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
}

/* Instructions that are undefined unless a control allows them. */
#define CPU2_ALLOW (CPU2_RDTSCP | CPU2_INVPCID | CPU2_XSAVES | CPU2_USER_WAIT)

static void init_l1_controls(void)
{
	vmx_write_neutral_controls();
	vmx_write(VMCS_PIN_CONTROLS, hw_caps.pin.must | PIN_NMI | PIN_VIRTUAL_NMI);
	vmx_write(VMCS_CPU_CONTROLS,
		  hw_caps.cpu.must | CPU_MSR_BITMAPS | CPU_IO_BITMAPS | CPU_SECONDARY);
	vmx_write(VMCS_CPU2_CONTROLS, hw_caps.cpu2.must | CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED |
					      (hw_caps.cpu2.may & (CPU2_ALLOW | CPU2_ENCLS)));
	vmx_write(VMCS_MSR_BITMAP, host_bitmap);
	vmx_write(VMCS_IO_BITMAP_A, port_map().a);
	vmx_write(VMCS_IO_BITMAP_B, port_map().a + PAGE_SIZE);
	vmx_write(VMCS_EPT_POINTER, host_root().a | EPTP_WB | EPTP_LEVELS_4);
	vmx_write(VMCS_VPID, VPID_HOST);
	vmx_write(VMCS_CR4_MASK, hw_caps.cr4_must | ~l1_caps.cr4_may);
	if (hw_caps.cpu2.may & CPU2_ENCLS)
		vmx_write(VMCS_ENCLS_EXITING, UINT64_MAX);
	if (field_exists(F_XSS_EXITING))
		vmx_write(VMCS_XSS_EXITING, 0);
}

static void prepare_registers(void)
{
	uint64_t cr4 = vmx_read_cr(4) | hw_caps.cr4_must;
	uint64_t feature = arch_rdmsr(MSR_FEATURE_CONTROL);

	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
	fpu_enable(); /* for L1's XSETBV, too */
	__asm__ volatile("mov %0, %%cr0" ::"r"(vmx_read_cr(0) | hw_caps.cr0_must));
	if (!(feature & FEATURE_LOCKED))
		arch_wrmsr(MSR_FEATURE_CONTROL,
			   feature | FEATURE_LOCKED | FEATURE_VMXON | vmxon_feature());
}

static void set_revision(uint64_t hpa)
{
	*(uint32_t *)mem_at(HPA(hpa)) = (uint32_t)arch_rdmsr(MSR_VMX_BASIC) & 0x7fffffffu;
}

void vmx_vmcs_init(struct vmcs *v)
{
	memset(mem_at(HPA(v->hpa)), 0, PAGE_SIZE);
	set_revision(v->hpa);
	vmx_clear(v);
}

/* Whether the hardware has this field; a VMCS is current. */
static bool field_in_hardware(uint64_t encoding)
{
	uint64_t value;
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(value) : "r"(encoding) : "cc");
	return !failed;
}

void hw_cpu_enable(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	bool failed;

	prepare_registers();
	set_revision(hw->vmxon_hpa);
	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(hw->vmxon_hpa) : "cc", "memory");
	ASSERT(!failed);
	vmx_vmcs_init(&hw->l1);
	vmx_load(&hw->l1);
	/* CPUs start one after the other. */
	fields_init(field_in_hardware);
	reflect_init();
	vmx_write_host_state();
	init_l1_controls();
	shadow_enable(hw);
	vmx_write(VMCS_GUEST_PAT, arch_rdmsr(MSR_PAT));
	hw_host_reset(cpu);
}

void hw_cpu_disable(void)
{
	__asm__ volatile("vmxoff" ::: "cc", "memory");
	__asm__ volatile("mov %0, %%cr4" ::"r"(vmx_read_cr(4) & ~(uint64_t)CR4_VMXE));
}

void hw_host_reset(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	ASSERT(!hw->running);
	fpu_give(cpu);
	if (hw->current.hpa != NO_VMCS)
		current_store(cpu);
	hw->vmxon = false;
	shadow_switch(hw, false);
	vmx_reset_state();
	vmx_write(VMCS_ENTRY_EVENT, 0);
	memset(&cpu->regs, 0, sizeof(cpu->regs));
	cpu->regs.rip = 0xfff0;
	cpu->regs.rflags = RFLAGS_FIXED;
	cpu->regs.r[RDX] = arch_cpuid(1, 0).a;
	__asm__ volatile("mov %0, %%cr2" ::"r"(0ul));
	hw_flush(cpu);
}

void hw_host_sipi(struct cpu *cpu, uint8_t vector)
{
	(void)cpu;
	vmx_sipi_state(vector);
}

void hw_host_flat(struct cpu *cpu)
{
	(void)cpu;
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		vmx_set_segment(i, 0x18, 0, UINT32_MAX, RIGHTS_FLAT_DATA);
	vmx_set_segment(SEG_CS, 0x10, 0, UINT32_MAX, RIGHTS_FLAT_CODE);
	vmx_write(VMCS_GUEST_CR0, vmx_read(VMCS_GUEST_CR0) | CR0_PE);
}

/* L1's translations through the host table, and guests' through theirs. */
void hw_flush(struct cpu *cpu)
{
	(void)cpu;
	ASSERT(vmx_invept(INV_ALL, 0));
}
