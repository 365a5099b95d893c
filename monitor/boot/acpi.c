/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/acpi.h"
#include "monitor/lib.h"

#define RSDP_V1 20
#define RSDP_V2 36
#define RSDP_STEP 16
#define BDA_EBDA 0x40e /* the EBDA's segment */
#define EBDA_SEARCH 1024
#define ROM_START 0xe0000
#define ROM_END 0x100000

#define TABLE_MAX (1u << 20) /* bytes; a MADT of 256 CPUs has a few KiB */
#define ENTRIES_MAX 1024     /* tables that the root may list */
#define HIDDEN 'X'           /* for the first letter of a signature that L1 is not to find */

/* ACPI 6.4: 5.2.5.3 (RSDP), 5.2.6 (table header), 5.2.12 (MADT and its entries). */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2;
	uint8_t reserved[3];
} __attribute__((packed));

enum madt_type {
	MADT_LOCAL_APIC = 0,
	MADT_IO_APIC = 1,
	MADT_APIC_ADDRESS = 5,
	MADT_X2APIC = 9,
};

#define MADT_ENABLED 0x1u
#define MADT_ONLINE_CAPABLE 0x2u

struct madt_local_apic {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
};

struct madt_io_apic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t first_interrupt;
};

struct madt_x2apic {
	uint8_t type;
	uint8_t length;
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t uid;
};

struct madt_apic_address {
	uint8_t type;
	uint8_t length;
	uint16_t reserved;
	uint64_t address;
} __attribute__((packed));

/* IA-PC HPET specification 1.0a, 3.2.4. */
struct hpet {
	struct acpi_header header;
	uint32_t id;
	uint8_t space; /* 0: memory */
	uint8_t width, offset, access;
	uint64_t address;
} __attribute__((packed));

_Static_assert(sizeof(struct hpet) == 52, "HPET");
_Static_assert(sizeof(struct rsdp) == RSDP_V2, "RSDP");
_Static_assert(sizeof(struct madt_apic_address) == 12, "MADT entry 5");

static uint8_t sum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t total = 0;

	while (len--)
		total += *p++;
	return total;
}

/* Bytes that were not there are zero: then there is no XSDT, and version 1's part counts. */
static bool rsdp_good(const struct rsdp *rsdp)
{
	if (memcmp(rsdp->signature, "RSD PTR ", 8) != 0 || sum(rsdp, RSDP_V1) != 0)
		return false;
	return rsdp->revision < 2 || sum(rsdp, RSDP_V2) == 0;
}

/* Looks at each 16th byte of [start, end), all of it below 1 MiB. */
static bool rsdp_scan(struct rsdp *rsdp, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at + RSDP_V1 <= end; at += RSDP_STEP) {
		size_t len = at + RSDP_V2 <= ROM_END ? RSDP_V2 : RSDP_V1;

		memset(rsdp, 0, sizeof(*rsdp));
		if (!boot_read(rsdp, HPA(at), len) && rsdp_good(rsdp))
			return true;
	}
	return false;
}

static bool rsdp_find(struct rsdp *rsdp, const struct boot_info *info)
{
	uint16_t segment;
	uint64_t ebda;

	memset(rsdp, 0, sizeof(*rsdp));
	if (info->rsdp_len) {
		memcpy(rsdp, info->rsdp, info->rsdp_len);
		return rsdp_good(rsdp);
	}
	if (!boot_read(&segment, HPA(BDA_EBDA), sizeof(segment))) {
		ebda = (uint64_t)segment << 4;
		if (ebda >= 0x400 && ebda + EBDA_SEARCH <= ROM_START &&
		    rsdp_scan(rsdp, ebda, ebda + EBDA_SEARCH))
			return true;
	}
	return rsdp_scan(rsdp, ROM_START, ROM_END);
}

