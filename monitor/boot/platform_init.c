/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/platform.h"

#include "monitor/boot/fadt.h"
#include "monitor/boot/mcfg.h"
#include "monitor/boot/tboot.h"
#include "monitor/chipset.h"
#include "monitor/hypercall.h"
#include "monitor/log.h"
#include "monitor/pci_config.h"
#include "monitor/port.h"
#include "monitor/power.h"
#include "monitor/uptime.h"

int platform_cpus(struct acpi_info *acpi, const struct boot_info *info, const char **why)
{
	int err = acpi_parse(acpi, info, why);

	if (err != ERR_NOENT)
		return err;
	log_line("%s: only the boot CPU is used, and others are not held", *why);
	acpi->cpu_count = 0;
	platform_open(PLATFORM_OPEN_CPUS);
	return 0;
}

/* Without ACPI there is no sleep that the firmware would announce; a table that is wrong stops the boot. */
static int read_fadt(const struct boot_info *info, const char **why)
{
	static struct fadt fadt;
	int err = fadt_parse(&fadt, info, why);

	if (err && err != ERR_NOENT)
		return err;
	uptime_init(&fadt);
	if (err) {
		log_line("ACPI has no FADT: how this machine sleeps and resets is not known");
		platform_open(PLATFORM_OPEN_POWER);
		return 0;
	}
	*why = "too many ports are to exit: raise PORT_RULES_MAX in port.h";
	return power_init(&fadt);
}

static int read_mcfg(const struct boot_info *info, const char **why)
{
	static struct mcfg mcfg;
	int err = mcfg_parse(&mcfg, info, why);

	if (err && err != ERR_NOENT)
		return err;
	for (unsigned int i = 0; i < mcfg.count; i++)
		for (unsigned int r = 0; r < info->map.count; r++) {
			const struct region *region = &info->map.region[r];
			struct range ram = {region->start, region->end};

			if (region->type == REGION_RAM && range_overlaps(ram, mcfg_bytes(&mcfg, i)))
				return boot_refuse(ERR_INVAL, why, "ACPI's MCFG lies in RAM");
		}
	*why = "no room in L1's nested table: raise BLOCK_FIXED in mem.c";
	return pci_config_init(&mcfg);
}

/* Resets that are not trapped: a button, a management controller. After a TXT launch SECRETS has memory wiped (docs/tboot.md). */
static void judge_reset(const struct boot_info *info)
{
	if (info->wiped_at_reset || tboot_found()->state == TBOOT_MEASURED)
		return;
	log_line("a reset from outside leaves memory as it is: neither UEFI nor TXT will wipe it");
	platform_open(PLATFORM_OPEN_MEMORY);
}

int platform_init(const struct boot_info *info, const char **why)
{
	int err;

	judge_reset(info);
	port_init();
	*why = "too many ports are to exit: raise PORT_RULES_MAX in port.h";
	err = port_list();
	if (!err)
		err = read_fadt(info, why);
	if (!err)
		err = read_mcfg(info, why);
	if (!err) {
		*why = "too many ports are to exit: raise PORT_RULES_MAX in port.h";
		err = chipset_init();
	}
	return err;
}
