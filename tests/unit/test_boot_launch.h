/* SPDX-License-Identifier: Apache-2.0 */
/* What tboot and TXT leave after a launch, made by hand: shared page, registers, heap, map. */
#ifndef TESTS_UNIT_TEST_BOOT_LAUNCH_H
#define TESTS_UNIT_TEST_BOOT_LAUNCH_H

#include "monitor/boot/tboot.h"
#include "monitor/boot/txt.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "tests/unit/test_boot_ram.h"

/* tboot 1.10.5's own addresses; its size is cut to fit below the rest. */
#define SELF_AT 0x804000u
#define SELF_SIZE 0x1c86d54u
#define SHARED_AT 0x2473000u
#define ENTRY_AT 0x8041d0u

#define HEAP_AT 0x3f00000u
#define HEAP_SIZE 0xe0000u
#define SINIT_AT 0x3ee0000u
#define SINIT_SIZE 0x20000u

/* The heap's parts, one behind the other: sizes with the size field. */
#define BIOS_SIZE 36u
#define LOADER_SIZE 0x2000u
#define OS_SINIT_SIZE (100u + 28 + 8) /* version 6 and its two elements: the log's, the end */
#define MDRS_AT 152u
#define MDR_COUNT 3u
#define DMAR_AT (MDRS_AT + MDR_COUNT * 24)
#define DMAR_SIZE 0x70u
#define SINIT_PART_SIZE (DMAR_AT + DMAR_SIZE)
#define LOADER_AT (HEAP_AT + BIOS_SIZE)
#define OS_SINIT_AT (LOADER_AT + LOADER_SIZE)
#define SINIT_PART_AT (OS_SINIT_AT + OS_SINIT_SIZE)
#define HEAP_USED (SINIT_PART_AT + SINIT_PART_SIZE - HEAP_AT)
/* From the part's size field: C.5. */
#define MDR_COUNT_FIELD (SINIT_PART_AT + 136)
#define MDR_OFFSET_FIELD (SINIT_PART_AT + 140)
#define DMAR_SIZE_FIELD (SINIT_PART_AT + 144)
#define DMAR_OFFSET_FIELD (SINIT_PART_AT + 148)

/* From the part's size field: C.4, its first element; and where tboot has SINIT put the log. */
#define ELEMENT_AT (OS_SINIT_AT + 100)
#define END_AT (ELEMENT_AT + 28)
#define TXT_LOG_AT (LOADER_AT + 0x128)
#define TXT_LOG_ALLOCATED 0x1000u
#define TXT_LOG_HEADER 69u
#define TXT_LOG_EVENT (12u + 22 + 34 + 4)
#define TXT_LOG_BYTES (TXT_LOG_HEADER + 5 * TXT_LOG_EVENT + 1)

#define REG_STS 0x000u
#define REG_SINIT_BASE 0x270u
#define REG_SINIT_SIZE 0x278u
#define REG_HEAP_BASE 0x300u
#define REG_HEAP_SIZE 0x308u
#define REG_E2STS 0x8f0u

static inline void put_reg(unsigned int offset, uint64_t value)
{
	*(uint64_t *)mem_at(HPA(TXT_PUBLIC + offset)) = value;
}

static inline void put_part(uint64_t at, uint64_t size, uint32_t version)
{
	ram_put(at, &size, sizeof(size));
	ram_put32(at + 8, version);
}

/* HEAP_EVENT_LOG_POINTER_ELEMENT2_1 */
static inline void put_log_pointer(uint64_t log, uint32_t allocated, uint32_t first, uint32_t next)
{
	ram_put32(ELEMENT_AT, 8);
	ram_put32(ELEMENT_AT + 4, 28);
	ram_put(ELEMENT_AT + 8, &log, sizeof(log));
	ram_put32(ELEMENT_AT + 16, allocated);
	ram_put32(ELEMENT_AT + 20, first);
	ram_put32(ELEMENT_AT + 24, next);
	ram_put32(END_AT, 0);
	ram_put32(END_AT + 4, 8);
}

/* An event without data, in the SHA-1 and SHA-256 banks. */
static inline void put_txt_event(unsigned int n, uint32_t pcr, uint32_t type, uint8_t digest)
{
	uint64_t at = TXT_LOG_AT + TXT_LOG_HEADER + n * TXT_LOG_EVENT;

	ram_put32(at, pcr);
	ram_put32(at + 4, type);
	ram_put32(at + 8, 2);
	ram_put32(at + 12, 4);
	memset(&ram[at + 14], digest, 20);
	ram_put32(at + 34, 11);
	memset(&ram[at + 36], digest, 32);
	ram_put32(at + 68, 0);
}

