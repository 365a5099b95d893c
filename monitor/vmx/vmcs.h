/* SPDX-License-Identifier: Apache-2.0 */
/* The VMCS: fields by number and by encoding, bits of the controls, and the instructions on it. */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "ept/base.h"
#include "monitor/vmx/fields.h"

enum vmcs_encoding {
#define X(name, encoding, kind) VMCS_##name = encoding,
	VMCS_FIELDS(X)
#undef X
	/* The monitor's own use only. */
	VMCS_VMREAD_BITMAP = 0x2026,
	VMCS_VMWRITE_BITMAP = 0x2028,
};

enum vmcs_field {
#define X(name, encoding, kind) F_##name,
	VMCS_FIELDS(X)
#undef X
		FIELD_COUNT
};

/* Controls: SDM vol. 3, tables 25-5 to 25-16. */
#define PIN_INTR (1u << 0)
#define PIN_NMI (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)

#define CPU_INTR_WINDOW (1u << 2)
#define CPU_TSC_OFFSET (1u << 3)
#define CPU_HLT (1u << 7)
#define CPU_MWAIT (1u << 10)
#define CPU_RDPMC (1u << 11)
#define CPU_RDTSC (1u << 12)
#define CPU_CR8 (3u << 19) /* MOV to it, and from it */
#define CPU_TPR_SHADOW (1u << 21)
#define CPU_NMI_WINDOW (1u << 22)
#define CPU_DR (1u << 23)
#define CPU_PORTS (1u << 24)
#define CPU_IO_BITMAPS (1u << 25)
#define CPU_TRAP_FLAG (1u << 27)
#define CPU_MSR_BITMAPS (1u << 28)
#define CPU_MONITOR (1u << 29)
#define CPU_PAUSE (1u << 30)
#define CPU_SECONDARY (1u << 31)

#define CPU2_APIC_ACCESSES (1u << 0)
#define CPU2_EPT (1u << 1)
#define CPU2_RDTSCP (1u << 3)
#define CPU2_X2APIC (1u << 4)
#define CPU2_VPID (1u << 5)
#define CPU2_WBINVD (1u << 6)
#define CPU2_UNRESTRICTED (1u << 7)
#define CPU2_PAUSE_LOOP (1u << 10)
#define CPU2_INVPCID (1u << 12)
#define CPU2_SHADOWING (1u << 14)
#define CPU2_ENCLS (1u << 15)
#define VMCS_ENCLS_EXITING 0x202eu
#define CPU2_XSAVES (1u << 20)
#define CPU2_USER_WAIT (1u << 26)

#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64 (1u << 9)
#define EXIT_ACK_INTR (1u << 15)
#define EXIT_SAVE_PAT (1u << 18)
#define EXIT_LOAD_PAT (1u << 19)
#define EXIT_SAVE_EFER (1u << 20)
#define EXIT_LOAD_EFER (1u << 21)

#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_GUEST_64 (1u << 9)
#define ENTRY_LOAD_PAT (1u << 14)
#define ENTRY_LOAD_EFER (1u << 15)

/* Event fields: SDM vol. 3, tables 25-17 and 25-18. */
#define EVENT_VECTOR(e) ((uint8_t)(e))
#define EVENT_TYPE(e) (((e) >> 8) & 7)
#define EVENT_TYPE_INTR 0u
#define EVENT_TYPE_NMI 2u
#define EVENT_TYPE_EXCEPTION 3u
#define EVENT_TYPE_SOFT_INTR 4u
#define EVENT_TYPE_PRIV_EXCEPTION 5u /* ICEBP */
#define EVENT_TYPE_SOFT_EXCEPTION 6u
#define EVENT_TYPE_OTHER 7u
#define EVENT_HAS_ERROR (1u << 11)
#define EVENT_NMI_UNBLOCKED (1u << 12) /* in exit information: by an IRET that faulted */
#define EVENT_VALID (1u << 31)

#define BLOCKED_STI (1u << 0)
#define BLOCKED_MOV_SS (1u << 1)
#define BLOCKED_NMI (1u << 3)
#define ACTIVITY_ACTIVE 0
#define ACTIVITY_HLT 1
#define PENDING_DEBUG_STEP (1u << 14)
#define DEBUGCTL_BTF (1u << 1)
#define DR7_INIT 0x400u

/* Segment access rights: SDM vol. 3, table 25-2. */
#define RIGHTS_LONG (1u << 13)
#define RIGHTS_DEFAULT (1u << 14)
#define RIGHTS_UNUSABLE (1u << 16)
#define RIGHTS_DPL(r) (((r) >> 5) & 3)
#define RIGHTS_MODE 0x60e0u /* P, DPL, L, D */

/* EPT pointer: SDM vol. 3, table 25-9. */
#define EPTP_WB 6u
#define EPTP_LEVELS_4 (3u << 3)
#define EPTP_AD (1u << 6)

