/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/tpm_io.h"

#include "attest/tpm_io.h"
#include "monitor/arch.h"
#include "monitor/mem.h"

/*
 * No processor's time-stamp counter is faster. Where it is slower, time-outs are longer: those of a TPM that is dead. That spares a
 * calibration by a timer that the machine may not have.
 */
#define TSC_MHZ_MAX 8000u

static const struct memmap *memory;

void tpm_io_init(const struct memmap *map)
{
	memory = map;
}

static volatile void *seen(uint64_t at)
{
	return mem_at(HPA(at));
}

uint8_t tpm_io_read8(uint64_t at)
{
	return *(const volatile uint8_t *)seen(at);
}

uint32_t tpm_io_read32(uint64_t at)
{
	return *(const volatile uint32_t *)seen(at);
}

void tpm_io_write8(uint64_t at, uint8_t value)
{
	*(volatile uint8_t *)seen(at) = value;
}

void tpm_io_write32(uint64_t at, uint32_t value)
{
	*(volatile uint32_t *)seen(at) = value;
}

/* Firmware TPMs have registers and buffers in memory that the firmware has reserved, or not listed. */
bool tpm_io_reaches(uint64_t at, uint32_t bytes)
{
	struct range range = {at, at + bytes};

	if (range.start < MIB || range.start >= range.end || range.end > 4 * GIB ||
	    range_overlaps(range, mem_block()))
		return false;
	for (unsigned int i = 0; i < memory->count; i++) {
		const struct region *r = &memory->region[i];

		if (r->type == REGION_RAM &&
		    range_overlaps(range, (struct range){r->start, r->end}))
			return false;
	}
	return true;
}

uint32_t tpm_io_now(void)
{
	return (uint32_t)(arch_rdtsc() / TSC_MHZ_MAX);
}
