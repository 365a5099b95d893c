/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/efi.h"

#include "attest/firmwarelog.h"
#include "monitor/boot/multiboot.h"
#include "monitor/boot/uefi.h"
#include "monitor/lib.h"

#define TABLES_MAX 1024u

static const struct efi_guid guid_acpi[] = {{EFI_GUID_ACPI_1}, {EFI_GUID_ACPI_2}};
static const struct efi_guid guid_tcg2 = {EFI_GUID_TCG2};
static const struct efi_guid guid_final_events = {EFI_GUID_FINAL_EVENTS};
static const struct efi_guid guid_wipe = {EFI_GUID_WIPE};
static const struct efi_guid guid_wipe_lock = {EFI_GUID_WIPE_LOCK};
static const uint16_t name_wipe[] = EFI_NAME_WIPE;
static const uint16_t name_wipe_lock[] = EFI_NAME_WIPE_LOCK;

static struct {
	bool left;
	int error; /* it did not leave; why says why */
	const char *why;
	struct efi_system *system;
	uint64_t image;
	uint64_t key;
	uint64_t map_bytes, stride;
	unsigned int rsdp_len;
	uint8_t rsdp[BOOT_RSDP_MAX];
	bool wipes;
	const char *no_log;
	struct firmwarelog format;
	uint64_t final; /* where the table is, or 0 */
	uint64_t skip;  /* how many of its events the log has */
	uint32_t log_bytes;
	uint8_t *map,
		*log; /* EFI_MAP_MAX and EFI_LOG_MAX bytes of the firmware's, which become RAM */
} efi;

/* Descriptor number i of the map; false behind the last. */
static bool descriptor(unsigned int i, struct efi_memory *memory)
{
	uint64_t at = i * efi.stride;

	if (at + sizeof(*memory) > efi.map_bytes)
		return false;
	memcpy(memory, efi.map + at, sizeof(*memory));
	if (memory->pages > (UINT64_MAX - memory->start) >> PAGE_SHIFT)
		memory->pages = 0;
	return true;
}

static int get_map(const char **why)
{
	uint64_t bytes = EFI_MAP_MAX;
	uint32_t version;

	efi.map_bytes = 0;
	if (efi.system->boot->get_memory_map(&bytes, efi.map, &efi.key, &efi.stride, &version))
		return boot_refuse(ERR_2BIG, why, "UEFI gives no memory map, or one of > 48 KiB");
	if (bytes > EFI_MAP_MAX || efi.stride < sizeof(struct efi_memory) ||
	    efi.stride > EFI_MAP_MAX)
		return boot_refuse(ERR_INVAL, why, "UEFI's memory map has a wrong size");
	efi.map_bytes = bytes;
	return 0;
}

/* The bytes from `at` to the end of the piece of memory that it is in; 0 if it is in none. */
static uint64_t memory_from(uint64_t at)
{
	struct efi_memory memory;

	for (unsigned int i = 0; descriptor(i, &memory); i++) {
		uint64_t len = memory.pages << PAGE_SHIFT;

		if (at >= memory.start && at - memory.start < len && memory.type != EFI_MMIO &&
		    memory.type != EFI_MMIO_PORTS)
			return len - (at - memory.start);
	}
	return 0;
}

