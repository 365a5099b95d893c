/* SPDX-License-Identifier: Apache-2.0 */
/* I/O APICs and HPETs: which of L1's writes reach them. */
#include "monitor/boot/acpi.h"
#include "monitor/irq_devices.h"
#include "monitor/refusal.h"
#include "tests/unit/test_machine.h"

#define IO_APIC 0xfec00000u
#define SECOND 0xfec00800u /* in the same page */
#define THIRD 0xfec10000u
#define HPET 0xfed00000u
#define TIMER(n) (HPET + 0x100 + 0x20 * (n))
#define OLD 0xa5a5a5a5u
#define MESSAGES (1u << 14)

static const struct acpi_info acpi = {
	.io_apic_count = 3,
	.io_apic = {SECOND, IO_APIC, THIRD},
	.hpet_count = 1,
	.hpet = {HPET},
};

static uint32_t *at(uint64_t hpa)
{
	return mem_at(HPA(hpa));
}

static void set_up(void)
{
	machine(1);
	fake_add_device(HPA(IO_APIC), PAGE_SIZE);
	fake_add_device(HPA(THIRD), PAGE_SIZE);
	fake_add_device(HPA(HPET), PAGE_SIZE);
	assert_int_equal(irq_devices_init(&acpi), 0);
}

static uint64_t refused(void)
{
	uint64_t last;

	return refusal_count(REFUSAL_IRQ, &last);
}

/* Done either way; written or not. */
static void put(uint64_t hpa, uint32_t value, bool written)
{
	uint64_t before = refused(), last;

	*at(hpa) = OLD;
	store_eax(hpa, value);
	expect_done(5);
	assert_int_equal(*at(hpa), written ? value : OLD);
	assert_int_equal(refusal_count(REFUSAL_IRQ, &last) - before, !written);
	if (!written)
		assert_int_equal(last, hpa);
}

/* MOV [RDI], RAX of 64-bit code */
static void put_64(uint64_t hpa, uint64_t value, bool written)
{
	const uint64_t old = (uint64_t)OLD << 32 | OLD;

	*(uint64_t *)at(hpa) = old;
	cpu->hw->mode = DECODE_64;
	CODE_IS(0x48, 0x89, 0x07);
	cpu->regs.r[RDI] = hpa;
	cpu->regs.r[RAX] = value;
	touch(hpa, true);
	cpu->hw->mode = DECODE_32;
	expect_done(3);
	assert_int_equal(*(uint64_t *)at(hpa), written ? value : old);
}

static void l1_may_read_only(void **state)
{
	static const uint32_t page[] = {IO_APIC, THIRD, HPET};

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(page); i++) {
		assert_true(host_allows(HPA(page[i]), TABLE_R));
		assert_false(host_allows(HPA(page[i]), TABLE_W));
		assert_false(host_allows(HPA(page[i]), TABLE_X));
		assert_true(host_allows(HPA(page[i] + PAGE_SIZE), TABLE_RWX));
	}
	/* Reads do not come here, nor do other pages. */
	assert_false(irq_devices_write(cpu, HPA(IO_APIC + PAGE_SIZE)));
	assert_false(irq_devices_write(cpu, HPA(APIC_AT)));
}

static void a_device_in_memory_is_not_believed(void **state)
{
	static const struct acpi_info ram = {.io_apic_count = 1, .io_apic = {0x3000}};
	static const struct acpi_info monitor = {.hpet_count = 1, .hpet = {BLOCK + 0x400}};
	static const struct acpi_info far = {.hpet_count = 1, .hpet = {4 * GIB}};

	machine(1);
	assert_int_equal(irq_devices_init(&ram), ERR_INVAL);
	assert_int_equal(irq_devices_init(&monitor), ERR_INVAL);
	assert_int_equal(irq_devices_init(&far), ERR_INVAL);
	assert_true(host_allows(HPA(0x3000), TABLE_RWX));
}

static void redirection_entries(void **state)
{
	static const uint32_t base[] = {IO_APIC, SECOND, THIRD};
	static const uint32_t fine[] = {0x31,    0x130,   0x431,   0x700,  0x10000,
					0x10200, 0x10500, 0x1a531, 0xa131, 0x8031};
	static const uint32_t bad[] = {0x200, 0x500, 0x5ff, 0x300, 0x600, 0xa500, 0x2d00};

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(base); i++) {
		for (uint32_t index = 0x10; index < 0x100; index += 2) {
			put(base[i], index, true);
			for (size_t j = 0; j < ARRAY_SIZE(fine); j++)
				put(base[i] + 0x10, fine[j], true);
			for (size_t j = 0; j < ARRAY_SIZE(bad); j++)
				put(base[i] + 0x10, bad[j], false);
		}
	}
}

/* The destination, and the registers before the entries, have no delivery mode. */
static void other_io_apic_registers(void **state)
{
	set_up();
	put(IO_APIC, 0, true);
	put(IO_APIC + 0x10, 0x05000000, true);
	put(IO_APIC, 3, true);
	put(IO_APIC + 0x10, 0x500, true);
	for (uint32_t index = 0x11; index < 0x100; index += 2) {
		put(IO_APIC, index, true);
		put(IO_APIC + 0x10, 0x05000500, true);
	}
	put(IO_APIC + 0x40, 0x31, true); /* EOI */
	/* The register that counts is the device's: it takes 8 bits of what L1 wrote. */
	put(IO_APIC, 0xffffff10, true);
	put(IO_APIC + 0x10, 0x500, false);
}

