/* SPDX-License-Identifier: Apache-2.0 */
/* What the victim comes out for, with its secret in registers; and what it does when events come. */
#include "lib/layout.h"
#include "tests/attack/l1/victim.h"
#include "vendor.h"

#define MSR_SYSENTER_ESP 0x175
#define MSR_STAR 0xc0000081u
#define MSR_FS_BASE 0xc0000100u
#define CR0_WP (1u << 16)
#define CR4_PCE (1u << 8)
#define CR4_OSXSAVE (1u << 18)
#define XEN_SCHED_OP 29
#define GATE 0x8e00u
#define GATE_PROGRAMS 0x6000u /* DPL 3, as Linux's 80h */
#define SYSTEM_CALL 0x80
#define VECTOR_OF_NMI 2

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

/* For hold(), which knows the places. */
struct held {
	uint64_t word[SECRET_WORDS]; /* of the secret, then what is there afterwards */
	uint64_t vector[SECRET_WORDS];
	uint64_t rax, rcx, rdx, rsi, rdi;
	void (*stub)(void);
};

/* Loads it all, calls stub, and stores what there is then, but RCX to RDI. */
void hold(struct held *h);
__asm__(".text\nhold:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
	"movdqu 64(%rdi), %xmm0; movdqu 80(%rdi), %xmm1; movdqu 96(%rdi), %xmm2\n"
	"movdqu 112(%rdi), %xmm3\n"
	"mov 128(%rdi), %rax; mov 136(%rdi), %rcx; mov 144(%rdi), %rdx; mov 152(%rdi), %rsi\n"
	"mov 168(%rdi), %r15\n"
	"mov 0(%rdi), %rbp; mov 8(%rdi), %r8; mov 16(%rdi), %r9; mov 24(%rdi), %r10\n"
	"mov 32(%rdi), %r11; mov 40(%rdi), %r12; mov 48(%rdi), %r13; mov 56(%rdi), %r14\n"
	"mov 160(%rdi), %rdi\n"
	"call *%r15\n"
	"pop %rdi\n"
	"mov %rbp, 0(%rdi); mov %r8, 8(%rdi); mov %r9, 16(%rdi); mov %r10, 24(%rdi)\n"
	"mov %r11, 32(%rdi); mov %r12, 40(%rdi); mov %r13, 48(%rdi); mov %r14, 56(%rdi)\n"
	"movdqu %xmm0, 64(%rdi); movdqu %xmm1, 80(%rdi); movdqu %xmm2, 96(%rdi)\n"
	"movdqu %xmm3, 112(%rdi)\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

#define STUB(name, text) \
	void name(void); \
	__asm__(".text\n" #name ": " text "; ret\n")

STUB(do_out, "out %al, %dx");
STUB(do_in, "in %dx, %al");
STUB(do_cpuid, "cpuid");
STUB(do_hlt, "hlt");
STUB(do_pause, "pause");
STUB(do_wbinvd, "wbinvd");
STUB(do_rdpmc, "rdpmc");
STUB(do_rdmsr, "rdmsr");
STUB(do_wrmsr, "wrmsr");
STUB(do_cr0, "mov %rax, %cr0");
STUB(do_cr4, "mov %rax, %cr4");
STUB(do_mwait, ".byte 0x0f, 0x01, 0xc9");
STUB(do_call, VENDOR_CALL);
STUB(do_load, "mov (%rsi), %rax");
STUB(do_step, "pushfq; pushfq; orl $0x100, (%rsp); popfq; nop; popfq; nop");
STUB(do_xsetbv, "xsetbv");
STUB(do_read_cr3, "mov %cr3, %rax");
STUB(do_write_cr3, "mov %cr3, %rax; mov %rax, %cr3");
STUB(do_read_dr7, "mov %dr7, %rax");
STUB(do_write_dr7, "mov $0x400, %eax; mov %rax, %dr7");
STUB(do_invlpg, "invlpg (%rsi)");
STUB(do_sgdt, "sub $16, %rsp; sgdt (%rsp); add $16, %rsp");
STUB(do_lidt, "sub $16, %rsp; sidt (%rsp); lidt (%rsp); add $16, %rsp");
STUB(do_pushf, "pushfq; pop %rax");
STUB(do_popf, "push $2; popfq");
STUB(do_rdrand, "rdrand %rax");

static void (*stub_of(uint64_t kind))(void)
{
	static void (*const stub[KIND_COUNT])(void) = {
		[KIND_OUT] = do_out,
		[KIND_IN] = do_in,
		[KIND_CPUID] = do_cpuid,
		[KIND_HLT] = do_hlt,
		[KIND_PAUSE] = do_pause,
		[KIND_WBINVD] = do_wbinvd,
		[KIND_RDPMC] = do_rdpmc,
		[KIND_RDMSR] = do_rdmsr,
		[KIND_WRMSR] = do_wrmsr,
		[KIND_CR0] = do_cr0,
		[KIND_CR4] = do_cr4,
		[KIND_MWAIT] = do_mwait,
		[KIND_CALL] = do_call,
		[KIND_DEVICE] = do_load,
		[KIND_FAULT] = do_load,
		[KIND_STEP] = do_step,
		[KIND_XSETBV] = do_xsetbv,
		[KIND_READ_CR3] = do_read_cr3,
		[KIND_WRITE_CR3] = do_write_cr3,
		[KIND_READ_DR7] = do_read_dr7,
		[KIND_WRITE_DR7] = do_write_dr7,
		[KIND_INVLPG] = do_invlpg,
		[KIND_SGDT] = do_sgdt,
		[KIND_LIDT] = do_lidt,
		[KIND_PUSHF] = do_pushf,
		[KIND_POPF] = do_popf,
		[KIND_RDRAND] = do_rdrand,
	};

	return stub[kind % KIND_COUNT];
}

static uint64_t read_cr(unsigned n)
{
	uint64_t v;

	if (n == 0)
		__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	else if (n == 2)
		__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	else
		__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static void prepare(struct held *h, uint64_t kind)
{
	h->stub = stub_of(kind);
	if (kind == KIND_OUT || kind == KIND_IN)
		h->rdx = HOLD_PORT;
	else if (kind == KIND_CPUID)
		h->rax = 2;
	else if (kind == KIND_RDMSR || kind == KIND_WRMSR)
		h->rcx = SPARE_MSR;
	else if (kind == KIND_CR0)
		h->rax = read_cr(0) ^ CR0_WP;
	else if (kind == KIND_CR4)
		h->rax = read_cr(4) ^ CR4_PCE;
	else if (kind == KIND_CALL)
		h->rax = XEN_SCHED_OP;
	else if (kind == KIND_DEVICE)
		h->rsi = GUEST_SHARED2;
	else if (kind == KIND_FAULT)
		h->rsi = GUEST_DATA + (DATA_PAGES - 1) * PAGE_SIZE;
	else if (kind == KIND_XSETBV)
		h->rax = 3;
	else
		h->rsi = GUEST_DATA;
}

static void load_system(const uint64_t *w)
{
	__asm__ volatile("mov %0, %%dr0" ::"r"(w[0]));
	__asm__ volatile("mov %0, %%dr1" ::"r"(w[1]));
	__asm__ volatile("mov %0, %%dr2" ::"r"(w[2]));
	__asm__ volatile("mov %0, %%dr3" ::"r"(w[3]));
	__asm__ volatile("mov %0, %%cr2" ::"r"(w[4]));
	wrmsr(MSR_STAR, w[5]);
	wrmsr(MSR_STAR + 1, secret_half(w[6]));
	wrmsr(MSR_STAR + 2, secret_half(w[7]));
	for (unsigned i = 0; i < 3; i++)
		wrmsr(MSR_FS_BASE + i, secret_half(w[i]));
	for (unsigned i = 0; i < 2; i++)
		wrmsr(MSR_SYSENTER_ESP + i, secret_half(w[3 + i]));
}

static uint64_t read_dr(unsigned n)
{
	uint64_t v;

	if (n == 0)
		__asm__ volatile("mov %%dr0, %0" : "=r"(v));
	else if (n == 1)
		__asm__ volatile("mov %%dr1, %0" : "=r"(v));
	else if (n == 2)
		__asm__ volatile("mov %%dr2, %0" : "=r"(v));
	else
		__asm__ volatile("mov %%dr3, %0" : "=r"(v));
	return v;
}

static uint64_t system_changes(const uint64_t *w)
{
	uint64_t changed = 0;

	for (unsigned i = 0; i < 4; i++)
		changed |= read_dr(i) != w[i] ? CLASS_DEBUG : 0;
	if (read_cr(2) != w[4])
		changed |= CLASS_CR2;
	if (rdmsr(MSR_STAR) != w[5] || rdmsr(MSR_STAR + 1) != secret_half(w[6]) ||
	    rdmsr(MSR_STAR + 2) != secret_half(w[7]) || rdmsr(MSR_FS_BASE + 2) != secret_half(w[2]))
		changed |= CLASS_SYSCALL;
	for (unsigned i = 0; i < 2; i++)
		changed |= rdmsr(MSR_FS_BASE + i) != secret_half(w[i]) ? CLASS_BASES : 0;
	for (unsigned i = 0; i < 2; i++)
		changed |=
			rdmsr(MSR_SYSENTER_ESP + i) != secret_half(w[3 + i]) ? CLASS_SYSENTER : 0;
	return changed;
}

static struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) old_gdtr, old_idtr;

static void set_flag(bool on)
{
	uint64_t flags;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	flags = on ? flags | HELD_FLAG : flags & ~(uint64_t)HELD_FLAG;
	__asm__ volatile("push %0; popfq" ::"r"(flags) : "cc");
}

/* Nothing that the victim does then needs a descriptor. */
static void load_context(const uint64_t *w)
{
	struct pointer g = {0xffff, secret_half(w[5])}, i = {0xffff, secret_half(w[6])};
	const volatile uint64_t *root = (const volatile uint64_t *)GUEST_TABLES;

	for (unsigned n = 0; n < PAGE_WORDS; n++)
		((volatile uint64_t *)HELD_ROOT)[n] = root[n];
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(old_gdtr), "=m"(old_idtr));
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(g), "m"(i));
	__asm__ volatile("mov %0, %%cr3" ::"r"((uint64_t)HELD_ROOT) : "memory");
	__asm__ volatile("mov %0, %%dr6" ::"r"((uint64_t)HELD_DR6));
	__asm__ volatile("mov %0, %%dr7" ::"r"((uint64_t)HELD_DR7));
	set_flag(true);
}

