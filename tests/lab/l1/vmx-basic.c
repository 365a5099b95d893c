/* SPDX-License-Identifier: Apache-2.0 */
/* VMX's switches, and the instructions on VMCSs: SDM volume 3, chapter 30. */
#include "lib/pages.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define RFLAGS_STATUS 0x8d5u /* CF PF AF ZF SF OF */
#define SHADOW 0x80000000u   /* in a revision: a shadow VMCS */
#define PROC2_SHADOWING 0x4000u
#define UNMAPPED ((void *)0x7f0012345000)
#define NON_CANONICAL ((void *)(1ull << 60))

GUEST(guest_stop, STOP);

#define DEFINE_INSTRUCTION(name, text)                                                       \
	static void do_##name(void *operand)                                                 \
	{                                                                                    \
		__asm__ volatile(text : : "r"(operand), "a"(0), "d"(1ull) : "memory", "cc"); \
	}
DEFINE_INSTRUCTION(vmxon, "vmxon (%0)")
DEFINE_INSTRUCTION(vmxoff, "vmxoff")
DEFINE_INSTRUCTION(vmclear, "vmclear (%0)")
DEFINE_INSTRUCTION(vmptrld, "vmptrld (%0)")
DEFINE_INSTRUCTION(vmptrst, "vmptrst (%0)")
DEFINE_INSTRUCTION(vmread, "vmread %%rax, %%rdx")
DEFINE_INSTRUCTION(vmread_memory, "vmread %%rax, (%0)")
DEFINE_INSTRUCTION(vmwrite, "vmwrite %%rdx, %%rax")
DEFINE_INSTRUCTION(vmwrite_memory, "vmwrite (%0), %%rax")
DEFINE_INSTRUCTION(vmlaunch, "vmlaunch")
DEFINE_INSTRUCTION(vmresume, "vmresume")
DEFINE_INSTRUCTION(vmcall, "vmcall")
DEFINE_INSTRUCTION(invept, "invept (%0), %%rdx")
DEFINE_INSTRUCTION(invvpid, "invvpid (%0), %%rdx")

struct instruction {
	const char *name;
	void (*fn)(void *);
};

#define INSTRUCTION(name)         \
	{                         \
#name, do_##name, \
	}
static const struct instruction instructions[] = {
	INSTRUCTION(vmxoff),   INSTRUCTION(vmclear),        INSTRUCTION(vmptrld),
	INSTRUCTION(vmptrst),  INSTRUCTION(vmread),         INSTRUCTION(vmread_memory),
	INSTRUCTION(vmwrite),  INSTRUCTION(vmwrite_memory), INSTRUCTION(vmlaunch),
	INSTRUCTION(vmresume), INSTRUCTION(vmcall),         INSTRUCTION(invept),
	INSTRUCTION(invvpid),
};

static void feature_control(const void *arg)
{
	uint64_t region = (uint64_t)vmxon_region(), pair[2] = {MSR_FEATURE_CONTROL, 0};

	(void)arg;
	write_cr0(read_cr0() | CR0_NE);
	write_cr4(read_cr4() | CR4_VMXE);
	if (!(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_LOCKED)) {
		check_fault("VMXON unlocked", expect_fault(do_vmxon, &region), VEC_GP);
		wrmsr(MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX);
	}
	CHECK_EQ(rdmsr(MSR_FEATURE_CONTROL) & (FEATURE_LOCKED | FEATURE_VMX),
		 FEATURE_LOCKED | FEATURE_VMX);
	check_fault("write when locked", expect_fault(write_msr, pair), VEC_GP);
	CHECK_EQ(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_VMX, FEATURE_VMX);
}

static void ud_outside(const void *arg)
{
	const struct instruction *i = arg;
	uint64_t operand[2] = {(uint64_t)vmcs_alloc(), 0};

	vmx_disable();
	check_fault(i->name, expect_fault(i->fn, operand), VEC_UD);
	write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
	check_fault(i->name, expect_fault(i->fn, operand), VEC_UD);
}

static void vmxon_without_vmxe(const void *arg)
{
	uint64_t region = (uint64_t)vmxon_region();

	(void)arg;
	vmx_disable();
	write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
	check_fault("VMXON", expect_fault(do_vmxon, &region), VEC_UD);
}

