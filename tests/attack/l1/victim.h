/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest that is attacked, and what L1 and it agree on. It has a secret that it makes itself after its
 * first entry, pages of data that only it can compute, and pages that L1 gave it content for. The same
 * program serves as an accomplice, a guest that L1 owns. All it says to L1 is in one shared page;
 * it comes out by port I/O with its registers cleared.
 */
#ifndef ATTACK_L1_VICTIM_H
#define ATTACK_L1_VICTIM_H

#include "ept/base.h"

/* Guest-physical, and by its own tables guest-virtual, addresses. */
#define GUEST_TABLES 0x600000u
#define GUEST_DATA 0x800000u
#define GUEST_GIVEN 0x900000u
#define GUEST_MORE 0x40000000u    /* more pages, if the attack gives it any: hashed, not written */
#define GUEST_SHARED 0xfeffc000u  /* monitor/layout.c: LAYOUT_SPECIAL */
#define GUEST_SHARED2 0xfeff8000u /* the same; mapped by some attacks only */
#define GUEST_HIGH 0x8000000000u  /* 512 GiB: 2 MiB that its tables reach */
#define TABLE_PAGES 8
#define DATA_PAGES 8
#define GIVEN_PAGES 4

#define PAGE_WORDS 512
#define SECRET_WORDS 8
#define SECRET_AT 0x600u /* in the first data page: where a VMCB has STAR and what follows */
#define CHECKS (2 * SECRET_WORDS)
#define OUT_WORDS 64
#define SECRET_WINDOW (SECRET_AT & ~(uint64_t)(OUT_WORDS * 8 - 1)) /* what one READ covers */

#define SIGNAL_PORT 0x5a5a
#define STRING_PORT 0x5a5c
#define HOLD_PORT 0x5a5e
#define SPARE_MSR 0x8bu /* of microcode; the guest leaves 0 in it */

enum command {
	VICTIM_START = 1,  /* makes secret and data. argument[0]: the CPU has RDRAND */
	VICTIM_CHECK,      /* reply: 0 if nothing has changed, or which page (below) */
	VICTIM_WRITE,      /* new content for data page argument[0] */
	VICTIM_COPY,       /* 8 bytes by MOVSQ, from argument[0] to argument[1] */
	VICTIM_LOAD,       /* reply: 8 bytes at argument[0], by guest_load */
	VICTIM_READ,       /* out[]: what is at argument[0] */
	VICTIM_POKE,       /* argument[1] goes to argument[0] */
	VICTIM_SPIN,       /* counts spins until the TSC is argument[0] */
	VICTIM_SPIN_READ,  /* READ, until stop; spins counts */
	VICTIM_SPIN_CHECK, /* CHECK, until stop or a change */
	VICTIM_OUTS,       /* REP OUTSB of argument[1] bytes at argument[0] */
	VICTIM_INS,   /* REP INSB the same, into a data page; then CHECK of what is around it */
	VICTIM_PORTS, /* IN from argument[1] ports from argument[0] on; then a hypercall */
	VICTIM_CONFIG, /* argument[1] goes to PCI configuration space at argument[0]; then a hypercall */
	VICTIM_WRMSR,   /* argument[1] goes to MSR argument[0]; then a hypercall */
	VICTIM_FLAG,    /* reply: victim_flag */
	VICTIM_SET_TPR, /* argument[0] goes to CR8 */
	VICTIM_HOLD, /* OUT to HOLD_PORT with the secret in registers; reply: whether they are as they were */
	VICTIM_SPIN_HOLD, /* the same, but it counts spins until stop instead of the OUT */
	VICTIM_KEEP, /* argument[0] times: the secret in x87 to AVX (argument[1]: has AVX), debug registers, MSRs,
			and OUT to HOLD_PORT; reply: a bit for each of these that was changed */
	VICTIM_EXIT, /* does argument[0], an enum kind, with the secret in registers; reply: classes changed */
	VICTIM_LISTEN, /* OUT to HOLD_PORT with interrupts on; reply: how many events came */
	VICTIM_NMI, /* its APIC delivers NMIs by a store of 2 bytes, then twice OUT to HOLD_PORT, and another by the
		     * NMIs' handler; reply: whether two of these met */
	VICTIM_COUNT, /* three OUT to HOLD_PORT, counted twice; reply: the difference */
	VICTIM_CPUID, /* out[]: leaf argument[0] */
	VICTIM_TIME,  /* reply: the TSC */
	VICTIM_XCR0,  /* sets XCR0 to argument[0] if that is not 0; reply: XCR0 */
	VICTIM_OVER,  /* a triple fault with the secret in registers */
	VICTIM_START_UP, /* INIT and a start-up IPI for vector argument[0] to APIC 1, by stores of 2 bytes */
};

