/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on registers: each class of them after each kind of exit; instructions left out and done twice. */
#include "tests/attack/l1/exits.h"

#include "lib/apic.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "tests/attack/l1/attacks.h"

#define JUNK 0x4141414141ull
#define LOAD_BYTES 3u
#define OUT_BYTES 1u
#define VECTOR 0x51
#define CPUID_XSAVE (1u << 26) /* leaf 1, ECX */
#define CLASS_STATE 32768      /* above the monitor: anything else in the control structure */
#define LAST_TOLD KIND_XSETBV

/* Neither vendor's hardware switches these, nor CR2 (Intel): they are in the CPU when L1 has it. */
static void vectors_get(uint64_t out[SECRET_WORDS])
{
	__asm__ volatile("movdqu %%xmm0, 0(%0); movdqu %%xmm1, 16(%0)\n"
			 "movdqu %%xmm2, 32(%0); movdqu %%xmm3, 48(%0)"
			 :
			 : "r"(out)
			 : "memory");
}

static void vectors_set(void)
{
	static const uint64_t junk[2] = {JUNK, JUNK};

	__asm__ volatile("movdqu (%0), %%xmm0; movdqu (%0), %%xmm1\n"
			 "movdqu (%0), %%xmm2; movdqu (%0), %%xmm3"
			 :
			 : "r"(junk)
			 : "memory");
}

static void debug_get(uint64_t out[4])
{
	__asm__ volatile("mov %%dr0, %0" : "=r"(out[0]));
	__asm__ volatile("mov %%dr1, %0" : "=r"(out[1]));
	__asm__ volatile("mov %%dr2, %0" : "=r"(out[2]));
	__asm__ volatile("mov %%dr3, %0" : "=r"(out[3]));
}

static void debug_set(void)
{
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" ::"r"(JUNK));
}

static bool finds(const struct vm *v, const void *words, size_t size)
{
	return has_secret(v, words, size);
}

static uint32_t context(const struct vm *v)
{
	struct hv_context c;

	hv_context(&v->g, &c);
	return (finds(v, &c.gdtr, sizeof(c.gdtr)) ? CLASS_GDTR : 0) |
	       (finds(v, &c.idtr, sizeof(c.idtr)) ? CLASS_IDTR : 0) |
	       (c.cr3 == HELD_ROOT ? CLASS_CR3 : 0) |
	       (c.rsp - (uint64_t)victim_image < (uint64_t)(victim_end - victim_image) ? CLASS_STACK
										       : 0) |
	       (c.rflags & HELD_FLAG ? CLASS_FLAGS : 0) |
	       ((uint32_t)c.dr6 == HELD_DR6 ? CLASS_DR6 : 0) |
	       ((uint32_t)c.dr7 == HELD_DR7 ? CLASS_DR7 : 0) |
	       (c.cs == SEL_CODE64 ? CLASS_CODE : 0);
}

uint32_t exits_look(struct vm *v)
{
	static const uint32_t system[] = {CLASS_CR2, CLASS_SYSCALL, CLASS_BASES, CLASS_SYSENTER};
	uint64_t words[HV_SYSTEM] = {0}, rax = guest_rax(&v->g);
	uint32_t seen = context(v);

	if (finds(v, &v->g.r, sizeof(v->g.r)) || finds(v, &rax, sizeof(rax)))
		seen |= CLASS_GENERAL;
	vectors_get(words);
	if (finds(v, words, SECRET_WORDS * 8))
		seen |= CLASS_VECTOR;
	debug_get(words);
	if (finds(v, words, 32))
		seen |= CLASS_DEBUG;
	for (unsigned i = 0; i < ARRAY_SIZE(system); i++) {
		memset(words, 0, sizeof(words));
		hv_system(&v->g, words, system[i]);
		if (finds(v, words, sizeof(words)))
			seen |= system[i];
	}
	if (monitor_present() && hv_state_has_secret(v))
		seen |= CLASS_STATE;
	return seen;
}

