/* SPDX-License-Identifier: Apache-2.0 */
#include "svm/svm.h"

#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/start.h"
#include "lib/tables.h"
#include "svm/known.h"

#define CPUID_SVM_LEAF 0x8000000Au
#define CPUID_EXTENDED 0x80000001u
#define CPUID_ECX_SVM 0x4u

#define ATTR_CODE64 0xa9b
#define ATTR_CODE32 0xc9b
#define ATTR_CODE16 0x09b
#define ATTR_DATA 0xc93
#define ATTR_DATA16 0x093
#define ATTR_TSS 0x08b
#define ATTR_LDT 0x082

static uint8_t hsave[MAX_CPUS][4096] __attribute__((aligned(4096)));

uint32_t svm_features(void)
{
	return cpuid(CPUID_SVM_LEAF, 0).d;
}

void svm_enable(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(SVM_MSR_HSAVE, (uint64_t)hsave[cpu_index()]);
}

static void svm_reset(void)
{
	svm_enable();
	stgi();
}

void svm_start(void)
{
	if (!(cpuid(CPUID_EXTENDED, 0).c & CPUID_ECX_SVM))
		test_end("this CPU has no SVM");
	if (!(svm_features() & SVM_NPT))
		test_end("this CPU has no nested paging");
	test_reset = svm_reset;
	svm_enable();
	print("CPUID 8000000A EDX %x, %s\n", U64(svm_features()),
	      monitor_present() ? "above the monitor" : "bare machine");
}

static struct vmcb_segment flat(uint16_t selector, uint16_t attributes)
{
	return (struct vmcb_segment){selector, attributes, 0xffffffff, 0};
}

static struct guest guest_new(void)
{
	struct guest g = {0};
	struct vmcb *v = page_alloc();

	g.vmcb = v;
	g.nested = table_identity();
	g.iopm = pages_alloc(IOPM_SIZE / PAGE_SIZE, PAGE_SIZE);
	g.msrpm = pages_alloc(MSRPM_SIZE / PAGE_SIZE, PAGE_SIZE);
	g.stack = (uint8_t *)page_alloc() + PAGE_SIZE;
	g.host = page_alloc();
	v->iopm = (uint64_t)g.iopm;
	v->msrpm = (uint64_t)g.msrpm;
	v->asid = 1;
	v->np_control = NP_ENABLE;
	v->nested_cr3 = (uint64_t)g.nested;
	v->intercept_exceptions = ~(1u << VEC_NMI);
	intercept(&g, X_VMRUN);
	intercept(&g, X_VMMCALL);
	intercept(&g, X_SHUTDOWN);
	intercept(&g, X_INTR);
	intercept(&g, X_NMI);
	v->pat = 0x0007040600070406;
	v->rflags = 2;
	v->dr6 = 0xffff0ff0;
	v->dr7 = 0x400;
	v->rsp = (uint64_t)g.stack - 64;
	return g;
}

struct guest guest_long(const void *code)
{
	struct guest g = guest_new();
	struct vmcb *v = g.vmcb;
	struct table_pointer gdtr = read_gdtr();

	g.idt = page_alloc();
	for (unsigned i = 0; i < 256; i++)
		g.idt[i] = gate64((uint64_t)guest_stub(i), SEL_CODE64, GATE_INTERRUPT);
	v->cs = flat(SEL_CODE64, ATTR_CODE64);
	v->ds = v->es = v->ss = v->fs = v->gs = flat(SEL_DATA, ATTR_DATA);
	v->gdtr = (struct vmcb_segment){0, 0, gdtr.limit, gdtr.base};
	v->idtr = (struct vmcb_segment){0, 0, 0xfff, (uint64_t)g.idt};
	v->tr = (struct vmcb_segment){SEL_TSS, ATTR_TSS, sizeof(tss) - 1, (uint64_t)&tss};
	v->ldtr = (struct vmcb_segment){SEL_LDT, ATTR_LDT, sizeof(ldt) - 1, (uint64_t)ldt};
	v->efer = rdmsr(MSR_EFER) | EFER_SVME;
	v->cr0 = read_cr0();
	v->cr3 = read_cr3();
	v->cr4 = read_cr4();
	v->rip = (uint64_t)code;
	return g;
}

