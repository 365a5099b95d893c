/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input: the controls of L1's VMCB, any bytes. What the hardware gets of them: maps are the
 * monitor's, what the monitor must be told of comes out, no feature is on that L1 was not offered. Of an
 * isolated guest L1 is told of what it may ask for, and always of what it must know (R17).
 */
#define MONITOR_LIB_H /* libc has what it declares */
#include <string.h>

#include "ept/host.h"
#include "monitor/fake/machine.h"

/* monitor/fake has these. */
#define hw_keeps_guest svm_keeps_guest
#define hw_guest_entry svm_guest_entry
#define hw_guest_offer svm_guest_offer
#define hw_guest_reset svm_guest_reset
#define hw_guest_moved svm_guest_moved
#define hw_guest_takes svm_guest_takes
#define hw_guest_deliver svm_guest_deliver
#define hw_guest_control svm_guest_control
#pragma clang diagnostic ignored "-Wimplicit-fallthrough" /* its comment is GCC's */
/* Themselves: what is looked at is static in there, or beside what executes VMLOAD. */
#include "monitor/svm/hide.c"   /* NOLINT(bugprone-suspicious-include) */
#include "monitor/svm/nested.c" /* NOLINT(bugprone-suspicious-include) */

#define RAM_SIZE (16 * PAGE_SIZE)
#define OURS 0x5000u
#define WALKED 0x9000u /* the copy of the root */
#define ASID 77
#define BIT(code) (1u << (code) % 32)

