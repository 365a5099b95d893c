/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the instruction that L1 or L2 is at. L1 is promised next-RIP and decode assists (APM volume
 * 2, 15.7.1 and 15.10); where the hardware has neither, they are computed here.
 */
#include "ept/host.h"
#include "monitor/lib.h"
#include "monitor/svm/svm.h"

#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define ATTR_LONG (1u << 9)
#define ATTR_DEFAULT (1u << 10)

void svm_space(const struct cpu *cpu, const struct vmcb *vmcb, struct walk_space *space)
{
	const struct guest_vcpu *v = cpu->hw->running;
	bool host = vmcb->c.nested_cr3 == host_root().a;

	*space = (struct walk_space){
		.cr0 = vmcb->s.cr0,
		.cr3 = vmcb->s.cr3,
		.cr4 = vmcb->s.cr4,
		.efer = vmcb->s.efer,
		.nested = !host,
		.nested_root = HPA(host ? 0 : vmcb->c.nested_cr3 & PAGE_MASK),
		.cpl = vmcb->s.cpl,
		.phys_bits = svm_features.phys_bits,
	};
	if (v && vmcb == v->hw->vmcb)
		guest_space(v->guest, space);
}

enum decode_mode svm_mode(const struct vmcb *vmcb)
{
	if (!(vmcb->s.cr0 & CR0_PE) || (vmcb->s.rflags & RFLAGS_VM))
		return DECODE_16;
	if ((vmcb->s.efer & EFER_LMA) && (vmcb->s.cs.attrib & ATTR_LONG))
		return DECODE_64;
	return vmcb->s.cs.attrib & ATTR_DEFAULT ? DECODE_32 : DECODE_16;
}

/* FS and GS are in the CPU, since VMRUN leaves them alone. */
uint64_t svm_segment(const struct vmcb *vmcb, unsigned int seg)
{
	const struct vmcb_seg *const in_vmcb[] = {&vmcb->s.es, &vmcb->s.cs, &vmcb->s.ss,
						  &vmcb->s.ds};

	if (seg >= SEG_FS)
		return arch_rdmsr(seg == SEG_FS ? MSR_FS_BASE : MSR_GS_BASE);
	return svm_mode(vmcb) == DECODE_64 ? 0 : in_vmcb[seg]->base;
}

static size_t fetch(const struct cpu *cpu, const struct vmcb *vmcb, enum decode_mode mode,
		    uint8_t bytes[DECODE_MAX])
{
	uint64_t base = mode == DECODE_64 ? 0 : vmcb->s.cs.base;
	struct walk_space space;

	svm_space(cpu, vmcb, &space);
	return walk_fetch(&space, GVA(base + vmcb->s.rip), bytes, DECODE_MAX);
}

int svm_decode(const struct cpu *cpu, const struct vmcb *vmcb, struct decode_insn *insn)
{
	enum decode_mode mode = svm_mode(vmcb);
	uint8_t bytes[DECODE_MAX];
	size_t n = fetch(cpu, vmcb, mode, bytes);

	return decode(bytes, n, mode, insn);
}

int svm_insn_len(const struct cpu *cpu, struct vmcb *vmcb)
{
	enum decode_mode mode = svm_mode(vmcb);
	uint8_t bytes[DECODE_MAX];
	uint64_t known;
	int len;

	/* An IN or OUT has told (APM volume 2, 15.10.2). */
	if (vmcb->c.exit_code == VMEXIT_IOIO && !svm_has(SVM_FEATURE_NRIPS))
		vmcb->c.next_rip = vmcb->c.exit_info2;
	known = vmcb->c.next_rip - vmcb->s.rip;
	if (known && known <= DECODE_MAX)
		return (int)known;
	len = decode_length(bytes, fetch(cpu, vmcb, mode, bytes), mode);
	if (len > 0 && !svm_has(SVM_FEATURE_NRIPS))
		vmcb->c.next_rip = vmcb->s.rip + (unsigned int)len; /* known from now on */
	return len;
}