/* They may be the same registers again. */
static void the_rest_of_the_page(void **state)
{
	static const uint32_t offset[] = {0x04,  0x08,  0x14,  0x20,  0x30,  0x44,  0x80,
					  0x100, 0x110, 0x400, 0x7fc, 0x900, 0x910, 0xffc};

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(offset); i++)
		put(IO_APIC + offset[i], 0x31, false);
}

/* Before the first device of a page. */
static void below_the_device(void **state)
{
	static const struct acpi_info high = {.io_apic_count = 1, .io_apic = {SECOND}};

	set_up();
	assert_int_equal(irq_devices_init(&high), 0);
	put(IO_APIC, 0x10, false);
	put(IO_APIC + 0x10, 0x31, false);
	put(SECOND, 0x10, true);
}

static void stores_of_other_sizes(void **state)
{
	static const struct {
		uint8_t insn[8];
		uint8_t len; /* 0: not a MOV, which faults */
	} row[] = {
		{{0x66, 0xa3, 0x10, 0x00, 0xc0, 0xfe}, 6}, /* 16 bits */
		{{0xa2, 0x10, 0x00, 0xc0, 0xfe}, 5},       /* 8 bits */
		{{0x66, 0xa3, 0x00, 0x01, 0xd0, 0xfe}, 6}, /* HPET */
		{{0xa2, 0x01, 0x01, 0xd0, 0xfe}, 5},
		{{0x87, 0x05, 0x10, 0x00, 0xc0, 0xfe}, 0}, /* XCHG */
		{{0x09, 0x05, 0x10, 0x00, 0xc0, 0xfe}, 0}, /* OR */
		{{0xab}, 0},                               /* STOSD */
	};

	set_up();
	*at(IO_APIC) = 0x10;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t hpa = i == 2 ? TIMER(0) : i == 3 ? TIMER(0) + 1 : IO_APIC + 0x10;

		code(row[i].insn, sizeof(row[i].insn));
		cpu->regs.r[RAX] = 0x31;
		cpu->regs.r[RDI] = hpa;
		touch(hpa, true);
		if (row[i].len)
			expect_done(row[i].len);
		else
			expect_fault(VECTOR_GP);
	}
	assert_int_equal(*at(IO_APIC + 0x10), 0);
	assert_int_equal(*at(TIMER(0)), 0);
	assert_int_equal(refused(), 4);
	put_64(IO_APIC + 0x10, 0x31, false); /* over the next register too */
}

static void hpet_registers(void **state)
{
	set_up();
	put(HPET + 0x10, 3, true);     /* configuration */
	put(HPET + 0xf0, 0x500, true); /* counter */
	put_64(HPET + 0xf0, 0x50000000500, true);
	put(TIMER(0) + 8, 0x500, true); /* comparator */
	put(TIMER(2) + 0xc, 0x500, true);
	put(TIMER(2), 0x104, true);
	put(HPET + 0x400, 0, false); /* beyond */
	put(HPET + 0x410, 0, false);
	put(HPET + 0xffc, 0, false);
}

/* A message is a write to memory: anywhere, if the address were L1's to choose. */
static void hpet_messages(void **state)
{
	set_up();
	for (unsigned int n = 0; n < 24; n++) {
		uint64_t data = TIMER(n) + 0x10, address = TIMER(n) + 0x14;

		put(data, 0x4131, true);
		put(data, 0x4200, false); /* SMI */
		put(data, 0x400, false);  /* NMI */
		put(data, 0x500, false);  /* INIT */
		put(data, 0x700, false);
		put(address, 0xfee0000c, true);
		put(address, 0xfeeff000, true);
		put(address, 0, false);
		put(address, 0xfed00000, false);
		put(address, 0xfef00000, false);
		put(address, 0x00fee000, false);
		put_64(data, 0xfee0100000000131, true);
		put_64(data, 0x0010000000000131, false);
		put_64(data, 0xfee0100000000531, false);
	}
}

/* They are switched on only with a message that L1 could have set. */
static void switching_messages_on(void **state)
{
	set_up();
	*at(TIMER(1) + 0x10) = 0x31;
	*at(TIMER(1) + 0x14) = 0x1000;
	put(TIMER(1), MESSAGES | 4, false);
	put_64(TIMER(1), MESSAGES | 4, false);
	put(TIMER(1), 4, true);
	*at(TIMER(1) + 0x14) = 0xfee00000;
	put(TIMER(1), MESSAGES | 4, true);
	*at(TIMER(1) + 0x10) = 0x531;
	put(TIMER(1), MESSAGES, false);
	*at(TIMER(1) + 0x10) = 0x131;
	put_64(TIMER(1), MESSAGES, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1_may_read_only),
		cmocka_unit_test(a_device_in_memory_is_not_believed),
		cmocka_unit_test(redirection_entries),
		cmocka_unit_test(other_io_apic_registers),
		cmocka_unit_test(the_rest_of_the_page),
		cmocka_unit_test(below_the_device),
		cmocka_unit_test(stores_of_other_sizes),
		cmocka_unit_test(hpet_registers),
		cmocka_unit_test(hpet_messages),
		cmocka_unit_test(switching_messages_on),
	};

	return RUN_APART(tests);
}
