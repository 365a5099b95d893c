/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a VMCS that L1 may use, one row each (Intel SDM vol. 3, appendix B, which gives the
 * encodings; width and access follow from the encoding: fields.c). Any other field does not exist
 * for L1 (VMfail 12): what it would control is not offered (caps.c), or the hardware lacks it.
 *
 * X(NAME, encoding, kind). Kinds say whose the field is and what becomes of it:
 *
 *   GUEST  guest state, copied to the VMCS that runs when L1 has written it, and back at each exit
 *   COLD   the same, but read back only when L1 asks for it: seldom changed, seldom asked for
 *   CHOICE guest state that L1's entry and exit controls decide about (nested.c)
 *   COPY   a control of L1's, checked (check.c) and used as it is
 *   EVENT  what L1 injects, checked and copied at every entry: the monitor injects by them too
 *   MERGE  a control that the monitor adds to, or replaces by its own (nested.c)
 *   LIST   addresses and counts that only the monitor uses, in software (msrs.c, maps.c)
 *   HOST   L1's own state after an exit, checked at entry (check.c)
 *   INFO   exit information: read-only for L1, filled in at each exit
 *   NONE   kept for L1 to read back, without effect here (those of I/O are for SMM monitors)
 */
#ifndef VMX_FIELDS_H
#define VMX_FIELDS_H

