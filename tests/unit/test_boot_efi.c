/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving boot services: a firmware of C functions, as it should be and as it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/efi.h"
#include "monitor/boot/multiboot.h"
#include "monitor/boot/uefi.h"
#include "tests/unit/test_boot_ram.h"
#include "tests/unit/test_firmwarelog_bytes.h"

#define INFO 0x10000u
#define IMAGE_HANDLE 0x1234567812345678u
#define DESCRIPTOR 48u /* firmware's are longer than the specification's */
#define DESCRIPTORS_MAX 2000u
#define STALE (EFI_ERROR | 2)
#define NOT_FOUND (EFI_ERROR | 14)
#define DENIED (EFI_ERROR | 15)

static const struct range image = {6 * MIB, 8 * MIB};
static struct boot_info info;
static const char *why;

/* What the firmware holds, in whole pages, since its map says where they are. */
static struct {
	uint8_t log[(400 << 10)];
	uint8_t final[4096];
	uint8_t buffers[EFI_MAP_MAX + EFI_LOG_MAX];
	uint8_t acpi[4096];
	struct efi_table table[4096 / sizeof(struct efi_table)];
} held __attribute__((aligned(4096)));

/* As EDK2 keeps them: the request can be written to until the lock is 1. */
struct variable {
	const uint16_t *name;
	struct efi_guid guid;
	bool there, denied, forgets;
	uint32_t attributes, bytes;
	uint8_t value;
};

static struct {
	struct efi_system system;
	struct efi_boot boot;
	struct efi_runtime runtime;
	struct variable wipe, lock;
	unsigned int sets;
	struct efi_tcg2 tcg2;
	struct bytes log, final;
	uint64_t last;
	bool no_tcg2, no_log, truncated, image_taken;
	uint64_t exit_status[2], map_status;
	unsigned int exits, maps, descriptors;
	uint64_t stride;
	struct efi_memory memory[DESCRIPTORS_MAX];
} fw;

static void memory(uint32_t type, uint64_t start, uint64_t len)
{
	fw.memory[fw.descriptors++] =
		(struct efi_memory){.type = type, .start = start, .pages = len >> PAGE_SHIFT};
}

static EFIAPI uint64_t get_memory_map(uint64_t *bytes, void *map, uint64_t *key, uint64_t *stride,
				      uint32_t *version)
{
	if (fw.map_status)
		return fw.map_status;
	*stride = fw.stride;
	*version = 1;
	if (*bytes < fw.descriptors * DESCRIPTOR) {
		*bytes = fw.descriptors * DESCRIPTOR;
		return EFI_ERROR | 5;
	}
	*bytes = fw.descriptors * DESCRIPTOR;
	for (unsigned int i = 0; i < fw.descriptors; i++)
		memcpy((uint8_t *)map + i * DESCRIPTOR, &fw.memory[i], sizeof(fw.memory[i]));
	*key = ++fw.maps;
	return 0;
}

static EFIAPI uint64_t allocate_pages(int how, int type, uint64_t pages, uint64_t *at)
{
	if (how == EFI_ALLOCATE_ADDRESS) {
		assert_int_equal(*at, image.start);
		assert_int_equal(pages, (image.end - image.start) >> PAGE_SHIFT);
		return fw.image_taken ? EFI_ERROR | 14 : 0;
	}
	assert_int_equal(how, EFI_ALLOCATE_BELOW);
	assert_int_equal(*at, 4 * GIB - 1);
	assert_int_equal(pages << PAGE_SHIFT, sizeof(held.buffers));
	*at = (uint64_t)held.buffers;
	return 0;
}

/* It measures this itself, in the table only. */
static EFIAPI uint64_t exit_boot_services(uint64_t handle, uint64_t key)
{
	uint64_t events;

	assert_int_equal(handle, IMAGE_HANDLE);
	assert_int_equal(key, fw.maps);
	memcpy(&events, held.final + 8, 8);
	events++;
	memcpy(held.final + 8, &events, 8);
	put_event(&fw.final, 5, 29);
	return fw.exit_status[fw.exits++];
}

static EFIAPI uint64_t get_event_log(struct efi_tcg2 *tcg2, uint32_t format, uint64_t *at,
				     uint64_t *last, uint8_t *truncated)
{
	assert_ptr_equal(tcg2, &fw.tcg2);
	assert_int_equal(format, 2);
	if (fw.no_log)
		return EFI_ERROR | 3;
	*at = (uint64_t)held.log;
	*last = fw.last ? (uint64_t)held.log + fw.last : 0;
	*truncated = fw.truncated;
	return 0;
}