/* CR0.NE is one of the bits that VMX operation fixes (SDM 3, 23.8 and A.7). */
static void vmxon_without_ne(const void *arg)
{
	uint64_t region = (uint64_t)vmxon_region();
	struct fault f;

	(void)arg;
	vmx_disable();
	write_cr0(read_cr0() & ~(uint64_t)CR0_NE);
	f = expect_fault(do_vmxon, &region);
	write_cr0(read_cr0() | CR0_NE);
	check_fault("VMXON", f, VEC_GP);
}

static void clear_vmxe(void *arg)
{
	(void)arg;
	write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
}

static void clear_ne(void *arg)
{
	(void)arg;
	write_cr0(read_cr0() & ~(uint64_t)CR0_NE);
}

static void fixed_bits_hold(const void *arg)
{
	(void)arg;
	check_fault("CR4.VMXE", expect_fault(clear_vmxe, NULL), VEC_GP);
	check_fault("CR0.NE", expect_fault(clear_ne, NULL), VEC_GP);
	CHECK(read_cr4() & CR4_VMXE && read_cr0() & CR0_NE, "the bits changed");
	vmx_disable();
	CHECK(!expect_fault(clear_vmxe, NULL).taken, "VMXE cannot be cleared after VMXOFF");
	CHECK(!(read_cr4() & CR4_VMXE), "VMXE stays set after VMXOFF");
}

static uint64_t beyond_physical(void)
{
	return 1ull << (cpuid(0x80000008, 0).a & 0xff);
}

static void vmxon_addresses(const void *arg)
{
	uint64_t page = (uint64_t)page_alloc();

	(void)arg;
	vmx_disable();
	*(uint32_t *)page = *vmxon_region();
	CHECK_EQ(vmxon(page + 8), VM_FAIL_INVALID);
	CHECK_EQ(vmxon(page | 1), VM_FAIL_INVALID);
	CHECK_EQ(vmxon(page | beyond_physical()), VM_FAIL_INVALID);
	CHECK_EQ(vmxon(page | 1ull << 63), VM_FAIL_INVALID);
	check_fault("not in VMX operation", expect_fault(do_vmxoff, NULL), VEC_UD);
	CHECK_EQ(vmxon(page), 0);
	CHECK_EQ(vmxoff(), 0);
}

static void vmxon_revision(const void *arg)
{
	uint32_t *page = page_alloc();

	(void)arg;
	vmx_disable();
	*page = *vmxon_region() ^ 1;
	CHECK_EQ(vmxon((uint64_t)page), VM_FAIL_INVALID);
	*page = *vmxon_region() | SHADOW;
	CHECK_EQ(vmxon((uint64_t)page), VM_FAIL_INVALID);
	check_fault("not in VMX operation", expect_fault(do_vmxoff, NULL), VEC_UD);
}

static void vmxon_twice(const void *arg)
{
	uint64_t region = (uint64_t)vmxon_region(), vmcs = (uint64_t)vmcs_alloc(), seen;

	(void)arg;
	CHECK_EQ(vmxon(region), VM_FAIL_INVALID);
	CHECK_EQ(vmclear(vmcs), 0);
	CHECK_EQ(vmptrld(vmcs), 0);
	CHECK_EQ(vmxon(region), 15);
	CHECK_EQ(vmxon(region | 1), 15);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, vmcs);
}

/* VMXOFF and VMXON again: there is no current VMCS, but the old one has kept its fields. */
static void vmxoff_and_on(const void *arg)
{
	uint64_t vmcs = (uint64_t)vmcs_alloc(), v = 0;

	(void)arg;
	CHECK_EQ(vmclear(vmcs), 0);
	CHECK_EQ(vmptrld(vmcs), 0);
	CHECK_EQ(vmwrite(G_RIP, 0x123456789abc), 0);
	CHECK_EQ(vmxoff(), 0);
	vmx_enable();
	CHECK_EQ(vmptrst(&v), 0);
	CHECK_EQ(v, ~0ull);
	CHECK_EQ(vmread(G_RIP, &v), VM_FAIL_INVALID);
	CHECK_EQ(vmptrld(vmcs), 0);
	CHECK_EQ(vmread(G_RIP, &v), 0);
	CHECK_EQ(v, 0x123456789abc);
}

