/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 writes MSRs and the registers of interrupt devices, in any order, with any value. What must not
 * change has not changed, and what may not be there is not, after each step.
 */
#include <string.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/boot/acpi.h"
#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/guest.h"
#include "monitor/icr.h"
#include "monitor/irq_devices.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"

#define CODE 0x1000u
#define BLOCK (16 * MIB)
#define BLOCK_SIZE (2 * MIB)
#define APIC_AT 0xfee00000u
#define IO_APIC 0xfec00000u
#define HPET 0xfed00000u
#define MASKED (1u << 16)
#define MESSAGES (1u << 14)
#define START 0x5a5a5a5a5a5a5a5au

struct step {
	uint8_t what, select, size, pad;
	uint32_t offset;
	uint64_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct acpi_info acpi = {.io_apic_count = 1,
				      .io_apic = {IO_APIC},
				      .hpet_count = 1,
				      .hpet = {HPET}};

/* Bits that L1 can never make 1, and never 0. By the manuals, not by the monitor's list. */
static const struct {
	uint32_t msr;
	uint64_t never_set, never_cleared;
} rule[] = {
	{0x1a0, 1ull << 22 | 1ull << 34, 0}, /* MISC_ENABLE: CPUID's limit, no NX */
	{0x1d9, 0xc1, 0},                    /* DEBUGCTL: branches, trace messages, BTS */
	{0x123, 0x19, 0},                    /* MCU_OPT_CTRL: mitigations off */
	{0x401, UINT64_MAX, 0},              /* errors */
	{0x402, UINT64_MAX, 0},
	{0xc0002011, UINT64_MAX, 0},
	{0xc0011029, 0, 2}, /* LFENCE serializes */
	{0xc0010015, 1, 0}, /* HWCR: SMMLOCK */
	{0x600, UINT64_MAX, UINT64_MAX},
	{0x1f2, UINT64_MAX, UINT64_MAX},
	{0x150, UINT64_MAX, UINT64_MAX},
	{0xc0010010, UINT64_MAX, UINT64_MAX},
	{0xc0010016, UINT64_MAX, UINT64_MAX},
	{0xc0010019, UINT64_MAX, UINT64_MAX},
	{0xc001001a, UINT64_MAX, UINT64_MAX},
	{0xc001001d, UINT64_MAX, UINT64_MAX},
	{0xc0010058, UINT64_MAX, UINT64_MAX},
	{0xc0010113, UINT64_MAX, UINT64_MAX},
	{0xc0010130, UINT64_MAX, UINT64_MAX},
	{0xc0011033, UINT64_MAX, UINT64_MAX},
	{0x4b564d01, UINT64_MAX, UINT64_MAX},
	{0xc0010020, UINT64_MAX, UINT64_MAX},
	{0x79, UINT64_MAX, UINT64_MAX},
	{0x250, UINT64_MAX, UINT64_MAX}, /* L1 has a copy */
	{0x2ff, UINT64_MAX, UINT64_MAX},
};

static const uint32_t others[] = {0x1b, 0x830, 0x82f, 0x832, 0x837, 0x10, 0x48, 0x277, 0xc0000080};
static uint64_t now[ARRAY_SIZE(rule)];
static struct {
	uint32_t index, data, message, address, config;
} device;

static uint32_t reg(uint64_t hpa)
{
	return *(volatile uint32_t *)mem_at(HPA(hpa));
}

static void look(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rule); i++)
		now[i] = fake_msr(rule[i].msr);
	device.index = reg(IO_APIC);
	device.data = reg(IO_APIC + 0x10);
	device.message = reg(HPET + 0x110);
	device.address = reg(HPET + 0x114);
	device.config = reg(HPET + 0x100);
}

/* Once: what is in the monitor's memory does not count here. */
static void build_machine(void)
{
	fake_reset();
	fake_add_ram(HPA(0), 2 * MIB);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_add_device(HPA(APIC_AT), PAGE_SIZE);
	fake_add_device(HPA(IO_APIC), PAGE_SIZE);
	fake_add_device(HPA(HPET), PAGE_SIZE);
	fake_cpus(1);
	fake_catch();
	log_console(false);
	protect_off = true;
	fake_set_msr(MSR_APIC_BASE, APIC_AT | APIC_BASE_ENABLE);
	ASSERT(!host_init(mem_top(), true, NULL) && !host_set(HPA(BLOCK), BLOCK_SIZE, 0));
	ASSERT(!icr_init() && !irq_devices_init(&acpi));
	cpu_at(0)->hw->mode = DECODE_64;
}

