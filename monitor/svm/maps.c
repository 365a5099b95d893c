/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permission maps. The hardware uses the monitor's maps, in which everything exits at first. When a
 * guest does something that L1's map leaves open, and the monitor has nothing against it, the bit is
 * opened and the instruction runs again. At each entry the few bits opened are compared with L1's map
 * again, so that L1 can close them. No map is ever copied or merged as a whole, and what the
 * monitor closes stays closed whatever L1 writes meanwhile.
 */
#include "ept/phys.h"
#include "monitor/apic.h"
#include "monitor/lib.h"
#include "monitor/svm/svm.h"

#define MSRPM_SIZE 8192u
#define IOPM_SIZE 12288u
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
	memset(v->msrpm, 0xff, MSRPM_SIZE);
	memset(v->iopm, 0xff, IOPM_SIZE);
	v->msr_count = 0;
	v->io_count = 0;
}

/* One byte of L1's map; all closed if it is not host memory. */
static uint8_t l1_byte(uint64_t map, uint16_t byte)
{
	const uint8_t *p = phys_host(HPA((map & PAGE_MASK) + byte), 1);

	return p ? __atomic_load_n(p, __ATOMIC_RELAXED) : 0xff;
}

static void sync(uint8_t *map, struct opened *list, unsigned int *count, bool intercepted,
		 uint64_t l1_map)
{
	for (unsigned int i = 0; i < *count;) {
		struct opened *o = &list[i];

		if (!intercepted || !(l1_byte(l1_map, o->byte) & o->mask)) {
			i++;
			continue;
		}
		map[o->byte] |= o->mask;
		*o = list[--*count];
	}
}

static bool msr_intercepted(const struct vmcb_control *request)
{
	return request->intercept1 & INTERCEPT1(VMEXIT_MSR);
}

static bool port_intercepted(const struct vmcb_control *request)
{
	return request->intercept1 & INTERCEPT1(VMEXIT_IOIO);
}

void svm_maps_sync(struct hw_vcpu *v, const struct vmcb_control *request)
{
	sync(v->msrpm, v->msr, &v->msr_count, msr_intercepted(request), request->msrpm_base);
	sync(v->iopm, v->io, &v->io_count, port_intercepted(request), request->iopm_base);
}

/* When the list is full, all of it is closed: what is still used comes back by itself. */
static void open_bits(uint8_t *map, struct opened *list, unsigned int *count, struct opened o)
{
	if (*count == OPENED_MAX) {
		for (unsigned int i = 0; i < OPENED_MAX; i++)
			map[list[i].byte] |= list[i].mask;
		*count = 0;
	}
	list[(*count)++] = o;
	map[o.byte] &= (uint8_t)~o.mask;
}

bool svm_maps_open_msr(struct hw_vcpu *v, const struct vmcb_control *request, uint32_t msr,
		       bool write, bool *opened)
{
	struct opened o;
	unsigned int shift;

	*opened = false;
	if (!msr_place(msr, &o.byte, &shift))
		return !msr_intercepted(request);
	o.mask = (uint8_t)((write ? MSR_WRITE_BIT : MSR_READ_BIT) << shift);
	if (msr_intercepted(request) && (l1_byte(request->msrpm_base, o.byte) & o.mask))
		return false;
	*opened = !msr_reserved(msr, write);
	if (*opened)
		open_bits(v->msrpm, v->msr, &v->msr_count, o);
	return true;
}

bool svm_maps_open_port(struct hw_vcpu *v, const struct vmcb_control *request, uint32_t info,
			bool *opened)
{
	uint16_t port = IOIO_PORT(info);
	uint32_t mask = ((1u << IOIO_SIZE(info)) - 1) << (port % 8);
	uint16_t byte = port / 8;

	*opened = false;
	if (port_intercepted(request) &&
	    ((l1_byte(request->iopm_base, byte) & mask) ||
	     (l1_byte(request->iopm_base, (uint16_t)(byte + 1)) & mask >> 8)))
		return false;
	*opened = true;
	if (mask & 0xff)
		open_bits(v->iopm, v->io, &v->io_count, (struct opened){byte, (uint8_t)mask});
	if (mask >> 8)
		open_bits(v->iopm, v->io, &v->io_count,
			  (struct opened){(uint16_t)(byte + 1), (uint8_t)(mask >> 8)});
	return true;
}
