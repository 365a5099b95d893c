/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/icr.h"

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/hw.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"
#include "monitor/refusal.h"
#include "monitor/store.h"

#define PHYSICAL_BROADCAST 0xffu
#define APIC_FIRST_WRITABLE 0x80 /* TPR: the ID stays, since the monitor sends to it */
#define APIC_LVT_CMCI 0x2f0
#define APIC_LVT_FIRST 0x320
#define APIC_LVT_LAST 0x370
#define APIC_EXTENDED_LVT 0x500
#define APIC_EXTENDED_LVT_END 0x540
#define REGISTER_STRIDE 16
#define MESSAGE_WINDOW MIB /* 0xfee00000: writes around the page are interrupt messages */

static hpa_t page;

int icr_init(void)
{
	page = apic_page();
	return host_set(page, MESSAGE_WINDOW, TABLE_R);
}

/* A start-up IPI counts only behind an INIT (SDM vol. 3, 9.4.3), and not while that has to wait. */
void icr_arrived(struct cpu *cpu, uint32_t requests)
{
	if (requests & CPU_INIT) {
		cpu->init_pending = true;
		cpu->sipi_pending = false;
	}
	if (requests & CPU_SIPI)
		cpu->sipi_pending |=
			cpu->waiting || (cpu->init_pending && !hw_host_blocks_init(cpu));
}

static void signal(struct cpu *self, struct cpu *cpu, uint32_t icr)
{
	uint32_t request = (icr & ICR_MODE_MASK) == ICR_MODE_INIT ? CPU_INIT : CPU_SIPI;

	if (request == CPU_SIPI)
		cpu->sipi_vector = (uint8_t)icr;
	if (cpu == self)
		icr_arrived(self, request);
	else
		cpu_request(cpu, request);
}

/* INIT or SIPI: Intel SDM vol. 3, 11.6.1. The level de-assert INIT does nothing on these CPUs. */
static void carry_out(struct cpu *self, uint32_t icr, uint32_t dest, bool x2apic)
{
	unsigned int shorthand = ICR_SHORTHAND(icr);
	bool broadcast = dest == (x2apic ? UINT32_MAX : PHYSICAL_BROADCAST);

	if ((icr & ICR_MODE_MASK) == ICR_MODE_INIT && !(icr & ICR_ASSERT))
		return;
	if (shorthand == ICR_SHORTHAND_NONE && (icr & ICR_LOGICAL)) {
		log_provoked("refused: INIT or SIPI to a logical destination (%x)", dest);
		return;
	}
	for (unsigned int i = 0; i < cpu_count(); i++) {
		struct cpu *cpu = cpu_at(i);
		bool hit = shorthand == ICR_SHORTHAND_ALL ||
			   (shorthand == ICR_SHORTHAND_OTHERS && cpu != self) ||
			   (shorthand == ICR_SHORTHAND_SELF && cpu == self) ||
			   (shorthand == ICR_SHORTHAND_NONE && (broadcast || cpu->apic_id == dest));

		if (hit)
			signal(self, cpu, icr);
	}
}

static bool is_ours(uint32_t icr)
{
	return (icr & ICR_MODE_MASK) == ICR_MODE_INIT || (icr & ICR_MODE_MASK) == ICR_MODE_SIPI;
}

/* SMIs are the firmware's; what no manual defines might be anything. */
static bool is_refused(uint32_t icr)
{
	uint32_t mode = icr & ICR_MODE_MASK;

	return mode == ICR_MODE_SMI || mode == ICR_MODE_RESERVED || mode == ICR_MODE_MASK;
}

/* The local vector table: LVT of the timer to that of errors, CMCI, and AMD's extended one. */
static bool is_lvt(uint64_t offset)
{
	return offset == APIC_LVT_CMCI || (offset >= APIC_LVT_FIRST && offset <= APIC_LVT_LAST) ||
	       (offset >= APIC_EXTENDED_LVT && offset < APIC_EXTENDED_LVT_END);
}

/* Whether the register may have this value. */
static bool may_have(uint64_t offset, uint32_t value)
{
	if (offset == APIC_ICR_LOW)
		return !is_refused(value);
	return !is_lvt(offset) || apic_lvt_allowed(value);
}

bool icr_page_write(struct cpu *cpu, hpa_t hpa)
{
	struct store store;

	if (ALIGN_DOWN(hpa.a, PAGE_SIZE) != page.a)
		return false;
	if (store_decode(cpu, hpa, &store) || store.size != sizeof(uint32_t)) {
		log_provoked(
			"refused: a write to the local APIC at offset %lx that is not a 32-bit MOV",
			page_offset(hpa.a));
		hw_host_inject(cpu, VECTOR_GP, 0);
		return true;
	}
	/* Anything but a register's first bytes is an interrupt message to some chipsets. */
	if (page_offset(hpa.a) < APIC_FIRST_WRITABLE || hpa.a % REGISTER_STRIDE) {
		hw_host_complete(cpu, store.insn_len);
		return true;
	}
	if (!may_have(page_offset(hpa.a), (uint32_t)store.value)) {
		refusal_note(REFUSAL_APIC, hpa.a, store.value);
		hw_host_complete(cpu, store.insn_len);
	} else if (page_offset(hpa.a) == APIC_ICR_LOW && is_ours((uint32_t)store.value)) {
		carry_out(cpu, (uint32_t)store.value, apic_read(APIC_ICR_HIGH) >> 24, false);
		hw_host_complete(cpu, store.insn_len);
	} else {
		store_perform(cpu, &store, mem_at(hpa));
	}
	return true;
}

int icr_msr_write(struct cpu *cpu, uint64_t value)
{
	if (is_ours((uint32_t)value))
		carry_out(cpu, (uint32_t)value, (uint32_t)(value >> 32), true);
	else if (is_refused((uint32_t)value))
		refusal_note(REFUSAL_APIC, MSR_X2APIC_ICR, value);
	else
		return msr_try_write(MSR_X2APIC_ICR, value);
	return 0;
}
