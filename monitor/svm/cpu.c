/* SPDX-License-Identifier: Apache-2.0 */
/* Brings SVM up on a CPU and sets L1's CPU to its architectural states. */
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/port.h"
#include "monitor/svm/svm.h"
#include "monitor/types.h"

#include "ept/host.h"

/* Segment attributes in the VMCB's packed form (APM volume 2, 15.5.1). */
#define ATTR_REAL_DATA 0x093
#define ATTR_REAL_CODE 0x09b
#define ATTR_LDT 0x082
#define ATTR_TSS 0x08b
#define ATTR_FLAT_DATA 0xc93
#define ATTR_FLAT_CODE 0xc9b

#define CPUID_SVM_ECX (1u << 2)    /* CPUID 80000001h */
#define CPUID_1GB_PAGES (1u << 26) /* CPUID 80000001h, EDX */
#define CPUID_ENCRYPTION 0x8000001fu
#define MSR_SYSCFG 0xc0010010u
#define DR6_INIT 0xffff0ff0
#define DR7_INIT 0x400

const char hw_name[8] = "svm";
const struct boot_option hw_options[] = {PROTECT_OPTION, {NULL, NULL}};
const uint8_t hw_hypercall_insn[3] = {0x0f, 0x01, 0xd9}; /* VMMCALL */

struct svm_features svm_features;

static uint8_t *host_msrpm;