/* Exits for an instruction, which have a next RIP: APM volume 2, 15.7.1. */
static bool has_next_rip(const struct vmcb_control *c)
{
	uint64_t code = c->exit_code;

	/* An INT whose delivery was cut short, whatever the exit. */
	if ((c->exit_int_info & EVENT_VALID) && EVENT_TYPE(c->exit_int_info) == EVENT_TYPE_SOFT)
		return true;
	if (code < VMEXIT_EXCEPTION)
		return true;
	if (code == VMEXIT_EXCEPTION + VECTOR_BP || code == VMEXIT_EXCEPTION + VECTOR_OF)
		return true;
	if (code >= VMEXIT_CR0_SEL_WRITE && code <= VMEXIT_MSR)
		return true;
	return code >= VMEXIT_VMRUN && code <= VMEXIT_RDPRU;
}

static uint64_t invlpg_address(struct cpu *cpu, const struct vmcb *vmcb,
			       const struct decode_insn *insn)
{
	uint64_t base[SEG_COUNT];

	for (unsigned int i = 0; i < SEG_COUNT; i++)
		base[i] = svm_segment(vmcb, i);
	return decode_address(insn, &insn->mem, cpu->regs.r, vmcb->s.rip, base).a;
}

static void decode_assist(struct cpu *cpu, struct vmcb *vmcb, const struct decode_insn *insn)
{
	uint64_t code = vmcb->c.exit_code;

	if (insn->op == OP_MOV_TO_CR || insn->op == OP_MOV_FROM_CR)
		vmcb->c.exit_info1 = CR_ASSIST_MOV | insn->rm;
	else if (insn->op == OP_MOV_TO_DR || insn->op == OP_MOV_FROM_DR)
		vmcb->c.exit_info1 = insn->rm;
	else if (code == VMEXIT_INVLPG && insn->op == OP_INVLPG)
		vmcb->c.exit_info1 = invlpg_address(cpu, vmcb, insn);
	else if (code == VMEXIT_SWINT && insn->op == OP_INT)
		vmcb->c.exit_info1 = insn->imm & 0xff;
}

/* Exits whose information L1 was promised more of. */
static bool has_assist(uint64_t code)
{
	return code < VMEXIT_EXCEPTION || code == VMEXIT_INVLPG || code == VMEXIT_SWINT;
}

static void operand_assist(struct cpu *cpu, struct vmcb *vmcb)
{
	struct decode_insn insn;

	if (svm_decode(cpu, vmcb, &insn))
		return;
	decode_assist(cpu, vmcb, &insn);
	if (!svm_has(SVM_FEATURE_NRIPS))
		vmcb->c.next_rip = vmcb->s.rip + insn.len;
}

/* Address size and segment of a string instruction: APM volume 2, 15.10.2. */
static void string_assist(const struct cpu *cpu, struct vmcb *vmcb)
{
	struct decode_insn insn;

	if (svm_decode(cpu, vmcb, &insn) || (insn.op != OP_INS && insn.op != OP_OUTS))
		return;
	vmcb->c.exit_info1 &= ~(uint64_t)(IOIO_ADDRESS_MASK | IOIO_SEGMENT_MASK);
	vmcb->c.exit_info1 |= (uint64_t)insn.addrsize << IOIO_ADDRESS_SHIFT;
	vmcb->c.exit_info1 |= (uint64_t)insn.mem.seg << IOIO_SEGMENT_SHIFT;
}

void svm_assist(struct cpu *cpu, struct vmcb *vmcb)
{
	uint64_t code = vmcb->c.exit_code;
	bool data_fault = (code == VMEXIT_NPF || code == VMEXIT_EXCEPTION + VECTOR_PF) &&
			  !(vmcb->c.exit_info1 & NPF_FETCH);

	if (!svm_has(SVM_FEATURE_DECODE_ASSISTS)) {
		memset(vmcb->c.insn_bytes, 0, sizeof(vmcb->c.insn_bytes));
		if (code == VMEXIT_IOIO && (vmcb->c.exit_info1 & IOIO_STRING))
			string_assist(cpu, vmcb);
		else if (has_assist(code))
			operand_assist(cpu, vmcb);
		vmcb->c.insn_len =
			data_fault ? (uint8_t)fetch(cpu, vmcb, svm_mode(vmcb), vmcb->c.insn_bytes)
				   : 0;
	}
	if (svm_has(SVM_FEATURE_NRIPS))
		return;
	if (code == VMEXIT_IOIO)
		vmcb->c.next_rip = vmcb->c.exit_info2;
	else if (has_next_rip(&vmcb->c))
		svm_insn_len(cpu, vmcb);
	else
		vmcb->c.next_rip = 0;
}
