/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/irq_devices.h"

#include "ept/format.h"
#include "ept/host.h"
#include "ept/lock.h"
#include "monitor/apic.h"
#include "monitor/boot/acpi.h"
#include "monitor/hw.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/refusal.h"
#include "monitor/store.h"

/* 82093AA I/O APIC, 3.0: two registers give access to the others; later ones have EOI too. */
#define IO_APIC_INDEX 0x00
#define IO_APIC_DATA 0x10
#define IO_APIC_EOI 0x40
#define IO_APIC_ENTRIES 0x10 /* low half, high half, low half .. */

/* IA-PC HPET specification 1.0a, 2.3.4. */
#define HPET_BYTES 0x400
#define HPET_TIMERS 0x100
#define HPET_TIMER_BYTES 0x20
#define HPET_CONFIG 0x00
#define HPET_MESSAGE 0x10
#define HPET_MESSAGE_ADDRESS 0x14
#define HPET_CONFIG_MESSAGES (1u << 14)
#define MESSAGE_WINDOW 0xfeeu /* bits 31:20 of the address of an interrupt message */

static const struct acpi_info *devices;
static struct lock lock; /* between an I/O APIC's two registers */

static int watch(uint64_t at)
{
	hpa_t page = HPA(ALIGN_DOWN(at, PAGE_SIZE));

	if (page.a >= mem_top() || owner_kind(owner_of(page)) != OWNER_NONE)
		return ERR_INVAL;
	return host_set(page, PAGE_SIZE, TABLE_R);
}

int irq_devices_init(const struct acpi_info *acpi)
{
	int err = 0;

	devices = acpi;
	for (unsigned int i = 0; i < acpi->io_apic_count && !err; i++)
		err = watch(acpi->io_apic[i]);
	for (unsigned int i = 0; i < acpi->hpet_count && !err; i++)
		err = watch(acpi->hpet[i]);
	return err;
}

/* Performs it, or drops it. */
static void finish(struct cpu *cpu, const struct store *store, bool allowed)
{
	if (allowed) {
		store_perform(cpu, store, mem_at(store->hpa));
		return;
	}
	refusal_note(REFUSAL_IRQ, store->hpa.a, store->value);
	hw_host_complete(cpu, store->insn_len);
}

/* Whatever else is in the page may be the same registers again: chipsets decode few address bits. */
static void io_apic_write(struct cpu *cpu, const struct store *store, uint64_t base)
{
	const volatile uint32_t *index = mem_at(HPA(base + IO_APIC_INDEX));
	uint64_t offset = store->hpa.a - base;
	bool allowed = store->size == sizeof(uint32_t);
	uint32_t n;

	lock_take(&lock);
	n = *index & 0xff;
	if (offset == IO_APIC_DATA && n >= IO_APIC_ENTRIES && n % 2 == 0)
		allowed &= apic_lvt_allowed((uint32_t)store->value);
	else
		allowed &=
			offset == IO_APIC_INDEX || offset == IO_APIC_DATA || offset == IO_APIC_EOI;
	finish(cpu, store, allowed);
	lock_drop(&lock);
}

/* Fixed or lowest priority, to a CPU: anything else is a write to memory. */
static bool message_allowed(uint32_t data)
{
	return (data & ICR_MODE_MASK) <= 1u << 8;
}

static bool address_allowed(uint32_t address)
{
	return address >> 20 == MESSAGE_WINDOW;
}

/* timer: offset of its registers. L1 may not switch on what the firmware left in them. */
static bool timer_write_allowed(const struct store *store, uint64_t timer, uint64_t offset)
{
	const volatile uint32_t *message = mem_at(HPA(timer + HPET_MESSAGE));
	const volatile uint32_t *address = mem_at(HPA(timer + HPET_MESSAGE_ADDRESS));
	bool both = store->size == sizeof(uint64_t);

	switch (offset) {
	case HPET_CONFIG:
		return !(store->value & HPET_CONFIG_MESSAGES) ||
		       (message_allowed(*message) && address_allowed(*address));
	case HPET_MESSAGE:
		return message_allowed((uint32_t)store->value) &&
		       (!both || address_allowed((uint32_t)(store->value >> 32)));
	case HPET_MESSAGE_ADDRESS:
		return address_allowed((uint32_t)store->value);
	default:
		return true;
	}
}

static void hpet_write(struct cpu *cpu, const struct store *store, uint64_t base)
{
	uint64_t offset = store->hpa.a - base;
	uint64_t in_timer = (offset - HPET_TIMERS) % HPET_TIMER_BYTES;
	bool allowed = store->size >= sizeof(uint32_t) && offset < HPET_BYTES;

	if (allowed && offset >= HPET_TIMERS)
		allowed = timer_write_allowed(store, store->hpa.a - in_timer, in_timer);
	finish(cpu, store, allowed);
}

static bool same_page(uint64_t base, hpa_t hpa)
{
	return ALIGN_DOWN(base, PAGE_SIZE) == ALIGN_DOWN(hpa.a, PAGE_SIZE);
}

/* The one of a list that hpa is in, or else one that it shares a page with; NULL. */
static const uint64_t *find(const uint64_t *base, unsigned int count, hpa_t hpa)
{
	const uint64_t *found = NULL;

	for (unsigned int i = 0; i < count; i++) {
		if (!same_page(base[i], hpa))
			continue;
		if (!found || *found > hpa.a || (base[i] > *found && base[i] <= hpa.a))
			found = &base[i];
	}
	return found;
}

bool irq_devices_write(struct cpu *cpu, hpa_t hpa)
{
	const uint64_t *io_apic =
		devices ? find(devices->io_apic, devices->io_apic_count, hpa) : NULL;
	const uint64_t *hpet = devices ? find(devices->hpet, devices->hpet_count, hpa) : NULL;
	struct store store;

	if (!io_apic && !hpet)
		return false;
	if (store_decode(cpu, hpa, &store)) {
		log_provoked("refused: a write to an interrupt device at %lx that is not a MOV",
			     hpa.a);
		hw_host_inject(cpu, VECTOR_GP, 0);
	} else if (io_apic) {
		io_apic_write(cpu, &store, *io_apic);
	} else {
		hpet_write(cpu, &store, *hpet);
	}
	return true;
}