static void restore_context(void)
{
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(old_gdtr), "m"(old_idtr));
	__asm__ volatile("mov %0, %%cr3" ::"r"((uint64_t)GUEST_TABLES) : "memory");
	__asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ull));
	__asm__ volatile("mov %0, %%dr7" ::"r"(0x400ull));
	set_flag(false);
}

static void copy(uint64_t *to, const volatile uint64_t *from)
{
	for (unsigned i = 0; i < SECRET_WORDS; i++)
		to[i] = from[i];
}

static bool differ(const uint64_t *a, const uint64_t *b)
{
	uint64_t diff = 0;

	for (unsigned i = 0; i < SECRET_WORDS; i++)
		diff |= a[i] ^ b[i];
	return diff;
}

/* CPUID writes RBX, which hold() has no use for. */
uint64_t victim_exit(const volatile uint64_t *words, uint64_t kind)
{
	struct held h = {0};
	uint64_t w[SECRET_WORDS], changed;

	copy(w, words);
	copy(h.word, words);
	copy(h.vector, words);
	prepare(&h, kind);
	load_system(w);
	load_context(w);
	hold(&h);
	restore_context();
	changed = system_changes(w);
	if (differ(h.word, w))
		changed |= CLASS_GENERAL;
	if (differ(h.vector, w))
		changed |= CLASS_VECTOR;
	return changed;
}

