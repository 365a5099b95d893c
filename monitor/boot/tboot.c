/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/tboot.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"

#define VERSION_MIN 6              /* the first with ap_wake_*; of 2010 */
#define BELOW_BASE (4 * PAGE_SIZE) /* multiboot header and MLE page tables: linked before _start */
#define SHUTDOWN_REACH GIB         /* what monitor/boot/tboot_exit.c maps */

static struct tboot tboot;

/* The value of the last "tboot=" in the monitor's command line: tboot appends its own. */
static const char *find_claim(const char *s)
{
	static const char name[] = "tboot=";
	const char *claim = NULL;

	for (bool word = true; *s; s++) {
		size_t i = 0;

		while (name[i] && s[i] == name[i])
			i++;
		if (word && !name[i])
			claim = s + i;
		word = *s == ' ' || *s == '\t';
	}
	return claim;
}

static unsigned int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/* "0x" and 1 to 8 digits, as tboot prints its pointers; 0 if it is anything else. */
static hpa_t parse_address(const char *s)
{
	uint64_t value = 0;
	unsigned int i = 2;

	if (s[0] != '0' || s[1] != 'x')
		return HPA(0);
	for (; hex_digit(s[i]) < 16; i++) {
		if (i == 10)
			return HPA(0);
		value = value << 4 | hex_digit(s[i]);
	}
	return HPA(s[i] == '\0' || s[i] == ' ' || s[i] == '\t' ? value : 0);
}

static bool is_inside(uint64_t addr, struct range range)
{
	return addr >= range.start && addr < range.end;
}

static void keep(struct range range)
{
	ASSERT(tboot.kept_count < TBOOT_KEPT_MAX);
	tboot.kept[tboot.kept_count++] = range;
}

static int check_shared(const struct tboot_shared *shared, const char **why)
{
	struct range self = {shared->tboot_base, (uint64_t)shared->tboot_base + shared->tboot_size};
	struct range log = {shared->log_addr, (uint64_t)shared->log_addr + TBOOT_LOG_SIZE};

	if (memcmp(shared->uuid, TBOOT_SHARED_UUID, TBOOT_UUID_SIZE))
		return boot_refuse(ERR_INVAL, why, "its address leads to no shared page");
	if (shared->version < VERSION_MIN)
		return boot_refuse(ERR_NOSYS, why, "tboot is too old: its page is below version 6");
	if (page_offset(self.start) || self.start < MIB + BELOW_BASE || self.end > SHUTDOWN_REACH ||
	    !is_inside(tboot.shared.a, self) || !is_inside(shared->shutdown_entry, self))
		return boot_refuse(ERR_INVAL, why, "the shared page is inconsistent");
	if (page_offset(log.start) || log.end > 4 * GIB)
		return boot_refuse(ERR_INVAL, why, "the memory log's address is wrong");
	tboot.version = shared->version;
	tboot.shutdown_entry = shared->shutdown_entry;
	tboot.wakes = shared->flags & TBOOT_WAKES;
	keep((struct range){self.start - BELOW_BASE, ALIGN_UP(self.end, PAGE_SIZE)});
	if (log.start)
		keep(log);
	return 0;
}

/* Everything that a launch must have left, in one copy each. */
static int check_launch(const char *claim, const char **why)
{
	struct tboot_shared shared;
	int err;

	tboot.shared = parse_address(claim);
	if (!tboot.shared.a || page_offset(tboot.shared.a) ||
	    boot_read(&shared, tboot.shared, sizeof(shared)))
		return boot_refuse(ERR_INVAL, why, "tboot= names no page of memory");
	err = check_shared(&shared, why);
	if (!err)
		err = txt_check(&tboot.txt, why);
	if (err)
		return err;
	keep(tboot.txt.heap);
	keep(tboot.txt.sinit);
	return 0;
}

static bool modules_apart(const struct boot_info *info)
{
	for (unsigned int i = 0; i < info->module_count; i++)
		for (unsigned int j = 0; j < tboot.kept_count; j++)
			if (range_overlaps(info->module[i].at, tboot.kept[j]))
				return false;
	return true;
}

/* Without TXT tboot tells its kernel nothing; but the log it was asked for stays, reserved. */
static bool left_a_log(const struct boot_info *info)
{
	uint8_t found[TBOOT_UUID_SIZE];

	return memmap_ram_end(&info->map, TBOOT_LOG_ADDR) == TBOOT_LOG_ADDR &&
	       !boot_read(found, HPA(TBOOT_LOG_ADDR), sizeof(found)) &&
	       !memcmp(found, TBOOT_LOG_UUID, sizeof(found));
}

static int take_out_of_map(struct memmap *map, const char **why)
{
	for (unsigned int i = 0; i < tboot.kept_count; i++) {
		struct range r = tboot.kept[i];

		if (memmap_add(map, r.start, r.end - r.start, REGION_RESERVED))
			return boot_refuse(ERR_2BIG, why, "more than 128 memory regions");
	}
	return 0;
}

int tboot_find(struct boot_info *info, const char **why)
{
	const char *claim = find_claim(boot_string(info, info->cmdline));
	int err = 0;

	memset(&tboot, 0, sizeof(tboot));
	if (!claim) {
		tboot.state = left_a_log(info) ? TBOOT_FELL_THROUGH : TBOOT_NONE;
		return 0;
	}
	err = check_launch(claim, &tboot.why);
	if (!err && !modules_apart(info))
		err = boot_refuse(ERR_INVAL, &tboot.why, "a module lies in memory to be kept");
	if (err) {
		tboot = (struct tboot){.state = TBOOT_BROKEN, .why = tboot.why};
		return 0;
	}
	tboot.state = TBOOT_MEASURED;
	err = take_out_of_map(&info->map, why);
	keep((struct range){TXT_PRIVATE, TXT_PRIVATE + TXT_REGISTERS_SIZE});
	keep((struct range){TPM_LOCALITY_1, TPM_LOCALITY_END});
	return err;
}

const struct tboot *tboot_found(void)
{
	return &tboot;
}

void tboot_log(void)
{
	switch (tboot.state) {
	case TBOOT_NONE:
		log_line("tboot: not in this boot: no TXT launch");
		break;
	case TBOOT_FELL_THROUGH:
		log_line("tboot: it started the monitor, but without a TXT launch");
		break;
	case TBOOT_MEASURED:
		log_line("tboot: TXT launch; shared page version %u at %lx, CPUs wait for %s",
			 tboot.version, tboot.shared.a, tboot.wakes ? "a store" : "INIT and SIPI");
		break;
	case TBOOT_BROKEN:
		log_line("tboot: a TXT launch is claimed, but %s: the chain of trust is broken",
			 tboot.why);
		break;
	}
}

bool tboot_wake(uint32_t apic_id, hpa_t vector)
{
	volatile struct tboot_shared *shared;

	if (!tboot.wakes)
		return false;
	shared = mem_at(tboot.shared);
	shared->ap_wake_addr = vector.a;
	shared->ap_wake_trigger = apic_id; /* after the address: the CPU may go at once */
	return true;
}
