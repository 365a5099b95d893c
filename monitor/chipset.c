/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/chipset.h"

#include "monitor/hypercall.h"
#include "monitor/log.h"
#include "monitor/platform.h"

#define ANY 0xffffu
#define CLASS_HOST 0x0600u
#define CLASS_ISA 0x0601u
#define CLASS_IOMMU 0x0806u
#define VENDOR 0x00
#define CLASS 0x0a /* of 16 bits: subclass and class */
#define HEADER 0x0e
#define MULTIFUNCTION 0x80

#define INTEL 0x8086u
#define Q35_HOST 0x29c0u
#define ICH9_LPC 0x2918u
#define I440FX_HOST 0x1237u
#define PIIX4_PM 0x7113u

#define ICH9_PMBASE 0x40
#define ICH9_TCO 0x60 /* behind PMBASE */
#define ICH9_TCO_SIZE 0x20

/* Bytes [from, to] of each function of bus 0 that has these numbers. */
struct row {
	uint16_t vendor, device, class;
	uint16_t from, to;
	const char *name;
};

/*
 * Host bridges have what maps memory: DRAM, SMRAM, TSEG, PAM, remapping, PCIEXBAR and the memory controller's
 * own registers; on AMD also the way into the fabric's (index and data); there an
 * IOMMU is a function, too, with its base address. No honest L1 writes there.
 */
static const struct row rows[] = {
	{ANY, ANY, CLASS_HOST, 0x40, PCI_CONFIG_SIZE - 1, "host bridge"},
	{ANY, ANY, CLASS_IOMMU, 0x40, PCI_CONFIG_SIZE - 1, "IOMMU"},
	{INTEL, ICH9_LPC, CLASS_ISA, 0x40, 0x47, "PMBASE"},
	{INTEL, ICH9_LPC, CLASS_ISA, 0xa0, 0xaf, "power management"},
	{INTEL, ICH9_LPC, CLASS_ISA, 0xdc, 0xdf, "BIOS control"},
	{INTEL, ICH9_LPC, CLASS_ISA, 0xf0, 0xf3, "RCBA"},
	{INTEL, PIIX4_PM, ANY, 0x40, 0x43, "PMBASE"},
	{INTEL, PIIX4_PM, ANY, 0x80, 0x80, "power management"},
};

/* Memory controllers whose SMM memory is locked by a register of theirs: D_LCK on, D_OPEN off. */
static const struct {
	uint16_t device;
	uint8_t offset, set, clear;
} smram[] = {
	{Q35_HOST, 0x9d, 0x10, 0x40},
	{I440FX_HOST, 0x72, 0x10, 0x40},
};

static struct {
	unsigned int count;
	struct {
		bdf_t f;
		uint16_t from, to;
		const char *name;
	} closed[CHIPSET_CLOSED_MAX];
	bool known;
	bool full;
} chipset;

static void close(bdf_t f, const struct row *row)
{
	unsigned int i = chipset.count;

	if (i == CHIPSET_CLOSED_MAX) {
		chipset.full = true;
		return;
	}
	chipset.closed[i].f = f;
	chipset.closed[i].from = row->from;
	chipset.closed[i].to = row->to;
	chipset.closed[chipset.count++].name = row->name;
}

static void lock_smram(bdf_t f, uint16_t device)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(smram); i++) {
		uint32_t value;

		if (smram[i].device != device)
			continue;
		chipset.known = true;
		value = pci_config_read(f, smram[i].offset, 1);
		value = (value & ~(uint32_t)smram[i].clear) | smram[i].set;
		pci_config_write(f, smram[i].offset, 1, value);
	}
}

/* The watchdog resets the machine when it runs out, which nothing can be done before. */
static int close_watchdog(bdf_t f)
{
	uint16_t base = (uint16_t)(pci_config_read(f, ICH9_PMBASE, 2) & 0xff80);
	uint16_t first = (uint16_t)(base + ICH9_TCO);
	const struct port_rule rule = {first, (uint16_t)(first + ICH9_TCO_SIZE - 1),
				       0,     "watchdog",
				       NULL,  NULL};

	return base ? port_add(&rule) : 0;
}

static int look_at(bdf_t f)
{
	uint32_t id = pci_config_read(f, VENDOR, 4);
	uint16_t vendor = (uint16_t)id, device = (uint16_t)(id >> 16);
	uint16_t class = (uint16_t)pci_config_read(f, CLASS, 2);

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if ((rows[i].vendor == ANY || rows[i].vendor == vendor) &&
		    (rows[i].device == ANY || rows[i].device == device) &&
		    (rows[i].class == ANY || rows[i].class == class))
			close(f, &rows[i]);
	if (vendor != INTEL)
		return 0;
	lock_smram(f, device);
	return device == ICH9_LPC ? close_watchdog(f) : 0;
}

int chipset_init(void)
{
	int err = 0;

	chipset.count = 0;
	chipset.known = chipset.full = false;
	for (unsigned int device = 0; device < 32; device++)
		for (unsigned int function = 0; function < 8 && !err; function++) {
			bdf_t f = BDF(0, device, function);

			if ((uint16_t)pci_config_read(f, VENDOR, 2) != ANY)
				err = look_at(f);
			else if (!function)
				break;
			if (!function && !(pci_config_read(f, HEADER, 1) & MULTIFUNCTION))
				break;
		}
	if (!chipset.known || chipset.full) {
		log_line(
			"chipset not known: but for its host bridges' its registers are open to L1");
		platform_open(PLATFORM_OPEN_CHIPSET);
	}
	return err;
}

const char *chipset_protects(bdf_t f, unsigned int offset, unsigned int size, uint64_t changed)
{
	for (unsigned int i = 0; i < chipset.count; i++) {
		if (chipset.closed[i].f != f)
			continue;
		for (unsigned int b = 0; b < size; b++)
			if ((changed >> 8 * b & 0xff) && offset + b >= chipset.closed[i].from &&
			    offset + b <= chipset.closed[i].to)
				return chipset.closed[i].name;
	}
	return NULL;
}