int acpi_open(struct acpi_table *table, hpa_t at, const char **why)
{
	struct acpi_header header;
	const void *bytes;

	if (boot_read(&header, at, sizeof(header)))
		return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
	if (header.length < sizeof(header) || header.length > TABLE_MAX)
		return boot_refuse(ERR_INVAL, why, "an ACPI table has a wrong length");
	bytes = boot_mem(at, header.length);
	if (!bytes)
		return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
	if (sum(bytes, header.length) != 0)
		return boot_refuse(ERR_INVAL, why, "an ACPI table has a wrong checksum");
	table->at = at;
	table->length = header.length;
	memcpy(table->signature, header.signature, sizeof(table->signature));
	return 0;
}

/*
 * Where table number nth with that signature is; ERR_NOENT if there are not so many. Only the signature
 * of each other table is looked at; others may be broken.
 */
static int find_address(const struct acpi_table *root, const char signature[4], unsigned int nth,
			uint64_t *address, const char **why)
{
	const uint32_t width = root->signature[0] == 'X' ? 8 : 4;
	uint32_t count = (root->length - (uint32_t)sizeof(struct acpi_header)) / width;

	if (count > ENTRIES_MAX)
		return boot_refuse(ERR_2BIG, why, "ACPI's root table lists more than 1024 tables");
	for (uint32_t i = 0; i < count; i++) {
		char found[4];

		*address = 0;
		if (boot_read(address, HPA(root->at.a + sizeof(struct acpi_header) + i * width),
			      width))
			return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
		if (boot_read(found, HPA(*address), sizeof(found)))
			continue;
		if (memcmp(found, signature, sizeof(found)) == 0 && !nth--)
			return 0;
	}
	return boot_refuse(ERR_NOENT, why,
			   "ACPI lacks a table (if no MADT: turn ACPI on in the firmware's setup)");
}

static int open_root(struct acpi_table *root, const struct rsdp *rsdp, const char **why)
{
	bool extended = rsdp->revision >= 2 && rsdp->xsdt;
	int error = acpi_open(root, HPA(extended ? rsdp->xsdt : rsdp->rsdt), why);

	if (!error && memcmp(root->signature, extended ? "XSDT" : "RSDT", 4) != 0)
		error = boot_refuse(ERR_INVAL, why, "ACPI's root table has a wrong signature");
	return error;
}

/* Firmware may list one CPU as both kinds of entry. */
static int add_cpu(struct acpi_info *acpi, uint32_t apic_id, uint32_t flags, const char **why)
{
	bool enabled = flags & MADT_ENABLED;

	if (!(flags & (MADT_ENABLED | MADT_ONLINE_CAPABLE)))
		return 0;
	for (unsigned int i = 0; i < acpi->cpu_count; i++) {
		if (acpi->cpu[i].apic_id != apic_id)
			continue;
		acpi->cpu[i].enabled |= enabled;
		return 0;
	}
	if (acpi->cpu_count == ACPI_CPUS_MAX)
		return boot_refuse(ERR_2BIG, why, "more than 256 CPUs");
	acpi->cpu[acpi->cpu_count++] = (struct acpi_cpu){apic_id, enabled};
	return 0;
}

static int add_io_apic(struct acpi_info *acpi, uint32_t address, const char **why)
{
	if (acpi->io_apic_count == ACPI_IO_APICS_MAX)
		return boot_refuse(ERR_2BIG, why, "more than 64 I/O APICs");
	acpi->io_apic[acpi->io_apic_count++] = address;
	return 0;
}

/* Handles the entry at `at`, which is length bytes long and lies in the MADT. */
static int read_entry(struct acpi_info *acpi, hpa_t at, uint8_t type, uint8_t length,
		      const char **why)
{
	union {
		struct madt_local_apic local_apic;
		struct madt_io_apic io_apic;
		struct madt_x2apic x2apic;
		struct madt_apic_address address;
	} entry;
	size_t wanted;

	switch (type) {
	case MADT_LOCAL_APIC:
		wanted = sizeof(entry.local_apic);
		break;
	case MADT_IO_APIC:
		wanted = sizeof(entry.io_apic);
		break;
	case MADT_X2APIC:
		wanted = sizeof(entry.x2apic);
		break;
	case MADT_APIC_ADDRESS:
		wanted = sizeof(entry.address);
		break;
	default:
		return 0;
	}
	if (length < wanted || boot_read(&entry, at, wanted))
		return boot_refuse(ERR_INVAL, why, "an entry of ACPI's MADT is too short");
	if (type == MADT_APIC_ADDRESS) {
		acpi->local_apic = entry.address.address;
		return 0;
	}
	if (type == MADT_IO_APIC)
		return add_io_apic(acpi, entry.io_apic.address, why);
	if (type == MADT_X2APIC)
		return add_cpu(acpi, entry.x2apic.apic_id, entry.x2apic.flags, why);
	if (entry.local_apic.apic_id == 0xff) /* broadcast: a placeholder */
		return 0;
	return add_cpu(acpi, entry.local_apic.apic_id, entry.local_apic.flags, why);
}