uint64_t victim_xcr0(uint64_t value)
{
	uint32_t lo, hi;

	__asm__ volatile("mov %0, %%cr4" ::"r"(read_cr(4) | CR4_OSXSAVE) : "memory");
	if (value)
		__asm__ volatile("xsetbv" ::"a"((uint32_t)value), "d"(0), "c"(0) : "memory");
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* --- events ---------------------------------------------------------------------------------------- */

struct gate {
	uint16_t low, selector, bits, middle;
	uint32_t high, zero;
};

volatile uint64_t victim_events;
static struct gate idt[256];

/* L1's GDT is out of reach; the selectors are as there. */
static const uint64_t gdt[] = {
	[SEL_CODE64 / 8] = 0x00af9b000000ffff,
	[SEL_DATA / 8] = 0x00cf93000000ffff,
};

/* Counts, and goes on. An error code is there if what follows is RIP, not CS. */
void vector(void);
__asm__(".text\nvector: cmpq $" NUMBER(SEL_CODE64) ", 8(%rsp)\n"
						   "je 1f; add $8, %rsp\n"
						   "1: lock incq victim_events; iretq\n");

static void load_tables(void)
{
	uint64_t to = (uint64_t)vector;
	struct pointer i = {sizeof(idt) - 1, (uint64_t)idt}, g = {sizeof(gdt) - 1, (uint64_t)gdt};

	for (unsigned n = 0; n < 256; n++)
		idt[n] = (struct gate){(uint16_t)to, SEL_CODE64, GATE, (uint16_t)(to >> 16), 0, 0};
	idt[SYSTEM_CALL].bits |= GATE_PROGRAMS;
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(g), "m"(i) : "memory");
}