#define VMCS_FIELDS(X)                           \
	X(VPID, 0x0000, MERGE)                   \
	X(GUEST_ES_SELECTOR, 0x0800, COLD)       \
	X(GUEST_CS_SELECTOR, 0x0802, COLD)       \
	X(GUEST_SS_SELECTOR, 0x0804, COLD)       \
	X(GUEST_DS_SELECTOR, 0x0806, COLD)       \
	X(GUEST_FS_SELECTOR, 0x0808, COLD)       \
	X(GUEST_GS_SELECTOR, 0x080a, COLD)       \
	X(GUEST_LDTR_SELECTOR, 0x080c, COLD)     \
	X(GUEST_TR_SELECTOR, 0x080e, COLD)       \
	X(HOST_ES_SELECTOR, 0x0c00, HOST)        \
	X(HOST_CS_SELECTOR, 0x0c02, HOST)        \
	X(HOST_SS_SELECTOR, 0x0c04, HOST)        \
	X(HOST_DS_SELECTOR, 0x0c06, HOST)        \
	X(HOST_FS_SELECTOR, 0x0c08, HOST)        \
	X(HOST_GS_SELECTOR, 0x0c0a, HOST)        \
	X(HOST_TR_SELECTOR, 0x0c0c, HOST)        \
	X(IO_BITMAP_A, 0x2000, LIST)             \
	X(IO_BITMAP_B, 0x2002, LIST)             \
	X(MSR_BITMAP, 0x2004, LIST)              \
	X(EXIT_MSR_STORE, 0x2006, LIST)          \
	X(EXIT_MSR_LOAD, 0x2008, LIST)           \
	X(ENTRY_MSR_LOAD, 0x200a, LIST)          \
	X(EXECUTIVE_VMCS, 0x200c, NONE)          \
	X(TSC_OFFSET, 0x2010, COPY)              \
	X(VIRTUAL_APIC, 0x2012, COPY)            \
	X(APIC_ACCESS, 0x2014, COPY)             \
	X(EPT_POINTER, 0x201a, MERGE)            \
	X(XSS_EXITING, 0x202c, COPY)             \
	X(GUEST_PHYSICAL, 0x2400, INFO)          \
	X(LINK_POINTER, 0x2800, NONE)            \
	X(GUEST_DEBUGCTL, 0x2802, CHOICE)        \
	X(GUEST_PAT, 0x2804, CHOICE)             \
	X(GUEST_EFER, 0x2806, CHOICE)            \
	X(GUEST_PDPTE0, 0x280a, COLD)            \
	X(GUEST_PDPTE1, 0x280c, COLD)            \
	X(GUEST_PDPTE2, 0x280e, COLD)            \
	X(GUEST_PDPTE3, 0x2810, COLD)            \
	X(HOST_PAT, 0x2c00, HOST)                \
	X(HOST_EFER, 0x2c02, HOST)               \
	X(PIN_CONTROLS, 0x4000, MERGE)           \
	X(CPU_CONTROLS, 0x4002, MERGE)           \
	X(EXCEPTION_BITMAP, 0x4004, COPY)        \
	X(PF_ERROR_MASK, 0x4006, COPY)           \
	X(PF_ERROR_MATCH, 0x4008, COPY)          \
	X(CR3_TARGET_COUNT, 0x400a, COPY)        \
	X(EXIT_CONTROLS, 0x400c, MERGE)          \
	X(EXIT_MSR_STORE_COUNT, 0x400e, LIST)    \
	X(EXIT_MSR_LOAD_COUNT, 0x4010, LIST)     \
	X(ENTRY_CONTROLS, 0x4012, MERGE)         \
	X(ENTRY_MSR_LOAD_COUNT, 0x4014, LIST)    \
	X(ENTRY_EVENT, 0x4016, EVENT)            \
	X(ENTRY_ERROR_CODE, 0x4018, EVENT)       \
	X(ENTRY_INSN_LEN, 0x401a, EVENT)         \
	X(TPR_THRESHOLD, 0x401c, COPY)           \
	X(CPU2_CONTROLS, 0x401e, MERGE)          \
	X(PLE_GAP, 0x4020, COPY)                 \
	X(PLE_WINDOW, 0x4022, COPY)              \
	X(INSN_ERROR, 0x4400, INFO)              \
	X(EXIT_REASON, 0x4402, INFO)             \
	X(EXIT_EVENT, 0x4404, INFO)              \
	X(EXIT_ERROR_CODE, 0x4406, INFO)         \
	X(VECTORING_EVENT, 0x4408, INFO)         \
	X(VECTORING_ERROR_CODE, 0x440a, INFO)    \
	X(EXIT_INSN_LEN, 0x440c, INFO)           \
	X(EXIT_INSN_INFO, 0x440e, INFO)          \
	X(GUEST_ES_LIMIT, 0x4800, COLD)          \
	X(GUEST_CS_LIMIT, 0x4802, COLD)          \
	X(GUEST_SS_LIMIT, 0x4804, COLD)          \
	X(GUEST_DS_LIMIT, 0x4806, COLD)          \
	X(GUEST_FS_LIMIT, 0x4808, COLD)          \
	X(GUEST_GS_LIMIT, 0x480a, COLD)          \
	X(GUEST_LDTR_LIMIT, 0x480c, COLD)        \
	X(GUEST_TR_LIMIT, 0x480e, COLD)          \
	X(GUEST_GDTR_LIMIT, 0x4810, COLD)        \
	X(GUEST_IDTR_LIMIT, 0x4812, COLD)        \
	X(GUEST_ES_RIGHTS, 0x4814, COLD)         \
	X(GUEST_CS_RIGHTS, 0x4816, GUEST)        \
	X(GUEST_SS_RIGHTS, 0x4818, GUEST)        \
	X(GUEST_DS_RIGHTS, 0x481a, COLD)         \
	X(GUEST_FS_RIGHTS, 0x481c, COLD)         \
	X(GUEST_GS_RIGHTS, 0x481e, COLD)         \
	X(GUEST_LDTR_RIGHTS, 0x4820, COLD)       \
	X(GUEST_TR_RIGHTS, 0x4822, COLD)         \
	X(GUEST_INTERRUPTIBILITY, 0x4824, GUEST) \
	X(GUEST_ACTIVITY, 0x4826, GUEST)         \
	X(GUEST_SMBASE, 0x4828, COLD)            \
	X(GUEST_SYSENTER_CS, 0x482a, COLD)       \
	X(HOST_SYSENTER_CS, 0x4c00, HOST)        \
	X(CR0_MASK, 0x6000, COPY)                \
	X(CR4_MASK, 0x6002, MERGE)               \
	X(CR0_SHADOW, 0x6004, COPY)              \
	X(CR4_SHADOW, 0x6006, COPY)              \
	X(CR3_TARGET0, 0x6008, COPY)             \
	X(CR3_TARGET1, 0x600a, COPY)             \
	X(CR3_TARGET2, 0x600c, COPY)             \
	X(CR3_TARGET3, 0x600e, COPY)             \
	X(EXIT_QUALIFICATION, 0x6400, INFO)      \
	X(IO_RCX, 0x6402, NONE)                  \
	X(IO_RSI, 0x6404, NONE)                  \
	X(IO_RDI, 0x6406, NONE)                  \
	X(IO_RIP, 0x6408, NONE)                  \
	X(GUEST_LINEAR, 0x640a, INFO)            \
	X(GUEST_CR0, 0x6800, GUEST)              \
	X(GUEST_CR3, 0x6802, GUEST)              \
	X(GUEST_CR4, 0x6804, GUEST)              \
	X(GUEST_ES_BASE, 0x6806, COLD)           \
	X(GUEST_CS_BASE, 0x6808, COLD)           \
	X(GUEST_SS_BASE, 0x680a, COLD)           \
	X(GUEST_DS_BASE, 0x680c, COLD)           \
	X(GUEST_FS_BASE, 0x680e, COLD)           \
	X(GUEST_GS_BASE, 0x6810, COLD)           \
	X(GUEST_LDTR_BASE, 0x6812, COLD)         \
	X(GUEST_TR_BASE, 0x6814, COLD)           \
	X(GUEST_GDTR_BASE, 0x6816, COLD)         \
	X(GUEST_IDTR_BASE, 0x6818, COLD)         \
	X(GUEST_DR7, 0x681a, CHOICE)             \
	X(GUEST_RSP, 0x681c, GUEST)              \
	X(GUEST_RIP, 0x681e, GUEST)              \
	X(GUEST_RFLAGS, 0x6820, GUEST)           \
	X(GUEST_PENDING_DEBUG, 0x6822, GUEST)    \
	X(GUEST_SYSENTER_ESP, 0x6824, COLD)      \
	X(GUEST_SYSENTER_EIP, 0x6826, COLD)      \
	X(HOST_CR0, 0x6c00, HOST)                \
	X(HOST_CR3, 0x6c02, HOST)                \
	X(HOST_CR4, 0x6c04, HOST)                \
	X(HOST_FS_BASE, 0x6c06, HOST)            \
	X(HOST_GS_BASE, 0x6c08, HOST)            \
	X(HOST_TR_BASE, 0x6c0a, HOST)            \
	X(HOST_GDTR_BASE, 0x6c0c, HOST)          \
	X(HOST_IDTR_BASE, 0x6c0e, HOST)          \
	X(HOST_SYSENTER_ESP, 0x6c10, HOST)       \
	X(HOST_SYSENTER_EIP, 0x6c12, HOST)       \
	X(HOST_RSP, 0x6c14, HOST)                \
	X(HOST_RIP, 0x6c16, HOST)

#define FIELD_INDEX_MAX 0x16u /* the highest index, bits 9:1 of an encoding (IA32_VMX_VMCS_ENUM) */

#endif
