/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hypervisor that attacks what is below it. Whatever it does, the monitor must go on answering.
 * Options: entries=N (random VMCSs, default 40000), races=N, seed=N.
 */
#include "lib/attacks.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/random.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "lib/wild_tests.h"
#include "vmx/vmx.h"

GUEST(guest_stop, STOP);
GUEST(guest_cr8, "mov %rcx, %cr8;" STOP);

static void good_guest_runs(void)
{
	size_t mark = pages_mark();
	struct guest g = guest_long(guest_stop);

	guest_expect_at(&g, X_VMCALL, guest_stop);
	guest_clear(&g);
	vmcs_drop(&g);
	pages_release(mark);
}

static void random_vmcss(const void *arg)
{
	static const struct wild_test wild = {.entries = 40000,
					      .progress = 10000,
					      .timer = 500000,
					      .ways = 20,
					      .good_guest_runs = good_guest_runs};

	(void)arg;
	wild_entries(&wild);
}

static void do_vmxon(void *p)
{
	*(int *)p = vmxon(((uint64_t *)p)[1]);
}

static void do_vmclear(void *p)
{
	*(int *)p = vmclear(((uint64_t *)p)[1]);
}

static void do_vmptrld(void *p)
{
	*(int *)p = vmptrld(((uint64_t *)p)[1]);
}

/* The monitor's pages as VMXON regions and VMCSs: an error or a fault, never success. */
static void region_addresses(const void *arg)
{
	static void (*const ways[])(void *) = {do_vmxon, do_vmclear, do_vmptrld};
	static const char *const names[] = {"VMXON", "VMCLEAR", "VMPTRLD"};
	uint64_t start, size;

	(void)arg;
	attack_target(&start, &size);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		for (uint64_t a = start; a < start + size; a += size / 16 & PAGE_MASK) {
			uint64_t in_out[2] = {0, a};
			struct fault f;

			vmx_disable();
			if (i > 0)
				vmx_enable();
			f = expect_fault(ways[i], in_out);
			CHECK(f.taken || (int)in_out[0] != 0, "%s of 0x%x succeeds", names[i], a);
			CHECK(!f.taken || f.vector == VEC_GP, "%s of 0x%x: vector %u", names[i], a,
			      U64(f.vector));
			attack_survived();
		}
	}
	vmx_disable();
	vmx_enable();
	good_guest_runs();
}

static void vmptrst_at(void *p)
{
	__asm__ volatile("vmptrst (%0)" : : "r"(p) : "memory", "cc");
}

static void vmread_at(void *p)
{
	__asm__ volatile("vmread %1, (%0)" : : "r"(p), "r"((uint64_t)G_RIP) : "memory", "cc");
}

static void vmwrite_at(void *p)
{
	__asm__ volatile("vmwrite (%0), %1" : : "r"(p), "r"((uint64_t)G_RIP) : "memory", "cc");
}

static void vmptrld_at(void *p)
{
	__asm__ volatile("vmptrld (%0)" : : "r"(p) : "memory", "cc");
}

static void invept_at(void *p)
{
	__asm__ volatile("invept (%0), %1" : : "r"(p), "r"(2ull) : "memory", "cc");
}

/* The monitor's memory as a memory operand: #GP, as for any other access. */
static void operands(const void *arg)
{
	static void (*const ways[])(void *) = {vmptrst_at, vmread_at, vmwrite_at, vmptrld_at,
					       invept_at};
	static const char *const names[] = {"VMPTRST", "VMREAD", "VMWRITE", "VMPTRLD", "INVEPT"};
	struct guest g = guest_long(guest_stop);
	uint64_t start, size;

	(void)arg;
	attack_target(&start, &size);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t places[] = {start, start + size / 2, start + size - 8, start - 4};

		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			struct fault f;

			guest_use(&g);
			f = expect_fault(ways[i], (void *)places[p]);
			CHECK(f.taken && f.vector == VEC_GP, "%s at 0x%x: fault %u, vector %u",
			      names[i], places[p], U64(f.taken), U64(f.vector));
			attack_survived();
		}
	}
	guest_expect_at(&g, X_VMCALL, guest_stop);
}

struct address {
	const char *name;
	enum field field;
	void (*prepare)(struct guest *g);
};

static void with_exit_store(struct guest *g)
{
	put(g, C_EXIT_STORE_COUNT, 1);
}

static void with_exit_load(struct guest *g)
{
	put(g, C_EXIT_LOAD_COUNT, 1);
}

static void with_entry_load(struct guest *g)
{
	put(g, C_ENTRY_LOAD_COUNT, 1);
}

static void with_tpr_shadow(struct guest *g)
{
	need(C_PROC, PROC_TPR_SHADOW);
	set_bits(g, C_PROC, PROC_TPR_SHADOW);
	put(g, C_TPR_THRESHOLD, 0);
	put(g, G_RIP, (uint64_t)guest_cr8);
	g->r.rcx = 5;
}

static void with_apic_access(struct guest *g)
{
	need(C_PROC2, PROC2_APIC_ACCESS);
	set_bits(g, C_PROC2, PROC2_APIC_ACCESS);
}