static void overwrite(struct vm *v, enum kind kind)
{
	struct guest_regs *r = &v->g.r;

	if (kind != KIND_DEVICE) /* device-registers */
		r->rbp = r->r8 = r->r9 = r->r10 = r->r11 = r->r12 = r->r13 = r->r14 = JUNK;
	vectors_set();
	debug_set();
	hv_set_system(&v->g, CLASS_CR2 | CLASS_SYSCALL | CLASS_BASES | CLASS_SYSENTER);
}

/* For XMM registers, in L1 and in guests, which begin with L1's CR0 and CR4. */
static void enable_vectors(void)
{
	write_cr0((read_cr0() & ~(uint64_t)(CR0_TS | CR0_EM)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR | (cpuid(1, 0).c & CPUID_XSAVE ? CR4_OSXSAVE : 0));
}

struct vm *exits_victim(enum kind kind)
{
	struct vm *v;

	enable_vectors();
	v = victim_new();
	if (kind != KIND_OUT)
		hv_ask(&v->g, kind);
	vm_tell(v, VICTIM_EXIT, kind, 0);
	if (kind == KIND_FAULT) {
		set_entry(data_entry(v, DATA_PAGES - 1), hv_marked(*data_entry(v, DATA_PAGES - 1)));
		nested_flush(&v->g);
	}
	return v;
}

/* L1 does what it is there for. The victim is then to go on. */
static void serve(struct vm *v, enum kind kind)
{
	if (kind == KIND_FAULT) {
		set_entry(data_entry(v, DATA_PAGES - 1),
			  hv_leaf((uint64_t)v->data[DATA_PAGES - 1]));
		nested_flush(&v->g);
	}
	if (hv_kinds[kind].bytes)
		hv_skip(&v->g, hv_kinds[kind].bytes);
	if (kind == KIND_STEP) /* once more behind the next instruction */
		CHECK(vm_enter(v) == CAME_OTHER, "one #DB only: exit 0x%x", v->exit);
}

/* What an emulator of the instruction needs, and sees; or who looks at a hypercall's arguments. */
static uint32_t needed(enum kind kind)
{
	switch (kind) {
	case KIND_DEVICE:
		return CLASS_GENERAL | CLASS_BASES | CLASS_STATE | CLASS_STACK | CLASS_CR3 |
		       CLASS_FLAGS | CLASS_CODE;
	case KIND_CALL:
		return CLASS_CR3;
	case KIND_STEP:
		return CLASS_DR6; /* which the processor itself writes */
	default:
		return 0;
	}
}

/* Bits of the classes: the ones that L1 saw, and those that the victim says have changed. */
static void one(enum kind kind, uint32_t *seen, uint32_t *changed)
{
	struct vm *v = exits_victim(kind);

	vm_enter(v);
	CHECK(v->exit == hv_kinds[kind].exit, "%s: exit 0x%x", hv_kinds[kind].name, v->exit);
	*seen = exits_look(v) & ~needed(kind);
	overwrite(v, kind);
	guest_set_rax(&v->g, 0);
	serve(v, kind);
	CHECK(vm_enter(v) == CAME_SIGNAL, "%s: it does not go on: exit 0x%x", hv_kinds[kind].name,
	      v->exit);
	*changed = (uint32_t)v->shared->reply;
	CHECK(vm_intact(v), "%s: its memory has changed", hv_kinds[kind].name);
	victim_is(NULL);
	vm_drop(v);
}

static void each(bool write)
{
	uint32_t seen, changed, is, all;

	for (unsigned kind = 0; kind <= LAST_TOLD; kind++) {
		if (!hv_kinds[kind].name)
			continue;
		one((enum kind)kind, &seen, &changed);
		is = write ? changed : seen;
		all = (write ? CLASS_ALL : CLASS_SEEN) & ~needed((enum kind)kind);
		print("%s: %s 0x%x\n", hv_kinds[kind].name, write ? "changed" : "seen", U64(is));
		way_begin(hv_kinds[kind].name);
		way(monitor_present() ? is != 0 : (is & all) == all);
	}
	judge_ways();
}

static void exits_read(void)
{
	each(false);
}

static void exits_write(void)
{
	each(true);
}

/* A device's interrupt, which L1 gets before the guest goes on. */
static void interrupt_read(void)
{
	struct vm *v = exits_victim(KIND_OUT);
	uint32_t seen;

	apic_init();
	vm_enter(v);
	CHECK(v->exit == hv_kinds[KIND_OUT].exit, "exit 0x%x", v->exit);
	interrupt_pend(VECTOR);
	hv_skip(&v->g, OUT_BYTES);
	hv_enter_interruptible(v);
	if (v->exit != hv_exit_interrupt) {
		interrupt_take(VECTOR);
		failed("no exit for an interrupt: 0x%x", v->exit);
		return;
	}
	seen = exits_look(v);
	overwrite(v, KIND_OUT);
	interrupt_take(VECTOR);
	CHECK(vm_enter(v) == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
	if (seen || v->shared->reply)
		succeeded("seen 0x%x, changed 0x%x", U64(seen), v->shared->reply);
	else
		failed("no registers are seen, none are changed");
}

/* It is over; whoever finds it finds its registers? */
static void shutdown_read(void)
{
	struct vm *v;
	uint32_t seen;

	enable_vectors();
	v = victim_new();
	hv_no_exceptions(&v->g);
	vm_tell(v, VICTIM_OVER, 0, 0);
	vm_enter(v);
	CHECK(v->exit == hv_exit_over, "no triple fault: exit 0x%x", v->exit);
	seen = exits_look(v);
	if (seen)
		succeeded("seen 0x%x", U64(seen));
	else
		failed("no registers are seen");
	v->mute = true;
}

/* An emulated load has one register to write. L1 writes another. */
static void device_registers(void)
{
	struct vm *v = exits_victim(KIND_DEVICE);

	vm_enter(v);
	CHECK(v->exit == hv_kinds[KIND_DEVICE].exit, "exit 0x%x", v->exit);
	v->g.r.r12 = JUNK;
	guest_set_rax(&v->g, 0);
	hv_skip(&v->g, LOAD_BYTES);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply)
		succeeded("it went on with another R12");
	else
		failed("it did not go on with another R12");
}

/* L1 has the victim leave an instruction out, or do half of it. */
static void instruction_skipped(void)
{
	struct vm *v = exits_victim(KIND_OUT);

	vm_enter(v);
	hv_skip(&v->g, OUT_BYTES + 1);
	if (vm_enter(v) == CAME_REFUSED)
		failed("it does not go on elsewhere");
	else
		succeeded("it went on elsewhere: exit 0x%x", v->exit);
}

/* The exit is answered with all registers as they were at the one before. */
static void exit_replayed(void)
{
	struct vm *v = victim_new();
	struct guest_regs r;
	void *page = page_alloc();

	vm_tell(v, VICTIM_COUNT, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_snapshot(&v->g, page);
	r = v->g.r;
	hv_skip(&v->g, OUT_BYTES);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	hv_restore(&v->g, page);
	v->g.r = r;
	for (unsigned i = 0; i < 8; i++) {
		hv_skip(&v->g, OUT_BYTES);
		if (vm_enter(v) != CAME_PORT)
			break;
	}
	if (v->shared->reply)
		succeeded("it has done something again");
	else
		failed("it goes on where it was");
}

const struct attack exit_attacks[] = {
	{"exits-read", exits_read},
	{"exits-write", exits_write},
	{"interrupt-read", interrupt_read},
	{"shutdown-read", shutdown_read},
	{"device-registers", device_registers},
	{"instruction-skipped", instruction_skipped},
	{"exit-replayed", exit_replayed},
	{NULL, NULL},
};