static void start_machine(void)
{
	static bool built;

	if (!built)
		build_machine();
	built = true;
	memset(mem_at(HPA(APIC_AT)), 0, PAGE_SIZE);
	memset(mem_at(HPA(IO_APIC)), 0, PAGE_SIZE);
	memset(mem_at(HPA(HPET)), 0, PAGE_SIZE);
	fake_msr_reset();
	for (size_t i = 0; i < ARRAY_SIZE(rule); i++)
		fake_set_msr(rule[i].msr, START);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		fake_set_msr(others[i], 0);
	fake_set_msr(MSR_APIC_BASE, APIC_AT | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	look();
}

static bool mode_fine(uint32_t entry)
{
	uint32_t mode = entry >> 8 & 7;

	return entry & MASKED || mode < 2 || mode == 4 || mode == 7;
}

static void check(void)
{
	static const uint16_t lvt[] = {0x2f0, 0x320, 0x330, 0x340, 0x350,
				       0x360, 0x370, 0x500, 0x530};

	for (size_t i = 0; i < ARRAY_SIZE(rule); i++) {
		uint64_t value = fake_msr(rule[i].msr);

		ASSERT(!((value ^ now[i]) & value & rule[i].never_set));
		ASSERT(!((value ^ now[i]) & ~value & rule[i].never_cleared));
	}
	ASSERT((fake_msr(MSR_APIC_BASE) & APIC_BASE_MASK) == APIC_AT);
	ASSERT(fake_msr(MSR_APIC_BASE) & APIC_BASE_ENABLE);
	ASSERT(mode_fine((uint32_t)fake_msr(0x82f)) && mode_fine((uint32_t)fake_msr(0x832)));
	ASSERT(mode_fine((uint32_t)fake_msr(0x837)));
	/* An IPI's mode bits are an LVT's, but for 7. */
	ASSERT(mode_fine((uint32_t)fake_msr(0x830) & 0x7ff));
	ASSERT(mode_fine(reg(APIC_AT + APIC_ICR_LOW) & 0x7ff));
	for (size_t i = 0; i < ARRAY_SIZE(lvt); i++)
		ASSERT(mode_fine(reg(APIC_AT + lvt[i])));
	if (device.index == reg(IO_APIC) && (device.index & 0xff) >= 0x10 && !(device.index & 1))
		ASSERT(reg(IO_APIC + 0x10) == device.data || mode_fine(reg(IO_APIC + 0x10)));
	if (reg(HPET + 0x114) != device.address)
		ASSERT(reg(HPET + 0x114) >> 20 == 0xfee);
	if (reg(HPET + 0x110) != device.message)
		ASSERT((reg(HPET + 0x110) >> 8 & 7) < 2);
	ASSERT(!(reg(HPET + 0x100) & MESSAGES) || reg(HPET + 0x114) >> 20 == 0xfee);
	ASSERT(!memcmp(mem_at(HPA(IO_APIC + 0x44)), (char[0x800]){0}, 0x800));
	ASSERT(!memcmp(mem_at(HPA(HPET + 0x400)), (char[0x800]){0}, 0x800));
}

static void write_register(struct cpu *cpu, const struct step *s)
{
	static const uint32_t page[] = {APIC_AT, IO_APIC, HPET};
	/* MOV [RDI], RAX of 1, 2, 4 and 8 bytes; MOVNTI; XCHG */
	static const uint8_t insn[][4] = {{0x88, 0x07, 0x90, 0x90}, {0x66, 0x89, 0x07, 0x90},
					  {0x89, 0x07, 0x90, 0x90}, {0x48, 0x89, 0x07, 0x90},
					  {0x0f, 0xc3, 0x07, 0x90}, {0x87, 0x07, 0x90, 0x90}};
	uint64_t at = page[s->select % ARRAY_SIZE(page)] + s->offset % PAGE_SIZE;
	struct exit exit = {.reason = EXIT_NESTED_FAULT, .fault = HPA(at), .write = true};

	memcpy(fake_at(HPA(CODE), 4), insn[s->size % ARRAY_SIZE(insn)], 4);
	cpu->regs.rip = CODE;
	cpu->regs.r[RAX] = s->value;
	cpu->regs.r[RDI] = at;
	ASSERT(fake_exit(cpu, &exit) == FAKE_RETURNED);
}

static void do_step(struct cpu *cpu, const struct step *s)
{
	unsigned int n = s->select % (ARRAY_SIZE(rule) + ARRAY_SIZE(others));
	uint32_t msr = n < ARRAY_SIZE(rule) ? rule[n].msr : others[n - ARRAY_SIZE(rule)];

	fake_forget(cpu);
	switch (s->what % 3) {
	case 0:
		write_register(cpu, s);
		break;
	case 1:
		msr_write(cpu, msr, s->value);
		break;
	default:
		msr_write(cpu, s->offset, s->value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start_machine();
	for (size_t i = 0; i + sizeof(struct step) <= size && i < 64 * sizeof(struct step);
	     i += sizeof(struct step)) {
		struct step s;

		memcpy(&s, data + i, sizeof(s));
		do_step(cpu_at(0), &s);
		check();
		look();
	}
	return 0;
}
