/* SPDX-License-Identifier: Apache-2.0 */
/* The simplest exits, in each mode: reason, qualification, length, registers, RFLAGS, TSC, shadows. */
#include "vmx/vmx.h"

GUEST(guest_stop, STOP);
GUEST(guest_invert,
      "not %rax\n not %rbx\n not %rcx\n not %rdx\n not %rsi\n not %rdi\n not %rbp\n"
      "not %r8\n not %r9\n not %r10\n not %r11\n not %r12\n not %r13\n not %r14\n not %r15\n" STOP);
GUEST(guest_cpuid, "xor %eax, %eax; at_cpuid: cpuid; next_cpuid:" STOP);
GUEST_LABEL(at_cpuid);
GUEST_LABEL(next_cpuid);
GUEST(guest_hlt, "sti; nop; at_hlt: hlt; next_hlt:" STOP);
GUEST_LABEL(at_hlt);
GUEST_LABEL(next_hlt);
GUEST(guest_port, "mov $0x5a, %al; at_port: out %al, $0x80; next_port:" STOP);
GUEST_LABEL(at_port);
GUEST_LABEL(next_port);
GUEST(guest_flags, "std\n stc\n" STOP);
GUEST(guest_ud, "ud2\n");
GUEST(guest_tsc, "rdtsc\n" STOP);
GUEST(guest_sti, "sti\n in_sti:" STOP "nop\n after_sti:" STOP);
GUEST_LABEL(in_sti);
GUEST_LABEL(after_sti);
GUEST(guest_mov_ss, "mov %ss, %eax; mov %eax, %ss\n in_mov_ss:" STOP);
GUEST_LABEL(in_mov_ss);

static void round_trip(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	guest_expect_at(&g, X_VMCALL, guest_stop);
	for (unsigned i = 0; i < 1000; i++)
		guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, I_LENGTH), 3);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
}

static void registers(const void *arg)
{
	struct guest g = guest_long(guest_invert);
	uint64_t *r = (uint64_t *)&g.r;

	(void)arg;
	for (unsigned i = 0; i < 15; i++)
		r[i] = 0x0123456789abcdefull * (i + 3);
	guest_expect(&g, X_VMCALL);
	for (unsigned i = 0; i < 15; i++)
		CHECK(r[i] == ~(0x0123456789abcdefull * (i + 3)), "register %u is 0x%x", U64(i),
		      r[i]);
	CHECK_EQ(get(&g, G_RSP), g.stack - 64);
}

static void cpuid_exit(const void *arg)
{
	struct guest g = guest_long(guest_cpuid);

	(void)arg;
	g.r.rbx = 0x1234567890;
	guest_expect_at(&g, X_CPUID, at_cpuid);
	CHECK_EQ(get(&g, I_LENGTH), 2);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
	CHECK_EQ(g.r.rax, 0);
	CHECK_EQ(g.r.rbx, 0x1234567890);
	guest_at(&g, next_cpuid);
	guest_expect_at(&g, X_VMCALL, next_cpuid);
}

static void hlt_exit(const void *arg)
{
	struct guest g = guest_long(guest_hlt);

	(void)arg;
	set_bits(&g, C_PROC, PROC_HLT);
	guest_expect_at(&g, X_HLT, at_hlt);
	CHECK_EQ(get(&g, I_LENGTH), 1);
	CHECK_EQ(get(&g, G_ACTIVITY), ACTIVE);
	CHECK(get(&g, G_RFLAGS) & FLAG_IF, "the guest's IF is lost");
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
}

static void port_exit(const void *arg)
{
	struct guest g = guest_long(guest_port);

	(void)arg;
	g.io_a[0x80 / 8] = 1;
	guest_expect_at(&g, X_IO, at_port);
	CHECK_EQ(get(&g, I_LENGTH), 2);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0x800040);
	CHECK_EQ(g.r.rax & 0xff, 0x5a);
	guest_at(&g, next_port);
	guest_expect_at(&g, X_VMCALL, next_port);
}

static void exception_exit(const void *arg)
{
	struct guest g = guest_long(guest_ud);

	(void)arg;
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_UD);
	CHECK_EQ(get(&g, G_RIP), guest_ud);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
}

static void rflags_saved(const void *arg)
{
	struct guest g = guest_long(guest_flags);

	(void)arg;
	put(&g, G_RFLAGS, 2 | FLAG_IF | 0x3000);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_RFLAGS), 2 | FLAG_IF | 0x3000 | 0x401);
}

