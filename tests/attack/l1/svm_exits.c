/* SPDX-License-Identifier: Apache-2.0 */
/* exits.h for AMD. QEMU's XSETBV does not come out. */
#include "tests/attack/l1/exits.h"

#include "lib/mem.h"

#define JUNK 0x4141414000ull

const struct hv_kind hv_kinds[KIND_COUNT] = {
	[KIND_OUT] = {"OUT", X_IOIO, 1},
	[KIND_IN] = {"IN", X_IOIO, 1},
	[KIND_CPUID] = {"CPUID", X_CPUID, 2},
	[KIND_HLT] = {"HLT", X_HLT, 1},
	[KIND_PAUSE] = {"PAUSE", X_PAUSE, 2},
	[KIND_WBINVD] = {"WBINVD", X_WBINVD, 2},
	[KIND_RDPMC] = {"RDPMC", X_RDPMC, 2},
	[KIND_RDMSR] = {"RDMSR", X_MSR, 2},
	[KIND_WRMSR] = {"WRMSR", X_MSR, 2},
	[KIND_CR0] = {"MOV to CR0", X_CR_WRITE, 3},
	[KIND_CR4] = {"MOV to CR4", X_CR_WRITE + 4, 3},
	[KIND_MWAIT] = {"MWAIT", X_MWAIT, 3},
	[KIND_CALL] = {"hypercall", X_VMMCALL, 3},
	[KIND_DEVICE] = {"load from a device", X_NPF, 3},
	[KIND_FAULT] = {"nested page fault", X_NPF, 0},
	[KIND_STEP] = {"#DB", X_EXCEPTION + VEC_DB, 0},
	[KIND_READ_CR3] = {"MOV from CR3", X_CR_READ + 3, 3},
	[KIND_WRITE_CR3] = {"MOV to CR3", X_CR_WRITE + 3, 3},
	[KIND_READ_DR7] = {"MOV from DR7", X_DR_READ + 7, 3},
	[KIND_WRITE_DR7] = {"MOV to DR7", X_DR_WRITE + 7, 3},
	[KIND_INVLPG] = {"INVLPG", X_INVLPG, 3},
	[KIND_SGDT] = {"SGDT", X_GDTR_READ, 4},
	[KIND_LIDT] = {"LIDT", X_IDTR_WRITE, 4},
	[KIND_PUSHF] = {"PUSHF", X_PUSHF, 1},
	[KIND_POPF] = {"POPF", X_POPF, 1},
};

const uint64_t hv_exit_interrupt = X_INTR, hv_exit_over = X_SHUTDOWN;

void hv_ask(struct guest *g, enum kind kind)
{
	if (kind == KIND_RDMSR || kind == KIND_WRMSR)
		g->msrpm[SPARE_MSR / 4] |=
			(uint8_t)(1u << (SPARE_MSR % 4 * 2 + (kind == KIND_WRMSR)));
	if (hv_kinds[kind].exit != X_NPF)
		intercept(g, (unsigned)hv_kinds[kind].exit);
}

void hv_system(struct guest *g, uint64_t out[HV_SYSTEM], uint32_t class)
{
	const struct vmcb *c = g->vmcb;

	if (class == CLASS_CR2) {
		out[0] = c->cr2;
		out[1] = read_cr2();
	} else if (class == CLASS_SYSCALL) {
		out[0] = c->star;
		out[1] = c->lstar;
		out[2] = c->cstar;
		out[3] = c->sfmask;
		out[4] = c->kernel_gs_base;
	} else if (class == CLASS_BASES) {
		out[0] = c->fs.base;
		out[1] = c->gs.base;
	} else {
		out[0] = c->sysenter_cs;
		out[1] = c->sysenter_esp;
		out[2] = c->sysenter_eip;
	}
}

void hv_context(const struct guest *g, struct hv_context *out)
{
	const struct vmcb *c = g->vmcb;

	*out = (struct hv_context){c->gdtr.base, c->idtr.base, c->cr3, c->rsp,
				   c->rflags,    c->dr6,       c->dr7, c->cs.selector};
}

void hv_set_system(struct guest *g, uint32_t class)
{
	struct vmcb *c = g->vmcb;

	if (class & CLASS_CR2)
		c->cr2 = JUNK;
	if (class & CLASS_SYSCALL)
		c->star = c->lstar = c->cstar = c->kernel_gs_base = JUNK;
	if (class & CLASS_BASES)
		c->fs.base = c->gs.base = JUNK;
	if (class & CLASS_SYSENTER)
		c->sysenter_esp = c->sysenter_eip = JUNK;
}

bool hv_state_has_secret(const struct vm *vm)
{
	return has_secret(vm, vm->g.vmcb, PAGE_SIZE);
}

void hv_inject(struct guest *g, uint32_t event, uint32_t error)
{
	g->vmcb->event = EVENT_VALID | event;
	g->vmcb->event_error = error;
}

const uint32_t hv_closed_msr = 0x1a0;

void hv_open(struct guest *g)
{
	intercept_clear(g, X_IOIO);
	intercept_clear(g, X_MSR);
}

void hv_enter_interruptible(struct vm *v)
{
	v->g.vmcb->int_control |= V_INTR_MASKING;
	clgi();
	interrupts_on();
	svm_enter(v->g.vmcb, &v->g.r, v->g.host);
	interrupts_off();
	stgi();
	v->exit = v->g.vmcb->exit_code;
}

void hv_set_interrupts(struct guest *g)
{
	g->vmcb->rflags |= FLAG_IF;
}

void hv_no_exceptions(struct guest *g)
{
	g->vmcb->intercept_exceptions = 0;
}

void hv_time_offset(struct guest *g, uint64_t offset)
{
	g->vmcb->tsc_offset = offset;
}

void hv_ask_time(struct guest *g)
{
	intercept(g, X_RDTSC);
}

void hv_snapshot(struct guest *g, void *page)
{
	memcpy(page, g->vmcb, PAGE_SIZE);
}

void hv_restore(struct guest *g, const void *page)
{
	memcpy(g->vmcb, page, PAGE_SIZE);
}
