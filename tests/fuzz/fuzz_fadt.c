/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FADT's contents, as many bytes as the first byte says, and behind them a DSDT's, with right headers and
 * checksums. The FADT names the DSDT.
 */
#include "monitor/boot/fadt.h"
#include "tests/unit/test_boot_tables.h"

#define FADT 0x3e02000u
#define DSDT 0x3e04000u
#define DSDT_FIELD 40u
#define DSDT_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_register(const struct acpi_register *r, uint8_t size)
{
	switch (r->space) {
	case ACPI_NONE:
		return;
	case ACPI_PORT:
		ASSERT(r->address && r->address <= UINT16_MAX);
		break;
	case ACPI_PCI:
		ASSERT(r->address >> 32 < 32 && (r->address >> 16 & 0xffff) < 8);
		ASSERT((r->address & 0xffff) < 4096);
		break;
	default:
		ASSERT(r->space == ACPI_MEMORY && !(r->address >> 52));
	}
	ASSERT(r->size == size);
}

static void check(const struct fadt *f)
{
	ASSERT(f->pm1_count <= FADT_PM1_MAX);
	for (unsigned int i = 0; i < f->pm1_count; i++) {
		ASSERT(f->pm1[i].at.space != ACPI_NONE);
		check_register(&f->pm1[i].at, 2);
		for (unsigned int j = 0; j < i; j++)
			ASSERT(f->pm1[i].at.space != f->pm1[j].at.space ||
			       f->pm1[i].at.address != f->pm1[j].at.address);
	}
	check_register(&f->timer, 4);
	ASSERT(f->timer.space == ACPI_PORT || f->timer.space == ACPI_NONE);
	check_register(&f->sleep, 1);
	check_register(&f->reset, 1);
	ASSERT(!f->off_known || (f->off_type[0] <= 7 && f->off_type[1] <= 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	static struct fadt fadt;
	const char *why = NULL;
	uint32_t n;
	int err;

	if (size < 1 || size > DSDT_MAX)
		return 0;
	n = data[0] < size ? data[0] : (uint32_t)size - 1;
	ram_all(true);
	table_put(DSDT, "DSDT", data + 1 + n, TABLE_HEADER + (uint32_t)size - 1 - n);
	table_put(FADT, "FACP", data + 1, TABLE_HEADER + n);
	if (n >= DSDT_FIELD + 4 - TABLE_HEADER)
		ram_put32(FADT + DSDT_FIELD, DSDT);
	table_seal(FADT, TABLE_HEADER + n);
	tables_root(FADT);
	err = fadt_parse(&fadt, &info, &why);
	ASSERT(err ? err < 0 && why : true);
	if (!err)
		check(&fadt);
	return 0;
}