/* An exit clears RFLAGS but bit 1: the host goes on with interrupts off (SDM 3, 27.5.3). */
static void host_flags(const void *arg)
{
	struct guest g = guest_long(guest_flags);
	uint64_t flags;

	(void)arg;
	put(&g, G_RFLAGS, 2 | FLAG_IF | 0x3000);
	guest_use(&g);
	interrupts_on();
	vmx_enter(&g.r, false);
	flags = read_flags();
	interrupts_off();
	CHECK_EQ(flags & (FLAG_IF | FLAG_TF | 0x400 | 0x3000 | 0x4000 | 0x40000), 0);
	CHECK_EQ(get(&g, I_REASON), X_VMCALL);
}

static void user_mode(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	guest_user(&g);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_CS), SEL_USER_CODE64);
	CHECK_EQ(get(&g, G_SS_RIGHTS) >> 5 & 3, 3);
}

static void real_mode(const void *arg)
{
	struct guest g = guest_real(guest_stop, guest_stop_end);

	(void)arg;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_RIP), 0);
	CHECK_EQ(get(&g, G_CS_BASE), REAL_GUEST);
	CHECK_EQ(get(&g, G_EFER), 0);
	CHECK_EQ(get(&g, G_CR0), CR0_ET | CR0_NE);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, 0);
	CHECK_EQ(rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME);
}

static void protected_mode(const void *arg)
{
	struct guest g = guest_protected(guest_stop);

	(void)arg;
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_CR0), CR0_PE | CR0_ET | CR0_NE);
	CHECK_EQ(get(&g, G_CS_RIGHTS), 0xc09b);
	CHECK_EQ(rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME);
}

static void tsc_offset(const void *arg)
{
	struct guest g = guest_long(guest_tsc);
	uint64_t offset = *(const uint64_t *)arg, before, after, seen;

	set_bits(&g, C_PROC, PROC_TSC_OFFSET);
	put(&g, C_TSC_OFFSET, offset);
	before = rdtsc() + offset;
	guest_expect(&g, X_VMCALL);
	after = rdtsc() + offset;
	seen = g.r.rdx << 32 | (uint32_t)g.r.rax;
	CHECK(seen - before <= after - before, "guest read 0x%x, between 0x%x and 0x%x", seen,
	      before, after);
	before = rdtsc();
	guest_at(&g, guest_tsc);
	clear_bits(&g, C_PROC, PROC_TSC_OFFSET);
	guest_expect(&g, X_VMCALL);
	seen = g.r.rdx << 32 | (uint32_t)g.r.rax;
	CHECK(seen - before <= rdtsc() - before, "the offset is used without its control");
}

static void shadow_saved(const void *arg)
{
	struct guest g = guest_long(guest_sti);

	(void)arg;
	guest_expect_at(&g, X_VMCALL, in_sti);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_STI);
	guest_at(&g, in_sti + STOP_SIZE);
	guest_expect_at(&g, X_VMCALL, after_sti);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
	guest_at(&g, guest_mov_ss);
	guest_expect_at(&g, X_VMCALL, in_mov_ss);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_MOV_SS);
}

/* The shadow that entry loads holds to the end of the first instruction. */
static void shadow_loaded(const void *arg)
{
	uint64_t blocked = *(const uint64_t *)arg;
	struct guest g = guest_long(guest_stop);

	put(&g, G_RFLAGS, 2 | FLAG_IF);
	put(&g, G_INTERRUPTIBILITY, blocked);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), blocked);
}

void l1_main(void)
{
	static const uint64_t ahead = 1ull << 60, back = -(1ull << 50);
	static const uint64_t sti = BLOCKED_STI, mov_ss = BLOCKED_MOV_SS;

	vmx_start();
	test("round-trip", round_trip, NULL);
	test("registers", registers, NULL);
	test("cpuid", cpuid_exit, NULL);
	test("hlt", hlt_exit, NULL);
	test("port", port_exit, NULL);
	test("exception", exception_exit, NULL);
	test("rflags", rflags_saved, NULL);
	test("host-flags", host_flags, NULL);
	test("user-mode", user_mode, NULL);
	test("real-mode", real_mode, NULL);
	test("protected-mode", protected_mode, NULL);
	test("tsc-offset", tsc_offset, &ahead);
	test("tsc-offset-back", tsc_offset, &back);
	test("shadow-saved", shadow_saved, NULL);
	test("shadow-loaded-sti", shadow_loaded, &sti);
	test("shadow-loaded-mov-ss", shadow_loaded, &mov_ss);
}