static EFIAPI uint64_t locate_protocol(const struct efi_guid *guid, void *registration,
				       void **interface)
{
	const struct efi_guid tcg2 = {EFI_GUID_TCG2};

	assert_null(registration);
	assert_memory_equal(guid, &tcg2, sizeof(tcg2));
	if (fw.no_tcg2)
		return EFI_ERROR | 14;
	*interface = &fw.tcg2;
	return 0;
}

static struct variable *variable(const uint16_t *name, const struct efi_guid *guid)
{
	struct variable *v = memcmp(guid, &fw.wipe.guid, sizeof(*guid)) ? &fw.lock : &fw.wipe;
	unsigned int i = 0;

	assert_int_equal(fw.exits, 0);
	assert_memory_equal(guid, &v->guid, sizeof(*guid));
	do
		assert_int_equal(name[i], v->name[i]);
	while (name[i++]);
	return v;
}

static EFIAPI uint64_t get_variable(const uint16_t *name, const struct efi_guid *guid,
				    uint32_t *attributes, uint64_t *bytes, void *data)
{
	const struct variable *v = variable(name, guid);
	uint64_t room = *bytes;

	if (!v->there)
		return NOT_FOUND;
	*bytes = v->bytes;
	if (room < v->bytes)
		return EFI_ERROR | 5;
	*attributes = v->attributes;
	memset(data, v->value, v->bytes);
	return 0;
}

static EFIAPI uint64_t set_variable(const uint16_t *name, const struct efi_guid *guid,
				    uint32_t attributes, uint64_t bytes, const void *data)
{
	struct variable *v = variable(name, guid);

	assert_true(v->there); /* it would be made, and mean nothing */
	assert_int_equal(attributes, 7);
	assert_int_equal(bytes, 1);
	fw.sets++;
	if (v->denied || fw.lock.value)
		return DENIED;
	if (!v->forgets)
		memcpy(&v->value, data, 1);
	return 0;
}

static void put_variables(void)
{
	fw.wipe = (struct variable){.name = u"MemoryOverwriteRequestControl",
				    .guid = {EFI_GUID_WIPE}};
	fw.lock = (struct variable){.name = u"MemoryOverwriteRequestControlLock",
				    .guid = {EFI_GUID_WIPE_LOCK}};
	fw.wipe.there = fw.lock.there = true;
	fw.wipe.attributes = fw.lock.attributes = 7;
	fw.wipe.bytes = fw.lock.bytes = 1;
	fw.runtime.head.signature = EFI_RUNTIME_SIGNATURE;
	fw.runtime.get_variable = get_variable;
	fw.runtime.set_variable = set_variable;
	fw.system.runtime = &fw.runtime;
}

static void put_info(void)
{
	const struct {
		uint32_t total, reserved;
		struct multiboot2_tag system;
		uint64_t system_at;
		struct multiboot2_tag services;
		struct multiboot2_tag handle;
		uint64_t handle_is;
		struct multiboot2_tag end;
	} mbi = {sizeof(mbi),
		 0,
		 {MB2_EFI64, 16},
		 (uint64_t)&fw.system,
		 {MB2_EFI_BOOT_SERVICES, 8},
		 {MB2_EFI64_IMAGE, 16},
		 IMAGE_HANDLE,
		 {MB2_END, 8}};

	ram_put(INFO, &mbi, sizeof(mbi));
}

