/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's VMCB and L1's: what L1 reads after each exit, what of its own counts, and what hide.c keeps. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "tests/unit/test_svm_cpu.h"

#include "monitor/svm/hide.c" /* NOLINT(bugprone-suspicious-include): monitor/fake has some of it */

#define BLOCK 0x100000u /* the monitor's */
#define VCPU_VMCB BLOCK
#define SHOWN_VMCB (BLOCK + PAGE_SIZE)
#define LONG (EFER_LME | EFER_LMA | EFER_SVME)
#define L1_CR2 0xc2
#define SHOWN_CR3 0xc3000
#define ASID 7

struct svm_features svm_features;
static struct cpu cpu;
static struct hw_cpu hw;
static struct hw_vcpu hw_vcpu;
static struct guest guest;
static struct disclosure disclosure;
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest, .disclosure = &disclosure};
static struct vmcb l1, before; /* L1's VMCB; what was in it */
static struct vmcb *runs;      /* the guest's */
static struct {
	unsigned int begun, loaded, saved;
} fpu;

/* --- what hide.c calls ---------------------------------------------------------------------------------- */

struct vmcb *svm_current(const struct cpu *c)
{
	return c->hw->running->hw->vmcb;
}

void fpu_begin(struct fpu *f)
{
	assert_ptr_equal(f, &vcpu.fpu);
	fpu.begun++;
}

void fpu_save(struct cpu *c, struct guest_vcpu *v)
{
	fpu.saved++;
}

void fpu_load(struct cpu *c, const struct guest_vcpu *v)
{
	fpu.loaded++;
}

void svm_reset_state(struct vmcb_save *s)
{
	memset(s, 0x5a, sizeof(*s));
}

/* --- the guest, with something else in every word ------------------------------------------------------- */

static void fill(void *at, size_t size, uint64_t what)
{
	uint64_t *word = at;

	for (size_t i = 0; i < size / 8; i++)
		word[i] = (what << 48 | 0xd1d1d1d1d1d1u) + i * 0x010101010101u;
}

static void start(void)
{
	fake_reset();
	fake_add_monitor(HPA(BLOCK), 4 * PAGE_SIZE);
	svm_catch();
	memset(&fpu, 0, sizeof(fpu));
	runs = mem_at(HPA(VCPU_VMCB));
	fill(runs, sizeof(*runs), 0x6e57);
	fill(&l1, sizeof(l1), 0x4c31);
	fill(&cpu.regs, sizeof(cpu.regs), 0x7265);
	fill((void *)&svm_cpu.s, sizeof(svm_cpu.s), 0x6370);
	for (unsigned int i = 0; i < 8; i++)
		svm_cpu.dr[i] = 0xd0 + i;
	runs->c.insn_len = DECODE_MAX;
	before = l1;
	disclosure = (struct disclosure){
		.exposure = {.row = EXPOSURE_CPUID, .operand = 5, .len = 3},
		.cr3 = SHOWN_CR3,
	};
	guest = (struct guest){.isolated = true};
	hw_vcpu = (struct hw_vcpu){.vmcb = runs, .vmcb_hpa = VCPU_VMCB, .isolated = true};
	hw = (struct hw_cpu){.running = &vcpu, .shown = mem_at(HPA(SHOWN_VMCB))};
	tags_init(&hw.asids, ASID, 100);
	hw.asids.flush = false;
	cpu.hw = &hw;
}

/* --- what L1 reads in its VMCB -------------------------------------------------------------------------- */

static struct vmcb_seg mode(struct vmcb_seg seg)
{
	return (struct vmcb_seg){.attrib = seg.attrib & 0x6e0, .limit = 0xffffffff};
}

