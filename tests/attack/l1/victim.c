/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/victim.h"

#include "tests/attack/l1/fpu_area.h"
#include "vendor.h"

#define STACK_BYTES 8192
#define APIC 0xfee00000u
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_LINT1 0x360
#define LVT_NMI 0x400
#define ICR_INIT_ASSERT 0x4500
#define ICR_START_UP 0x4600

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

static volatile struct shared *const shared = (volatile struct shared *)GUEST_SHARED;
static uint64_t key, epoch[DATA_PAGES], given_sum[GIVEN_PAGES];
volatile uint64_t victim_flag;
uint8_t victim_stack[STACK_BYTES] __attribute__((aligned(16)));
__asm__(".globl victim_stack_end\n.set victim_stack_end, victim_stack + " NUMBER(8192));

void signal(void);
__asm__(".globl signal\nsignal:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %esi, %esi; xor %edi, %edi\n"
	"xor %ebp, %ebp; xor %r8d, %r8d; xor %r9d, %r9d; xor %r10d, %r10d; xor %r11d, %r11d\n"
	"xor %r12d, %r12d; xor %r13d, %r13d; xor %r14d, %r14d; xor %r15d, %r15d\n"
	"mov $" NUMBER(
		SIGNAL_PORT) ", %edx; out %eax, %dx\n"
			     "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static uint64_t random_word(bool rdrand)
{
	uint64_t z = 0, r = 0;

	for (unsigned i = 0; i < 64; i++)
		z = mix(z + rdtsc());
	if (rdrand)
		__asm__ volatile("1: rdrand %0; jnc 1b" : "=r"(r) : : "cc");
	return mix(z + r);
}

static volatile uint64_t *data_page(uint64_t n)
{
	return (volatile uint64_t *)(GUEST_DATA + n * PAGE_SIZE);
}

static volatile uint64_t *secret(void)
{
	return &data_page(0)[SECRET_AT / 8];
}

static bool is_secret(uint64_t page, uint64_t i)
{
	return page == 0 && i - SECRET_AT / 8 < SECRET_WORDS;
}

/* What word i of a data page holds. */
static uint64_t word(uint64_t page, uint64_t i)
{
	uint64_t turn = is_secret(page, i) ? 0 : epoch[page];

	return mix(key + mix(turn * DATA_PAGES * PAGE_WORDS + page * PAGE_WORDS + i + 1));
}

static void fill(uint64_t page)
{
	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		data_page(page)[i] = word(page, i);
}

static bool intact(uint64_t page)
{
	bool same = true;

	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		same &= data_page(page)[i] == word(page, i);
	return same;
}

static uint64_t sum(uint64_t page)
{
	const volatile uint64_t *p = (const volatile uint64_t *)(GUEST_GIVEN + page * PAGE_SIZE);
	uint64_t z = 0;

	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		z = mix(z + p[i]);
	return z;
}

static void start(void)
{
	bool rdrand = shared->argument[0];

	key = random_word(rdrand);
	for (uint64_t i = 0; i < DATA_PAGES; i++)
		fill(i);
	for (uint64_t i = 0; i < GIVEN_PAGES; i++)
		given_sum[i] = sum(i);
	for (uint64_t i = 0; i < SECRET_WORDS; i++) {
		shared->check[i] = check_of(secret()[i]);
		shared->check[SECRET_WORDS + i] = check_of(secret_half(secret()[i]));
	}
}

static uint64_t find_change(void)
{
	for (uint64_t i = 0; i < DATA_PAGES; i++)
		if (!intact(i))
			return CHANGED_DATA + i;
	for (uint64_t i = 0; i < GIVEN_PAGES; i++)
		if (sum(i) != given_sum[i])
			return CHANGED_GIVEN + i;
	return 0;
}

static void read_out(uint64_t at)
{
	for (uint64_t i = 0; i < OUT_WORDS; i++)
		shared->out[i] = ((volatile uint64_t *)at)[i];
}

static uint64_t load(uint64_t at)
{
	uint64_t v;

	__asm__ volatile("mov (%%rsi), %%rax\n.globl victim_load_end\nvictim_load_end:\n"
			 : "=a"(v)
			 : "S"(at)
			 : "memory");
	return v;
}

static void string_out(uint64_t at, uint64_t n)
{
	__asm__ volatile("rep outsb\n.globl victim_string_end\nvictim_string_end:\n"
			 : "+S"(at), "+c"(n)
			 : "d"(STRING_PORT)
			 : "memory");
}

/* The bytes that came are the device's to choose; all others must be as they were. */
static uint64_t string_in(uint64_t at, uint64_t n)
{
	volatile uint8_t *p = (volatile uint8_t *)at;
	uint64_t page = (at - GUEST_DATA) / PAGE_SIZE;
	uint8_t *q = (uint8_t *)at;
	uint64_t count = n;

	__asm__ volatile("rep insb" : "+D"(q), "+c"(count) : "d"(STRING_PORT) : "memory");
	for (uint64_t i = 0; i < n; i++)
		p[i] = (uint8_t)(word(page, (at + i) % PAGE_SIZE / 8) >> (at + i) % 8 * 8);
	return find_change();
}

static void ports(uint64_t first, uint64_t n)
{
	uint8_t v;

	for (uint64_t i = 0; i < n; i++)
		__asm__ volatile("in %%dx, %%al" : "=a"(v) : "d"((uint16_t)(first + i)));
	__asm__ volatile(VENDOR_CALL : : "a"((uint64_t)0) : "memory");
}

static void config(uint64_t at, uint64_t value)
{
	__asm__ volatile("out %%eax, %%dx" : : "a"(0x80000000u | ((uint32_t)at & ~3u)), "d"(0xcf8));
	__asm__ volatile("out %%al, %%dx" : : "a"(value), "d"((uint16_t)(0xcfc + (at & 3))));
	__asm__ volatile(VENDOR_CALL : : "a"((uint64_t)0) : "memory");
}

static void write_msr(uint64_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"(value >> 32) : "memory");
	__asm__ volatile(VENDOR_CALL : : "a"((uint64_t)0) : "memory");
}

/* An instruction of 2 bytes, which L1 skips. */
static void apic_write(uint64_t reg, uint32_t value)
{
	__asm__ volatile("mov %%eax, (%%rsi)" : : "a"(value), "S"(APIC + reg) : "memory");
}

static void start_up(uint64_t vector)
{
	apic_write(APIC_ICR_HIGH, 1u << 24);
	apic_write(APIC_ICR_LOW, ICR_INIT_ASSERT);
	apic_write(APIC_ICR_LOW, ICR_START_UP | (uint32_t)vector);
}

static uint64_t take_nmis(void)
{
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	return victim_nmi();
}

/* The secret in eight registers, which L1 has nothing to do with: until it is told to stop, or over an OUT. */
static bool held(uint64_t spin)
{
	uint64_t got[SECRET_WORDS] = {0};
	bool same = true;

	__asm__ volatile("push %%rbp\npush %%rdi\n"
			 "mov 0(%%rsi), %%rbx\nmov 8(%%rsi), %%rbp\n"
			 "mov 16(%%rsi), %%r8\nmov 24(%%rsi), %%r9\n"
			 "mov 32(%%rsi), %%r10\nmov 40(%%rsi), %%r11\n"
			 "mov 48(%%rsi), %%r12\nmov 56(%%rsi), %%r13\n"
			 "test %%rax, %%rax\njz 2f\n"
			 "1: incq (%%rcx)\ncmpq $0, 8(%%rcx)\nje 1b\njmp 3f\n"
			 "2: out %%al, %%dx\n"
			 "3: pop %%rdi\n"
			 "mov %%rbx, 0(%%rdi)\nmov %%rbp, 8(%%rdi)\n"
			 "mov %%r8, 16(%%rdi)\nmov %%r9, 24(%%rdi)\n"
			 "mov %%r10, 32(%%rdi)\nmov %%r11, 40(%%rdi)\n"
			 "mov %%r12, 48(%%rdi)\nmov %%r13, 56(%%rdi)\n"
			 "pop %%rbp"
			 : "+a"(spin)
			 : "S"(&data_page(0)[SECRET_AT / 8]), "D"(got), "d"((uint16_t)HOLD_PORT),
			   "c"(&shared->spins)
			 : "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "memory", "cc");
	for (uint64_t i = 0; i < SECRET_WORDS; i++)
		same &= got[i] == word(0, SECRET_AT / 8 + i);
	return same;
}

static void cpuid_out(uint64_t leaf)
{
	uint32_t a = (uint32_t)leaf, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	shared->out[0] = a;
	shared->out[1] = b;
	shared->out[2] = c;
	shared->out[3] = d;
}

/* The same in registers that L1 would have to leave alone. */
static struct fpu_area kept, after;

static uint64_t canonical(uint64_t word)
{
	return (uint64_t)((int64_t)(word << 16) >> 16);
}

/* A bit is set if the register has not what it should have; or it gets that. */
static uint64_t msr_check(uint32_t msr, uint64_t value, bool set, unsigned bit)
{
	if (set)
		wrmsr(msr, value);
	return (uint64_t)(rdmsr(msr) != value) << bit;
}

static uint64_t system_check(const uint64_t *words, bool set)
{
	uint64_t changed = msr_check(MSR_STAR, words[0], set, 4) |
			   msr_check(MSR_LSTAR, canonical(words[1]), set, 5) |
			   msr_check(MSR_CSTAR, canonical(words[2]), set, 6) |
			   msr_check(MSR_SFMASK, (uint32_t)words[3], set, 7) |
			   msr_check(MSR_KERNEL_GS_BASE, canonical(words[4]), set, 8);

	if (set) {
		write_cr2(words[5]);
		write_dr0(words[6]);
	}
	return changed | (uint64_t)(read_cr2() != words[5]) << 9 |
	       (uint64_t)(read_dr0() != words[6]) << 3;
}

static uint64_t fpu_check(bool wide)
{
	fpu_get(&after, wide);
	return (uint64_t)!fpu_same(&kept, &after, FPU_X87, FPU_SSE - FPU_X87) |
	       (uint64_t)!fpu_same(&kept, &after, FPU_SSE, 256) << 1 |
	       (uint64_t)(wide && !fpu_same(&kept, &after, FPU_AVX, 256)) << 2 |
	       (uint64_t)!fpu_same(&kept, &after, 0, 2) << 10 |
	       (uint64_t)!fpu_same(&kept, &after, 24, 2) << 11;
}

static uint64_t keep(uint64_t rounds, bool wide)
{
	uint64_t words[SECRET_WORDS], changed = 0;

	for (unsigned i = 0; i < SECRET_WORDS; i++)
		words[i] = data_page(0)[SECRET_AT / 8 + i];
	fpu_on(wide);
	for (uint64_t i = 0; i < rounds; i++) {
		fpu_fill(&kept, words, (unsigned)i);
		changed |= system_check(words, true);
		fpu_put(&kept, wide);
		__asm__ volatile("out %%al, %%dx" : : "a"(0), "d"(HOLD_PORT) : "memory");
		changed |= fpu_check(wide);
		changed |= system_check(words, false);
	}
	return changed;
}

static void spin(uint64_t until)
{
	while (rdtsc() < until)
		shared->spins++;
}

static void spin_read(uint64_t at)
{
	for (; !shared->stop; shared->spins++)
		read_out(at);
}

static uint64_t spin_check(void)
{
	uint64_t changed = 0;

	for (; !shared->stop && !changed; shared->spins++)
		changed = find_change();
	return changed;
}

static uint64_t obey(uint64_t command, uint64_t a, uint64_t b)
{
	if (command == VICTIM_START)
		start();
	else if (command == VICTIM_CHECK)
		return find_change();
	else if (command == VICTIM_WRITE)
		epoch[a]++, fill(a);
	else if (command == VICTIM_COPY)
		__asm__ volatile("movsq" : "+S"(a), "+D"(b) : : "memory");
	else if (command == VICTIM_LOAD)
		return load(a);
	else if (command == VICTIM_READ)
		read_out(a);
	else if (command == VICTIM_POKE)
		*(volatile uint64_t *)a = b;
	else if (command == VICTIM_SPIN)
		spin(a);
	else if (command == VICTIM_SPIN_READ)
		spin_read(a);
	else if (command == VICTIM_SPIN_CHECK)
		return spin_check();
	else if (command == VICTIM_OUTS)
		string_out(a, b);
	else if (command == VICTIM_INS)
		return string_in(a, b);
	else if (command == VICTIM_PORTS)
		ports(a, b);
	else if (command == VICTIM_CONFIG)
		config(a, b);
	else if (command == VICTIM_WRMSR)
		write_msr(a, b);
	else if (command == VICTIM_FLAG)
		return victim_flag;
	else if (command == VICTIM_SET_TPR)
		__asm__ volatile("mov %0, %%cr8" : : "r"(a) : "memory");
	else if (command == VICTIM_HOLD)
		return held(0);
	else if (command == VICTIM_SPIN_HOLD)
		return held(1);
	else if (command == VICTIM_KEEP)
		return keep(a, b);
	else if (command == VICTIM_EXIT)
		return victim_exit(secret(), a);
	else if (command == VICTIM_LISTEN)
		return victim_listen();
	else if (command == VICTIM_NMI)
		return take_nmis();
	else if (command == VICTIM_COUNT)
		return victim_count();
	else if (command == VICTIM_CPUID)
		cpuid_out(a);
	else if (command == VICTIM_TIME)
		return rdtsc();
	else if (command == VICTIM_XCR0)
		return victim_xcr0(a);
	else if (command == VICTIM_OVER)
		victim_over(secret());
	else if (command == VICTIM_START_UP)
		start_up(a);
	return 0;
}

void victim_main(void)
{
	for (;;) {
		signal();
		shared->reply = obey(shared->command, shared->argument[0], shared->argument[1]);
	}
}

void victim_tell(void)
{
	for (uint64_t i = 0; i < SECRET_WORDS; i++)
		shared->out[i] = secret()[i];
	for (;;)
		signal();
}