static int setup(void **state)
{
	const struct efi_guid final = {EFI_GUID_FINAL_EVENTS}, acpi1 = {EFI_GUID_ACPI_1},
			      acpi2 = {EFI_GUID_ACPI_2};

	memset(&fw, 0, sizeof(fw));
	memset(&held, 0, sizeof(held));
	ram_all(false);
	put_info();
	put_variables();
	fw.stride = DESCRIPTOR;
	fw.boot.head.signature = EFI_BOOT_SIGNATURE;
	fw.boot.get_memory_map = get_memory_map;
	fw.boot.allocate_pages = allocate_pages;
	fw.boot.exit_boot_services = exit_boot_services;
	fw.boot.locate_protocol = locate_protocol;
	fw.tcg2.get_event_log = get_event_log;
	fw.system.head.signature = EFI_SYSTEM_SIGNATURE;
	fw.system.boot = &fw.boot;
	fw.system.table = held.table;
	fw.system.tables = 3;
	held.table[0] = (struct efi_table){final, (uint64_t)held.final};
	held.table[1] = (struct efi_table){acpi2, (uint64_t)held.acpi};
	held.table[2] = (struct efi_table){acpi1, (uint64_t)held.acpi + 64};
	memcpy(held.acpi, "RSD PTR 2", 9);
	memcpy(held.acpi + 64, "RSD PTR 1", 9);
	memory(EFI_BOOT_SERVICES_DATA, 0, PAGE_SIZE);
	memory(EFI_CONVENTIONAL, PAGE_SIZE, 0x9f000);
	memory(EFI_CONVENTIONAL, MIB, 5 * MIB);
	memory(EFI_LOADER_DATA, 6 * MIB, 2 * MIB);
	memory(EFI_BOOT_SERVICES_CODE, 8 * MIB, MIB);
	memory(EFI_ACPI_NVS, 9 * MIB, MIB);
	memory(EFI_ACPI_RECLAIM, 10 * MIB, MIB);
	memory(5, 11 * MIB, MIB);  /* runtime services */
	memory(0, 12 * MIB, MIB);  /* reserved */
	memory(15, 13 * MIB, MIB); /* not known to us */
	memory(EFI_UNUSABLE, 14 * MIB, MIB);
	memory(EFI_MMIO, 0xb0000000, MIB);
	memory(EFI_BOOT_SERVICES_DATA, (uint64_t)&held, ALIGN_UP(sizeof(held), PAGE_SIZE));

	fw.log.at = held.log;
	put_header(&fw.log);
	put_event(&fw.log, 0, 5);
	fw.last = fw.log.len;
	put_event(&fw.log, 4, 9);
	fw.final.at = held.final;
	put_final_head(&fw.final, 1);
	put_event(&fw.final, 4, 9); /* somebody else had asked for the log before */
	return 0;
}

static int boot(void)
{
	fw.exits = 0;
	efi_leave(HPA(INFO), image);
	why = "";
	return boot_parse(&info, MULTIBOOT2_BOOT_MAGIC, HPA(INFO), &why);
}

static void refused(int error, const char *text)
{
	assert_int_equal(boot(), error);
	if (!strstr(why, text))
		fail_msg("'%s' is not in '%s'", text, why);
}

/* It boots, and says why there is no log. */
static void no_log(const char *text)
{
	assert_int_equal(boot(), 0);
	assert_int_equal(fw.exits, 1);
	assert_int_equal(info.event_log.start, info.event_log.end);
	assert_non_null(info.no_event_log);
	if (!strstr(info.no_event_log, text))
		fail_msg("'%s' is not in '%s'", text, info.no_event_log);
}

static uint32_t type_at(uint64_t at)
{
	for (unsigned int i = 0; i < info.map.count; i++)
		if (at >= info.map.region[i].start && at < info.map.region[i].end)
			return info.map.region[i].type;
	return 0;
}

static void the_map_is_the_firmwares(void **state)
{
	assert_int_equal(boot(), 0);
	assert_true(memmap_is_sound(&info.map));
	assert_true(memmap_is_ram(&info.map, (struct range){0, 0xa0000}));
	assert_int_equal(type_at(0xa0000), 0);
	assert_int_equal(type_at(BOOT_LEGACY_START), REGION_RESERVED);
	assert_int_equal(type_at(BOOT_LEGACY_END - 1), REGION_RESERVED);
	assert_true(memmap_is_ram(&info.map, (struct range){MIB, 9 * MIB}));
	assert_int_equal(type_at(9 * MIB), REGION_NVS);
	assert_int_equal(type_at(10 * MIB), REGION_ACPI);
	for (uint64_t mib = 11; mib < 14; mib++)
		assert_int_equal(type_at(mib * MIB), REGION_RESERVED);
	assert_int_equal(type_at(14 * MIB), REGION_BAD);
	assert_int_equal(type_at(0xb0000000), REGION_RESERVED);
	assert_true(info.boot_services);
	assert_int_equal(info.efi_system_table, (uint64_t)&fw.system);
}

static void the_newer_root_pointer_is_taken(void **state)
{
	assert_int_equal(boot(), 0);
	assert_int_equal(info.rsdp_len, BOOT_RSDP_MAX);
	assert_memory_equal(info.rsdp, "RSD PTR 2", 9);
	fw.system.table[1].at = 0xb0000000; /* no memory */
	assert_int_equal(boot(), 0);
	assert_int_equal(info.rsdp_len, 20);
	assert_memory_equal(info.rsdp, "RSD PTR 1", 9);
}