static void operand_faults(const void *arg)
{
	const struct instruction *i = arg;
	uint64_t vmcs = (uint64_t)vmcs_alloc();
	struct fault f;

	CHECK_EQ(vmclear(vmcs), 0);
	CHECK_EQ(vmptrld(vmcs), 0);
	if (i->fn == do_vmxon)
		vmx_disable();
	f = expect_fault(i->fn, UNMAPPED);
	check_fault("unmapped", f, VEC_PF);
	CHECK_EQ(f.cr2, UNMAPPED);
	CHECK_EQ(f.error, i->fn == do_vmptrst || i->fn == do_vmread_memory ? 2 : 0);
	check_fault("not canonical", expect_fault(i->fn, NON_CANONICAL), VEC_GP);
}
static const struct instruction with_operand[] = {
	INSTRUCTION(vmxon),   INSTRUCTION(vmclear),       INSTRUCTION(vmptrld),
	INSTRUCTION(vmptrst), INSTRUCTION(vmread_memory), INSTRUCTION(vmwrite_memory),
	INSTRUCTION(invept),  INSTRUCTION(invvpid),
};

/* A pointer whose 8 bytes lie on two pages, the second one absent. */
static void operand_crosses(const void *arg)
{
	uint64_t *own = table_identity(), saved = read_cr3();
	uint8_t *pages = pages_alloc(2, PAGE_SIZE);
	struct fault f;

	(void)arg;
	*table_entry(own, (uint64_t)pages + PAGE_SIZE, LEVEL_4K) = 0;
	write_cr3((uint64_t)own);
	f = expect_fault(do_vmptrld, pages + PAGE_SIZE - 4);
	write_cr3(saved);
	check_fault("VMPTRLD", f, VEC_PF);
	CHECK_EQ(f.cr2, pages + PAGE_SIZE);
}

static void vmclear_errors(const void *arg)
{
	bool with_current = arg != NULL;
	uint64_t vmcs = (uint64_t)vmcs_alloc(), other = (uint64_t)vmcs_alloc(), seen;

	CHECK_EQ(vmclear(vmcs), 0);
	if (with_current)
		CHECK_EQ(vmptrld(vmcs), 0);
	CHECK_EQ(vmclear(other + 8), with_current ? 2 : VM_FAIL_INVALID);
	CHECK_EQ(vmclear(other | beyond_physical()), with_current ? 2 : VM_FAIL_INVALID);
	CHECK_EQ(vmclear((uint64_t)vmxon_region()), with_current ? 3 : VM_FAIL_INVALID);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, with_current ? vmcs : ~0ull);
}

static void vmptrld_errors(const void *arg)
{
	bool with_current = arg != NULL;
	uint64_t vmcs = (uint64_t)vmcs_alloc(), other = (uint64_t)vmcs_alloc(), seen;

	CHECK_EQ(vmclear(vmcs), 0);
	if (with_current)
		CHECK_EQ(vmptrld(vmcs), 0);
	CHECK_EQ(vmptrld(other + 8), with_current ? 9 : VM_FAIL_INVALID);
	CHECK_EQ(vmptrld(other | beyond_physical()), with_current ? 9 : VM_FAIL_INVALID);
	CHECK_EQ(vmptrld((uint64_t)vmxon_region()), with_current ? 10 : VM_FAIL_INVALID);
	*(uint32_t *)other ^= 1;
	CHECK_EQ(vmptrld(other), with_current ? 11 : VM_FAIL_INVALID);
	*(uint32_t *)other ^= 1;
	if (!can(C_PROC2, PROC2_SHADOWING)) {
		*(uint32_t *)other |= SHADOW;
		CHECK_EQ(vmptrld(other), with_current ? 11 : VM_FAIL_INVALID);
	}
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, with_current ? vmcs : ~0ull);
}

static void current_vmcs(const void *arg)
{
	uint64_t a = (uint64_t)vmcs_alloc(), b = (uint64_t)vmcs_alloc(), seen = 0;

	(void)arg;
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, ~0ull);
	CHECK_EQ(vmclear(a), 0);
	CHECK_EQ(vmclear(b), 0);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, ~0ull);
	CHECK_EQ(vmptrld(a), 0);
	CHECK_EQ(vmptrld(b), 0);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, b);
	CHECK_EQ(vmclear(a), 0);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, b);
	CHECK_EQ(vmclear(b), 0);
	CHECK_EQ(vmptrst(&seen), 0);
	CHECK_EQ(seen, ~0ull);
}

