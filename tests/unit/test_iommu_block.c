/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From ACPI's tables to blocked DMA: what is refused before anything is touched, what L1 loses, what
 * devices are let reach. Each test is a process.
 */
#include "monitor/hypercall.h"
#include "monitor/iommu/iommu.h"
#define BLOCK_TEST
#define RAM_SIZE (32 * MIB)
#define BLOCK (64 * MIB)
#define BLOCK_SIZE (8 * MIB)
#include "tests/unit/test_iommu.h"

#define ACPI_AT 0x100000u /* in RAM */
#define DMAR_AT (ACPI_AT + 0x1000)
#define FIRMWARE \
	(uint64_t) RAM_SIZE  /* behind RAM: ACPI's tables, then what is kept from L1, and more */
#define RESERVED 0x7f000000u /* in the map, and another page that is not */

static const uint8_t dmar_name[4] = {'D', 'M', 'A', 'R'}, rsdt_name[4] = {'R', 'S', 'D', 'T'};
static struct boot_info info;

void *boot_mem(hpa_t hpa, size_t len)
{
	return hpa.a + len <= RAM_SIZE ? mem_at(hpa) : NULL;
}

/* Units that answer at once: test_iommu_vtd.c has what is right and wrong. */
static void written(unsigned int unit, uint32_t at, uint64_t value)
{
	uint64_t tail;

	switch (at) {
	case 0x18:
		set(unit, 0x1c, value, 4);
		break;
	case 0x88:
		set(unit, at, value, 8);
		tail = (value + PAGE_SIZE - 16) % PAGE_SIZE;
		if (get(unit, 0x1c, 4) & 1u << 26) {
			const uint64_t *d = memory(get(unit, 0x90, 8) + tail);

			*(uint32_t *)memory(d[1]) = (uint32_t)(d[0] >> 32);
			events++;
		}
		break;
	default:
		set(unit, at, value, at == 0x38 || at == 0x64 ? 4 : 8);
	}
}

static void seal(uint64_t at, uint32_t length)
{
	uint8_t *p = mem_at(HPA(at)), sum = 0;

	memcpy(p + 4, &length, 4);
	p[9] = 0;
	for (uint32_t i = 0; i < length; i++)
		sum += p[i];
	p[9] = (uint8_t)-sum;
}

static void put_dmar(uint64_t base, uint64_t start, uint64_t end)
{
	struct {
		uint16_t type, length;
		uint32_t flags;
		uint64_t base;
		uint16_t type2, length2;
		uint32_t flags2;
		uint64_t start, last;
	} body = {0, 16, 0, base, 1, 24, 0, start, end - 1};
	uint8_t *p = mem_at(HPA(DMAR_AT));

	memset(p, 0, PAGE_SIZE);
	memcpy(p, dmar_name, 4);
	memcpy(p + 48, &body, sizeof(body));
	seal(DMAR_AT, 48 + sizeof(body));
}

static void put_acpi(void)
{
	struct {
		char signature[8];
		uint8_t sum, oem[6], revision;
		uint32_t rsdt;
	} rsdp = {.signature = "RSD PTR ", .rsdt = ACPI_AT};
	uint32_t at = DMAR_AT;
	uint8_t *p = mem_at(HPA(ACPI_AT));

	memcpy(p, rsdt_name, 4);
	memcpy(p + 36, &at, 4);
	seal(ACPI_AT, 40);
	for (size_t i = 0; i < sizeof(rsdp); i++)
		rsdp.sum = (uint8_t)(rsdp.sum - (i == 8 ? 0 : ((uint8_t *)&rsdp)[i]));
	memcpy(info.rsdp, &rsdp, sizeof(rsdp));
	info.rsdp_len = 20;
}

static void begin(void)
{
	machine(1);
	memset(registers, 0, sizeof(registers));
	memset(&info, 0, sizeof(info));
	events = 0;
	memmap_add(&info.map, 0, RAM_SIZE, REGION_RAM);
	memmap_add(&info.map, FIRMWARE, 3 * PAGE_SIZE, REGION_RESERVED);
	memmap_add(&info.map, RESERVED, 2 * PAGE_SIZE, REGION_RESERVED);
	set(0, 8, 0x22ull << 24 | 38u << 16 | 2u << 8 | 3ull << 34 | 3ull << 54, 8);
	set(0, 16, 2 | 0xfu << 8, 8);
	put_acpi();
	put_dmar(BASE(0), RESERVED, RESERVED + PAGE_SIZE);
}

static void expect_open(void)
{
	uint8_t before[64];

	memcpy(before, mem_at(HPA(DMAR_AT)), sizeof(before));
	iommu_block(&info);
	iommu_open();
	assert_int_equal(iommu_flags(), DMA_OPEN);
	assert_int_equal(iommu_count(), 0);
	assert_int_equal(events, 0);
	assert_memory_equal(before, mem_at(HPA(DMAR_AT)), sizeof(before));
	assert_true(host_allows(HPA(BASE(0)), TABLE_RWX));
}

