/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR permission map: APM volume 2, 15.11. What is opened in it and when: monitor/permit.h. */
#include "monitor/apic.h"
#include "monitor/svm/svm.h"

#define MSR_RANGE 0x2000u
#define MSR_READ_BIT 1u
#define MSR_WRITE_BIT 2u

/* Byte and first bit of an MSR in the map: APM volume 2, 15.11. False: no map covers it. */
static bool msr_place(uint32_t msr, uint16_t *byte, unsigned int *shift)
{
	static const uint32_t base[] = {0, 0xc0000000, 0xc0010000};

	for (uint32_t i = 0; i < ARRAY_SIZE(base); i++) {
		uint32_t n = msr - base[i];

		if (n < MSR_RANGE) {
			*byte = (uint16_t)(i * MSR_RANGE / 4 + n / 4);
			*shift = n % 4 * 2;
			return true;
		}
	}
	return false;
}

static void close_msr(uint8_t *map, uint32_t msr, unsigned int bits)
{
	unsigned int shift;
	uint16_t byte;

	if (msr_place(msr, &byte, &shift))
		map[byte] |= (uint8_t)(bits << shift);
}

void svm_maps_host(uint8_t *msrpm)
{
	close_msr(msrpm, MSR_EFER, MSR_READ_BIT | MSR_WRITE_BIT);
	close_msr(msrpm, MSR_VM_CR, MSR_READ_BIT | MSR_WRITE_BIT);
	close_msr(msrpm, MSR_VM_HSAVE_PA, MSR_READ_BIT | MSR_WRITE_BIT);
	close_msr(msrpm, MSR_APIC_BASE, MSR_WRITE_BIT);
	close_msr(msrpm, MSR_X2APIC_ICR, MSR_WRITE_BIT);
}

/* Those must never reach the hardware from a guest, whatever L1 thinks. */
static bool msr_reserved(uint32_t msr, bool write)
{
	return (msr == MSR_EFER && write) || msr == MSR_VM_CR || msr == MSR_VM_HSAVE_PA ||
	       (msr == MSR_APIC_BASE && write) || (msr == MSR_X2APIC_ICR && write);
}

void svm_maps_reset(struct hw_vcpu *v)
{
	permit_reset(&v->msr);
	permit_reset(&v->io);
}

static void sync(struct permit_map *m, bool intercepted, uint64_t l1_map)
{
	m->l1_open = !intercepted;
	for (unsigned int i = 0; i < PERMIT_PAGES; i++)
		m->l1[i] = HPA((l1_map & PAGE_MASK) + i * PAGE_SIZE);
	permit_sync(m);
}

void svm_maps_sync(struct hw_vcpu *v, const struct vmcb_control *request)
{
	sync(&v->msr, request->intercept1 & INTERCEPT1(VMEXIT_MSR), request->msrpm_base);
	sync(&v->io, request->intercept1 & INTERCEPT1(VMEXIT_IOIO), request->iopm_base);
}

bool svm_maps_open_msr(struct hw_vcpu *v, uint32_t msr, bool write, bool *opened)
{
	unsigned int shift;
	uint16_t byte;
	uint8_t mask;

	*opened = false;
	if (!msr_place(msr, &byte, &shift))
		return v->msr.l1_open;
	mask = (uint8_t)((write ? MSR_WRITE_BIT : MSR_READ_BIT) << shift);
	if (!permit_l1_allows(&v->msr, byte, mask))
		return false;
	*opened = !msr_reserved(msr, write);
	if (*opened)
		permit_open(&v->msr, byte, mask);
	return true;
}