/* R15: whatever the exit, of the state that is all. */
static void expect_state(struct vmcb_save *want, bool emulated)
{
	const struct vmcb_save *s = &runs->s;
	const struct vmcb_seg none = {0};

	want->es = emulated ? s->es : none;
	want->ds = emulated ? s->ds : none;
	want->cs = emulated ? s->cs : mode(s->cs);
	want->ss = emulated ? s->ss : mode(s->ss);
	want->gdtr = want->idtr = none;
	want->cpl = s->cpl;
	want->efer = s->efer;
	want->cr0 = s->cr0;
	want->cr4 = s->cr4;
	want->cr3 = SHOWN_CR3;
	want->cr2 = 0;
	want->dr6 = 0xffff0ff0;
	want->dr7 = 0x400;
	want->pat = 0x0007040600070406;
	want->rax = cpu.regs.r[RAX]; /* as exposure_show() has left them */
	want->rsp = cpu.regs.r[RSP];
	want->rip = cpu.regs.rip;
	want->rflags = cpu.regs.rflags;
}

/* APM volume 2, appendix C: MOV to and from CRs; exceptions; IOIO, MSR and nested page faults. */
static uint64_t expect_info1(uint64_t code, uint64_t info)
{
	if (code < 0x20)
		return 1ull << 63 | disclosure.exposure.operand;
	if ((code >= 0x40 && code < 0x60) || code == 0x7b || code == 0x7c || code == 0x400)
		return info;
	return 0;
}

static void expect_controls(struct vmcb_control *want, unsigned int bytes)
{
	const struct vmcb_control *c = &runs->c;
	uint64_t code = c->exit_code;
	uint64_t next = disclosure.exposure.len ? cpu.regs.rip + disclosure.exposure.len : 0;

	want->int_ctl = (want->int_ctl & ~0x1ffull) | (c->int_ctl & 0x1ff);
	want->int_state = c->int_state & 1;
	want->exit_code = code;
	want->exit_info1 = expect_info1(code, c->exit_info1);
	want->exit_info2 = code == 0x400 ? c->exit_info2 : code == 0x7b ? next : 0;
	want->exit_int_info = c->exit_int_info;
	want->event_inj = 0;
	want->next_rip = next;
	want->insn_len = (uint8_t)bytes;
	memset(want->insn_bytes, 0, sizeof(want->insn_bytes));
	memcpy(want->insn_bytes, c->insn_bytes, bytes);
}

/* The whole page: what is not said above is as L1 left it. */
static void comes_out(uint64_t code, uint8_t row, uint8_t shown, unsigned int bytes)
{
	struct vmcb want = before, own;

	l1 = before;
	runs->c.exit_code = code;
	disclosure.exposure.row = row;
	own = *runs;
	svm_hide_exit(&cpu, &l1, shown);
	expect_controls(&want.c, bytes);
	expect_state(&want.s, row == EXPOSURE_EMULATED);
	assert_memory_equal(&l1, &want, sizeof(l1));
	assert_memory_equal(runs, &own, sizeof(own));
}

static void all_exits(void **state)
{
	start();
	for (uint64_t code = 0; code <= VMEXIT_NPF; code++)
		for (unsigned int len = 0; len < 16; len += 3) {
			disclosure.exposure.len = (uint8_t)len;
			comes_out(code, EXPOSURE_CPUID, 0, 0);
			comes_out(code, EXPOSURE_EMULATED, 3, 3);
		}
}

/* Bits of it that the guest's and L1's have the other way round. */
static void bit_by_bit(void **state)
{
	start();
	for (unsigned int bit = 0; bit < 64; bit++) {
		runs->c.int_ctl = runs->c.int_state = 1ull << bit;
		before.c.int_ctl = ~(1ull << bit);
		runs->s.cs.attrib = runs->s.ss.attrib = (uint16_t)(1u << bit % 16);
		comes_out(VMEXIT_HLT, EXPOSURE_HLT, 0, 0);
	}
}

