/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/power.h"

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/hw.h"
#include "monitor/hypercall.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/platform.h"
#include "monitor/port.h"
#include "monitor/reset.h"
#include "monitor/store.h"

/* ACPI 6.4, table 4.16 (PM1 control) and 4.8.3.7 (sleep control). */
#define PM1_TYPE(v) ((v) >> 10 & 7)
#define PM1_ENABLE (1u << 13)
#define SLEEP_TYPE(v) ((v) >> 2 & 7)
#define SLEEP_ENABLE (1u << 5)

enum kind { PM1A, PM1B, SLEEP, RESET, S4_REQUEST };

#define REGISTERS_MAX (FADT_PM1_MAX + 3)

static struct {
	unsigned int count;
	struct {
		struct acpi_register at;
		enum kind kind;
	} reg[REGISTERS_MAX];
	bool off_known;
	uint8_t off_type[2];
	uint8_t reset_value, s4_request;
} power;

static const char *const names[] = {
	[PM1A] = "PM1a control",    [PM1B] = "PM1b control",      [SLEEP] = "sleep control",
	[RESET] = "reset register", [S4_REQUEST] = "SMI command",
};

/*
 * A type that is not S5's is a sleep from which the firmware would come back alone. If the DSDT did not
 * say which S5's is, no harm comes of any once nothing secret is left.
 */
static bool sleep_refused(unsigned int type, unsigned int b)
{
	return power.off_known && type != power.off_type[b];
}

/*
 * L1 writes value to a register. True: it must not. Does not return if the machine ends. To go off may
 * take both PM1 registers, and L1 will not come to write the second.
 */
static bool refused(unsigned int i, uint32_t value)
{
	struct last_write last[REGISTERS_MAX];
	enum kind kind = power.reg[i].kind;
	unsigned int n = 0;

	switch (kind) {
	case RESET:
		if (value == power.reset_value)
			reset_machine();
		return true;
	case S4_REQUEST:
		return value == power.s4_request;
	case SLEEP:
		if (!(value & SLEEP_ENABLE))
			return false;
		if (sleep_refused(SLEEP_TYPE(value), 0))
			return true;
		last[n++] = (struct last_write){power.reg[i].at, value};
		power_off(last, n);
	default:
		if (!(value & PM1_ENABLE))
			return false;
		if (sleep_refused(PM1_TYPE(value), kind == PM1B))
			return true;
	}
	for (unsigned int r = 0; r < power.count; r++) {
		uint32_t type = power.off_known ? power.off_type[power.reg[r].kind == PM1B]
						: PM1_TYPE(value);

		if (power.reg[r].kind == PM1A || power.reg[r].kind == PM1B)
			last[n++] =
				(struct last_write){power.reg[r].at,
						    (value & ~(PM1_TYPE(~0u) << 10)) | type << 10};
	}
	power_off(last, n);
}

static enum port_answer port_write(struct cpu *cpu, const struct port_write *w)
{
	for (unsigned int i = 0; i < power.count; i++)
		if (power.reg[i].at.space == ACPI_PORT && power.reg[i].at.address == w->port)
			return refused(i, w->value) ? PORT_REFUSE : PORT_PASS;
	return PORT_REFUSE;
}

static int watch(struct acpi_register at, enum kind kind)
{
	uint64_t page = ALIGN_DOWN(at.address, PAGE_SIZE);
	struct port_rule rule = {0, 0, at.size, names[kind], port_write, NULL};
	int err = 0;

	if (at.space == ACPI_NONE)
		return 0;
	if (at.space == ACPI_PORT) {
		rule.first = (uint16_t)at.address;
		rule.last = (uint16_t)(at.address + at.size - 1);
		err = port_add(&rule);
	} else if (at.space == ACPI_MEMORY) {
		if (at.address + at.size > mem_top()) {
			log_line("the %s at %lx is open to L1", names[kind], at.address);
			platform_open(PLATFORM_OPEN_POWER);
			return 0;
		}
		err = host_set(HPA(page), PAGE_SIZE, TABLE_R);
	}
	/* Port CF9h, 64h or 92h: port_list.c knows it. */
	if (err == ERR_PERM)
		return 0;
	power.reg[power.count].at = at;
	power.reg[power.count++].kind = kind;
	return err;
}

int power_init(const struct fadt *fadt)
{
	struct acpi_register smi = {ACPI_PORT, 1, fadt->smi_command};
	int err = 0;

	power.count = 0;
	power.off_known = fadt->off_known;
	memcpy(power.off_type, fadt->off_type, sizeof(power.off_type));
	power.reset_value = fadt->reset_value;
	power.s4_request = fadt->s4_request;
	for (unsigned int i = 0; i < fadt->pm1_count && !err; i++)
		err = watch(fadt->pm1[i].at, fadt->pm1[i].b ? PM1B : PM1A);
	if (!err)
		err = watch(fadt->sleep, SLEEP);
	if (!err)
		err = watch(fadt->reset, RESET);
	if (!err && smi.address && fadt->s4_request)
		err = watch(smi, S4_REQUEST);
	if (!fadt->off_known)
		log_line("ACPI does not say how to power off: any sleep of L1's ends all guests");
	return err;
}

const struct acpi_register *power_reset_register(uint8_t *value)
{
	*value = power.reset_value;
	for (unsigned int i = 0; i < power.count; i++)
		if (power.reg[i].kind == RESET)
			return &power.reg[i].at;
	return NULL;
}

/* Registers that no access of theirs own width reaches are not written at all. */
static bool meets(const struct acpi_register *r, uint64_t at, unsigned int size)
{
	return at < r->address + r->size && r->address < at + size;
}

bool power_store(struct cpu *cpu, hpa_t hpa)
{
	const char *name = NULL;
	bool page = false;
	struct store s;

	for (unsigned int i = 0; i < power.count; i++)
		page |= power.reg[i].at.space == ACPI_MEMORY &&
			ALIGN_DOWN(power.reg[i].at.address, PAGE_SIZE) ==
				ALIGN_DOWN(hpa.a, PAGE_SIZE);
	if (!page)
		return false;
	if (store_decode(cpu, hpa, &s)) {
		platform_refused("a store that is no MOV", PLATFORM_MEMORY, hpa.a, 0);
		hw_host_inject(cpu, VECTOR_GP, 0);
		return true;
	}
	for (unsigned int i = 0; i < power.count && !name; i++) {
		const struct acpi_register *r = &power.reg[i].at;

		if (r->space != ACPI_MEMORY || !meets(r, hpa.a, s.size))
			continue;
		if (hpa.a != r->address || s.size != r->size || refused(i, (uint32_t)s.value))
			name = names[power.reg[i].kind];
	}
	if (name) {
		platform_refused(name, PLATFORM_MEMORY, hpa.a, s.value);
		hw_host_complete(cpu, s.insn_len);
	} else {
		store_perform(cpu, &s, mem_at(hpa));
	}
	return true;
}

const char *power_pci_write(uint16_t bdf, unsigned int offset, unsigned int size, uint64_t value)
{
	for (unsigned int i = 0; i < power.count; i++) {
		const struct acpi_register *r = &power.reg[i].at;
		uint16_t f = (uint16_t)((r->address >> 32) << 3 | (r->address >> 16 & 7));
		unsigned int at = r->address & 0xffff;

		if (r->space != ACPI_PCI || f != bdf || at < offset || at >= offset + size)
			continue;
		if (refused(i, (uint32_t)(value >> 8 * (at - offset)) & 0xff))
			return names[power.reg[i].kind];
	}
	return NULL;
}
