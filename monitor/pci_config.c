/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/pci_config.h"

#include "ept/format.h"
#include "ept/host.h"
#include "ept/lock.h"
#include "monitor/arch.h"
#include "monitor/chipset.h"
#include "monitor/hw.h"
#include "monitor/hypercall.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/platform.h"
#include "monitor/power.h"
#include "monitor/reset.h"
#include "monitor/store.h"

#define ADDRESS_PORT 0xcf8
#define RESET_PORT 0xcf9
#define MECHANISM_PORT 0xcfb /* of very old chipsets; systems write it while they look for PCI */
#define DATA_PORT 0xcfc
#define ENABLE 0x80000000u
#define RESET_NOW 0x04 /* chipset data sheets: reset control */
#define FUNCTION_SHIFT 12

static struct {
	/* Of the two ports together; and from a look at what a write would change to the write. */
	struct lock lock;
	uint32_t address; /* what L1 wrote to CF8h last: the hardware has what was used last */
	struct mcfg mcfg; /* ranges whose stores exit */
} pci;

static uint64_t name_of(bdf_t f, unsigned int offset)
{
	return (uint64_t)f << FUNCTION_SHIFT | offset;
}

/* As L1 would: the address, then the data. The two low bits of the address mean nothing. */
static uint32_t get(uint32_t address, unsigned int byte, unsigned int size)
{
	arch_out(ADDRESS_PORT, 4, address & ~3u);
	return arch_in((uint16_t)(DATA_PORT + byte), size);
}

static void put(uint32_t address, unsigned int byte, unsigned int size, uint32_t value)
{
	arch_out(ADDRESS_PORT, 4, address & ~3u);
	arch_out((uint16_t)(DATA_PORT + byte), size, value);
}

static uint32_t read_at(uint32_t address, unsigned int byte, unsigned int size)
{
	uint32_t value;

	lock_take(&pci.lock);
	value = get(address, byte, size);
	lock_drop(&pci.lock);
	return value;
}

static void write_at(uint32_t address, unsigned int byte, unsigned int size, uint32_t value)
{
	lock_take(&pci.lock);
	put(address, byte, size, value);
	lock_drop(&pci.lock);
}

static uint32_t address_of(bdf_t f, unsigned int offset)
{
	return ENABLE | (uint32_t)f << 8 | (offset & 0xfc);
}

uint32_t pci_config_read(bdf_t f, unsigned int offset, unsigned int size)
{
	return read_at(address_of(f, offset), offset & 3, size);
}

void pci_config_write(bdf_t f, unsigned int offset, unsigned int size, uint32_t value)
{
	write_at(address_of(f, offset), offset & 3, size, value);
}

/*
 * Then what is there now counts. In between no other CPU may move a device's ports: QEMU lets them hide the
 * two of configuration space, so that the look would be at something else than the write is to.
 */
static bool near(bdf_t f, unsigned int offset, unsigned int size)
{
	return chipset_protects(f, offset, size, UINT64_MAX);
}

static bool allowed(const char *name, bdf_t f, unsigned int offset, uint64_t value)
{
	if (name)
		platform_refused(name, PLATFORM_PCI, name_of(f, offset), value);
	return !name;
}

static bool chipset_allows(bdf_t f, unsigned int offset, unsigned int size, uint64_t value,
			   uint64_t now)
{
	return allowed(chipset_protects(f, offset, size, value ^ now), f, offset, value);
}

/* May end the machine: not under the lock. */
static bool power_allows(bdf_t f, unsigned int offset, unsigned int size, uint64_t value)
{
	return allowed(power_pci_write(f, offset, size, value), f, offset, value);
}

/* --- ports ------------------------------------------------------------------------------------ */

enum port_answer pci_address_write(struct cpu *cpu, const struct port_write *w)
{
	if (w->port == ADDRESS_PORT && w->size == sizeof(uint32_t)) {
		__atomic_store_n(&pci.address, w->value, __ATOMIC_RELAXED);
		return PORT_DONE;
	}
	if (w->port == MECHANISM_PORT && w->size == 1)
		return PORT_DONE;
	if (w->port != RESET_PORT || w->size != 1)
		return PORT_REFUSE;
	if (w->value & RESET_NOW)
		reset_machine();
	return PORT_PASS;
}

uint32_t pci_address_read(uint16_t port, unsigned int size)
{
	uint32_t address = __atomic_load_n(&pci.address, __ATOMIC_RELAXED);

	if (port == ADDRESS_PORT && size == sizeof(address))
		return address;
	return port == RESET_PORT && size == 1 ? arch_in(port, size) : UINT32_MAX;
}

