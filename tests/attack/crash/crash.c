/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Xen jumps to when dom0 has crashed, in place of a kernel that saves memory to disk: it has the machine
 * to itself and searches all RAM for a victim's secret (pattern.h). It says on com1 how often it is there, and
 * turns the machine off. load.c puts it where Xen wants it, so that it runs at any address.
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/attack/pattern.h"

#define PAGE 4096u
#define LARGE 0x200000ull
#define FIRST 0x100000ull
#define COM1 0x3f8
#define PM1_CONTROL 0x604 /* q35 */
#define S5 0x2000
#define PRESENT 3u
#define PRESENT_LARGE 0x83u
#define CODE 8u

/* The loader writes here. */
struct config {
	uint64_t seed, end;
};
extern const struct config config;

/* 4 GiB one to one. */
static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t low[512] __attribute__((aligned(4096)));
static uint64_t directory[4 * 512] __attribute__((aligned(4096)));
static uint64_t idt[2 * 32];
static uint64_t gdt[3];

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* How many of a page's words are among these, whose bits are inverted; -1 if it is refused. */
int64_t search_page(const void *page, const uint64_t inverted[SECRET_WORDS]);
void refused(void);
void enter_tables(uint64_t cr3, const struct pointer *gdt, const struct pointer *idt);

__asm__(".section .text.first, \"ax\"\n"
	".globl _start, config\n"
	"_start: cli; cld; jmp 1f\n"
	".balign 16\n"
	"config: .quad 0, 0\n"
	"1: lea stack_end(%rip), %rsp; call crash_main\n"
	"2: hlt; jmp 2b\n"
	".text\n"
	"enter_tables: lgdt (%rsi); lidt (%rdx); mov %rdi, %cr3\n"
	"mov $16, %eax; mov %eax, %ss; mov %eax, %ds; mov %eax, %es\n"
	"pop %rax; push $8; push %rax; lretq\n"
	"search_page: push %rbx; mov %rsp, search_stack(%rip); xor %eax, %eax; lea 4096(%rdi), %rdx\n"
	"1: mov (%rdi), %rbx; not %rbx; mov $7, %ecx\n"
	"2: cmp (%rsi,%rcx,8), %rbx; jne 3f; inc %rax\n"
	"3: dec %ecx; jns 2b\n"
	"add $8, %rdi; cmp %rdx, %rdi; jne 1b; pop %rbx; ret\n"
	"refused: mov search_stack(%rip), %rsp; mov $-1, %rax; pop %rbx; ret\n"
	".bss\n"
	".balign 16\nsearch_stack: .skip 8\n.skip 8192\n.balign 16\nstack_end:\n.text\n");

static void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_number(uint64_t n)
{
	char digits[21];
	size_t i = sizeof(digits);

	digits[--i] = 0;
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	put_text(digits + i);
}

static void tables(void)
{
	struct pointer g = {sizeof(gdt) - 1, (uintptr_t)gdt}, i = {sizeof(idt) - 1, (uintptr_t)idt};
	uint64_t to = (uintptr_t)refused;

	for (size_t n = 0; n < 4 * 512; n++)
		directory[n] = n * LARGE | PRESENT_LARGE;
	for (size_t n = 0; n < 4; n++)
		low[n] = (uintptr_t)(directory + n * 512) | PRESENT;
	root[0] = (uintptr_t)low | PRESENT;
	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	for (size_t n = 0; n < 32; n++) {
		idt[2 * n] =
			(to & 0xffff) | CODE << 16 | 0x8e00ull << 32 | (to >> 16 & 0xffff) << 48;
		idt[2 * n + 1] = to >> 32;
	}
	enter_tables((uintptr_t)root, &g, &i);
}

void crash_main(void);
void crash_main(void)
{
	uint64_t inverted[SECRET_WORDS], found = 0, refusals = 0;
	int64_t n;

	put_text("\r\nCRASH: searching\r\n");
	tables();
	for (uint64_t i = 0; i < SECRET_WORDS; i++)
		inverted[i] = ~pattern(config.seed, PATTERN_SECRET, i);
	for (uint64_t at = FIRST; at < config.end; at += PAGE) {
		n = search_page((const void *)at, inverted);
		if (n < 0)
			refusals++;
		else
			found += (uint64_t)n;
	}
	put_text("CRASH: found ");
	put_number(found);
	put_text(" words, refused ");
	put_number(refusals);
	put_text(" pages\r\n");
	__asm__ volatile("outw %0, %1" ::"a"((uint16_t)S5), "Nd"((uint16_t)PM1_CONTROL));
}