/* INT n that never was leaves RIP in the middle of nothing: NOPs. */
uint64_t victim_listen(void)
{
	load_tables();
	victim_events = 0;
	__asm__ volatile("sti; nop; nop; out %%al, %%dx; nop; nop; nop; nop; cli" ::"a"(0),
			 "d"((uint16_t)HOLD_PORT)
			 : "memory", "cc");
	return victim_events;
}

volatile uint64_t nmi_depth, nmi_met;

/* RDX is the port. */
void nmi(void);
__asm__(".text\nnmi: lock incq nmi_depth; out %al, %dx\n"
	"cmpq $1, nmi_depth; je 1f; movq $1, nmi_met\n"
	"1: lock decq nmi_depth; iretq\n");

uint64_t victim_nmi(void)
{
	load_tables();
	idt[VECTOR_OF_NMI].low = (uint16_t)(uint64_t)nmi;
	idt[VECTOR_OF_NMI].middle = (uint16_t)((uint64_t)nmi >> 16);
	nmi_depth = nmi_met = 0;
	__asm__ volatile("out %%al, %%dx; nop; out %%al, %%dx; nop" ::"a"(0),
			 "d"((uint16_t)HOLD_PORT)
			 : "memory", "cc");
	return nmi_met;
}

/* Once in a register, and once in memory. */
uint64_t victim_count(void)
{
	static volatile uint64_t counted;
	uint64_t n = 0;

	counted = 0;
	__asm__ volatile("out %%al, %%dx; inc %0; lock incq %1\n"
			 "out %%al, %%dx; inc %0; lock incq %1\n"
			 "out %%al, %%dx; inc %0; lock incq %1\n"
			 : "+r"(n), "+m"(counted)
			 : "a"(0), "d"((uint16_t)HOLD_PORT)
			 : "memory", "cc");
	return counted - n;
}

STUB(do_fault, "ud2");

void victim_over(const volatile uint64_t *words)
{
	struct held h = {.stub = do_fault};
	uint64_t w[SECRET_WORDS];
	struct pointer none = {0, 0};

	copy(w, words);
	copy(h.word, words);
	copy(h.vector, words);
	load_system(w);
	__asm__ volatile("lidt %0" ::"m"(none));
	hold(&h);
}