/* By the tables of the PC Client Platform Firmware Profile, 10.4.5.1 and 10.2.2, and the guide's list of events. */
static inline void put_txt_log(void)
{
	static const uint8_t header[TXT_LOG_HEADER] = {
		[4] = 3, [28] = 37, [32] = 'S', 'p',      'e',      'c',       ' ',       'I',
		'D',     ' ',       'E',        'v',      'e',      'n',       't',       '0',
		'3',     [53] = 2,  [55] = 2,   [56] = 2, [60] = 4, [62] = 20, [64] = 11, [66] = 32,
	};

	memset(&ram[TXT_LOG_AT], 0, TXT_LOG_ALLOCATED);
	ram_put(TXT_LOG_AT, header, sizeof(header));
	put_txt_event(0, 0xff, 0x401, 0);  /* which PCRs are used: it tells, and extends none */
	put_txt_event(1, 17, 0x402, 0x11); /* HASH_START */
	put_txt_event(2, 17, 0x404, 0x22); /* MLE_HASH */
	put_txt_event(3, 18, 0x410, 0x33); /* SINIT_PUBKEY_HASH */
	put_txt_event(4, 18, 0x501, 0x44); /* tboot's own */
	ram_put32(TXT_LOG_AT + TXT_LOG_BYTES - 5, 1);
	ram[TXT_LOG_AT + TXT_LOG_BYTES - 1] = 0x5a;
	put_log_pointer(TXT_LOG_AT, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES);
}

static inline void put_heap(void)
{
	put_part(HEAP_AT, BIOS_SIZE, 4);
	put_part(LOADER_AT, LOADER_SIZE, 3);
	put_part(OS_SINIT_AT, OS_SINIT_SIZE, 7);
	put_part(SINIT_PART_AT, SINIT_PART_SIZE, 9);
	ram_put32(MDR_COUNT_FIELD, MDR_COUNT);
	ram_put32(MDR_OFFSET_FIELD, MDRS_AT);
	ram_put32(DMAR_SIZE_FIELD, DMAR_SIZE);
	ram_put32(DMAR_OFFSET_FIELD, DMAR_AT);
	put_txt_log();
}

/* As txt-stat prints them on machines after a launch. */
static inline void put_registers(void)
{
	put_reg(REG_STS, 0x18091);
	put_reg(REG_E2STS, 0x2);
	put_reg(REG_HEAP_BASE, HEAP_AT);
	put_reg(REG_HEAP_SIZE, HEAP_SIZE);
	put_reg(REG_SINIT_BASE, SINIT_AT);
	put_reg(REG_SINIT_SIZE, SINIT_SIZE);
}

static inline struct tboot_shared launch_shared(void)
{
	return (struct tboot_shared){
		.uuid = TBOOT_SHARED_UUID,
		.version = 6,
		.log_addr = TBOOT_LOG_ADDR,
		.shutdown_entry = ENTRY_AT,
		.tboot_base = SELF_AT,
		.tboot_size = SELF_SIZE,
		.num_in_wfs = 3,
	};
}

static inline void put_shared(const struct tboot_shared *shared)
{
	ram_put(SHARED_AT, shared, sizeof(*shared));
}

/* The monitor's command line and the map that tboot hands over; one module, low. */
static inline void put_info(struct boot_info *info, const char *cmdline)
{
	memset(info, 0, sizeof(*info));
	info->cmdline = 1;
	info->strings_len = (uint32_t)strlen(cmdline) + 2;
	memcpy(&info->strings[1], cmdline, strlen(cmdline) + 1);
	memmap_add(&info->map, 0, TBOOT_LOG_ADDR, REGION_RAM);
	memmap_add(&info->map, TBOOT_LOG_ADDR, TBOOT_LOG_SIZE, REGION_RESERVED);
	memmap_add(&info->map, TBOOT_LOG_ADDR + TBOOT_LOG_SIZE, 0x37c00, REGION_RAM);
	memmap_add(&info->map, MIB, RAM_BYTES - MIB, REGION_RAM);
	info->module_count = 1;
	info->module[0].at = (struct range){0x2c00000, 0x2d00123};
}

/* A machine after a launch: RAM as in test_boot_ram.h, and what mem_at() sees beside it. */
static inline void put_launch(struct boot_info *info)
{
	struct tboot_shared shared = launch_shared();

	fake_reset();
	fake_add_device(HPA(TXT_PUBLIC), PAGE_SIZE);
	fake_add_device(HPA(SHARED_AT), PAGE_SIZE);
	put_registers();
	put_heap();
	put_shared(&shared);
	put_info(info, "nethervisor tboot=0x2473000");
}

#endif
