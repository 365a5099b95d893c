/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/icr.h"

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/hw.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"
#include "monitor/store.h"

#define PHYSICAL_BROADCAST 0xffu
#define APIC_FIRST_WRITABLE 0x80 /* TPR: the ID stays, since the monitor sends to it */
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
	if (page_offset(hpa.a) == APIC_ICR_LOW && is_ours((uint32_t)store.value)) {
		carry_out(cpu, (uint32_t)store.value, apic_read(APIC_ICR_HIGH) >> 24, false);
		hw_host_complete(cpu, store.insn_len);
	} else {
		store_perform(cpu, &store, mem_at(hpa));
	}
	return true;
}

int icr_msr_write(struct cpu *cpu, uint64_t value)
{
	if (!is_ours((uint32_t)value))
		return msr_try_write(MSR_X2APIC_ICR, value);
	carry_out(cpu, (uint32_t)value, (uint32_t)(value >> 32), true);
	return 0;
}
