/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/fadt.h"

#include "monitor/boot/acpi.h"
#include "monitor/lib.h"

/* Offsets: ACPI 6.4, table 5.9. */
#define DSDT 40
#define SMI_CMD 48
#define S4BIOS_REQ 54
#define PM1A_CNT 64
#define PM1B_CNT 68
#define PM_TMR 76
#define FLAGS 112
#define RESET_REG 116
#define RESET_VALUE 128
#define X_DSDT 140
#define X_PM1A_CNT 172
#define X_PM1B_CNT 184
#define X_PM_TMR 208
#define SLEEP_CONTROL 244
#define FLAG_RESET (1u << 10)

#define PM1_SIZE 2
#define TIMER_SIZE 4
#define PCI_OFFSET_END 0x1000
#define SLP_TYP_MAX 7

/* AML: ACPI 6.4, 20.2.2 to 20.2.5. */
#define AML_ZERO 0x00
#define AML_ONE 0x01
#define AML_NAME 0x08
#define AML_BYTE 0x0a
#define AML_PACKAGE 0x12
#define AML_ROOT '\\'
#define NAME_BYTES 4

/* A generic address: 5.2.3.2. */
struct generic {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

/* What an older table is too short for reads as zeros, which all fields take for "not there". */
static int get(const struct acpi_table *t, uint32_t at, void *out, uint32_t size)
{
	memset(out, 0, size);
	return at + size > t->length ? ERR_NOENT : boot_read(out, HPA(t->at.a + at), size);
}

static uint32_t get32(const struct acpi_table *t, uint32_t at)
{
	uint32_t value;

	get(t, at, &value, sizeof(value));
	return value;
}

static uint8_t get8(const struct acpi_table *t, uint32_t at)
{
	uint8_t value;

	get(t, at, &value, sizeof(value));
	return value;
}

static struct acpi_register get_generic(const struct acpi_table *t, uint32_t at, uint8_t size)
{
	struct acpi_register r = {ACPI_NONE, size, 0};
	struct generic g;

	if (get(t, at, &g, sizeof(g)) || !g.address || g.space > ACPI_PCI)
		return r;
	if (g.space == ACPI_PORT && g.address > UINT16_MAX)
		return r;
	if (g.space == ACPI_PCI && (g.address >> 37 || (g.address >> 16 & 0xffff) > 7 ||
				    (g.address & 0xffff) >= PCI_OFFSET_END))
		return r;
	if (g.space == ACPI_MEMORY && g.address >> 52)
		return r;
	r.space = g.space;
	r.address = g.address;
	return r;
}

static void add_pm1(struct fadt *fadt, struct acpi_register r, bool b)
{
	for (unsigned int i = 0; i < fadt->pm1_count; i++)
		if (fadt->pm1[i].at.space == r.space && fadt->pm1[i].at.address == r.address)
			return;
	if (r.space == ACPI_NONE)
		return;
	fadt->pm1[fadt->pm1_count].at = r;
	fadt->pm1[fadt->pm1_count++].b = b;
}

static struct acpi_register old_port(const struct acpi_table *t, uint32_t at, uint8_t size)
{
	uint32_t port = get32(t, at);

	if (!port || port > UINT16_MAX)
		return (struct acpi_register){ACPI_NONE, size, 0};
	return (struct acpi_register){ACPI_PORT, size, port};
}

static struct acpi_register find_timer(const struct acpi_table *t)
{
	struct acpi_register r = old_port(t, PM_TMR, TIMER_SIZE);