/* So many as L1 may see, of those that the hardware has read. */
static void instruction_bytes(void **state)
{
	start();
	for (unsigned int has = 0; has <= DECODE_MAX; has++)
		for (unsigned int shown = 0; shown <= DECODE_MAX; shown++) {
			runs->c.insn_len = (uint8_t)has;
			comes_out(VMEXIT_NPF, EXPOSURE_EMULATED, (uint8_t)shown,
				  has < shown ? has : shown);
		}
}

/* The CPU needs CR4.PAE, and neither L1 nor the guest has set it. */
static void forced_pae(void **state)
{
	for (int forced = 0; forced < 2; forced++) {
		start();
		runs->s.cr4 = 0xffff;
		hw.pae_forced = forced;
		svm_hide_exit(&cpu, &l1, 0);
		assert_int_equal(l1.s.cr4, forced ? 0xffdf : 0xffff);
		svm_hide(&cpu);
		assert_int_equal(runs->s.cr4, forced ? 0xffdf : 0xffff);
	}
}

/* --- what is in the CPU --------------------------------------------------------------------------------- */

/* In the CPU L1 finds what `shown` has; and FS and GS, if they are the instruction's. */
static void hides(uint8_t row, bool dr_used)
{
	struct vmcb want, cpus = {0};
	const struct vmcb_seg none = {0};

	start();
	disclosure.exposure.row = row;
	hw_vcpu.dr_used = dr_used;
	fill(hw.shown, sizeof(*hw.shown), 0x7368);
	want = *runs;
	svm_move(&want.s, &svm_cpu.s);
	svm_move(&cpus.s, &hw.shown->s);
	cpus.s.fs = row == EXPOSURE_EMULATED ? want.s.fs : none;
	cpus.s.gs = row == EXPOSURE_EMULATED ? want.s.gs : none;
	svm_hide(&cpu);
	assert_true(hw_vcpu.hidden);
	assert_int_equal(fpu.saved, 1);
	assert_memory_equal(runs, &want, sizeof(want));
	svm_move(&l1.s, &svm_cpu.s);
	svm_move(&before.s, &cpus.s);
	assert_memory_equal(&l1, &before, sizeof(l1));
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(svm_cpu.dr[i], dr_used ? 0 : 0xd0 + i);
		assert_int_equal(hw_vcpu.dr[i], dr_used ? 0xd0 + i : 0);
	}
}

static void hiding(void **state)
{
	hides(EXPOSURE_CPUID, false);
	hides(EXPOSURE_CPUID, true);
	hides(EXPOSURE_EMULATED, true);
	/* Once, or L1's registers would become the guest's. */
	svm_hide(&cpu);
	assert_int_equal(svm_cpu.saves, 1);
	assert_int_equal(fpu.saved, 1);
}

/* And back, whatever L1 has left in the CPU. */
static void unhiding(void **state)
{
	struct vmcb want;

	for (int used = 0; used < 2; used++) {
		hides(EXPOSURE_CPUID, used);
		want = *runs;
		fill((void *)&svm_cpu.s, sizeof(svm_cpu.s), 0x6a6a);
		for (unsigned int i = 0; i < 4; i++)
			svm_cpu.dr[i] = 0x6a;
		svm_unhide(&cpu);
		svm_unhide(&cpu);
		assert_false(hw_vcpu.hidden);
		assert_int_equal(fpu.loaded, 1);
		assert_memory_equal(runs, &want, sizeof(want));
		svm_move(&runs->s, &svm_cpu.s);
		assert_memory_equal(runs, &want, sizeof(want));
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(svm_cpu.dr[i], used ? 0xd0 + i : 0x6a);
	}
}

