/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bit 0 of the first byte: what follows is the BIOS area as it is, from BIOS_AT on. Otherwise it is
 * a root table's entries (as many bytes as the second byte says) and a MADT's contents, which get
 * right headers, addresses and checksums, so that the fuzzer need not guess them. Bit 1: XSDT.
 */
#include "monitor/boot/acpi.h"
#include "tests/unit/test_boot_ram.h"

#define BIOS_AT 0xe0000u
#define BIOS_MAX 0x20000u
#define ROOT_AT 0xe1000u
#define MADT_AT 0xe2000u
#define HEADER 36u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint64_t at, uint64_t checksum, size_t len)
{
	uint8_t sum = 0;

	ram[checksum] = 0;
	for (size_t i = 0; i < len; i++)
		sum += ram[at + i];
	ram[checksum] = (uint8_t)-sum;
}

static void put_table(uint64_t at, const char *signature, const uint8_t *data, size_t len)
{
	memset(&ram[at], 0, HEADER);
	ram_put(at, signature, 4);
	ram_put32(at + 4, HEADER + (uint32_t)len);
	ram_put(at + HEADER, data, len);
	seal(at, at + 9, HEADER + len);
}

static void put_tables(const uint8_t *data, size_t size, bool extended)
{
	static const uint32_t madt = MADT_AT;
	uint8_t root[256 + 8] = {0};
	size_t root_len = size ? data[0] & 0xf8u : 0;

	if (root_len > size - (size > 0))
		root_len = 0;
	if (size)
		memcpy(root, data + 1, root_len);
	memcpy(root + root_len, &madt, sizeof(madt));
	put_table(ROOT_AT, extended ? "XSDT" : "RSDT", root, root_len + 8);
	put_table(MADT_AT, "APIC", data + root_len + (size > 0), size - root_len - (size > 0));

	memset(&ram[BIOS_AT], 0, HEADER);
	ram_put_string(BIOS_AT, "RSD PTR ");
	ram[BIOS_AT + 15] = extended ? 2 : 0;
	ram_put32(BIOS_AT + 16, ROOT_AT);
	ram_put32(BIOS_AT + 24, ROOT_AT);
	seal(BIOS_AT, BIOS_AT + 8, 20);
	seal(BIOS_AT, BIOS_AT + 32, 36);
}

static void check(const struct acpi_info *acpi)
{
	if (!acpi->cpu_count || acpi->cpu_count > ACPI_CPUS_MAX ||
	    acpi->io_apic_count > ACPI_IO_APICS_MAX || acpi->hpet_count > ACPI_HPETS_MAX)
		abort();
	for (unsigned int i = 0; i < acpi->cpu_count; i++)
		for (unsigned int j = 0; j < i; j++)
			if (acpi->cpu[i].apic_id == acpi->cpu[j].apic_id)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	static struct acpi_info acpi;
	const char *why = NULL;
	int error;

	if (size < 1 || size > BIOS_MAX - 0x3000)
		return 0;
	memset(&ram[BIOS_AT], 0, BIOS_MAX);
	if (data[0] & 1)
		ram_put(BIOS_AT, data + 1, size - 1);
	else
		put_tables(data + 1, size - 1, data[0] & 2);
	ram_reset((struct range){BIOS_AT, BIOS_AT + BIOS_MAX}, true);
	error = acpi_parse(&acpi, &info, &why);
	if (error ? error > 0 || !why : false)
		abort();
	if (!error)
		check(&acpi);
	return 0;
}