static bool same(const struct efi_guid *a, const struct efi_guid *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A table of the firmware's list that begins in memory, or 0. */
static uint64_t find_table(const struct efi_guid *guid)
{
	const struct efi_system *system = efi.system;

	if (system->tables > TABLES_MAX ||
	    memory_from((uint64_t)system->table) < system->tables * sizeof(*system->table))
		return 0;
	for (uint64_t i = 0; i < system->tables; i++)
		if (same(&system->table[i].guid, guid))
			return system->table[i].at;
	return 0;
}

/* ACPI 6.4, 5.2.5.2; its sums are looked at by who uses it (acpi.c). */
static void take_rsdp(void)
{
	static const unsigned int len[] = {20, BOOT_RSDP_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(len); i++) {
		uint64_t at = find_table(&guid_acpi[i]);

		if (!at || memory_from(at) < len[i])
			continue;
		efi.rsdp_len = len[i];
		memcpy(efi.rsdp, (const void *)at, len[i]);
	}
}

/* Copies the log as it is now. What comes later is in the final events' table, with what other callers made it have. */
static const char *take_log(void)
{
	struct firmwarelog_final final;
	struct efi_tcg2 *tcg2 = NULL;
	uint64_t at = 0, last = 0, room;
	uint8_t truncated = 0;
	uint32_t end;

	if (efi.system->boot->locate_protocol(&guid_tcg2, NULL, (void **)&tcg2) || !tcg2)
		return "the firmware has no TPM 2.0";
	if (tcg2->get_event_log(tcg2, EFI_TCG2_CRYPTO_AGILE, &at, &last, &truncated) || !at)
		return "the firmware has no crypto-agile log";
	if (truncated)
		return "the firmware's log is cut off";
	room = memory_from(at);
	if (room > EFI_LOG_MAX)
		room = EFI_LOG_MAX;
	memcpy(efi.log, (const void *)at, room);
	if (!firmwarelog_open(&efi.format, efi.log, (uint32_t)room))
		return "the firmware's log has no crypto-agile header";
	if (!firmwarelog_end(&efi.format, efi.log, (uint32_t)room, last ? last - at : 0, &end))
		return "the firmware's log is malformed, or longer than 256 KiB";
	efi.final = find_table(&guid_final_events);
	if (efi.final && memory_from(efi.final) < sizeof(final))
		return "the firmware's final events are not in memory";
	if (efi.final) {
		memcpy(&final, (const void *)efi.final, sizeof(final));
		efi.skip = final.events;
	}
	efi.log_bytes = end;
	return NULL;
}

/* Boot services are over: this reads memory only. */
static const char *append_final(void)
{
	uint32_t from = 0, to = 0;
	uint64_t room;

	if (!efi.log_bytes || !efi.final)
		return efi.log_bytes ? "the firmware has no table of final events" : efi.no_log;
	room = memory_from(efi.final);
	if (room > UINT32_MAX)
		room = UINT32_MAX;
	if (!firmwarelog_final(&efi.format, (const uint8_t *)efi.final, (uint32_t)room, efi.skip,
			       &from, &to))
		return "the firmware's final events are malformed";
	if (to - from > EFI_LOG_MAX - efi.log_bytes)
		return "the firmware's log is longer than 256 KiB";
	memcpy(efi.log + efi.log_bytes, (const uint8_t *)efi.final + from, to - from);
	efi.log_bytes += to - from;
	return NULL;
}

/* Sets a byte that the firmware keeps, if it has one of that name. True: it has now this value. */
static bool set_byte(const uint16_t *name, const struct efi_guid *guid, uint8_t value)
{
	const struct efi_runtime *runtime = efi.system->runtime;
	uint32_t attributes = 0;
	uint64_t bytes = 1;
	uint8_t now = 0;

	if (runtime->get_variable(name, guid, &attributes, &bytes, &now))
		return false;
	runtime->set_variable(name, guid, EFI_VARIABLE_KEPT, 1, &value);
	bytes = 1;
	return !runtime->get_variable(name, guid, &attributes, &bytes, &now) &&
	       attributes == EFI_VARIABLE_KEPT && bytes == 1 && now == value;
}

/* Has the firmware wipe memory at the next boot, however that comes, and L1 not take that back. Without a lock L1 could. */
static bool ask_wipe(void)
{
	const struct efi_runtime *runtime = efi.system->runtime;

	return runtime && runtime->head.signature == EFI_RUNTIME_SIGNATURE &&
	       set_byte(name_wipe, &guid_wipe, EFI_WIPE_ALWAYS) &&
	       set_byte(name_wipe_lock, &guid_wipe_lock, EFI_WIPE_LOCKED);
}

/*
 * The loader may have put us into memory that it did not own (it copies last of all). Free memory we take; what the firmware
 * uses has been destroyed.
 */
static int own_image(struct range image, const char **why)
{
	uint64_t at = image.start;
	struct efi_memory memory;

	if (!efi.system->boot->allocate_pages(EFI_ALLOCATE_ADDRESS, EFI_LOADER_DATA,
					      (image.end - image.start) >> PAGE_SHIFT, &at))
		return get_map(why);
	for (unsigned int i = 0; descriptor(i, &memory); i++) {
		struct range r = {memory.start, memory.start + (memory.pages << PAGE_SHIFT)};

		if (range_overlaps(r, image) && memory.type != EFI_LOADER_DATA &&
		    memory.type != EFI_LOADER_CODE && memory.type != EFI_CONVENTIONAL)
			return boot_refuse(ERR_FAULT, why,
					   "the firmware uses the memory from 6 to 8 MiB, where "
					   "the monitor has to be loaded: boot by BIOS (CSM)");
	}
	return 0;
}

/* A change of the map between the two calls is no error, once (UEFI 2.10, 7.4.6). */
static int exit_services(const char **why)
{
	uint64_t status = EFI_INVALID_PARAMETER;
	int error;

	for (unsigned int i = 0; i < 2 && status == EFI_INVALID_PARAMETER; i++) {
		error = get_map(why);
		if (error)
			return error;
		status = efi.system->boot->exit_boot_services(efi.image, efi.key);
	}
	if (status)
		return boot_refuse(ERR_IO, why, "UEFI's ExitBootServices failed");
	return 0;
}

static int leave(struct range image, const char **why)
{
	uint64_t buffer = 4 * GIB - 1;
	int error;

	if (!efi.system || efi.system->head.signature != EFI_SYSTEM_SIGNATURE ||
	    !efi.system->boot || efi.system->boot->head.signature != EFI_BOOT_SIGNATURE)
		return boot_refuse(ERR_INVAL, why, "there is no UEFI system table");
	if (efi.system->boot->allocate_pages(EFI_ALLOCATE_BELOW, EFI_LOADER_DATA,
					     (EFI_MAP_MAX + EFI_LOG_MAX) >> PAGE_SHIFT, &buffer))
		return boot_refuse(ERR_NOMEM, why, "UEFI gives no memory below 4 GiB");
	efi.map = (uint8_t *)buffer;
	efi.log = efi.map + EFI_MAP_MAX;
	error = get_map(why);
	if (!error)
		error = own_image(image, why);
	if (error)
		return error;
	take_rsdp();
	efi.no_log = take_log();
	efi.wipes = ask_wipe();
	error = exit_services(why);
	if (error)
		return error;
	efi.no_log = append_final();
	if (efi.no_log)
		efi.log_bytes = 0;
	return 0;
}

void efi_leave(hpa_t info, struct range image)
{
	uint64_t system = 0;

	memset(&efi, 0, sizeof(efi));
	efi.error = multiboot2_efi(info, &system, &efi.image, &efi.why);
	efi.system = (struct efi_system *)system;
	if (!efi.error)
		efi.error = leave(image, &efi.why);
	efi.left = !efi.error;
}

static uint32_t region_type(uint32_t type)
{
	switch (type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:
	case EFI_CONVENTIONAL:
		return REGION_RAM;
	case EFI_ACPI_RECLAIM:
		return REGION_ACPI;
	case EFI_ACPI_NVS:
		return REGION_NVS;
	case EFI_UNUSABLE:
		return REGION_BAD;
	default:
		return REGION_RESERVED;
	}
}

int efi_fill(struct boot_info *info, const char **why)
{
	struct efi_memory memory;
	int error = 0;

	if (efi.error)
		return boot_refuse(efi.error, why, efi.why);
	if (!efi.left)
		return boot_refuse(ERR_NOSYS, why, "the loader left EFI boot services running");
	for (unsigned int i = 0; !error && descriptor(i, &memory); i++)
		error = memmap_add(&info->map, memory.start, memory.pages << PAGE_SHIFT,
				   region_type(memory.type));
	if (error)
		return boot_refuse(error, why, "more than 128 memory regions");
	info->wiped_at_reset = efi.wipes;
	info->no_event_log = efi.no_log;
	if (efi.log_bytes)
		info->event_log =
			(struct range){(uint64_t)efi.log, (uint64_t)efi.log + efi.log_bytes};
	if (efi.rsdp_len) {
		info->rsdp_len = efi.rsdp_len;
		memcpy(info->rsdp, efi.rsdp, efi.rsdp_len);
	}
	return 0;
}