static const struct address addresses[] = {
	{"io-map-a", C_IO_MAP_A, NULL},
	{"io-map-b", C_IO_MAP_B, NULL},
	{"msr-map", C_MSR_MAP, NULL},
	{"exit-store", C_EXIT_STORE, with_exit_store},
	{"exit-load", C_EXIT_LOAD, with_exit_load},
	{"entry-load", C_ENTRY_LOAD, with_entry_load},
	{"virtual-apic", C_VIRTUAL_APIC, with_tpr_shadow},
	{"apic-access", C_APIC_ACCESS, with_apic_access},
	{"ept", C_EPTP, NULL},
	{"link", G_LINK, NULL},
};

/*
 * The monitor's pages in the fields of a VMCS that hold addresses. An exit MSR area that cannot be used
 * may cost this CPU (VM abort), so those two have to be refused.
 */
static void vmcs_address(const void *arg)
{
	const struct address *a = arg;
	uint64_t start, size;

	attack_target(&start, &size);
	for (uint64_t at = start; at < start + size; at += size / 16 & PAGE_MASK) {
		struct guest g = guest_long(guest_stop);
		size_t mark = pages_mark();
		int err;

		if (a->prepare)
			a->prepare(&g);
		put(&g, a->field, at | (a->field == C_EPTP ? EPTP_WB_4_LEVELS : 0));
		err = guest_enter(&g);
		if (a->field == C_EPTP && !err)
			CHECK(get(&g, I_REASON) != X_VMCALL, "a guest runs on an EPT at 0x%x", at);
		if (a->field == C_VIRTUAL_APIC)
			CHECK(err == 7 || get(&g, I_REASON) != X_VMCALL, "a TPR is kept at 0x%x",
			      at);
		attack_survived();
		vmcs_forget();
		pages_release(mark);
	}
	good_guest_runs();
}

/* What the other CPU does over and over to the memory that an entry of this one uses. */
struct race {
	struct guest g;
	struct random random;
	uint64_t *entry, good;
	bool region;
	volatile bool stop;
	volatile uint64_t writes;
};

static void rewrite(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		uint64_t x = random_next(&r->random);

		if (r->region)
			((volatile uint64_t *)r->g.vmcs)[1 + x % 511] = random_next(&r->random);
		else
			*(volatile uint64_t *)r->entry = x & 1 << 20 ? r->good : r->good & ~(x & 7);
		((volatile uint8_t *)r->g.msr_map)[x >> 32 & 0xfff] = (uint8_t)x;
		((volatile uint8_t *)r->g.io_a)[x >> 44 & 0xfff] = (uint8_t)x;
		r->writes++;
	}
}

/* An EPT that changes under the guest; and, above the monitor, the bytes of the VMCS region itself. */
static void race(const void *arg)
{
	static struct race r;
	uint64_t n = option("races", 20000), ran = 0;

	if (cpu_count() < 2)
		test_skip("one CPU");
	if (arg)
		attack_needs_monitor(); /* on a bare machine the region is the processor's */
	r = (struct race){.g = guest_long(guest_stop),
			  .random.state = attack_seed | 1,
			  .region = arg != NULL};
	r.entry = ept_entry(r.g.ept, (uint64_t)guest_stop, LEVEL_4K);
	r.good = *r.entry;
	CHECK(cpu_start(1, rewrite, &r), "CPU 1 does not start");
	CHECK(WAIT_FOR(r.writes > 1000), "CPU 1 does not write");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t reason;

		guest_at(&r.g, guest_stop);
		CHECK_EQ(guest_enter(&r.g), 0);
		reason = get(&r.g, I_REASON);
		CHECK(reason == X_VMCALL || (!r.region && reason == X_EPT_VIOLATION) ||
			      (!r.region && reason == X_EPT_MISCONFIGURATION),
		      "exit 0x%x", reason);
		ran += reason == X_VMCALL;
		if (i % 64 == 0)
			flush_all();
	}
	r.stop = true;
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not finish");
	CHECK(ran > 0, "no run got through");
	attack_survived();
	guest_clear(&r.g);
	good_guest_runs();
}

static void recover(void)
{
	vmx_disable();
	vmx_enable();
	good_guest_runs();
}

void l1_main(void)
{
	static const struct attack_msr msrs[] = {
		{MSR_STAR, 0},     {MSR_LSTAR, 0},           {MSR_CSTAR, 0},
		{MSR_SFMASK, 0},   {MSR_KERNEL_GS_BASE, 0},  {MSR_PAT, 0},
		{MSR_GS_BASE, 0},  {MSR_SYSENTER_CS, 0},     {MSR_SYSENTER_ESP, 0},
		{MSR_VMX_PROC, 0}, {MSR_FEATURE_CONTROL, 0}, {MSR_VMX_EPT_VPID, 0},
	};
	static const struct attacker attacker = {recover, vmx_disable, msrs, ARRAY_SIZE(msrs)};

	vmx_start();
	attacks(&attacker);
	test("region-addresses", region_addresses, NULL);
	test("operands", operands, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
		test_named("vmcs-address-", addresses[i].name, vmcs_address, &addresses[i]);
	test("ept-race", race, NULL);
	test("region-race", race, "");
	test("random-vmcss", random_vmcss, NULL);
}