/* IA32_VMX_EPT_VPID_CAP: SDM vol. 3, A.10. */
#define CAP_EXEC_ONLY (1ul << 0)
#define CAP_UC (1ul << 8)
#define CAP_1G (1ul << 17)
#define CAP_AD (1ul << 21)

/* Basic exit reasons: SDM vol. 3, appendix C. */
#define REASON_EXCEPTION 0
#define REASON_INTR 1
#define REASON_TRIPLE_FAULT 2
#define REASON_INIT 3
#define REASON_SIPI 4
#define REASON_INTR_WINDOW 7
#define REASON_NMI_WINDOW 8
#define REASON_TASK_SWITCH 9
#define REASON_CPUID 10
#define REASON_GETSEC 11
#define REASON_HLT 12
#define REASON_INVD 13
#define REASON_INVLPG 14
#define REASON_RDPMC 15
#define REASON_RDTSC 16
#define REASON_VMCALL 18
#define REASON_VMCLEAR 19
#define REASON_VMLAUNCH 20
#define REASON_VMPTRLD 21
#define REASON_VMPTRST 22
#define REASON_VMREAD 23
#define REASON_VMRESUME 24
#define REASON_VMWRITE 25
#define REASON_VMXOFF 26
#define REASON_VMXON 27
#define REASON_CR 28
#define REASON_DR 29
#define REASON_PORT 30
#define REASON_MSR_READ 31
#define REASON_MSR_WRITE 32
#define REASON_BAD_STATE 33
#define REASON_BAD_MSR 34
#define REASON_MWAIT 36
#define REASON_TRAP_FLAG 37
#define REASON_MONITOR 39
#define REASON_PAUSE 40
#define REASON_TPR 43
#define REASON_APIC_ACCESS 44
#define REASON_GDTR_IDTR 46
#define REASON_LDTR_TR 47
#define REASON_EPT_VIOLATION 48
#define REASON_EPT_MISCONFIG 49
#define REASON_INVEPT 50
#define REASON_RDTSCP 51
#define REASON_INVVPID 53
#define REASON_WBINVD 54
#define REASON_XSETBV 55
#define REASON_INVPCID 58
#define REASON_ENCLS 60
#define REASON_SEAMCALL 76
#define REASON_TDCALL 77
#define REASON_COUNT 78
#define REASON_ENTRY_FAILED (1u << 31)
#define REASON_BASIC(r) ((uint16_t)(r))

/* Exit qualification of APIC accesses: SDM vol. 3, table 28-6. */
#define APIC_ACCESS_OFFSET 0xfffu
#define APIC_ACCESS_TYPE(q) ((q) >> 12 & 15)
#define APIC_ACCESS_LINEAR_WRITE 1

/* Qualification of an I/O instruction: SDM vol. 3, table 28-5. */
#define PORT_SIZE(q) (((q)&7) + 1)
#define PORT_IS_IN (1u << 3)
#define PORT_STRING (1u << 4)
#define PORT_NUMBER(q) ((uint16_t)((q) >> 16))

/* Qualification of an EPT violation: SDM vol. 3, table 28-7. */
#define VIOLATION_WRITE (1u << 1)
#define VIOLATION_EXEC (1u << 2)
#define VIOLATION_LINEAR (1u << 7)
#define VIOLATION_UNBLOCKED (1u << 12) /* by an IRET that had unblocked NMIs */
#define VIOLATION_FINAL (1u << 8) /* not by a walk of the paging structures; valid with LINEAR */

/* VM-instruction error numbers: SDM vol. 3, 31.4. */
enum vm_error {
	ERROR_VMCALL_IN_ROOT = 1,
	ERROR_VMCLEAR_ADDRESS = 2,
	ERROR_VMCLEAR_VMXON = 3,
	ERROR_LAUNCH_LAUNCHED = 4,
	ERROR_RESUME_CLEAR = 5,
	ERROR_ENTRY_CONTROLS = 7,
	ERROR_ENTRY_HOST = 8,
	ERROR_VMPTRLD_ADDRESS = 9,
	ERROR_VMPTRLD_VMXON = 10,
	ERROR_VMPTRLD_REVISION = 11,
	ERROR_UNSUPPORTED_FIELD = 12,
	ERROR_READ_ONLY_FIELD = 13,
	ERROR_VMXON_AGAIN = 15,
	ERROR_ENTRY_MOV_SS = 26,
	ERROR_INV_OPERAND = 28,
};

/* Width of a field and its access, from its encoding (SDM vol. 3, table 25-21). */
#define FIELD_WIDTH(e) (((e) >> 13) & 3) /* 16, 64, 32 bits, natural */
#define FIELD_TYPE(e) (((e) >> 10) & 3)  /* control, information, guest state, host state */
#define FIELD_TYPE_INFO 1
#define FIELD_TYPE_GUEST 2
#define FIELD_HIGH 1u /* the upper half of a 64-bit field */

#endif
