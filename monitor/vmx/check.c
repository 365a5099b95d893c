/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of VM entry on L1's controls and on L1's own state after an exit: SDM vol. 3, 27.2. The
 * guest's state is for the hardware to check. An address has to be the host's memory besides (R18).
 */
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/vmx/vmx.h"

#define MSR_ENTRY_BYTES 16u
#define MSR_LIST_MAX 512u
#define CR3_TARGETS_MAX 4
#define INSN_LEN_MAX 15
#define MISC_SOFT_LEN_0 (1ul << 30)
#define TPR_OFFSET 0x80
#define EPTP_LEVELS (7u << 3)
#define EPTP_RESERVED 0xf80u
#define SELECTOR_LOW 7u /* RPL and TI */

static bool control_ok(uint64_t value, struct control_caps caps)
{
	return (value & caps.must) == caps.must && !(value & ~(uint64_t)caps.may);
}

static bool page_ok(uint64_t hpa)
{
	return !page_offset(hpa) && phys_host(HPA(hpa), PAGE_SIZE);
}

static bool canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

static uint64_t cpu2_of(const uint64_t *f)
{
	return f[F_CPU_CONTROLS] & CPU_SECONDARY ? f[F_CPU2_CONTROLS] : 0;
}

static const char *check_reserved(const uint64_t *f, const struct vmx_caps *caps)
{
	if (!control_ok(f[F_PIN_CONTROLS], caps->pin))
		return "pin-based controls that are not offered";
	if (!control_ok(f[F_CPU_CONTROLS], caps->cpu))
		return "processor-based controls that are not offered";
	if ((f[F_CPU_CONTROLS] & CPU_SECONDARY) && !control_ok(f[F_CPU2_CONTROLS], caps->cpu2))
		return "secondary controls that are not offered";
	if (!control_ok(f[F_EXIT_CONTROLS], caps->exit))
		return "exit controls that are not offered";
	if (!control_ok(f[F_ENTRY_CONTROLS], caps->entry))
		return "entry controls that are not offered";
	return NULL;
}

static const char *check_apic(const uint64_t *f)
{
	uint64_t cpu2 = cpu2_of(f);
	const uint8_t *page = phys_host_rw(HPA(f[F_VIRTUAL_APIC]), PAGE_SIZE);

	if (!(f[F_CPU_CONTROLS] & CPU_TPR_SHADOW))
		return cpu2 & CPU2_X2APIC ? "virtual x2APIC without a TPR shadow" : NULL;
	if (page_offset(f[F_VIRTUAL_APIC]) || !page)
		return "the virtual-APIC page is not in memory";
	if (f[F_TPR_THRESHOLD] > 0xf)
		return "the TPR threshold has reserved bits";
	if (!(cpu2 & CPU2_APIC_ACCESSES) && f[F_TPR_THRESHOLD] > page[TPR_OFFSET] >> 4)
		return "the TPR threshold is above the virtual TPR";
	return NULL;
}

/* SDM vol. 3, 27.2.1.1 and table 25-9. */
bool eptp_ok(uint64_t eptp, const struct vmx_caps *caps)
{
	unsigned int type = eptp & 7;

	if (type != EPTP_WB && (type || !(caps->ept_vpid & CAP_UC)))
		return false;
	if ((eptp & EPTP_AD) && !(caps->ept_vpid & CAP_AD))
		return false;
	return (eptp & EPTP_LEVELS) == EPTP_LEVELS_4 && !(eptp & EPTP_RESERVED) &&
	       !(eptp >> caps->phys_bits);
}

static const char *check_ept(const uint64_t *f, const struct vmx_caps *caps)
{
	if (!(cpu2_of(f) & CPU2_EPT))
		return cpu2_of(f) & CPU2_UNRESTRICTED ? "unrestricted guest without EPT" : NULL;
	if (!eptp_ok(f[F_EPT_POINTER], caps))
		return "the EPT pointer has reserved or unsupported bits";
	if (!page_ok(f[F_EPT_POINTER] & PAGE_MASK))
		return "the EPT root is not in memory";
	return NULL;
}

static const char *check_execution(const uint64_t *f)
{
	uint64_t cpu = f[F_CPU_CONTROLS];
	uint64_t cpu2 = cpu2_of(f);

	if (f[F_CR3_TARGET_COUNT] > CR3_TARGETS_MAX)
		return "too many CR3 targets";
	if ((cpu & CPU_IO_BITMAPS) && (!page_ok(f[F_IO_BITMAP_A]) || !page_ok(f[F_IO_BITMAP_B])))
		return "an I/O bitmap is not in memory";
	if ((cpu & CPU_MSR_BITMAPS) && !page_ok(f[F_MSR_BITMAP]))
		return "the MSR bitmap is not in memory";
	if (!(f[F_PIN_CONTROLS] & PIN_NMI) && (f[F_PIN_CONTROLS] & PIN_VIRTUAL_NMI))
		return "virtual NMIs without NMI exiting";
	if (!(f[F_PIN_CONTROLS] & PIN_VIRTUAL_NMI) && (cpu & CPU_NMI_WINDOW))
		return "NMI-window exiting without virtual NMIs";
	if ((cpu2 & CPU2_APIC_ACCESSES) && !page_ok(f[F_APIC_ACCESS]))
		return "the APIC-access page is not in memory";
	if ((cpu2 & CPU2_APIC_ACCESSES) && (cpu2 & CPU2_X2APIC))
		return "virtual APIC accesses and virtual x2APIC at once";
	if ((cpu2 & CPU2_VPID) && !f[F_VPID])
		return "VPID is 0";
	return NULL;
}

