/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/smp.h"

#include "lib/apic.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/test.h"
#include "lib/trap.h"

#define BIOS_AREA 0xe0000u
#define BIOS_AREA_END 0x100000u
#define RSDP_RSDT 16
#define MADT_ENTRIES 44
#define MADT_LOCAL_APIC 0

extern uint8_t trampoline_start[], trampoline_end[];
extern uint8_t cpu_stacks[];

uint64_t ap_stack; /* read by boot.S: CPUs start one at a time */
static void (*volatile ap_fn)(void *);
static void *volatile ap_arg;
static bool used[MAX_CPUS];
static volatile bool arrived[MAX_CPUS], finished[MAX_CPUS];

unsigned cpu_index(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (unsigned)((rsp - 1 - (uint64_t)cpu_stacks) / STACK_SIZE);
}

struct acpi_table {
	char signature[4];
	uint32_t length;
	uint8_t other[28];
} __attribute__((packed));

/* The root table, found through the RSDP in the BIOS area; NULL if there is none. */
static const struct acpi_table *acpi_root(void)
{
	for (uint64_t a = BIOS_AREA; a < BIOS_AREA_END; a += 16) {
		if (!memcmp((const void *)a, "RSD PTR ", 8))
			return (const struct acpi_table *)(uint64_t) *
			       (const uint32_t *)(a + RSDP_RSDT);
	}
	return NULL;
}

/* The enabled local APICs in a MADT. */
static unsigned madt_cpus(const struct acpi_table *madt)
{
	const uint8_t *p = (const uint8_t *)madt + MADT_ENTRIES;
	const uint8_t *end = (const uint8_t *)madt + madt->length;
	unsigned n = 0;

	for (; p + 2 <= end && p[1] >= 2; p += p[1])
		n += p[0] == MADT_LOCAL_APIC && (p[4] & 1);
	return n;
}

static unsigned acpi_cpus(void)
{
	const struct acpi_table *root = acpi_root();
	const uint32_t *entry, *end;

	if (!root)
		return 0;
	entry = (const uint32_t *)(root + 1);
	end = (const uint32_t *)((const uint8_t *)root + root->length);
	for (; entry < end; entry++) {
		const struct acpi_table *t = (const struct acpi_table *)(uint64_t)*entry;

		if (!memcmp(t->signature, "APIC", 4))
			return madt_cpus(t);
	}
	return 0;
}

unsigned cpu_count(void)
{
	unsigned n = cpuid(1, 0).b >> 16 & 0xff, listed = acpi_cpus();

	n = n < listed ? listed : n;
	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : n;
}

void ap_start(void);
void ap_start(void)
{
	unsigned cpu = cpu_index();
	void (*fn)(void *) = ap_fn;
	void *arg = ap_arg;

	trap_load();
	apic_init();
	arrived[cpu] = true;
	fn(arg);
	finished[cpu] = true;
}

bool cpu_start(unsigned cpu, void (*fn)(void *), void *arg)
{
	memcpy((void *)TRAMPOLINE, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	ap_stack = (uint64_t)cpu_stacks + (uint64_t)(cpu + 1) * STACK_SIZE;
	ap_fn = fn;
	ap_arg = arg;
	used[cpu] = true;
	apic_send(cpu, ICR_INIT);
	arrived[cpu] = false;
	finished[cpu] = false;
	apic_send(cpu, ICR_SIPI | TRAMPOLINE >> 12);
	apic_send(cpu, ICR_SIPI | TRAMPOLINE >> 12);
	return WAIT_FOR(arrived[cpu]);
}

void cpus_stop(void)
{
	for (unsigned i = 1; i < MAX_CPUS; i++) {
		if (used[i])
			apic_send(i, ICR_INIT);
		used[i] = false;
	}
}

bool cpu_finished(unsigned cpu)
{
	return finished[cpu];
}
