/* SPDX-License-Identifier: Apache-2.0 */
/* The x86 instructions and register bits that both backends use. */
#ifndef MONITOR_ARCH_H
#define MONITOR_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)
#define CR4_PAE (1u << 5)
#define CR4_LA57 (1u << 12)
#define CR4_VMXE (1u << 13)
#define CR4_OSXSAVE (1u << 18)
#define CR4_PKE (1u << 22)
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)
#define EFER_SVME (1u << 12)
#define RFLAGS_FIXED (1u << 1)
#define RFLAGS_CF (1u << 0)
#define RFLAGS_ZF (1u << 6)
#define RFLAGS_TF (1u << 8)
#define RFLAGS_IF (1u << 9)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_RF (1u << 16)
#define RFLAGS_VM (1u << 17)
#define RFLAGS_STATUS 0x8d5u /* CF PF AF ZF SF OF */

#define MSR_APIC_BASE 0x1b
#define MSR_PAT 0x277
#define MSR_X2APIC_ID 0x802
#define MSR_X2APIC_ICR 0x830
#define MSR_X2APIC_LVT_FIRST 0x832
#define MSR_X2APIC_LVT_LAST 0x837
#define MSR_EFER 0xc0000080u

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_SX 30 /* AMD: security exception, what a redirected INIT becomes */

/* General-purpose registers by their number in instruction encodings. */
enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Each byte is a memory type: 0, 1, 4 to 7 (Intel SDM vol. 3, 12.12.2; AMD APM vol. 2, 7.8.1). */
static inline bool arch_pat_valid(uint64_t pat)
{
	const uint64_t ones = 0x0101010101010101u;

	return !(pat & 0xf8 * ones) && !(pat >> 1 & ~(pat >> 2) & ones);
}

struct cpuid {
	uint32_t a, b, c, d;
};

static inline struct cpuid arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t arch_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

static inline void arch_wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* XCR0. */
static inline uint64_t arch_xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (uint64_t)hi << 32;
}

static inline void arch_xsetbv(uint64_t v)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static inline uint32_t arch_rdpkru(void)
{
	uint32_t v;

	__asm__ volatile("rdpkru" : "=a"(v) : "c"(0) : "edx");
	return v;
}

static inline void arch_wrpkru(uint32_t v)
{
	__asm__ volatile("wrpkru" ::"a"(v), "c"(0), "d"(0));
}

static inline uint64_t arch_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

static inline void arch_outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static inline uint8_t arch_inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* One access of 1, 2 or 4 bytes. */
static inline void arch_out(uint16_t port, unsigned int size, uint32_t v)
{
	if (size == 1)
		arch_outb(port, (uint8_t)v);
	else if (size == 2)
		__asm__ volatile("outw %0, %1" ::"a"((uint16_t)v), "d"(port));
	else
		__asm__ volatile("outl %0, %1" ::"a"(v), "d"(port));
}

static inline uint32_t arch_in(uint16_t port, unsigned int size)
{
	uint32_t v;
	uint16_t w;

	if (size == 1)
		return arch_inb(port);
	if (size == 2) {
		__asm__ volatile("inw %1, %0" : "=a"(w) : "d"(port));
		return w;
	}
	__asm__ volatile("inl %1, %0" : "=a"(v) : "d"(port));
	return v;
}

static inline void arch_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
