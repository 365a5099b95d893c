/* SPDX-License-Identifier: Apache-2.0 */
/* Consistency checks of VMRUN: APM volume 2, 15.5.1, and what the monitor's own rules add. */
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/lib.h"
#include "monitor/svm/svm.h"

#define HIGH32 0xffffffff00000000u
#define CR3_CACHE_BITS 0x18 /* PWT, PCD */
#define ATTR_LONG (1u << 9)
#define ATTR_DEFAULT (1u << 10)

const char *svm_check_state(const struct vmcb_save *s, const struct svm_features *features)
{
	uint64_t beyond_phys = ~(((uint64_t)1 << features->phys_bits) - 1);
	bool paging = s->cr0 & CR0_PG;

	if (!arch_pat_valid(s->pat))
		return "G_PAT has an undefined memory type";
	if (!(s->efer & EFER_SVME))
		return "EFER.SVME is clear";
	if (s->efer & ~(uint64_t)SVM_EFER_DEFINED)
		return "EFER has reserved bits";
	if ((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD))
		return "CR0.NW without CR0.CD";
	if (s->cr0 & HIGH32)
		return "CR0 has reserved bits";
	if ((s->efer & EFER_LMA) && (s->cr3 & beyond_phys))
		return "CR3 has reserved bits";
	if (s->cr4 & HIGH32)
		return "CR4 has reserved bits";
	if ((s->dr6 | s->dr7) & HIGH32)
		return "DR6 or DR7 has reserved bits";
	if (!(s->efer & EFER_LME) || !paging)
		return NULL;
	if (!(s->cr4 & CR4_PAE))
		return "long mode without CR4.PAE";
	if (!(s->cr0 & CR0_PE))
		return "long mode without CR0.PE";
	if ((s->cs.attrib & ATTR_LONG) && (s->cs.attrib & ATTR_DEFAULT))
		return "CS.L and CS.D both set";
	return NULL;
}

static const char *check_event(uint64_t e)
{
	unsigned int vector = EVENT_VECTOR(e);

	if (!(e & EVENT_VALID))
		return NULL;
	switch (EVENT_TYPE(e)) {
	case EVENT_TYPE_INTR:
	case EVENT_TYPE_NMI:
	case EVENT_TYPE_SOFT:
		return NULL;
	case EVENT_TYPE_EXCEPTION:
		return vector == VECTOR_NMI || vector > 31
			       ? "an exception with a vector that is none"
			       : NULL;
	default:
		return "an event of reserved type";
	}
}

/* They are walked and read by checks of their own; here it is about what L1 is told. */
static const char *check_pages(const struct vmcb_control *c)
{
	if (!phys_host(HPA(c->msrpm_base & PAGE_MASK), MSRPM_BYTES))
		return "the MSR permission map is not in memory";
	if (!phys_host(HPA(c->iopm_base & PAGE_MASK), IOPM_BYTES))
		return "the I/O permission map is not in memory";
	if ((c->nested_ctl & NESTED_CTL_NP) &&
	    (page_offset(c->nested_cr3 & ~(uint64_t)CR3_CACHE_BITS) ||
	     !phys_host(HPA(c->nested_cr3 & PAGE_MASK), PAGE_SIZE)))
		return "the nested table is not in memory";
	return NULL;
}

const char *svm_check_controls(const struct vmcb_control *c, struct svm_looked *looked)
{
	struct svm_looked now = {c->msrpm_base, c->iopm_base, c->nested_cr3, c->nested_ctl,
				 owner_taken() + 1};
	const char *wrong;

	if (!(c->intercept2 & INTERCEPT2(VMEXIT_VMRUN)))
		return "VMRUN is not intercepted";
	if (!c->asid)
		return "ASID is 0";
	if (c->nested_ctl & ~NESTED_CTL_NP)
		return "a nested control that is not offered (SEV, GMET, shadow stacks)";
	if (memcmp(&now, looked, sizeof(now)) != 0) {
		wrong = check_pages(c);
		if (wrong)
			return wrong;
		*looked = now;
	}
	return check_event(c->event_inj);
}