/* What VICTIM_CHECK finds changed: the number of a page plus one of these. */
enum { CHANGED_DATA = 1, CHANGED_GIVEN = 100 };

/*
 * Classes of registers. Of the secret's words these have general registers (RBP, R8 to R14) and XMM0 to
 * XMM3 all; the others some, or, where an address belongs, the lower half of some (secret_half()).
 */
enum {
	CLASS_GENERAL = 1,
	CLASS_VECTOR = 2,
	CLASS_DEBUG = 4, /* DR0 to DR3 */
	CLASS_CR2 = 8,
	CLASS_SYSCALL = 16,  /* STAR, LSTAR, CSTAR, KERNEL_GS */
	CLASS_BASES = 32,    /* of FS and GS */
	CLASS_SYSENTER = 64, /* its ESP and EIP */
	CLASS_ALL = 127,
	/* Read by L1 only. The two tables are at words of the secret, the others have what is below. */
	CLASS_GDTR = 128,
	CLASS_IDTR = 256,
	CLASS_CR3 = 512,
	CLASS_STACK = 1024, /* RSP: where the victim's is */
	CLASS_FLAGS = 2048,
	CLASS_DR6 = 4096,
	CLASS_DR7 = 8192,
	CLASS_CODE = 16384, /* CS's selector */
	CLASS_SEEN = 32767,
};
#define HELD_ROOT (GUEST_TABLES + (TABLE_PAGES - 1) * PAGE_SIZE)
#define HELD_FLAG (1u << 21) /* ID */
#define HELD_DR6 0xffff0ffau
#define HELD_DR7 0x7d0400u /* DR0 and DR1, as of writes and accesses, but not enabled */

/* What a guest may come out for. Names, and what comes with them: hv.h. */
enum kind {
	KIND_OUT,
	KIND_IN,
	KIND_CPUID,
	KIND_HLT,
	KIND_PAUSE,
	KIND_WBINVD,
	KIND_RDPMC,
	KIND_RDMSR, /* SPARE_MSR */
	KIND_WRMSR,
	KIND_CR0,
	KIND_CR4,
	KIND_MWAIT,
	KIND_CALL,   /* yield, by Xen's interface */
	KIND_DEVICE, /* a load where there is no memory */
	KIND_FAULT,  /* a load from a private page */
	KIND_STEP,   /* #DB by TF */
	KIND_XSETBV,
	/* L1 is never told of these. */
	KIND_READ_CR3,
	KIND_WRITE_CR3,
	KIND_READ_DR7,
	KIND_WRITE_DR7,
	KIND_INVLPG,
	KIND_SGDT,
	KIND_LIDT,
	KIND_PUSHF,
	KIND_POPF,
	KIND_RDRAND,
	KIND_COUNT
};

struct shared {
	uint64_t command, argument[2], reply;
	uint64_t check[CHECKS]; /* check_of() the secret's words, and their halves */
	uint64_t spins, stop;   /* in that order: victim.c */
	uint64_t out[OUT_WORDS];
};

static inline uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* What the victim tells of a word of its secret, so that an attacker knows when it has got it. */
static inline uint64_t check_of(uint64_t word)
{
	return (mix(word) ^ mix(~word) * 3) | 1;
}

/* 47 bits: a canonical address. */
static inline uint64_t secret_half(uint64_t word)
{
	return word & 0x7fffffffffffu;
}

/* Linked to the addresses at which the guest has them; L1 copies [victim_image, victim_end). */
extern uint8_t victim_image[], victim_end[], victim_stack_end[];
extern volatile uint64_t victim_flag;
extern const uint8_t victim_string_end[], victim_load_end[];
void victim_main(void);

/* victim_exits.c. words: the secret's. */
uint64_t victim_exit(const volatile uint64_t *words, uint64_t kind);
uint64_t victim_listen(void);
uint64_t victim_nmi(void);
uint64_t victim_count(void);
void victim_over(const volatile uint64_t *words);
uint64_t victim_xcr0(uint64_t value);

/* Code of the victim's that tells its secret: what some attacks want to be run. */
void victim_tell(void);

#endif
