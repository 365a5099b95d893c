/* SPDX-License-Identifier: Apache-2.0 */
/* From the boot loader's hand-over to L1 running on every CPU. */
#include "crypto/crypto.h"
#include "ept/host.h"
#include "monitor/bios_call.h"
#include "monitor/boot/acpi.h"
#include "monitor/boot/efi.h"
#include "monitor/boot/l1.h"
#include "monitor/boot/multiboot.h"
#include "monitor/boot/option.h"
#include "monitor/boot/tboot.h"
#include "monitor/call.h"
#include "monitor/console.h"
#include "monitor/disks.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/icr.h"
#include "monitor/identity.h"
#include "monitor/iommu/iommu.h"
#include "monitor/irq_devices.h"
#include "monitor/keys/keys.h"
#include "monitor/legacy.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/measure.h"
#include "monitor/mem.h"
#include "monitor/panic.h"
#include "monitor/platform.h"
#include "monitor/types.h"
#include "monitor/uptime.h"

#define LOW_LIMIT 0xa0000u /* conventional memory ends here */
#define VGA_TEXT 0xb8000
#define XAPIC_ID_MAX 254

_Noreturn void boot_main(uint32_t magic, uint32_t info_hpa);
void efi_main(uint32_t info_hpa);

extern char image_start[], image_end[];

static struct boot_info info;
static struct acpi_info acpi;
static struct l1_entry l1;

static _Noreturn void die_about(const char *what, const char *why)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s: %s", what, why);
	die(text);
}

/* The boot CPU first, then the others in ACPI's order. */
static void find_cpus(void)
{
	static uint32_t id[CPU_MAX];
	uint32_t self = arch_cpuid(1, 0).b >> 24;
	unsigned int n = 0;
	const char *why = "";

	if (platform_cpus(&acpi, &info, &why))
		die_about("ACPI", why);
	id[n++] = self;
	for (unsigned int i = 0; i < acpi.cpu_count; i++) {
		if (!acpi.cpu[i].enabled || acpi.cpu[i].apic_id == self)
			continue;
		if (acpi.cpu[i].apic_id > XAPIC_ID_MAX)
			die("a CPU has an APIC id above 254: the monitor starts CPUs in xAPIC mode");
		if (n < CPU_MAX)
			id[n] = acpi.cpu[i].apic_id;
		n++;
	}
	if (n > CPU_MAX)
		die("more CPUs than this build can hold (64): raise CPU_MAX in cpu.h");
	cpu_init(id, n);
}

/*
 * A page below 1 MiB, first for the trampoline, then for the INT 15h handler. Under UEFI it is also where L1 sees its base
 * memory end, below which it must find room.
 */
static hpa_t find_low_page(void)
{
	uint64_t below = info.efi_system_table ? LEGACY_ROOM : 0;
	struct memmap_want want = {below + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, LOW_LIMIT};
	struct range used[BOOT_MODULES_MAX];
	uint64_t at;

	for (unsigned int i = 0; i < info.module_count; i++)
		used[i] = info.module[i].at;
	if (memmap_find_top(&info.map, &want, used, info.module_count, &at))
		die("no free page below 640 KiB to start CPUs with");
	return HPA(at + below);
}

static void build_host_table(void)
{
	const struct tboot *tboot = tboot_found();
	struct range block = mem_block();
	bool leaf_1g;
	const struct mtrr *mtrr = hw_table_types(&leaf_1g);

	if (host_init(mem_top(), leaf_1g, mtrr) ||
	    host_set(HPA(block.start), block.end - block.start, 0) || icr_init())
		die("no room for L1's nested table: raise BLOCK_RAM_SHARE's part in mem.c");
	host_limit(hw_address_bits());
	if (irq_devices_init(&acpi))
		die("an I/O APIC or HPET that can not be watched: L1 could send INIT with it");
	for (unsigned int i = 0; i < tboot->kept_count; i++)
		if (host_set(HPA(tboot->kept[i].start), tboot->kept[i].end - tboot->kept[i].start,
			     0))
			die("no room to keep tboot's and TXT's memory from L1: raise BLOCK_FIXED");
}