/* What devices need for a BIOS that is called: not what is kept from L1. */
static bool firmwares(uint64_t a)
{
	return a == FIRMWARE || a == FIRMWARE + 2 * PAGE_SIZE;
}

static void blocks_and_opens(void **state)
{
	uint8_t *dmar, sum = 0;

	begin();
	assert_int_equal(host_set(HPA(FIRMWARE + PAGE_SIZE), PAGE_SIZE, 0), 0);
	assert_true(iommu_listed(&info));
	iommu_block(&info);
	assert_int_equal(iommu_count(), 1);
	assert_int_equal(iommu_flags(), DMA_BLOCKED);
	assert_true(get(0, 0x1c, 4) >> 31);
	for (uint64_t a = 0; a < TOP; a += PAGE_SIZE)
		if (io_reaches(HPA(a)) != (a == RESERVED || firmwares(a)))
			fail_msg("%lx", a);
	iommu_open();
	for (uint64_t a = 0; a < TOP; a += PAGE_SIZE)
		if (io_reaches(HPA(a)) != (a == RESERVED || a < RAM_SIZE || firmwares(a)))
			fail_msg("%lx", a);
	/* L1 finds neither the table nor the registers. */
	assert_false(host_allows(HPA(BASE(0)), TABLE_R));
	assert_true(host_allows(HPA(BASE(0) + PAGE_SIZE), TABLE_RWX));
	dmar = mem_at(HPA(DMAR_AT));
	assert_memory_equal(dmar, "XMAR", 4);
	for (unsigned int i = 0; i < 48 + 40; i++)
		sum += dmar[i];
	assert_int_equal(sum, 0);
}

static const struct range wrong[] = {
	{BLOCK, BLOCK + PAGE_SIZE},                   /* the monitor's */
	{RESERVED - PAGE_SIZE, RESERVED + PAGE_SIZE}, /* not all in the map */
	{RESERVED, RESERVED + 3 * PAGE_SIZE},
	{5 * GIB, 5 * GIB + PAGE_SIZE},
	{0xfec00000, 0xfec01000},
};

/* What is not in reserved memory, or is kept from L1, devices do not get. */
static void not_reserved_memory(void **state)
{
	const struct range *r = *state;

	begin();
	put_dmar(BASE(0), r->start, r->end);
	iommu_block(&info);
	assert_int_equal(iommu_flags(), DMA_BLOCKED);
	for (uint64_t a = 0; a < TOP; a += PAGE_SIZE)
		assert_int_equal(io_reaches(HPA(a)), firmwares(a) || a == FIRMWARE + PAGE_SIZE);
}

static void reserved_memory_kept_from_l1(void **state)
{
	begin();
	put_dmar(BASE(0), RESERVED, RESERVED + 2 * PAGE_SIZE);
	assert_int_equal(host_set(HPA(RESERVED + PAGE_SIZE), PAGE_SIZE, TABLE_R), 0);
	iommu_block(&info);
	assert_int_equal(iommu_flags(), DMA_BLOCKED);
	assert_false(io_reaches(HPA(RESERVED)));
}

static void no_acpi(void **state)
{
	begin();
	info.rsdp_len = 0;
	expect_open();
}

static void no_table(void **state)
{
	begin();
	memcpy(mem_at(HPA(DMAR_AT)), "FACP", 4);
	assert_false(iommu_listed(&info));
	expect_open();
}

static void a_wrong_checksum(void **state)
{
	begin();
	*(uint8_t *)mem_at(HPA(DMAR_AT + 9)) += 1;
	expect_open();
}

static void registers_above_ram(void **state)
{
	begin();
	put_dmar(5 * GIB, RESERVED, RESERVED + PAGE_SIZE);
	expect_open();
}

static void registers_in_ram(void **state)
{
	begin();
	put_dmar(MIB, RESERVED, RESERVED + PAGE_SIZE);
	expect_open();
}

static void a_unit_that_cannot_be_driven(void **state)
{
	begin();
	set(0, 16, 0, 8);
	expect_open();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_and_opens),
		cmocka_unit_test_prestate(not_reserved_memory, (void *)&wrong[0]),
		cmocka_unit_test_prestate(not_reserved_memory, (void *)&wrong[1]),
		cmocka_unit_test_prestate(not_reserved_memory, (void *)&wrong[2]),
		cmocka_unit_test_prestate(not_reserved_memory, (void *)&wrong[3]),
		cmocka_unit_test_prestate(not_reserved_memory, (void *)&wrong[4]),
		cmocka_unit_test(reserved_memory_kept_from_l1),
		cmocka_unit_test(no_acpi),
		cmocka_unit_test(no_table),
		cmocka_unit_test(a_wrong_checksum),
		cmocka_unit_test(registers_above_ram),
		cmocka_unit_test(registers_in_ram),
		cmocka_unit_test(a_unit_that_cannot_be_driven),
	};

	return RUN_APART(tests);
}
