/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tboot, which may have started the monitor: whether it did and in which way, what a kernel that it
 * starts owes to it, and the way back through it. docs/tboot.md says what this is for.
 */
#ifndef MONITOR_BOOT_TBOOT_H
#define MONITOR_BOOT_TBOOT_H

#include "monitor/boot/boot.h"
#include "monitor/boot/txt.h"

/* Worse than FELL_THROUGH is only BROKEN: keys may depend on MEASURED alone. */
enum tboot_state {
	TBOOT_NONE,         /* no trace of tboot */
	TBOOT_FELL_THROUGH, /* tboot started the monitor without a TXT launch */
	TBOOT_MEASURED,     /* TXT launch; what it left in memory and registers is sound */
	TBOOT_BROKEN,       /* one was claimed, and something of it is not as it must be */
};

#define TBOOT_KEPT_MAX 6

struct tboot {
	enum tboot_state state;
	const char *why; /* TBOOT_BROKEN: what is wrong */
	/* The rest is set for TBOOT_MEASURED only. */
	hpa_t shared;     /* tboot's page for the kernel it starts */
	uint32_t version; /* of that page */
	uint32_t shutdown_entry;
	bool wakes; /* CPUs wait for a store, not for INIT and SIPI */
	struct txt_memory txt;
	unsigned int kept_count;
	struct range kept[TBOOT_KEPT_MAX]; /* page-aligned; not for L1 */
};

/* As bytes in memory, without the terminating zero. */
#define TBOOT_UUID_SIZE 16
#define TBOOT_SHARED_UUID "\xff\x8d\x3c\x66\xb3\xe8\x82\x4b\xbf\xaa\x19\xea\x4d\x05\x7a\x08"
#define TBOOT_LOG_UUID "\x26\x25\x19\xc0\x30\x6b\xb4\x4d\x4c\x84\xa3\xe9\x53\xb8\x81\x74"

/* The shared page's contents (tboot's include/tboot.h, version 6), little-endian. */
struct tboot_shared {
	uint8_t uuid[TBOOT_UUID_SIZE];
	uint32_t version;
	uint32_t log_addr; /* 0 or the memory log's address */
	uint32_t shutdown_entry;
	uint32_t shutdown_type;
	uint8_t acpi_sleep[72];
	uint32_t tboot_base;
	uint32_t tboot_size;
	uint8_t mac_count; /* up to here versions 3 to 5 */
	uint8_t mac_regions[32 * 12];
	uint8_t s3_key[64];
	uint8_t reserved[3];
	uint32_t num_in_wfs;
	uint32_t flags;
	uint64_t ap_wake_addr;
	uint32_t ap_wake_trigger;
} __attribute__((packed));

_Static_assert(offsetof(struct tboot_shared, tboot_base) == 104, "tboot's shared page");
_Static_assert(offsetof(struct tboot_shared, num_in_wfs) == 564, "tboot's shared page");
_Static_assert(sizeof(struct tboot_shared) == 584, "tboot's shared page");

#define TBOOT_LOG_ADDR 0x60000u /* tboot's include/config.h */
#define TBOOT_LOG_SIZE 0x8000u
#define TBOOT_WAKES (1u << 0) /* tboot_shared.flags */

/*
 * Finds out, after boot_parse() and before memory is handed out: for a measured launch, takes what
 * must be kept out of info->map. Returns 0 whatever was found, or ERR_2BIG with *why set when the
 * map has no room; then it must not be used.
 */
int tboot_find(struct boot_info *info, const char **why);

/* What was found. */
const struct tboot *tboot_found(void);

/* Says it in the log: one line. */
void tboot_log(void);

/*
 * Starts a CPU in real mode at vector (below 1 MiB, page-aligned), if tboot holds it: true. False:
 * INIT and SIPI are the way, after a TXT launch too.
 */
bool tboot_wake(uint32_t apic_id, hpa_t vector);

/*
 * The machine is to be reset. After a measured launch tboot must do it: it clears SECRETS, leaves
 * TXT and resets. Then this does not return; otherwise it does at once. On the boot CPU only, all
 * other CPUs halted, and no CPU in the virtualization extension's root mode.
 */
void tboot_reset(void);

#endif
