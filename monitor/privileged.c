/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/privileged.h"

#include "ept/phys.h"
#include "monitor/lib.h"

#define CPUID_XSAVE 0xdu
#define CPUID_XEN_FIRST 0x40000000u
#define CPUID_XEN_LAST 0x400fffffu
#define PDPTE_BYTES 32
#define MSR_XEN_CALL_PAGE 0x40000000u
#define CALL_STUB 32
#define CALL_IRET 23
/* Of CR0, what no host needs to know of. */
#define CR0_QUIET (CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_AM)
#define CR0_LMSW 0xfu

/* Xen is there for the firmware; a kernel in long mode is to take no notice of it. */
bool disclose_hides_xen(const struct cpu *cpu, const struct guest *g)
{
	struct walk_space space;

	hw_guest_space(cpu, &space);
	return g->protection.layout.hvm && (space.efer & EFER_LMA);
}

enum disclose_result privileged_cpuid(const struct view *s)
{
	uint32_t leaf = (uint32_t)s->cpu->regs.r[RAX];
	uint64_t *r = s->cpu->regs.r;
	struct cpuid hardware;

	if (leaf == CPUID_XSAVE) {
		hw_host_cpuid(s->cpu, leaf, (uint32_t)r[RCX], &hardware);
		s->v->disclosure->xsave_bytes = hardware.b;
	}
	if (!disclose_hides_xen(s->cpu, s->v->guest) || leaf < CPUID_XEN_FIRST ||
	    leaf > CPUID_XEN_LAST)
		return DISCLOSE_TELL;
	r[RAX] = r[RBX] = r[RCX] = r[RDX] = 0;
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}

/* The new value of CR0 or CR4, or of CR8, by the register that the instruction names. */
static uint64_t new_control(const struct view *s, const struct decode_insn *insn)
{
	uint64_t value = s->cpu->regs.r[insn->rm];

	if (insn->op == OP_CLTS)
		return s->space.cr0 & ~(uint64_t)CR0_TS;
	if (insn->op == OP_LMSW) /* PE is set, but not cleared */
		return (s->space.cr0 & ~(uint64_t)(CR0_LMSW & ~CR0_PE)) | (value & CR0_LMSW);
	return s->mode == DECODE_64 ? value : (uint32_t)value;
}

/*
 * L1 learns of a change of the mode, and may refuse it; an LMSW is to it a MOV to CR0 of the new value. With PAE paging it loads four entries at CR3. It is
 * not asked about the rest of CR0.
 */
enum disclose_result privileged_control(const struct view *s)
{
	struct disclosure *d = s->v->disclosure;
	gva_t rip = GVA(hw_guest_segment(s->cpu, SEG_CS) + s->cpu->regs.rip);
	const uint64_t cr0 = s->space.cr0;
	struct decode_insn insn;
	struct walk_result at;
	uint64_t value;
	bool lmsw;
	int err;

	if (view_fetch(s, rip, &insn) || insn.has_mem)
		return view_failed(s, ERR_NOSYS);
	lmsw = insn.op == OP_CLTS || insn.op == OP_LMSW;
	if (!lmsw && insn.op != OP_MOV_TO_CR && hw_keeps_guest)
		return view_failed(s, ERR_NOSYS);
	value = new_control(s, &insn);
	d->control.number = lmsw ? 0 : insn.reg;
	if (d->control.number == 0 && hw_keeps_guest && !((value ^ cr0) & ~(uint64_t)CR0_QUIET)) {
		hw_guest_control(s->cpu, value, s->space.cr4, s->space.efer);
		hw_guest_complete(s->cpu);
		return DISCLOSE_AGAIN;
	}
	d->control.value = value;
	d->exposure.operand = insn.rm;
	if (!(s->space.cr4 & CR4_PAE) || (s->space.efer & EFER_LMA) ||
	    walk_gpa(&s->space, GPA(s->space.cr3 & 0xffffffe0u), 0, &at))
		return DISCLOSE_TELL;
	d->cr3 = s->space.cr3;
	err = view_show(s, at.hpa, PDPTE_BYTES, WINDOW_OUT, NULL);
	return err ? view_failed(s, err) : DISCLOSE_TELL;
}

/* What the guest has written there; L1 has no say. */
enum disclose_result privileged_msr_read(const struct view *s)
{
	uint64_t value = s->space.efer;
	uint64_t *r = s->cpu->regs.r;

	if ((uint32_t)r[RCX] != MSR_EFER || !hw_keeps_guest)
		return DISCLOSE_TELL;
	r[RAX] = (uint32_t)value;
	r[RDX] = value >> 32;
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}

/*
 * The page through which firmware and older kernels call Xen, as its public headers describe it; Xen
 * itself does not learn that the guest wants it.
 */
static void fill_call_page(uint8_t *page)
{
	memset(page, 0, PAGE_SIZE);
	for (unsigned int i = 0; i < PAGE_SIZE / CALL_STUB; i++, page += CALL_STUB) {
		page[0] = 0xb8; /* MOV i, EAX; the hypercall; RET */
		page[1] = (uint8_t)i;
		memcpy(&page[5], hw_hypercall_insn, sizeof(hw_hypercall_insn));
		page[5 + sizeof(hw_hypercall_insn)] = 0xc3;
		if (i == CALL_IRET)
			page[0] = 0x0f, page[1] = 0x0b; /* UD2 */
	}
}

enum disclose_result privileged_msr_write(const struct view *s)
{
	const uint64_t *r = s->cpu->regs.r;
	struct walk_result at;

	if ((uint32_t)r[RCX] == MSR_X2APIC_ICR)
		startup_note(&s->v->guest->protection.startup, s->v->apic_id,
			     r[RDX] << 32 | (uint32_t)r[RAX]);
	if ((uint32_t)r[RCX] >= MSR_X2APIC_LVT_FIRST && (uint32_t)r[RCX] <= MSR_X2APIC_LVT_LAST)
		startup_lvt(s->v, (uint32_t)r[RCX], (uint32_t)r[RAX]);
	clock_written(&s->v->clock, (uint32_t)r[RCX]);
	if ((uint32_t)r[RCX] != MSR_XEN_CALL_PAGE)
		return DISCLOSE_TELL;
	if (!walk_gpa(&s->space, GPA((uint32_t)r[RAX] | r[RDX] << 32), 0, &at) &&
	    !page_offset(at.hpa.a) && view_has(s->v, owner_of(at.hpa)))
		fill_call_page(phys_at(at.hpa));
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}
