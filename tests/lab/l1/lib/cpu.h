/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's instructions and numbers, as far as both vendors share them. */
#ifndef L1_LIB_CPU_H
#define L1_LIB_CPU_H

#include "ept/base.h"

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_OSXSAVE 0x40000u

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define EFER_SCE 0x1u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u

#define FLAG_CF 0x1u
#define FLAG_TF 0x100u
#define FLAG_IF 0x200u

enum vector {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_OF = 4,
	VEC_BR = 5,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_MC = 18,
	VEC_XM = 19,
};

struct regs4 {
	uint32_t a, b, c, d;
};

static inline struct regs4 cpuid(uint32_t leaf, uint32_t sub)
{
	struct regs4 r;

	__asm__ volatile("cpuid"
			 : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
			 : "a"(leaf), "c"(sub));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

#define DEFINE_REG(name)                                                        \
	static inline uint64_t read_##name(void)                                \
	{                                                                       \
		uint64_t v;                                                     \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v) : : "memory"); \
		return v;                                                       \
	}                                                                       \
	static inline void write_##name(uint64_t v)                             \
	{                                                                       \
		__asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory");     \
	}
DEFINE_REG(cr0)
DEFINE_REG(cr2)
DEFINE_REG(cr3)
DEFINE_REG(cr4)
DEFINE_REG(cr8)
DEFINE_REG(dr0)
DEFINE_REG(dr6)
DEFINE_REG(dr7)
#undef DEFINE_REG

#define DEFINE_SEGMENT(name)                                       \
	static inline uint16_t read_##name(void)                   \
	{                                                          \
		uint16_t v;                                        \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v)); \
		return v;                                          \
	}
DEFINE_SEGMENT(cs)
DEFINE_SEGMENT(ds)
DEFINE_SEGMENT(es)
DEFINE_SEGMENT(ss)
DEFINE_SEGMENT(fs)
DEFINE_SEGMENT(gs)
#undef DEFINE_SEGMENT

static inline uint64_t read_flags(void)
{
	uint64_t v;

	__asm__ volatile("pushfq; pop %0" : "=r"(v) : : "memory");
	return v;
}

static inline void write_flags(uint64_t v)
{
	__asm__ volatile("push %0; popfq" : : "r"(v) : "memory", "cc");
}

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline struct table_pointer read_gdtr(void)
{
	struct table_pointer p;

	__asm__ volatile("sgdt %0" : "=m"(p));
	return p;
}

static inline struct table_pointer read_idtr(void)
{
	struct table_pointer p;

	__asm__ volatile("sidt %0" : "=m"(p));
	return p;
}

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void cpu_idle(uint64_t turns)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns) : : "memory", "cc");
}

static inline void interrupts_on(void)
{
	__asm__ volatile("sti; nop" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

#endif