int hw_check(const char **why)
{
	*why = "this CPU has no SVM: this image needs an AMD processor (or QEMU with -cpu max)";
	if (arch_cpuid(0x80000000, 0).a < CPUID_SVM ||
	    !(arch_cpuid(0x80000001, 0).c & CPUID_SVM_ECX))
		return ERR_NOSYS;
	*why = "SVM is switched off by the firmware: enable it in the firmware's set-up";
	if (arch_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return ERR_NOSYS;
	*why = "this CPU has no nested paging: it can not run the monitor (QEMU: -cpu max)";
	if (!(arch_cpuid(CPUID_SVM, 0).d & SVM_FEATURE_NP))
		return ERR_NOSYS;
	svm_features.edx = arch_cpuid(CPUID_SVM, 0).d;
	svm_features.asids = arch_cpuid(CPUID_SVM, 0).b;
	svm_features.phys_bits = (uint8_t)arch_cpuid(0x80000008, 0).a;
	*why = "this CPU has fewer than 4 ASIDs: it can not run the monitor";
	return svm_features.asids < 4 ? ERR_NOSYS : 0;
}

const struct mtrr *hw_table_types(bool *leaf_1g)
{
	*leaf_1g = arch_cpuid(0x80000001, 0).d & CPUID_1GB_PAGES;
	types_read(svm_features.phys_bits, false);
	return NULL;
}

unsigned int hw_address_bits(void)
{
	struct cpuid encryption = {0, 0, 0, 0};

	if (arch_cpuid(0x80000000, 0).a >= CPUID_ENCRYPTION)
		encryption = arch_cpuid(CPUID_ENCRYPTION, 0);
	return svm_address_bits(svm_features.phys_bits, encryption,
				encryption.a & 1 ? arch_rdmsr(MSR_SYSCFG) : 0);
}

struct hw_vcpu *hw_vcpu_create(void)
{
	struct hw_vcpu *v;
	uint8_t *page = mem_pages(7);

	/* One page each: record, VMCB; two for the MSR map, three for the port map. */
	v = (struct hw_vcpu *)page;
	v->vmcb = (struct vmcb *)(page + PAGE_SIZE);
	v->vmcb_hpa = mem_hpa(v->vmcb).a;
	v->msr = (struct permit_map){.bits = page + 2 * PAGE_SIZE, .size = MSRPM_BYTES};
	v->io = (struct permit_map){.bits = page + 4 * PAGE_SIZE, .size = IOPM_BYTES};
	return v;
}

static void init_controls(struct vmcb_control *c)
{
	c->intercept1 = INTERCEPT1(VMEXIT_NMI) | INTERCEPT1(VMEXIT_INIT) |
			INTERCEPT1(VMEXIT_CPUID) | INTERCEPT1(VMEXIT_INVD) |
			INTERCEPT1(VMEXIT_INVLPGA) | INTERCEPT1(VMEXIT_IOIO) |
			INTERCEPT1(VMEXIT_MSR) | INTERCEPT1(VMEXIT_SHUTDOWN);
	c->intercept2 = INTERCEPT2(VMEXIT_VMRUN) | INTERCEPT2(VMEXIT_VMMCALL) |
			INTERCEPT2(VMEXIT_VMLOAD) | INTERCEPT2(VMEXIT_VMSAVE) |
			INTERCEPT2(VMEXIT_SKINIT);
	c->msrpm_base = mem_hpa(host_msrpm).a;
	c->iopm_base = port_map().a;
	c->asid = ASID_HOST;
	c->nested_ctl = NESTED_CTL_NP;
	c->nested_cr3 = host_root().a;
}

void hw_cpu_prepare(struct cpu *cpu)
{
	struct hw_cpu *hw = mem_pages(1);

	if (!host_msrpm) {
		host_msrpm = mem_pages(2);
		svm_maps_host(host_msrpm);
		fpu_init();
	}
	cpu->hw = hw;
	hw->shown = mem_pages(1);
	hw->vmcb = mem_pages(1);
	hw->vmcb_hpa = mem_hpa(hw->vmcb).a;
	hw->host_save = mem_hpa(mem_pages(1)).a;
	tags_init(&hw->asids, ASID_HOST + 1, svm_features.asids);
}

void hw_cpu_enable(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	/* An INIT that a device sends becomes #SX where the CPU can do that (APM volume 2, 15.28). */
	msr_try_write(MSR_VM_CR, arch_rdmsr(MSR_VM_CR) | VM_CR_R_INIT);
	if (!(arch_rdmsr(MSR_VM_CR) & VM_CR_R_INIT))
		log_line("CPU %u: an INIT from a device would take it from the monitor",
			 cpu->index);
	arch_wrmsr(MSR_EFER, arch_rdmsr(MSR_EFER) | EFER_SVME);
	arch_wrmsr(MSR_VM_HSAVE_PA, hw->host_save);
	fpu_enable();
	__asm__ volatile("clgi");
	init_controls(&hw->vmcb->c);
	hw->vmcb->s.pat = arch_rdmsr(MSR_PAT);
	hw_host_reset(cpu);
}

void hw_cpu_disable(void)
{
	__asm__ volatile("stgi");
	arch_wrmsr(MSR_EFER, arch_rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
}

static struct vmcb_seg real_segment(uint16_t selector, uint64_t base, uint16_t attrib)
{
	return (struct vmcb_seg){selector, attrib, 0xffff, base};
}

void svm_reset_state(struct vmcb_save *s)
{
	s->cs = real_segment(0xf000, 0xffff0000, ATTR_REAL_CODE);
	s->ds = s->es = s->ss = s->fs = s->gs = real_segment(0, 0, ATTR_REAL_DATA);
	s->ldtr = real_segment(0, 0, ATTR_LDT);
	s->tr = real_segment(0, 0, ATTR_TSS);
	s->gdtr = s->idtr = real_segment(0, 0, 0);
	s->cpl = 0;
	s->efer = EFER_SVME;
	s->cr0 = CR0_ET;
	s->cr2 = s->cr3 = s->cr4 = 0;
	s->dr6 = DR6_INIT;
	s->dr7 = DR7_INIT;
	s->rflags = RFLAGS_FIXED;
	s->rip = 0xfff0;
	s->rsp = s->rax = 0;
	s->dbgctl = 0;
}

void hw_host_reset(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	struct vmcb_save *s = &hw->vmcb->s;
	uint64_t cache = s->cr0 & (CR0_CD | CR0_NW);

	ASSERT(!hw->running);
	fpu_give(cpu);
	svm_gif_reset(cpu);
	hw->svme = false;
	hw->nmi_masked = false;
	hw->nmi_hold = false;
	hw->vmcb->c.int_state = 0;
	hw->vmcb->c.event_inj = 0;
	hw->vmcb->c.exit_int_info = 0;
	hw->vmcb->c.intercept1 &= ~(INTERCEPT1(VMEXIT_IRET) | INTERCEPT1(VMEXIT_VINTR));
	svm_reset_state(s);
	s->cr0 |= cache;
	memset(&cpu->regs, 0, sizeof(cpu->regs));
	svm_load_regs(cpu);
	cpu->regs.r[RDX] = arch_cpuid(1, 0).a;
	__asm__ volatile("vmload %0" ::"a"(hw->vmcb_hpa) : "memory");
	hw_flush(cpu);
}

void hw_host_sipi(struct cpu *cpu, uint8_t vector)
{
	struct vmcb_save *s = &cpu->hw->vmcb->s;

	s->cs = real_segment((uint16_t)(vector << 8), (uint64_t)vector << 12, ATTR_REAL_CODE);
}

void hw_host_flat(struct cpu *cpu)
{
	struct vmcb_save *s = &cpu->hw->vmcb->s;
	struct vmcb_seg data = {0x18, ATTR_FLAT_DATA, UINT32_MAX, 0};

	s->cs = (struct vmcb_seg){0x10, ATTR_FLAT_CODE, UINT32_MAX, 0};
	s->ds = s->es = s->ss = s->fs = s->gs = data;
	s->cr0 = CR0_PE | CR0_ET;
	__asm__ volatile("vmload %0" ::"a"(cpu->hw->vmcb_hpa) : "memory");
}

void hw_host_space(const struct cpu *cpu, struct walk_space *space)
{
	svm_space(cpu, cpu->hw->vmcb, space);
}

enum decode_mode hw_host_mode(const struct cpu *cpu)
{
	return svm_mode(cpu->hw->vmcb);
}

uint64_t hw_host_segment(const struct cpu *cpu, unsigned int seg)
{
	return svm_segment(cpu->hw->vmcb, seg);
}

int hw_host_insn_len(struct cpu *cpu)
{
	return svm_insn_len(cpu, cpu->hw->vmcb);
}

void hw_host_complete(struct cpu *cpu, unsigned int len)
{
	cpu->regs.rip += len;
	if (hw_host_mode(cpu) != DECODE_64)
		cpu->regs.rip &= UINT32_MAX;
	cpu->hw->vmcb->c.int_state &= ~INT_STATE_SHADOW;
}

void hw_host_inject(struct cpu *cpu, unsigned int vector, uint32_t error_code)
{
	uint64_t event = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;

	if (vector == VECTOR_GP)
		event |= EVENT_ERROR_VALID | (uint64_t)error_code << 32;
	cpu->hw->vmcb->c.event_inj = event;
}

void hw_flush(struct cpu *cpu)
{
	tags_forget(&cpu->hw->asids);
	cpu->hw->asids.flush = true;
}