static void no_current(const void *arg)
{
	uint64_t v = 0x77;

	(void)arg;
	CHECK_EQ(vmread(G_RIP, &v), VM_FAIL_INVALID);
	CHECK_EQ(v, 0x77);
	CHECK_EQ(vmwrite(G_RIP, 0), VM_FAIL_INVALID);
	CHECK_EQ(vmread(0x12345678, &v), VM_FAIL_INVALID);
	CHECK_EQ(invept(99, 0, 0), VM_FAIL_INVALID);
	CHECK_EQ(vm_result(vmx_enter(&(struct guest_regs){0}, false)), VM_FAIL_INVALID);
	CHECK_EQ(vm_result(vmx_enter(&(struct guest_regs){0}, true)), VM_FAIL_INVALID);
}

/* VMCALL in VMX root operation, RAX = 0: no hypercall of a monitor's (SDM 3, 30.3 VMCALL). */
static void vmcall_in_root(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t flags;

	(void)arg;
	guest_expect(&g, X_VMCALL);
	__asm__ volatile("vmcall; pushfq; pop %0" : "=r"(flags) : "a"(0) : "memory", "cc");
	CHECK(vm_result(flags) == (monitor_present() ? 1 : 19) || vm_result(flags) == 1, "error %u",
	      U64(vm_result(flags)));
	guest_clear(&g);
	__asm__ volatile("vmcall; pushfq; pop %0" : "=r"(flags) : "a"(0) : "memory", "cc");
	CHECK_EQ(vm_result(flags), VM_FAIL_INVALID);
}

/* What each instruction leaves in RFLAGS when it succeeds, with all status flags set before. */
static void success_flags(const void *arg)
{
	uint64_t vmcs = (uint64_t)vmcs_alloc(), v = 0, flags[6];

	(void)arg;
#define WITH_FLAGS(n, text, ...)                                    \
	__asm__ volatile("pushq %1; popfq;" text "; pushfq; pop %0" \
			 : "=&r"(flags[n])                          \
			 : "i"(RFLAGS_STATUS | 2), __VA_ARGS__      \
			 : "memory", "cc")
	WITH_FLAGS(0, "vmclear %2", "m"(vmcs));
	WITH_FLAGS(1, "vmptrld %2", "m"(vmcs));
	WITH_FLAGS(2, "vmptrst %2", "m"(v));
	WITH_FLAGS(3, "vmwrite %2, %3", "r"(1ull), "r"((uint64_t)G_RIP));
	WITH_FLAGS(4, "vmread %3, %2", "r"(1ull), "r"((uint64_t)G_RIP));
	WITH_FLAGS(5, "vmwrite %2, %3", "r"(1ull), "r"(0x7ffeull));
#undef WITH_FLAGS
	for (unsigned i = 0; i < 5; i++)
		CHECK((flags[i] & RFLAGS_STATUS) == 0, "instruction %u: RFLAGS 0x%x", U64(i),
		      flags[i]);
	CHECK_EQ(flags[5] & RFLAGS_STATUS, 0x40);
}

static void launch_states(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(vm_result(vmx_enter(&g.r, false)), 4);
	guest_expect(&g, X_VMCALL);
	guest_clear(&g);
	guest_use(&g);
	CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5);
	guest_expect(&g, X_VMCALL);
}

/* An entry that fails leaves the VMCS clear; one of a launched VMCS leaves it launched. */
static void failed_launch(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	clear_bits(&g, C_PIN, 0x16);
	CHECK_EQ(guest_enter(&g), 7);
	CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5);
	put(&g, H_CS, 0);
	set_bits(&g, C_PIN, 0x16);
	CHECK_EQ(guest_enter(&g), 8);
	CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5);
	put(&g, H_CS, SEL_CODE64);
	guest_expect(&g, X_VMCALL);
	put(&g, H_CS, 0);
	CHECK_EQ(guest_enter(&g), 8);
	put(&g, H_CS, SEL_CODE64);
	guest_expect(&g, X_VMCALL);
}

static void mov_ss_blocking(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t flags;

	(void)arg;
	guest_use(&g);
	__asm__ volatile("mov %%ss, %%eax; mov %%eax, %%ss; vmlaunch; pushfq; pop %0"
			 : "=r"(flags)
			 :
			 : "rax", "memory", "cc");
	CHECK_EQ(vm_result(flags), 26);
	guest_expect(&g, X_VMCALL);
	__asm__ volatile("mov %%ss, %%eax; mov %%eax, %%ss; vmresume; pushfq; pop %0"
			 : "=r"(flags)
			 :
			 : "rax", "memory", "cc");
	CHECK_EQ(vm_result(flags), 26);
}