static bool list_ok(uint64_t hpa, uint64_t count)
{
	return !count || (count <= MSR_LIST_MAX && !(hpa % MSR_ENTRY_BYTES) &&
			  phys_host(HPA(hpa), count * MSR_ENTRY_BYTES));
}

static bool pushes_error(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static const char *check_soft(const uint64_t *f, const struct vmx_caps *caps)
{
	uint64_t len = f[F_ENTRY_INSN_LEN];

	if (len > INSN_LEN_MAX || (!len && !(caps->misc & MISC_SOFT_LEN_0)))
		return "a software event with an impossible instruction length";
	return NULL;
}

/* SDM vol. 3, 27.2.1.3. */
const char *check_event(const uint64_t *f, const struct vmx_caps *caps)
{
	uint32_t e = (uint32_t)f[F_ENTRY_EVENT];
	unsigned int vector = EVENT_VECTOR(e);
	bool exception = EVENT_TYPE(e) == EVENT_TYPE_EXCEPTION;
	bool real = (cpu2_of(f) & CPU2_UNRESTRICTED) && !(f[F_GUEST_CR0] & CR0_PE);

	if (!(e & EVENT_VALID))
		return NULL;
	if (e & 0x7ffff000u)
		return "an event with reserved bits";
	if (EVENT_TYPE(e) == 1 ||
	    (EVENT_TYPE(e) == EVENT_TYPE_OTHER && (vector || !(caps->cpu.may & CPU_TRAP_FLAG))))
		return "an event of reserved type";
	if ((EVENT_TYPE(e) == EVENT_TYPE_NMI && vector != VECTOR_NMI) || (exception && vector > 31))
		return "an event with a vector that is none of its type";
	if ((e & EVENT_HAS_ERROR) && (!exception || !pushes_error(vector) || real))
		return "an event with an error code that it does not push";
	if (!(e & EVENT_HAS_ERROR) && exception && pushes_error(vector) && !real)
		return "an exception without its error code";
	if ((e & EVENT_HAS_ERROR) && f[F_ENTRY_ERROR_CODE] >> 16)
		return "an error code with reserved bits";
	if (EVENT_TYPE(e) >= EVENT_TYPE_SOFT_INTR && EVENT_TYPE(e) <= EVENT_TYPE_SOFT_EXCEPTION)
		return check_soft(f, caps);
	return NULL;
}

const char *check_controls(const uint64_t *f, const struct vmx_caps *caps)
{
	const char *wrong = check_reserved(f, caps);

	if (!wrong)
		wrong = check_execution(f);
	if (!wrong)
		wrong = check_apic(f);
	if (!wrong)
		wrong = check_ept(f, caps);
	if (!wrong && (!list_ok(f[F_EXIT_MSR_STORE], f[F_EXIT_MSR_STORE_COUNT]) ||
		       !list_ok(f[F_EXIT_MSR_LOAD], f[F_EXIT_MSR_LOAD_COUNT]) ||
		       !list_ok(f[F_ENTRY_MSR_LOAD], f[F_ENTRY_MSR_LOAD_COUNT])))
		wrong = "an MSR list is not in memory, or too long";
	return wrong;
}

static bool fixed_ok(uint64_t value, uint64_t must, uint64_t may)
{
	return (value & must) == must && !(value & ~may);
}

/* L1 in 64-bit mode: LMA and LME set, and nothing reserved. */
bool efer_ok(uint64_t efer)
{
	const uint64_t long_mode = EFER_LMA | EFER_LME;

	return (efer & long_mode) == long_mode && !(efer & ~(long_mode | EFER_SCE | EFER_NXE));
}

static const char *check_host_segments(const uint64_t *f)
{
	for (unsigned int i = F_HOST_ES_SELECTOR; i <= F_HOST_TR_SELECTOR; i++)
		if (f[i] & SELECTOR_LOW)
			return "a host selector with RPL or TI";
	if (!f[F_HOST_CS_SELECTOR] || !f[F_HOST_TR_SELECTOR])
		return "host CS or TR is 0";
	for (unsigned int i = F_HOST_FS_BASE; i <= F_HOST_SYSENTER_EIP; i++)
		if (!canonical(f[i]))
			return "a host address is not canonical";
	return NULL;
}

const char *check_host(const uint64_t *f, const struct vmx_caps *caps)
{
	uint64_t exit = f[F_EXIT_CONTROLS];

	if (!fixed_ok(f[F_HOST_CR0], caps->cr0_must, caps->cr0_may))
		return "host CR0";
	if (!fixed_ok(f[F_HOST_CR4], caps->cr4_must, caps->cr4_may) || !(f[F_HOST_CR4] & CR4_PAE))
		return "host CR4";
	if (f[F_HOST_CR3] >> caps->phys_bits)
		return "host CR3";
	if ((exit & EXIT_LOAD_PAT) && !arch_pat_valid(f[F_HOST_PAT]))
		return "host PAT";
	if ((exit & EXIT_LOAD_EFER) && !efer_ok(f[F_HOST_EFER]))
		return "host EFER";
	if (!canonical(f[F_HOST_RIP]))
		return "host RIP";
	return check_host_segments(f);
}