/* Zeros until then: not L1's. */
static void first_debug_register(void **state)
{
	start();
	runs->c.dr_read = runs->c.dr_write = 0xffff;
	svm_hide_debug(&cpu);
	assert_true(hw_vcpu.dr_used);
	assert_int_equal(runs->c.dr_read | runs->c.dr_write, 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(svm_cpu.dr[i], 0);
	assert_int_equal(svm_cpu.dr[7], 0xd7);
}

/* --- entries -------------------------------------------------------------------------------------------- */

static void expect_offer(const struct vmcb_save *s)
{
	struct hw_offer offer;

	hw_guest_offer(&cpu, &offer);
	assert_int_equal(offer.cs_base, s->cs.base);
	assert_int_equal(offer.cs_selector, s->cs.selector);
	assert_int_equal(offer.rip, s->rip);
	assert_int_equal(offer.cr0, s->cr0);
	assert_int_equal(offer.efer, s->efer);
	assert_int_equal(cpu.regs.r[RAX], s->rax);
	assert_int_equal(cpu.regs.r[RSP], s->rsp);
	assert_int_equal(cpu.regs.rip, s->rip);
	assert_int_equal(cpu.regs.rflags, s->rflags);
}

/* Of the state in L1's VMCB accept.c gets this; the guest's own is as it was. */
static void offers(void **state)
{
	struct vmcb own;

	start();
	own = *runs;
	svm_hide_offer(&cpu, &l1.s);
	expect_offer(&l1.s);
	assert_memory_equal(runs, &own, sizeof(own));
	assert_memory_equal(&l1, &before, sizeof(l1));
}

/* What was there is L1's, or another guest's. */
static void expect_begun(void)
{
	const struct vmcb_save *s = &runs->s;

	assert_int_equal(s->star | s->lstar | s->cstar | s->sfmask | s->kernel_gs_base, 0);
	assert_int_equal(s->sysenter_cs | s->sysenter_esp | s->sysenter_eip | s->dbgctl, 0);
	assert_int_equal(s->dr6, 0xffff0ff0);
	assert_int_equal(s->cr0 & CR0_TS, 0);
	assert_int_equal(runs->c.int_state, 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(hw_vcpu.dr[i], 0);
	assert_false(hw_vcpu.dr_used);
	assert_true(hw_vcpu.hidden);
	assert_int_equal(fpu.begun, 1);
}

static void first_entry(void **state)
{
	struct vmcb want;

	start();
	hw_vcpu.dr_used = true;
	memset(hw_vcpu.dr, 0xff, sizeof(hw_vcpu.dr));
	runs->s.cr0 |= CR0_TS;
	want = *runs;
	svm_hide_begin(&cpu, &vcpu);
	expect_begun();
	assert_int_equal(runs->s.cr0, want.s.cr0 & ~(uint64_t)CR0_TS);
	expect_offer(&want.s);
	/* L1's FS, GS, LDTR and TR are what it gives the guest, and measured. */
	assert_int_equal(svm_cpu.saves, 1);
	assert_memory_equal(&runs->s.fs, (void *)&svm_cpu.s.fs, sizeof(struct vmcb_seg));
	assert_memory_equal(&runs->s.gs, (void *)&svm_cpu.s.gs, sizeof(struct vmcb_seg));
	assert_memory_equal(&runs->s.ldtr, (void *)&svm_cpu.s.ldtr, sizeof(struct vmcb_seg));
	assert_memory_equal(&runs->s.tr, (void *)&svm_cpu.s.tr, sizeof(struct vmcb_seg));
	assert_memory_equal(&runs->s.es, &want.s.es, offsetof(struct vmcb_save, fs));
	assert_int_equal(runs->s.cr3, want.s.cr3);
	assert_int_equal(runs->s.dr7, want.s.dr7);
}

/* APM volume 2, table 14-1. */
static void start_up(void **state)
{
	struct vmcb_save want;

	start();
	hw_vcpu.asid = (struct tag){0};
	hw.pae_forced = hw_vcpu.dr_used = true;
	memset(hw_vcpu.dr, 0xff, sizeof(hw_vcpu.dr));
	hw_guest_reset(&cpu, 0x9a);
	expect_begun();
	svm_reset_state(&want);
	want.cs.selector = 0x9a00;
	want.cs.base = 0x9a000;
	want.cr0 = CR0_ET;
	want.cr4 = 0x40;
	want.pat = 0x0007040600070406;
	want.dr6 = 0xffff0ff0;
	want.star = want.lstar = want.cstar = want.sfmask = want.kernel_gs_base = 0;
	want.sysenter_cs = want.sysenter_esp = want.sysenter_eip = want.dbgctl = 0;
	assert_memory_equal(&runs->s, &want, sizeof(want));
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], i == RDX ? 0x600 : 0);
	assert_int_equal(cpu.regs.rip, 0);
	assert_int_equal(cpu.regs.rflags, RFLAGS_FIXED);
	assert_false(hw.pae_forced);
	assert_int_equal(runs->c.asid, ASID);
	assert_int_equal(hw_vcpu.asid.value, ASID);
}