/* Other CPUs come here, and stay, waiting for L1's start-up IPIs. */
static void other_cpu(struct cpu *cpu)
{
	const char *why;

	if (hw_check(&why))
		die_about("a CPU differs from the boot CPU", why);
	if (types_adopt())
		log_line("CPU %u: the firmware did not give it the boot CPU's memory types",
			 cpu->index);
	hw_cpu_enable(cpu);
	uptime_join(cpu);
	cpu_started();
	hw_run(cpu);
}

static _Noreturn void run_l1(struct cpu *cpu)
{
	hw_cpu_enable(cpu);
	cpu->waiting = false;
	hw_host_flat(cpu);
	cpu->regs.rip = l1.eip;
	cpu->regs.r[RAX] = MULTIBOOT1_BOOT_MAGIC;
	cpu->regs.r[RBX] = l1.ebx;
	hw_run(cpu);
}

static void run_l1_on_stack(struct cpu *cpu)
{
	run_l1(cpu);
}

/* With the monitor in its block and its own address space. */
static _Noreturn void start(void)
{
	struct range block = mem_block();
	struct monitor_block taken = {.high = block};
	struct measured_keys keys;
	unsigned int others;
	const char *why = "";
	hpa_t low;

	console_screen(mem_at(HPA(VGA_TEXT)));
	trap_init();
	find_cpus();
	build_host_table();
	iommu_block(
		&info); /* before what was loaded is copied (R22), and before there are secrets */
	if (crypto_init(&why))
		die_about("cryptography", why);
	if (identity_init(&why))
		die(why);
	if (platform_init(&info, &why))
		die_about("platform", why);
	for (unsigned int i = 0; i < cpu_count(); i++)
		hw_cpu_prepare(cpu_at(i));
	guest_init();
	disks_init();
	if (protect_init())
		die("no random numbers for the protection of guests");
	low = find_low_page();
	taken.low = (struct range){low.a, low.a + PAGE_SIZE};
	others = cpu_start_others(low, other_cpu);
	if (others + 1 != cpu_count())
		die("a CPU that ACPI lists did not start; a CPU that the monitor does not hold "
		    "could be used against it");
	measure_start(&info);
	if (l1_load(&info, &taken, &l1, &why))
		die_about("L1 can not be started", why);
	measure_loaded(&info);
	identity_public(&keys);
	measure_keys(&keys);
	measure_end();
	mem_seal();
	iommu_open();
	if (info.efi_system_table && legacy_init(&info, low, &why))
		die_about("a BIOS for L1", why);
	bios_call_init(low, &info.map);
	log_line("holding %u CPU%s; %lu MiB for the monitor at %lx, %lu MiB for the host",
		 cpu_count(), others ? "s" : "", (block.end - block.start) >> 20, block.start,
		 mem_host_bytes() >> 20);
	log_line("starting L1 at %x", l1.eip);
	log_console(false);
	cpu_on_stack(cpu_at(0), run_l1_on_stack);
}

/* By UEFI, before boot_main(). */
void efi_main(uint32_t info_hpa)
{
	mem_early(&info);
	efi_leave(HPA(info_hpa), (struct range){(uint64_t)image_start, (uint64_t)image_end});
}

_Noreturn void boot_main(uint32_t magic, uint32_t info_hpa)
{
	const char *why = "";

	hypercall_init();
	console_init();
	log_line("version %s (%s)", keys_version, hw_name);
	if (keys_warning)
		log_line("*** %s ***", keys_warning);
	mem_early(&info);
	if (boot_parse(&info, magic, HPA(info_hpa), &why))
		die_about("boot information", why);
	log_line("the firmware's event log: %s", info.no_event_log ? info.no_event_log : "taken");
	if (tboot_find(&info, &why))
		die_about("memory map", why);
	tboot_log();
	if (!info.module_count)
		die("no L1 was loaded with the monitor: add a 'module' line for Xen");
	boot_options(boot_string(&info, info.cmdline), hw_options);
	if (hw_check(&why))
		die(why);
	if (mem_init(&info, iommu_listed(&info), &why))
		die_about("memory", why);
	start();
}
