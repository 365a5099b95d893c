/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual machine control block: AMD APM volume 2, appendix B. */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "ept/base.h"

struct vmcb_seg {
	uint16_t selector;
	uint16_t attrib; /* descriptor bits 55:52 and 47:40 */
	uint32_t limit;
	uint64_t base;
};

struct vmcb_control {
	uint16_t cr_read;
	uint16_t cr_write;
	uint16_t dr_read;
	uint16_t dr_write;
	uint32_t exceptions;
	uint32_t intercept1; /* 0x0c: INTR to SHUTDOWN */
	uint32_t intercept2; /* 0x10: VMRUN to XSETBV and beyond */
	uint32_t intercept3; /* 0x14: INVLPGB to TLBSYNC */
	uint8_t reserved1[0x3c - 0x18];
	uint16_t pause_threshold;
	uint16_t pause_count;
	uint64_t iopm_base;
	uint64_t msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control; /* low byte; the rest is reserved */
	uint64_t int_ctl;     /* V_TPR to V_INTR_VECTOR */
	uint64_t int_state;   /* bit 0 interrupt shadow, bit 1 guest interrupt mask (SEV) */
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info;
	uint64_t nested_ctl; /* 0x90: bit 0 nested paging */
	uint64_t avic_bar;
	uint64_t ghcb;
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t virt_ext; /* bit 0 LBR virtualization, bit 1 virtual VMLOAD/VMSAVE */
	uint64_t clean;
	uint64_t next_rip;
	uint8_t insn_len; /* 0xd0 */
	uint8_t insn_bytes[15];
	uint8_t reserved2[0x400 - 0xe0];
};