/* --- L1's controls -------------------------------------------------------------------------------------- */

/* R17, by bits of APM volume 2, appendix B; what is not here is L1's word, for merge_controls() to judge. */
static void requests(void **state)
{
	for (int ones = 0; ones < 2; ones++) {
		struct vmcb_control r, want;

		memset(&r, ones ? 0xff : 0, sizeof(r));
		want = r;
		want.cr_read = want.dr_read = want.dr_write = 0;
		want.cr_write = ones ? 0x11 : 0;
		want.exceptions = ones ? 0x60002 : 0;
		want.intercept1 = 0xb804000b | (ones ? 0x0190c010 : 0);
		want.intercept2 = 0x2000 | (ones ? 0x5e82 : 0);
		want.intercept3 = 0;
		want.int_ctl = (want.int_ctl & ~(1ull << 25)) | 1ull << 24;
		want.virt_ext = want.next_rip = 0;
		svm_hide_request(&r);
		assert_memory_equal(&r, &want, sizeof(r));
	}
}

static void events(void **state)
{
	const struct {
		uint64_t event;
		struct injection want;
	} row[] = {
		{0x7fffffff, {INJECTION_NONE, 0, false, 0}},
		{0x80000030, {INJECTION_INTERRUPT, 0x30, false, 0}},
		{0x80000202, {INJECTION_NMI, 2, false, 0}},
		{0x580000b0e, {INJECTION_EXCEPTION, 14, true, 5}},
		{0x580000306, {INJECTION_EXCEPTION, 6, false, 0}},
		{0x80000480, {INJECTION_SOFTWARE, 0x80, false, 0}},
		{0x80000130, {INJECTION_SOFTWARE, 0x30, false, 0}},
		{0x80000530, {INJECTION_SOFTWARE, 0x30, false, 0}},
		{0x80000630, {INJECTION_SOFTWARE, 0x30, false, 0}},
		{0x80000730, {INJECTION_SOFTWARE, 0x30, false, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct hw_entry entry;

		start();
		runs->c.event_inj = row[i].event;
		runs->c.int_state = i & 1;
		hw_guest_entry(&cpu, &entry);
		assert_int_equal(entry.event.type, row[i].want.type);
		assert_int_equal(entry.event.vector, row[i].want.vector);
		assert_int_equal(entry.event.has_error, row[i].want.has_error);
		assert_int_equal(entry.event.error, row[i].want.error);
		assert_int_equal(entry.shadow, i & 1);
		assert_int_equal(entry.idt_base, runs->s.idtr.base);
		assert_int_equal(entry.idt_limit, runs->s.idtr.limit);
	}
}

/* A virtual interrupt that does not come out is one that nothing has judged. */
static void virtual_interrupts(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct hw_entry entry;

		start();
		runs->c.event_inj = 0;
		hw.request.int_ctl = i & 1 ? V_IRQ : ~V_IRQ;
		hw.request.intercept1 = i & 2 ? 1u << 4 : ~(1u << 4);
		hw_guest_entry(&cpu, &entry);
		assert_int_equal(entry.event.type, i == 1 ? INJECTION_SOFTWARE : INJECTION_NONE);
	}
}

/* --- what accept.c asks for ----------------------------------------------------------------------------- */

static void takes(void **state)
{
	struct vmcb want;

	for (unsigned int vector = 0; vector < 32; vector++) {
		start();
		l1.s.cr2 = L1_CR2;
		svm_hide_offer(&cpu, &l1.s);
		runs->s.dr6 = 0xffff0ff0;
		want = *runs;
		if (vector == 14)
			want.s.cr2 = L1_CR2;
		else if (vector == 1)
			want.s.dr6 |= 0x4000;
		hw_guest_takes(&cpu, &(struct injection){.type = INJECTION_EXCEPTION,
							 .vector = (uint8_t)vector});
		assert_memory_equal(runs, &want, sizeof(want));
	}
}

static void moved(void **state)
{
	start();
	runs->c.int_state = 3;
	hw_guest_moved(&cpu);
	assert_int_equal(runs->c.int_state, 2);
}

/* A state that a processor may have, but for its mode. */
static void start_mode(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	start();
	svm_features.phys_bits = 40;
	memset(&runs->s, 0, sizeof(runs->s));
	runs->s.dr6 = 0xffff0ff0;
	runs->s.dr7 = 0x400;
	runs->s.pat = 0x0007040600070406;
	runs->s.cr0 = cr0;
	runs->s.cr4 = cr4 | 0x40;
	runs->s.efer = efer | EFER_SVME;
	hw_vcpu.asid.value = runs->c.asid = 1;
}

static void modes(void **state)
{
	const uint64_t on = CR0_PE | CR0_PG | CR0_ET;
	const struct {
		uint64_t cr0, cr4, efer, new0, new4, new_efer;
		bool flush, forced;
	} row[] = {
		{on, CR4_PAE, LONG, on, CR4_PAE, LONG, false, false},
		{on, CR4_PAE, LONG, on | CR0_TS, CR4_PAE, LONG, false, false},
		{on, CR4_PAE, LONG, on | CR0_WP, CR4_PAE, LONG, true, false},
		{on, CR4_PAE, LONG, on, CR4_PAE | 0x80, LONG, true, false},
		{on, CR4_PAE, LONG, on, CR4_PAE, LONG | EFER_NXE, true, false},
		/* QEMU loses the host's CR0 otherwise. */
		{CR0_PE | CR0_ET, 0, 0, CR0_PE | CR0_ET, 0, EFER_LME, true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		start_mode(row[i].cr0, row[i].cr4, row[i].efer);
		assert_true(hw_guest_control(&cpu, row[i].new0, row[i].new4,
					     row[i].new_efer & ~EFER_SVME));
		assert_int_equal(runs->s.cr0, row[i].new0);
		assert_int_equal(runs->s.cr4, row[i].new4 | 0x40 | (row[i].forced ? CR4_PAE : 0));
		assert_int_equal(runs->s.efer, row[i].new_efer | EFER_SVME);
		assert_int_equal(hw.pae_forced, row[i].forced);
		assert_int_equal(runs->c.asid, row[i].flush ? ASID : 1);
	}
	/* As the processor refuses it. */
	start_mode(on, CR4_PAE, LONG);
	assert_false(hw_guest_control(&cpu, CR0_PG, CR4_PAE, LONG));
	start_mode(on, CR4_PAE, LONG);
	assert_false(hw_guest_control(&cpu, on, 0, LONG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_exits),
		cmocka_unit_test(bit_by_bit),
		cmocka_unit_test(instruction_bytes),
		cmocka_unit_test(forced_pae),
		cmocka_unit_test(hiding),
		cmocka_unit_test(unhiding),
		cmocka_unit_test(first_debug_register),
		cmocka_unit_test(offers),
		cmocka_unit_test(first_entry),
		cmocka_unit_test(start_up),
		cmocka_unit_test(requests),
		cmocka_unit_test(events),
		cmocka_unit_test(virtual_interrupts),
		cmocka_unit_test(takes),
		cmocka_unit_test(moved),
		cmocka_unit_test(modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
