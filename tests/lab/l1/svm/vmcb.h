/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machine control block and its numbers: AMD APM volume 2, appendices B and C. */
#ifndef L1_SVM_VMCB_H
#define L1_SVM_VMCB_H

#include "ept/base.h"

struct vmcb_segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	uint16_t intercept_cr_read, intercept_cr_write;
	uint16_t intercept_dr_read, intercept_dr_write;
	uint32_t intercept_exceptions;
	uint32_t intercept1, intercept2; /* exit codes 0x60.. and 0x80.. */
	uint8_t reserved_014[0x3c - 0x14];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm, msrpm, tsc_offset;
	uint32_t asid;
	uint8_t tlb_control, reserved_05d[3];
	uint64_t int_control; /* V_TPR, V_IRQ, ... and, from bit 32, the vector */
	uint64_t int_shadow;
	uint64_t exit_code, exit_info1, exit_info2;
	uint32_t exit_int_info, exit_int_error;
	uint64_t np_control;
	uint8_t reserved_098[0xa8 - 0x98];
	uint32_t event, event_error;
	uint64_t nested_cr3, lbr_control;
	uint32_t clean, reserved_0c4;
	uint64_t next_rip;
	uint8_t fetched, bytes[15];
	uint8_t reserved_0e0[0x400 - 0xe0];

	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved_5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t pat, debug_control, br_from, br_to, excp_from, excp_to;
	uint8_t reserved_698[0x1000 - 0x698];
} __attribute__((packed, aligned(4096)));

_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "VMCB layout");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB layout");
_Static_assert(offsetof(struct vmcb, event) == 0xa8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB layout");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB layout");

enum exit_code {
	X_CR_READ = 0x00,
	X_CR_WRITE = 0x10,
	X_DR_READ = 0x20,
	X_DR_WRITE = 0x30,
	X_EXCEPTION = 0x40,
	X_INTR = 0x60,
	X_NMI = 0x61,
	X_INIT = 0x63,
	X_VINTR = 0x64,
	X_CR0_SELECTIVE = 0x65,
	X_IDTR_READ = 0x66,
	X_GDTR_READ = 0x67,
	X_LDTR_READ = 0x68,
	X_TR_READ = 0x69,
	X_IDTR_WRITE = 0x6a,
	X_GDTR_WRITE = 0x6b,
	X_LDTR_WRITE = 0x6c,
	X_TR_WRITE = 0x6d,
	X_RDTSC = 0x6e,
	X_RDPMC = 0x6f,
	X_PUSHF = 0x70,
	X_POPF = 0x71,
	X_CPUID = 0x72,
	X_RSM = 0x73,
	X_IRET = 0x74,
	X_SWINT = 0x75,
	X_INVD = 0x76,
	X_PAUSE = 0x77,
	X_HLT = 0x78,
	X_INVLPG = 0x79,
	X_INVLPGA = 0x7a,
	X_IOIO = 0x7b,
	X_MSR = 0x7c,
	X_TASK_SWITCH = 0x7d,
	X_SHUTDOWN = 0x7f,
	X_VMRUN = 0x80,
	X_VMMCALL = 0x81,
	X_VMLOAD = 0x82,
	X_VMSAVE = 0x83,
	X_STGI = 0x84,
	X_CLGI = 0x85,
	X_SKINIT = 0x86,
	X_RDTSCP = 0x87,
	X_ICEBP = 0x88,
	X_WBINVD = 0x89,
	X_MONITOR = 0x8a,
	X_MWAIT = 0x8b,
	X_XSETBV = 0x8d,
	X_NPF = 0x400,
};

/* int_control */
#define V_TPR_MASK 0xfull
#define V_IRQ (1ull << 8)
#define V_GIF (1ull << 9)
#define V_PRIORITY(p) ((uint64_t)(p) << 16)
#define V_IGNORE_TPR (1ull << 20)
#define V_INTR_MASKING (1ull << 24)
#define V_GIF_ENABLE (1ull << 25)
#define V_VECTOR(v) ((uint64_t)(v) << 32)

/* event and exit_int_info */
#define EVENT_INTR 0x000u
#define EVENT_NMI 0x200u
#define EVENT_EXCEPTION 0x300u
#define EVENT_SOFT 0x400u
#define EVENT_ERROR 0x800u
#define EVENT_VALID 0x80000000u

#define NP_ENABLE 1u

/* exit_info1 of a nested page fault, above the bits of an ordinary page fault */
#define PF_P 0x1u
#define PF_W 0x2u
#define PF_U 0x4u
#define PF_RSVD 0x8u
#define PF_I 0x10u
#define NPF_FINAL (1ull << 32)
#define NPF_TABLE (1ull << 33)

#define TLB_NOTHING 0
#define TLB_FLUSH_ALL 1

#define SVM_MSR_VM_CR 0xc0010114u
#define SVM_MSR_HSAVE 0xc0010117u
#define EFER_SVME 0x1000u

/* CPUID 0x8000000A, EDX */
#define SVM_NPT 0x1u
#define SVM_NRIPS 0x8u
#define SVM_FLUSH_ASID 0x40u
#define SVM_DECODE 0x80u
#define SVM_VGIF 0x10000u

#endif
