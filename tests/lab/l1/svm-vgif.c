/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual GIF (APM 2, 15.33), where CPUID offers it. */
#include "lib/apic.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

#define IRQ 0x53

GUEST(guest_clgi, "clgi;" STOP);
GUEST(guest_stgi, "stgi; after_stgi: nop; nop;" STOP);
GUEST_LABEL(after_stgi);
GUEST(guest_toggle, "clgi; stgi; clgi;" STOP);
GUEST(guest_stop, STOP);
GUEST(guest_spin, "1: jmp 1b\n");

static struct guest vgif_guest(const void *code, bool gif)
{
	struct guest g;

	if (!(svm_features() & SVM_VGIF))
		test_skip("CPUID does not offer vGIF");
	g = guest_long(code);
	g.vmcb->int_control = V_GIF_ENABLE | (gif ? V_GIF : 0);
	return g;
}

static void clgi_clears(const void *arg)
{
	struct guest g = vgif_guest(guest_clgi, true);

	(void)arg;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->int_control & V_GIF, 0);
}

static void stgi_sets(const void *arg)
{
	struct guest g = vgif_guest(guest_stgi, false);

	(void)arg;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->int_control & V_GIF, V_GIF);
}

static void toggles(const void *arg)
{
	struct guest g = vgif_guest(guest_toggle, true);

	(void)arg;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->int_control & V_GIF, 0);
	g.vmcb->rip = (uint64_t)guest_toggle;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->int_control & V_GIF, 0);
}

static void intercept_wins(const void *arg)
{
	struct guest g = vgif_guest(guest_clgi, true);

	(void)arg;
	intercept(&g, X_CLGI);
	guest_expect_at(&g, X_CLGI, guest_clgi);
	CHECK_EQ(g.vmcb->int_control & V_GIF, V_GIF);
	intercept(&g, X_STGI);
	g.vmcb->rip = (uint64_t)guest_stgi;
	guest_expect_at(&g, X_STGI, guest_stgi);
}

static void holds_virq(const void *arg)
{
	struct guest g = vgif_guest(guest_stop, false);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	g.vmcb->int_control |= V_IRQ | V_PRIORITY(15) | V_VECTOR(0x45);
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	CHECK_EQ(g.vmcb->int_control & V_IRQ, V_IRQ);
	g.vmcb->rip = (uint64_t)guest_stgi;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x45));
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, after_stgi);
	CHECK_EQ(g.vmcb->int_control & (V_IRQ | V_GIF), V_GIF);
}

static void passes_virq(const void *arg)
{
	struct guest g = vgif_guest(guest_spin, true);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	g.vmcb->int_control |= V_IRQ | V_PRIORITY(15) | V_VECTOR(0x45);
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x45));
}

static void holds_vintr_exit(const void *arg)
{
	struct guest g = vgif_guest(guest_stgi, false);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	g.vmcb->int_control |= V_IRQ | V_PRIORITY(15) | V_VECTOR(0x45);
	intercept(&g, X_VINTR);
	guest_expect_at(&g, X_VINTR, after_stgi);
}

/* V_GIF masks virtual interrupts only. */
static void passes_physical(const void *arg)
{
	struct guest g = vgif_guest(guest_spin, false);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	CHECK(WAIT_FOR(apic_pending(IRQ)), "the self-IPI does not arrive");
	guest_expect_at(&g, X_INTR, guest_spin);
	interrupts_on();
	interrupts_off();
	CHECK_EQ(interrupts_taken(0, IRQ), 1);
}

static void injection_passes(const void *arg)
{
	struct guest g = vgif_guest(guest_spin, false);

	(void)arg;
	g.vmcb->event = EVENT_VALID | EVENT_INTR | 0x46;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x46));
}

/* The guest's STGI is not the host's. */
static void host_gif_is_another(const void *arg)
{
	struct guest g = vgif_guest(guest_stgi, false);
	unsigned held;

	(void)arg;
	guest_run_gif0(&g);
	apic_send(0, ICR_NMI);
	held = nmis_taken(0);
	stgi();
	CHECK_EQ(held, 0);
	CHECK(WAIT_FOR(nmis_taken(0) == 1), "the NMI is lost");
}

static void disabled(const void *arg)
{
	struct guest g = vgif_guest(guest_clgi, true);

	(void)arg;
	g.vmcb->int_control = V_GIF;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->int_control & V_GIF_ENABLE, 0);
}

void l1_main(void)
{
	svm_start();
	test("clgi-clears", clgi_clears, NULL);
	test("stgi-sets", stgi_sets, NULL);
	test("toggles", toggles, NULL);
	test("intercept-wins", intercept_wins, NULL);
	test("holds-virq", holds_virq, NULL);
	test("passes-virq", passes_virq, NULL);
	test("holds-vintr-exit", holds_vintr_exit, NULL);
	test("passes-physical", passes_physical, NULL);
	test("injection-passes", injection_passes, NULL);
	test("host-gif-is-another", host_gif_is_another, NULL);
	test("disabled", disabled, NULL);
}