/* Where an access to the data ports goes; false: nowhere. */
static bool target(uint16_t port, unsigned int size, uint32_t *address, unsigned int *byte)
{
	*address = __atomic_load_n(&pci.address, __ATOMIC_RELAXED);
	*byte = port - DATA_PORT;
	return (*address & ENABLE) && *byte % size == 0;
}

/*
 * Bits 27:24 are offset bits 11:8 for some AMD hardware, and nothing for others: the write must be
 * allowed at both places.
 */
enum port_answer pci_data_write(struct cpu *cpu, const struct port_write *w)
{
	unsigned int byte, offset, extended;
	uint32_t address, now = 0;
	bdf_t f;

	if (!target(w->port, w->size, &address, &byte))
		return PORT_REFUSE;
	f = (bdf_t)(address >> 8);
	offset = (address & 0xfc) + byte;
	extended = offset | (address >> 16 & 0xf00);
	if (!power_allows(f, offset, w->size, w->value) ||
	    !power_allows(f, extended, w->size, w->value))
		return PORT_DONE;
	lock_take(&pci.lock);
	if (near(f, offset, w->size) || near(f, extended, w->size))
		now = get(address, byte, w->size);
	if (chipset_allows(f, offset, w->size, w->value, now) &&
	    chipset_allows(f, extended, w->size, w->value, now))
		put(address, byte, w->size, w->value);
	lock_drop(&pci.lock);
	return PORT_DONE;
}

uint32_t pci_data_read(uint16_t port, unsigned int size)
{
	uint32_t address;
	unsigned int byte;

	return target(port, size, &address, &byte) ? read_at(address, byte, size) : UINT32_MAX;
}

/* --- memory ----------------------------------------------------------------------------------- */

int pci_config_init(const struct mcfg *mcfg)
{
	int err = 0;

	pci.address = 0;
	pci.mcfg.count = 0;
	for (unsigned int i = 0; i < mcfg->count && !err; i++) {
		struct range r = mcfg_bytes(mcfg, i);

		/* What the monitor cannot reach, it cannot write in L1's place. */
		if (mcfg->range[i].segment || r.end > mem_top()) {
			log_line("PCI configuration space of segment %u at %lx is open to L1",
				 mcfg->range[i].segment, r.start);
			platform_open(PLATFORM_OPEN_CONFIG);
			continue;
		}
		pci.mcfg.range[pci.mcfg.count++] = mcfg->range[i];
		err = host_set(HPA(r.start), r.end - r.start, TABLE_R);
	}
	return err;
}

/* Bytes of memory-mapped space, as the hardware has them now. */
static uint64_t current(const struct store *s)
{
	const volatile void *at = mem_at(s->hpa);

	switch (s->size) {
	case 1:
		return *(const volatile uint8_t *)at;
	case 2:
		return *(const volatile uint16_t *)at;
	case 4:
		return *(const volatile uint32_t *)at;
	default:
		return *(const volatile uint64_t *)at;
	}
}

static void store(struct cpu *cpu, uint64_t in_space, const struct store *s)
{
	bdf_t f = (bdf_t)(in_space >> FUNCTION_SHIFT);
	unsigned int offset = in_space % PCI_CONFIG_SIZE;
	bool allows = power_allows(f, offset, s->size, s->value);
	uint64_t now;

	lock_take(&pci.lock);
	now = near(f, offset, s->size) ? current(s) : 0;
	if (allows && chipset_allows(f, offset, s->size, s->value, now))
		store_perform(cpu, s, mem_at(s->hpa));
	else
		hw_host_complete(cpu, s->insn_len);
	lock_drop(&pci.lock);
}

bool pci_config_store(struct cpu *cpu, hpa_t hpa)
{
	struct store s;

	for (unsigned int i = 0; i < pci.mcfg.count; i++) {
		struct range r = mcfg_bytes(&pci.mcfg, i);

		if (hpa.a < r.start || hpa.a >= r.end)
			continue;
		if (store_decode(cpu, hpa, &s)) {
			platform_refused("a store that is no MOV", PLATFORM_MEMORY, hpa.a, 0);
			hw_host_inject(cpu, VECTOR_GP, 0);
		} else {
			store(cpu, hpa.a - pci.mcfg.range[i].base, &s);
		}
		return true;
	}
	return false;
}