/* The part of the save area that VMRUN and #VMEXIT handle, then the part of VMLOAD and VMSAVE. */
struct vmcb_save {
	struct vmcb_seg es, cs, ss, ds;
	struct vmcb_seg fs, gs;
	struct vmcb_seg gdtr;
	struct vmcb_seg ldtr;
	struct vmcb_seg idtr;
	struct vmcb_seg tr;
	uint8_t reserved1[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved2;
	uint64_t efer;
	uint8_t reserved3[0x548 - 0x4d8];
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint8_t reserved4[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved5[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved6[0x668 - 0x648];
	uint64_t pat;
	uint64_t dbgctl, br_from, br_to, last_exc_from, last_exc_to;
	uint8_t reserved7[0x1000 - 0x698];
};

struct vmcb {
	struct vmcb_control c;
	struct vmcb_save s;
};

_Static_assert(offsetof(struct vmcb, c.iopm_base) == 0x40, "APM table B-1");
_Static_assert(offsetof(struct vmcb, c.exit_code) == 0x70, "APM table B-1");
_Static_assert(offsetof(struct vmcb, c.event_inj) == 0xa8, "APM table B-1");
_Static_assert(offsetof(struct vmcb, c.next_rip) == 0xc8, "APM table B-1");
_Static_assert(offsetof(struct vmcb, s.es) == 0x400, "APM table B-2");
_Static_assert(offsetof(struct vmcb, s.cpl) == 0x4cb, "APM table B-2");
_Static_assert(offsetof(struct vmcb, s.cr4) == 0x548, "APM table B-2");
_Static_assert(offsetof(struct vmcb, s.rax) == 0x5f8, "APM table B-2");
_Static_assert(offsetof(struct vmcb, s.cr2) == 0x640, "APM table B-2");
_Static_assert(offsetof(struct vmcb, s.pat) == 0x668, "APM table B-2");
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "APM table B-2");

/* Exit codes: APM volume 2, appendix C. Codes 0x60.. follow the intercept bits in order. */
#define VMEXIT_CR_READ 0x00
#define VMEXIT_CR_WRITE 0x10
#define VMEXIT_DR_READ 0x20
#define VMEXIT_DR_WRITE 0x30
#define VMEXIT_EXCEPTION 0x40
#define VMEXIT_INTR 0x60
#define VMEXIT_NMI 0x61
#define VMEXIT_SMI 0x62
#define VMEXIT_INIT 0x63
#define VMEXIT_VINTR 0x64
#define VMEXIT_CR0_SEL_WRITE 0x65
#define VMEXIT_IDTR_READ 0x66
#define VMEXIT_TR_WRITE 0x6d
#define VMEXIT_RDTSC 0x6e
#define VMEXIT_RDPMC 0x6f
#define VMEXIT_PUSHF 0x70
#define VMEXIT_POPF 0x71
#define VMEXIT_CPUID 0x72
#define VMEXIT_RSM 0x73
#define VMEXIT_IRET 0x74
#define VMEXIT_SWINT 0x75
#define VMEXIT_INVD 0x76
#define VMEXIT_PAUSE 0x77
#define VMEXIT_HLT 0x78
#define VMEXIT_INVLPG 0x79
#define VMEXIT_INVLPGA 0x7a
#define VMEXIT_IOIO 0x7b
#define VMEXIT_MSR 0x7c
#define VMEXIT_TASK_SWITCH 0x7d
#define VMEXIT_FERR_FREEZE 0x7e
#define VMEXIT_SHUTDOWN 0x7f
#define VMEXIT_VMRUN 0x80
#define VMEXIT_VMMCALL 0x81
#define VMEXIT_VMLOAD 0x82
#define VMEXIT_VMSAVE 0x83
#define VMEXIT_STGI 0x84
#define VMEXIT_CLGI 0x85
#define VMEXIT_SKINIT 0x86
#define VMEXIT_RDTSCP 0x87
#define VMEXIT_ICEBP 0x88
#define VMEXIT_WBINVD 0x89
#define VMEXIT_MONITOR 0x8a
#define VMEXIT_MWAIT 0x8b
#define VMEXIT_MWAIT_CONDITIONAL 0x8c
#define VMEXIT_XSETBV 0x8d
#define VMEXIT_RDPRU 0x8e
#define VMEXIT_EFER_WRITE_TRAP 0x8f
#define VMEXIT_CR_WRITE_TRAP 0x90
#define VMEXIT_WORD3 0xa0 /* INVLPGB, INVPCID, MCOMMIT, TLBSYNC */
#define VMEXIT_NPF 0x400
#define VMEXIT_INVALID ((uint64_t)-1)

/* Intercept bits are named by their exit code: bit (code - 0x60) of word 1, (code - 0x80) of 2. */
#define INTERCEPT1(code) (1u << ((code)-0x60))
#define INTERCEPT2(code) (1u << ((code)-0x80))

/* int_ctl */
#define V_TPR_MASK 0xfful
#define V_IRQ (1ul << 8)
#define V_GIF (1ul << 9)
#define V_INTR_PRIO_MASK (0xful << 16)
#define V_IGN_TPR (1ul << 20)
#define V_INTR_MASKING (1ul << 24)
#define V_GIF_ENABLE (1ul << 25)
#define V_INTR_VECTOR_MASK (0xfful << 32)

#define INT_STATE_SHADOW 1ul

#define TLB_CONTROL_NONE 0
#define TLB_CONTROL_FLUSH_ALL 1

#define NESTED_CTL_NP 1ul
#define VIRT_EXT_LBR 1ul

/* event_inj and exit_int_info: APM volume 2, 15.20 */
#define EVENT_VECTOR(e) ((uint8_t)(e))
#define EVENT_TYPE(e) (((e) >> 8) & 7)
#define EVENT_TYPE_INTR 0
#define EVENT_TYPE_NMI 2
#define EVENT_TYPE_EXCEPTION 3
#define EVENT_TYPE_SOFT 4
#define EVENT_ERROR_VALID (1ul << 11)
#define EVENT_VALID (1ul << 31)

/* exit_info1 of IOIO: APM volume 2, 15.10.2 */
#define IOIO_IN (1u << 0)
#define IOIO_STRING (1u << 2)
#define IOIO_SIZE_SHIFT 4
#define IOIO_SIZE(i) (((i) >> IOIO_SIZE_SHIFT) & 7) /* bytes */
#define IOIO_ADDRESS_SHIFT 6 /* bits 9:7 are the size in bytes, 2, 4 or 8, shifted */
#define IOIO_ADDRESS_MASK (7u << 7)
#define IOIO_SEGMENT_SHIFT 10 /* with decode assists */
#define IOIO_SEGMENT_MASK (7u << 10)
#define IOIO_PORT(i) ((uint16_t)((i) >> 16))

/* exit_info1 of NPF: APM volume 2, 15.25.6 */
#define NPF_WRITE (1ul << 1)
#define NPF_FETCH (1ul << 4)
#define NPF_FINAL (1ul << 32)

#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define VM_CR_R_INIT (1u << 1)
#define VM_CR_LOCK (1u << 3)
#define VM_CR_SVMDIS (1u << 4)

#define CPUID_SVM 0x8000000au
#define SVM_FEATURE_NP (1u << 0)
#define SVM_FEATURE_LBRV (1u << 1)
#define SVM_FEATURE_NRIPS (1u << 3)
#define SVM_FEATURE_DECODE_ASSISTS (1u << 7)
#define SVM_FEATURE_VGIF (1u << 16)

#endif