static void the_log_ends_with_what_came_last(void **state)
{
	uint8_t want[1024];
	struct bytes b = {want, 0};

	put(&b, fw.log.at, fw.log.len);
	put_event(&b, 5, 29);
	assert_int_equal(boot(), 0);
	assert_int_equal(info.event_log.end - info.event_log.start, b.len);
	assert_memory_equal((void *)info.event_log.start, want, b.len);
}

static void a_stale_key_is_tried_once_more(void **state)
{
	fw.exit_status[0] = STALE;
	assert_int_equal(boot(), 0);
	assert_int_equal(fw.exits, 2);
	/* Both calls were measured. */
	assert_int_equal(info.event_log.end - info.event_log.start, fw.log.len + 2 * EVENT(29));
}

static void does_not_go_on_if_it_can_not_leave(void **state)
{
	fw.exit_status[0] = fw.exit_status[1] = STALE;
	refused(ERR_IO, "ExitBootServices");
	assert_int_equal(fw.exits, 2);
	setup(state);
	fw.exit_status[0] = EFI_ERROR | 3;
	refused(ERR_IO, "ExitBootServices");
	assert_int_equal(fw.exits, 1);
}

static void goes_on_without_a_log(void **state)
{
	fw.no_tcg2 = true;
	no_log("no TPM");
	setup(state);
	fw.no_log = true;
	no_log("no crypto-agile");
	setup(state);
	fw.truncated = true;
	no_log("cut off");
	setup(state);
	held.log[32] = 'x';
	no_log("no crypto-agile header");
	setup(state);
	fw.last++;
	no_log("malformed");
	setup(state);
	fw.system.tables = 0;
	no_log("no table of final");
	setup(state);
	held.final[0] = 7;
	no_log("final events are malformed");
	setup(state);
	held.table[0].at = 0x900000000000; /* in no memory */
	no_log("not in memory");
}

static void a_log_that_is_too_long_is_none(void **state)
{
	uint32_t left;

	while (fw.log.len + 2 * EVENT(100) <= EFI_LOG_MAX) {
		fw.last = fw.log.len;
		put_event(&fw.log, 0, 100);
	}
	left = EFI_LOG_MAX - fw.log.len;
	fw.last = fw.log.len;
	put_event(&fw.log, 0, left - EVENT(0)); /* to the last byte */
	no_log("longer than 256 KiB");          /* what comes at last does not fit */
	setup(state);
	while (fw.log.len <= EFI_LOG_MAX) {
		fw.last = fw.log.len;
		put_event(&fw.log, 0, 200);
	}
	no_log("longer than 256 KiB");
}

static void the_log_is_read_in_its_own_memory_only(void **state)
{
	/* The firmware's map has it end inside the last event. */
	fw.memory[fw.descriptors - 1].pages = 1;
	while (fw.log.len <= PAGE_SIZE) {
		fw.last = fw.log.len;
		put_event(&fw.log, 0, 200);
	}
	memory(EFI_BOOT_SERVICES_DATA, (uint64_t)held.final,
	       ALIGN_UP(sizeof(held) - sizeof(held.log), PAGE_SIZE));
	no_log("malformed");
}

static void memory_is_wiped_at_a_reset(void **state)
{
	assert_int_equal(boot(), 0);
	assert_true(info.wiped_at_reset);
	assert_int_equal(fw.wipe.value, 0x11);
	assert_int_equal(fw.lock.value, 1);
	assert_int_equal(fw.sets, 2);
	/* What counts is what it holds: somebody before us may have locked it so. */
	assert_int_equal(boot(), 0);
	assert_true(info.wiped_at_reset);
	assert_int_equal(fw.sets, 4);
}

/* It boots, with the request and the lock as they are then. */
static void not_wiped(uint8_t wipe, uint8_t lock)
{
	assert_int_equal(boot(), 0);
	assert_false(info.wiped_at_reset);
	assert_int_equal(fw.wipe.value, wipe);
	assert_int_equal(fw.lock.value, lock);
	assert_int_equal(fw.exits, 1);
	setup(NULL);
}

static void firmware_that_does_not_wipe_is_known(void **state)
{
	fw.wipe.there = false;
	not_wiped(0, 0);
	fw.wipe.denied = true;
	not_wiped(0, 0);
	fw.wipe.forgets = true;
	not_wiped(0, 0);
	fw.wipe.bytes = 2;
	not_wiped(0, 0);
	fw.wipe.attributes = 6; /* gone with the power, or before */
	not_wiped(0x11, 0);
	fw.system.runtime = NULL;
	not_wiped(0, 0);
	fw.runtime.head.signature++;
	not_wiped(0, 0);
}

