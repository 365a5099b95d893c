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

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	uint8_t oem[26];
} __attribute__((packed));

enum madt_type {
	MADT_LOCAL_APIC = 0,
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

_Static_assert(sizeof(struct rsdp) == RSDP_V2, "RSDP");
_Static_assert(sizeof(struct header) == 36, "table header");
_Static_assert(sizeof(struct madt_apic_address) == 12, "MADT entry 5");

/* A table in memory whose header was read once and whose bytes add up to 0. */
struct table {
	hpa_t at;
	uint32_t length;
	char signature[4];
};

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

static int open_table(struct table *table, hpa_t at, const char **why)
{
	struct header header;
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

/* Only the header of each table is looked at until the MADT is found; others may be broken. */
static int find_madt(struct table *madt, const struct table *root, const char **why)
{
	const uint32_t width = root->signature[0] == 'X' ? 8 : 4;
	uint32_t count = (root->length - (uint32_t)sizeof(struct header)) / width;

	if (count > ENTRIES_MAX)
		return boot_refuse(ERR_2BIG, why, "ACPI's root table lists more than 1024 tables");
	for (uint32_t i = 0; i < count; i++) {
		uint64_t address = 0;
		char signature[4];

		if (boot_read(&address, HPA(root->at.a + sizeof(struct header) + i * width), width))
			return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
		if (boot_read(signature, HPA(address), sizeof(signature)))
			continue;
		if (memcmp(signature, "APIC", 4) == 0)
			return open_table(madt, HPA(address), why);
	}
	return boot_refuse(ERR_NOENT, why,
			   "ACPI has no MADT: turn ACPI on in the firmware's setup");
}

static int open_root(struct table *root, const struct rsdp *rsdp, const char **why)
{
	bool extended = rsdp->revision >= 2 && rsdp->xsdt;
	int error = open_table(root, HPA(extended ? rsdp->xsdt : rsdp->rsdt), why);

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

/* Handles the entry at `at`, which is length bytes long and lies in the MADT. */
static int read_entry(struct acpi_info *acpi, hpa_t at, uint8_t type, uint8_t length,
		      const char **why)
{
	union {
		struct madt_local_apic local_apic;
		struct madt_x2apic x2apic;
		struct madt_apic_address address;
	} entry;
	size_t wanted;

	switch (type) {
	case MADT_LOCAL_APIC:
		wanted = sizeof(entry.local_apic);
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
	if (type == MADT_X2APIC)
		return add_cpu(acpi, entry.x2apic.apic_id, entry.x2apic.flags, why);
	if (entry.local_apic.apic_id == 0xff) /* broadcast: a placeholder */
		return 0;
	return add_cpu(acpi, entry.local_apic.apic_id, entry.local_apic.flags, why);
}

static int read_madt(struct acpi_info *acpi, const struct table *madt, const char **why)
{
	uint32_t pos = sizeof(struct header), address;

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

int acpi_parse(struct acpi_info *acpi, const struct boot_info *info, const char **why)
{
	struct rsdp rsdp;
	struct table root, madt;
	int error;

	memset(acpi, 0, sizeof(*acpi));
	if (!rsdp_find(&rsdp, info))
		return boot_refuse(ERR_NOENT, why,
				   "no ACPI RSDP: under UEFI load the monitor with multiboot2");
	error = open_root(&root, &rsdp, why);
	if (!error)
		error = find_madt(&madt, &root, why);
	if (!error)
		error = read_madt(acpi, &madt, why);
	if (!error && !acpi->cpu_count)
		error = boot_refuse(ERR_NOENT, why, "ACPI's MADT lists no CPU");
	return error;
}