	if (r.space != ACPI_PORT)
		r = get_generic(t, X_PM_TMR, TIMER_SIZE);
	if (r.space != ACPI_PORT)
		r.space = ACPI_NONE;
	return r;
}

/* An integer of SLP_TYP's range at aml[*i], of n bytes; *i moves behind it. */
static bool small_integer(const uint8_t *aml, uint32_t n, uint32_t *i, uint8_t *value)
{
	uint32_t at = *i;

	if (at >= n)
		return false;
	if (aml[at] == AML_BYTE) {
		if (++at >= n)
			return false;
	} else if (aml[at] != AML_ZERO && aml[at] != AML_ONE) {
		return false;
	}
	*value = aml[at];
	*i = at + 1;
	return *value <= SLP_TYP_MAX;
}

/* Behind a name: a package that begins with two such integers. */
static bool sleep_package(const uint8_t *aml, uint32_t n, uint32_t i, uint8_t type[2])
{
	if (i + 1 >= n || aml[i] != AML_PACKAGE)
		return false;
	i += 2 + (aml[i + 1] >> 6); /* its length: 20.2.4 */
	if (i >= n || aml[i++] < 2)
		return false;
	return small_integer(aml, n, &i, &type[0]) && small_integer(aml, n, &i, &type[1]);
}

/*
 * Name (_S5, Package () {a, b, ..}) as bytes, without a look at what is around them: the firmware's
 * tables are trusted as the firmware is. Two that differ, as in two arms of an If, say nothing.
 */
static void find_off_type(struct fadt *fadt, const uint8_t *aml, uint32_t n)
{
	uint8_t type[2];

	for (uint32_t i = 1; i + NAME_BYTES < n; i++) {
		bool named = aml[i - 1] == AML_NAME ||
			     (i >= 2 && aml[i - 1] == AML_ROOT && aml[i - 2] == AML_NAME);

		if (!named || memcmp(&aml[i], "_S5_", NAME_BYTES) != 0)
			continue;
		if (!sleep_package(aml, n, i + NAME_BYTES, type) ||
		    (fadt->off_known && memcmp(type, fadt->off_type, sizeof(type)) != 0)) {
			fadt->off_known = false;
			return;
		}
		memcpy(fadt->off_type, type, sizeof(type));
		fadt->off_known = true;
	}
}

static void read_dsdt(struct fadt *fadt, const struct acpi_table *t)
{
	struct acpi_table dsdt;
	uint64_t address;
	const char *why;

	get(t, X_DSDT, &address, sizeof(address));
	if (!address)
		address = get32(t, DSDT);
	if (acpi_open(&dsdt, HPA(address), &why) || memcmp(dsdt.signature, "DSDT", 4) != 0)
		return;
	find_off_type(fadt, boot_mem(dsdt.at, dsdt.length), dsdt.length);
}

int fadt_parse(struct fadt *fadt, const struct boot_info *info, const char **why)
{
	struct acpi_table t;
	int err;

	memset(fadt, 0, sizeof(*fadt));
	fadt->timer.space = fadt->sleep.space = fadt->reset.space = ACPI_NONE;
	err = acpi_find(&t, info, "FACP", why);
	if (err)
		return err;
	if (t.length < FLAGS + sizeof(uint32_t))
		return boot_refuse(ERR_INVAL, why, "ACPI's FADT is too short");
	add_pm1(fadt, old_port(&t, PM1A_CNT, PM1_SIZE), false);
	add_pm1(fadt, old_port(&t, PM1B_CNT, PM1_SIZE), true);
	add_pm1(fadt, get_generic(&t, X_PM1A_CNT, PM1_SIZE), false);
	add_pm1(fadt, get_generic(&t, X_PM1B_CNT, PM1_SIZE), true);
	fadt->timer = find_timer(&t);
	fadt->sleep = get_generic(&t, SLEEP_CONTROL, 1);
	if (get32(&t, FLAGS) & FLAG_RESET)
		fadt->reset = get_generic(&t, RESET_REG, 1);
	fadt->reset_value = get8(&t, RESET_VALUE);
	if (get32(&t, SMI_CMD) <= UINT16_MAX)
		fadt->smi_command = (uint16_t)get32(&t, SMI_CMD);
	fadt->s4_request = get8(&t, S4BIOS_REQ);
	read_dsdt(fadt, &t);
	return 0;
}