struct guest guest_protected(const void *code)
{
	struct guest g = guest_long(code);
	struct vmcb *v = g.vmcb;

	v->cs = flat(SEL_CODE32, ATTR_CODE32);
	v->efer = EFER_SVME;
	v->cr0 = CR0_PE | CR0_ET | CR0_NE;
	v->cr4 = 0;
	v->cr3 = 0;
	return g;
}

struct guest guest_real(const void *code, const void *end)
{
	struct guest g = guest_new();
	struct vmcb *v = g.vmcb;

	memcpy((void *)REAL_GUEST, code, (size_t)((const uint8_t *)end - (const uint8_t *)code));
	v->cs = (struct vmcb_segment){REAL_GUEST >> 4, ATTR_CODE16, 0xffff, REAL_GUEST};
	v->ds = v->es = v->ss = v->fs = v->gs =
		(struct vmcb_segment){REAL_GUEST >> 4, ATTR_DATA16, 0xffff, REAL_GUEST};
	v->idtr = (struct vmcb_segment){0, 0, 0x3ff, REAL_GUEST + 0x8000};
	v->gdtr = (struct vmcb_segment){0, 0, 0xffff, 0};
	v->tr = (struct vmcb_segment){0, ATTR_TSS, 0xffff, 0};
	v->ldtr = (struct vmcb_segment){0, ATTR_LDT, 0xffff, 0};
	v->efer = EFER_SVME;
	v->cr0 = CR0_ET;
	v->rsp = 0xff00;
	return g;
}

void guest_run_gif0(struct guest *g)
{
	clgi();
	svm_enter(g->vmcb, &g->r, g->host);
}

void guest_run(struct guest *g)
{
	guest_run_gif0(g);
	stgi();
}

/* TCG writes VMEXIT_INVALID as 32 bits. */
static uint64_t exit_code_of(const struct guest *g)
{
	return g->vmcb->exit_code == 0xffffffff ? ~0ull : g->vmcb->exit_code;
}

void guest_expect(struct guest *g, uint64_t exit_code)
{
	guest_run(g);
	if (exit_code_of(g) != exit_code)
		test_fail("exit 0x%x (info 0x%x 0x%x) at rip 0x%x, not 0x%x", g->vmcb->exit_code,
			  g->vmcb->exit_info1, g->vmcb->exit_info2, g->vmcb->rip, exit_code);
}

void guest_expect_at(struct guest *g, uint64_t exit_code, const void *rip)
{
	guest_expect(g, exit_code);
	CHECK(g->vmcb->rip == (uint64_t)rip, "exit 0x%x at rip 0x%x, not 0x%x", exit_code,
	      g->vmcb->rip, U64(rip));
}

static void change(struct guest *g, unsigned code, bool on)
{
	struct vmcb *v = g->vmcb;

	switch (code >> 4) {
	case X_CR_READ >> 4:
		v->intercept_cr_read =
			(uint16_t)((v->intercept_cr_read & ~(1u << code % 16)) | on << code % 16);
		return;
	case X_CR_WRITE >> 4:
		v->intercept_cr_write =
			(uint16_t)((v->intercept_cr_write & ~(1u << code % 16)) | on << code % 16);
		return;
	case X_DR_READ >> 4:
		v->intercept_dr_read =
			(uint16_t)((v->intercept_dr_read & ~(1u << code % 16)) | on << code % 16);
		return;
	case X_DR_WRITE >> 4:
		v->intercept_dr_write =
			(uint16_t)((v->intercept_dr_write & ~(1u << code % 16)) | on << code % 16);
		return;
	case X_EXCEPTION >> 4:
	case (X_EXCEPTION >> 4) + 1:
		v->intercept_exceptions =
			(v->intercept_exceptions & ~(1u << code % 32)) | (uint32_t)on << code % 32;
		return;
	case X_INTR >> 4:
	case (X_INTR >> 4) + 1:
		v->intercept1 = (v->intercept1 & ~(1u << code % 32)) | (uint32_t)on << code % 32;
		return;
	default:
		v->intercept2 = (v->intercept2 & ~(1u << code % 32)) | (uint32_t)on << code % 32;
	}
}

void intercept(struct guest *g, unsigned exit_code)
{
	change(g, exit_code, true);
}

void intercept_clear(struct guest *g, unsigned exit_code)
{
	change(g, exit_code, false);
}
