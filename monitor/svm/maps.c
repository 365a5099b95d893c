/* SPDX-License-Identifier: Apache-2.0 */
/* The MSR permission map: APM volume 2, 15.11. What is opened in it and when: monitor/permit.h. */
#include "monitor/svm/svm.h"

#define MSR_RANGE 0x2000u

static const uint32_t msr_base[] = {0, 0xc0000000, 0xc0010000};

/* An MSR's bit in the map, or -1 if no map covers it. */
static int msr_bit(uint32_t msr, bool write)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(msr_base); i++)
		if (msr - msr_base[i] < MSR_RANGE)
			return (int)((i * MSR_RANGE + msr - msr_base[i]) * 2 + write);
	return -1;
}

/* Those must never reach the hardware from a guest, whatever L1 thinks. */
static bool msr_reserved(uint32_t msr, bool write)
{
	return (msr == MSR_EFER && write) || msr == MSR_VM_CR || msr == MSR_VM_HSAVE_PA ||
	       (msr == MSR_XSS && write) || msr_watched(msr, write);
}

void svm_maps_host(uint8_t *msrpm)
{
	for (uint32_t bit = 0; bit < ARRAY_SIZE(msr_base) * MSR_RANGE * 2; bit++) {
		uint32_t msr = msr_base[bit / 2 / MSR_RANGE] + bit / 2 % MSR_RANGE;

		if (msr == MSR_EFER || msr_reserved(msr, bit % 2))
			msrpm[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

/* An isolated guest's own, which the monitor keeps for it: FS to KERNEL_GS, SYSCALL, SYSENTER, PAT. */
static const struct {
	uint32_t first, count;
} own_msr[] = {{0xc0000100, 3}, {0xc0000081, 4}, {0x174, 3}, {MSR_PAT, 1}};

void svm_maps_reset(struct hw_vcpu *v, bool isolated)
{
	permit_reset(&v->msr);
	permit_reset(&v->io);
	v->isolated = isolated;
	for (size_t i = 0; isolated && i < ARRAY_SIZE(own_msr); i++)
		for (uint32_t n = 0; n < 2 * own_msr[i].count; n++) {
			int bit = msr_bit(own_msr[i].first + n / 2, n % 2);

			ASSERT(bit >= 0);
			v->msr.bits[bit / 8] &= (uint8_t) ~(1u << bit % 8);
		}
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
	int bit = msr_bit(msr, write);
	uint16_t byte = (uint16_t)(bit / 8);
	uint8_t mask = (uint8_t)(1u << (bit & 7));

	*opened = false;
	if (bit < 0)
		return v->msr.l1_open;
	return permit_pass(&v->msr, byte, mask, !msr_reserved(msr, write), opened);
}