static void invept_types(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t caps = ept_vpid_capabilities(), eptp = get(&g, C_EPTP);

	(void)arg;
	if (!(caps & CAP_INVEPT))
		test_skip("no INVEPT");
	CHECK_EQ(invept(INV_SINGLE, eptp, 0), caps & CAP_INVEPT_SINGLE ? 0 : 28);
	CHECK_EQ(invept(INV_ALL, eptp, 0), caps & CAP_INVEPT_ALL ? 0 : 28);
	CHECK_EQ(invept(INV_ALL, ~0ull, 0), caps & CAP_INVEPT_ALL ? 0 : 28);
	CHECK_EQ(invept(0, eptp, 0), 28);
	CHECK_EQ(invept(3, eptp, 0), 28);
	CHECK_EQ(invept(INV_SINGLE, eptp ^ 0x8, 0), 28);
	CHECK_EQ(invept(INV_SINGLE, eptp | 0xf00, 0), 28);
	CHECK_EQ(invept(INV_SINGLE, eptp | beyond_physical(), 0), 28);
	guest_expect(&g, X_VMCALL);
}

static void invvpid_types(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t caps = ept_vpid_capabilities();
	static const uint64_t offered[] = {CAP_INVVPID_ADDRESS, CAP_INVVPID_SINGLE, CAP_INVVPID_ALL,
					   CAP_INVVPID_KEEP_GLOBAL};

	(void)arg;
	if (!(caps & CAP_INVVPID))
		test_skip("no INVVPID");
	guest_use(&g);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(invvpid(i, 7, 0x1000), caps & offered[i] ? 0 : 28);
		CHECK_EQ(invvpid(i, 0x10007, 0x1000), 28);
		CHECK_EQ(invvpid(i, 1ull << 63 | 7, 0x1000), 28);
		if (i != INV_ALL)
			CHECK_EQ(invvpid(i, 0, 0x1000), 28);
	}
	CHECK_EQ(invvpid(INV_ADDRESS, 7, 1ull << 60), 28);
	CHECK_EQ(invvpid(4, 7, 0), 28);
	guest_expect(&g, X_VMCALL);
}

/* In 64-bit mode the type is all of the register. */
static void invalidation_type_width(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	int err;

	(void)arg;
	if (!(ept_vpid_capabilities() & CAP_INVEPT))
		test_skip("no INVEPT");
	err = invept(1ull << 32 | INV_SINGLE, get(&g, C_EPTP), 0);
	bochs_lax(!err, "Bochs looks at the low half of the type only");
	CHECK_EQ(err, 28);
	CHECK_EQ(invvpid(1ull << 32 | INV_SINGLE, 7, 0), 28);
}

void l1_main(void)
{
	if (cpuid(1, 0).c & 0x20)
		test("feature-control", feature_control, NULL);
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test_named("ud-outside-", instructions[i].name, ud_outside, &instructions[i]);
	test("vmxon-without-vmxe", vmxon_without_vmxe, NULL);
	test("vmxon-without-ne", vmxon_without_ne, NULL);
	test("fixed-bits-hold", fixed_bits_hold, NULL);
	test("vmxon-addresses", vmxon_addresses, NULL);
	test("vmxon-revision", vmxon_revision, NULL);
	test("vmxon-twice", vmxon_twice, NULL);
	test("vmxoff-and-on", vmxoff_and_on, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(with_operand); i++)
		test_named("operand-faults-", with_operand[i].name, operand_faults,
			   &with_operand[i]);
	test("operand-crosses", operand_crosses, NULL);
	test("vmclear-errors", vmclear_errors, "");
	test("vmclear-errors-no-current", vmclear_errors, NULL);
	test("vmptrld-errors", vmptrld_errors, "");
	test("vmptrld-errors-no-current", vmptrld_errors, NULL);
	test("current-vmcs", current_vmcs, NULL);
	test("no-current", no_current, NULL);
	test("vmcall-in-root", vmcall_in_root, NULL);
	test("success-flags", success_flags, NULL);
	test("launch-states", launch_states, NULL);
	test("failed-launch", failed_launch, NULL);
	test("mov-ss-blocking", mov_ss_blocking, NULL);
	test("invept-types", invept_types, NULL);
	test("invvpid-types", invvpid_types, NULL);
	test("invalidation-type-width", invalidation_type_width, NULL);
}