struct input {
	uint8_t isolated, features, dr_used, exits;
	uint32_t pad;
	struct vmcb_control c;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct svm_features svm_features;
static struct vmcb runs;

/* --- what nested.c and hide.c call, but not here ------------------------------------------------------- */

#define NOT_CALLED(result, name, ...) \
	result name(__VA_ARGS__)      \
	{                             \
		__builtin_trap();     \
	}

NOT_CALLED(struct vmcb *, svm_current, const struct cpu *c)
NOT_CALLED(void, svm_assist, struct cpu *c, struct vmcb *vmcb)
NOT_CALLED(void, svm_gif_clear, struct cpu *c, bool interrupt_waits)
NOT_CALLED(void, svm_gif_set, struct cpu *c)
NOT_CALLED(bool, svm_hidden_exit, struct cpu *c)
NOT_CALLED(void, svm_own_exit, struct cpu *c)
NOT_CALLED(void, svm_load_regs, struct cpu *c)
NOT_CALLED(void, svm_store_regs, struct cpu *c)
NOT_CALLED(void, svm_reset_state, struct vmcb_save *s)
NOT_CALLED(void, fpu_begin, struct fpu *f)
NOT_CALLED(void, fpu_give, struct cpu *c)
NOT_CALLED(void, fpu_load, struct cpu *c, const struct guest_vcpu *v)
NOT_CALLED(void, fpu_save, struct cpu *c, struct guest_vcpu *v)

/* --- the rules ------------------------------------------------------------------------------------------- */

#define OWN1                                                                       \
	(BIT(VMEXIT_NMI) | BIT(VMEXIT_INIT) | BIT(VMEXIT_IOIO) | BIT(VMEXIT_MSR) | \
	 BIT(VMEXIT_SHUTDOWN) | BIT(VMEXIT_INVD) | BIT(VMEXIT_INVLPGA))
#define OWN2 (BIT(VMEXIT_VMRUN) | BIT(VMEXIT_VMLOAD) | BIT(VMEXIT_VMSAVE) | BIT(VMEXIT_SKINIT))
#define KNOWN1 (BIT(VMEXIT_INTR) | BIT(VMEXIT_CPUID) | BIT(VMEXIT_TASK_SWITCH))
#define ASKED_FOR1                                                                      \
	(BIT(VMEXIT_VINTR) | BIT(VMEXIT_RDTSC) | BIT(VMEXIT_RDPMC) | BIT(VMEXIT_IRET) | \
	 BIT(VMEXIT_PAUSE) | BIT(VMEXIT_HLT))
#define ASKED_FOR2                                                                             \
	(BIT(VMEXIT_VMMCALL) | BIT(VMEXIT_RDTSCP) | BIT(VMEXIT_WBINVD) | BIT(VMEXIT_MONITOR) | \
	 BIT(VMEXIT_MWAIT) | BIT(VMEXIT_MWAIT_CONDITIONAL) | BIT(VMEXIT_RDPRU))
#define GIF2 (BIT(VMEXIT_STGI) | BIT(VMEXIT_CLGI))
#define VIRTUAL_INTERRUPT 0xff011f01ffu /* V_TPR, V_IRQ, priority, V_IGN_TPR, masking, vector */
#define VIRTUAL_GIF (1u << 9 | 1u << 25)

static void check_any(const struct vmcb_control *c, const struct vmcb_control *l1, bool isolated)
{
	bool gif = svm_has(SVM_FEATURE_VGIF) && (l1->int_ctl & V_GIF_ENABLE);
	static const uint8_t zero[sizeof(c->reserved2)];

	ASSERT((c->intercept1 & OWN1) == OWN1 && (c->intercept2 & OWN2) == OWN2);
	ASSERT(gif || (c->intercept2 & GIF2) == GIF2);
	ASSERT(c->msrpm_base == OURS + PAGE_SIZE && c->iopm_base == OURS + 3 * PAGE_SIZE);
	ASSERT(c->asid == ASID && c->nested_ctl == NESTED_CTL_NP && !(c->nested_cr3 & ~PAGE_MASK));
	ASSERT(c->nested_cr3 == (!(l1->nested_ctl & 1) ? host_root().a
				 : isolated            ? WALKED
						       : l1->nested_cr3 & PAGE_MASK));
	ASSERT(!(c->int_ctl & ~(uint64_t)VIRTUAL_INTERRUPT & ~(uint64_t)(gif ? VIRTUAL_GIF : 0)));
	ASSERT(!(c->virt_ext & ~(uint64_t)(svm_has(SVM_FEATURE_LBRV) ? VIRT_EXT_LBR : 0)));
	ASSERT(!(c->int_state & ~(uint64_t)INT_STATE_SHADOW));
	/* AVIC, SEV, and what there is not yet. */
	ASSERT(!c->avic_bar && !c->ghcb && !memcmp(c->reserved1, zero, sizeof(c->reserved1)));
	ASSERT(!memcmp(c->reserved2, zero, sizeof(c->reserved2)));
}

static void check_isolated(const struct vmcb_control *c, const struct input *in)
{
	ASSERT(!c->cr_read && !(c->cr_write & ~0x11u) && !(c->exceptions & ~0x60002u));
	ASSERT(c->dr_read == (in->dr_used & 1 ? 0 : UINT16_MAX) && c->dr_write == c->dr_read);
	ASSERT((c->intercept1 & KNOWN1) == KNOWN1);
	ASSERT(!(c->intercept1 & ~(OWN1 | KNOWN1 | ASKED_FOR1)));
	ASSERT(c->intercept2 & BIT(VMEXIT_XSETBV));
	ASSERT(!(c->intercept2 & ~(OWN2 | GIF2 | ASKED_FOR2 | BIT(VMEXIT_XSETBV))));
	ASSERT((c->intercept2 & GIF2) == GIF2);
	ASSERT(!c->intercept3 && !c->virt_ext && !c->next_rip && (c->int_ctl & V_INTR_MASKING));
	ASSERT(!(c->intercept1 & BIT(VMEXIT_RDTSC)) == !(in->exits & 1));
	ASSERT(!(c->intercept2 & BIT(VMEXIT_RDTSCP)) == !(in->exits & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hw_cpu hw_cpu;
	static struct cpu cpu = {.hw = &hw_cpu};
	struct hw_vcpu h = {.vmcb = &runs, .vmcb_hpa = OURS, .asid = {.value = ASID}};
	static struct guest guest;
	struct guest_vcpu v = {.hw = &h, .guest = &guest};
	struct vmcb_control request;
	struct input in;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, sizeof(in));
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	memset(&runs, 0, sizeof(runs));
	svm_features.edx =
		(in.features & 1 ? SVM_FEATURE_VGIF : 0) | (in.features & 2 ? SVM_FEATURE_LBRV : 0);
	request = in.c;
	h.hidden = in.isolated & 1;
	h.dr_used = in.dr_used & 1;
	v.clock = (struct clock){.started = true, .exits = in.exits & 1};
	if (h.hidden)
		svm_hide_request(&request);
	/* The root that L1 names is how its guest was found; of an isolated one a copy is walked (R29). */
	guest.root = HPA(request.nested_cr3 & PAGE_MASK);
	guest.protection.table.live = h.hidden;
	guest.protection.table.walked = HPA(WALKED);
	merge_controls(&cpu, &guest, &h, &request);
	if (h.hidden)
		merge_clock(&v);
	check_any(&runs.c, &request, h.hidden);
	if (h.hidden)
		check_isolated(&runs.c, &in);
	return 0;
}
