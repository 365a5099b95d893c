/* SPDX-License-Identifier: Apache-2.0 */
/* MSR and I/O bitmaps, on top of monitor/permit.c: SDM vol. 3, 25.6.4 and 25.6.9. */
#include "monitor/lib.h"
#include "monitor/msr.h"
#include "monitor/vmx/vmx.h"

#define MSR_LOW_END 0x2000u
#define MSR_HIGH 0xc0000000u
#define HIGH_OFFSET 1024u
#define WRITE_OFFSET 2048u

/* Byte and bit of an MSR in the bitmap. False: the bitmap does not cover it, and it exits. */
static bool msr_place(uint32_t msr, bool write, uint16_t *byte, uint8_t *mask)
{
	uint32_t n = msr;
	uint32_t offset = write ? WRITE_OFFSET : 0;

	if (n >= MSR_LOW_END) {
		n -= MSR_HIGH;
		offset += HIGH_OFFSET;
	}
	if (n >= MSR_LOW_END)
		return false;
	*byte = (uint16_t)(offset + n / 8);
	*mask = (uint8_t)(1u << (n % 8));
	return true;
}

/* What neither L1 nor, whatever L1 thinks, a guest may reach by itself. */
static bool reserved(uint32_t msr, bool write)
{
	return caps_hides_msr(msr) || msr == MSR_XSS || msr == MSR_FEATURE_CONTROL ||
	       (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_LAST) || msr_watched(msr, write);
}

void maps_host(uint8_t *bitmap)
{
	uint16_t byte;
	uint8_t mask;

	for (uint32_t i = 0; i < 2 * MSR_LOW_END; i++) {
		uint32_t msr = i < MSR_LOW_END ? i : MSR_HIGH + i - MSR_LOW_END;

		for (int write = 0; write < 2; write++)
			if (reserved(msr, write) && msr_place(msr, write, &byte, &mask))
				bitmap[byte] |= mask;
	}
}

/*
 * An isolated guest's own, which the monitor keeps for it: SYSENTER, PAT, SYSCALL, FS to KERNEL_GS, TSC_AUX.
 * Writes to some exit to regs.c, which then knows the value without reading it at each exit.
 */
static const struct {
	uint32_t first, count;
	bool writes;
} own_msr[] = {{0x174, 3, true},        {MSR_PAT, 1, true},
	       {MSR_EFER, 1, false}, /* L1 hears of changes */
	       {0xc0000081u, 4, false}, {MSR_FS_BASE, 3, true},
	       {0xc0000103u, 1, false}};

static void open_one(uint8_t *bits, uint32_t msr, bool write)
{
	uint16_t byte = 0;
	uint8_t mask = 0;

	ASSERT(msr_place(msr, write, &byte, &mask));
	bits[byte] &= (uint8_t)~mask;
}

void maps_reset(struct hw_vcpu *v, bool isolated)
{
	permit_reset(&v->msr);
	permit_reset(&v->io);
	v->isolated = isolated;
	for (size_t i = 0; isolated && i < ARRAY_SIZE(own_msr); i++)
		for (uint32_t n = 0; n < own_msr[i].count; n++) {
			open_one(v->msr.bits, own_msr[i].first + n, false);
			if (own_msr[i].writes)
				open_one(v->msr.bits, own_msr[i].first + n, true);
		}
}

void maps_prepare(struct hw_vcpu *v, const uint64_t *f)
{
	uint64_t cpu = f[F_CPU_CONTROLS];

	v->msr.l1_closed = !(cpu & CPU_MSR_BITMAPS);
	v->msr.l1[0] = HPA(f[F_MSR_BITMAP]);
	v->io.l1_closed = !(cpu & CPU_IO_BITMAPS) && (cpu & CPU_PORTS);
	v->io.l1_open = !(cpu & CPU_IO_BITMAPS) && !(cpu & CPU_PORTS);
	v->io.l1[0] = HPA(f[F_IO_BITMAP_A]);
	v->io.l1[1] = HPA(f[F_IO_BITMAP_B]);
	permit_sync(&v->msr);
	permit_sync(&v->io);
}

bool maps_msr(struct hw_vcpu *v, uint32_t msr, bool write, bool *opened)
{
	uint16_t byte;
	uint8_t mask;

	*opened = false;
	return msr_place(msr, write, &byte, &mask) &&
	       permit_pass(&v->msr, byte, mask, !reserved(msr, write), opened);
}