/* The honest host's button is worth something without it, but L1's hand can be at the variable. */
static void a_wipe_that_can_be_taken_back_is_none(void **state)
{
	fw.lock.there = false;
	not_wiped(0x11, 0);
	fw.lock.denied = true;
	not_wiped(0x11, 0);
	fw.lock.forgets = true;
	not_wiped(0x11, 0);
	fw.wipe.value = 0x11;
	fw.lock.value = 2; /* by somebody's key */
	not_wiped(0x11, 2);
	fw.wipe.value = 1; /* but after an orderly shutdown */
	fw.lock.value = 1;
	not_wiped(1, 1);
}

static void a_place_that_the_firmware_uses_is_refused(void **state)
{
	fw.image_taken = true; /* by the loader, for us */
	assert_int_equal(boot(), 0);
	setup(state);
	fw.image_taken = true;
	fw.memory[3].type = EFI_BOOT_SERVICES_DATA;
	refused(ERR_FAULT, "6 to 8 MiB");
	assert_int_equal(fw.exits, 0);
}

static void refuses_other_tables(void **state)
{
	fw.system.head.signature++;
	refused(ERR_INVAL, "system table");
	setup(state);
	fw.boot.head.signature++;
	refused(ERR_INVAL, "system table");
	setup(state);
	fw.system.boot = NULL;
	refused(ERR_INVAL, "system table");
	setup(state);
	ram_put32(INFO + 8, 99); /* the tag that says where it is */
	refused(ERR_INVAL, "system table");
}

static void refuses_other_maps(void **state)
{
	fw.map_status = EFI_ERROR | 5;
	refused(ERR_2BIG, "memory map");
	setup(state);
	fw.stride = 39;
	refused(ERR_INVAL, "memory map");
	setup(state);
	while (fw.descriptors < DESCRIPTORS_MAX)
		memory(EFI_CONVENTIONAL, 5 * GIB, PAGE_SIZE);
	refused(ERR_2BIG, "memory map");
	setup(state);
	for (unsigned int i = 0; i < 200; i++)
		memory(EFI_CONVENTIONAL, 4 * GIB + i * MIB, PAGE_SIZE);
	refused(ERR_2BIG, "128 memory regions");
}

static void a_region_that_wraps_is_none(void **state)
{
	memory(EFI_CONVENTIONAL, UINT64_MAX - PAGE_SIZE + 1, 4 * PAGE_SIZE);
	assert_int_equal(boot(), 0);
	assert_int_equal(type_at(UINT64_MAX - 1), 0);
}

static void services_that_nobody_ended_are_refused(void **state)
{
	ram_put32(INFO, 8); /* no tags at all */
	efi_leave(HPA(INFO), image);
	put_info();
	assert_int_equal(boot_parse(&info, MULTIBOOT2_BOOT_MAGIC, HPA(INFO), &why), ERR_INVAL);
	assert_non_null(strstr(why, "no end"));
	assert_int_equal(fw.exits, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_map_is_the_firmwares, setup),
		cmocka_unit_test_setup(the_newer_root_pointer_is_taken, setup),
		cmocka_unit_test_setup(the_log_ends_with_what_came_last, setup),
		cmocka_unit_test_setup(a_stale_key_is_tried_once_more, setup),
		cmocka_unit_test_setup(does_not_go_on_if_it_can_not_leave, setup),
		cmocka_unit_test_setup(goes_on_without_a_log, setup),
		cmocka_unit_test_setup(a_log_that_is_too_long_is_none, setup),
		cmocka_unit_test_setup(the_log_is_read_in_its_own_memory_only, setup),
		cmocka_unit_test_setup(memory_is_wiped_at_a_reset, setup),
		cmocka_unit_test_setup(firmware_that_does_not_wipe_is_known, setup),
		cmocka_unit_test_setup(a_wipe_that_can_be_taken_back_is_none, setup),
		cmocka_unit_test_setup(a_place_that_the_firmware_uses_is_refused, setup),
		cmocka_unit_test_setup(refuses_other_tables, setup),
		cmocka_unit_test_setup(refuses_other_maps, setup),
		cmocka_unit_test_setup(a_region_that_wraps_is_none, setup),
		cmocka_unit_test_setup(services_that_nobody_ended_are_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