static int read_madt(struct acpi_info *acpi, const struct acpi_table *madt, const char **why)
{
	uint32_t pos = sizeof(struct acpi_header), address;

	if (madt->length < pos + 8 || boot_read(&address, HPA(madt->at.a + pos), sizeof(address)))
		return boot_refuse(ERR_INVAL, why, "ACPI's MADT is too short");
	acpi->local_apic = address;
	for (pos += 8; pos < madt->length;) {
		uint8_t head[2];
		int error;

		if (madt->length - pos < sizeof(head) ||
		    boot_read(head, HPA(madt->at.a + pos), sizeof(head)) ||
		    head[1] < sizeof(head) || head[1] > madt->length - pos)
			return boot_refuse(ERR_INVAL, why,
					   "an entry of ACPI's MADT has a wrong size");
		error = read_entry(acpi, HPA(madt->at.a + pos), head[0], head[1], why);
		if (error)
			return error;
		pos += head[1];
	}
	return 0;
}

static int find_root(struct acpi_table *root, const struct boot_info *info, const char **why)
{
	struct rsdp rsdp;

	if (!rsdp_find(&rsdp, info))
		return boot_refuse(ERR_NOENT, why,
				   "no ACPI RSDP: under UEFI load the monitor with multiboot2");
	return open_root(root, &rsdp, why);
}

/* L1 takes an HPET without a look at the checksum, or refuses it: one too many does no harm. */
static int find_hpets(struct acpi_info *acpi, const struct boot_info *info, const char **why)
{
	struct acpi_table root;
	uint64_t address;
	struct hpet hpet;
	int error = find_root(&root, info, why);

	for (unsigned int i = 0; !error; i++) {
		error = find_address(&root, "HPET", i, &address, why);
		if (error || boot_read(&hpet, HPA(address), sizeof(hpet)) ||
		    hpet.header.length < sizeof(hpet) || hpet.space)
			continue;
		if (acpi->hpet_count == ACPI_HPETS_MAX)
			return boot_refuse(ERR_2BIG, why, "more than 8 HPETs");
		acpi->hpet[acpi->hpet_count++] = hpet.address;
	}
	return error == ERR_NOENT ? 0 : error;
}

int acpi_find(struct acpi_table *table, const struct boot_info *info, const char signature[4],
	      const char **why)
{
	struct acpi_table root;
	uint64_t address;
	int error = find_root(&root, info, why);

	if (!error)
		error = find_address(&root, signature, 0, &address, why);
	return error ? error : acpi_open(table, HPA(address), why);
}

void acpi_hide(const struct acpi_table *table)
{
	struct acpi_header *header = boot_mem(table->at, sizeof(*header));

	header->checksum = (uint8_t)(header->checksum + header->signature[0] - HIDDEN);
	header->signature[0] = HIDDEN;
}

int acpi_parse(struct acpi_info *acpi, const struct boot_info *info, const char **why)
{
	struct acpi_table madt;
	int error;

	memset(acpi, 0, sizeof(*acpi));
	error = acpi_find(&madt, info, "APIC", why);
	if (!error)
		error = read_madt(acpi, &madt, why);
	if (!error)
		error = find_hpets(acpi, info, why);
	if (!error && !acpi->cpu_count)
		error = boot_refuse(ERR_NOENT, why, "ACPI's MADT lists no CPU");
	return error;
}
