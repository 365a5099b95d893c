/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/measure.h"

#include "attest/eventlog.h"
#include "attest/tpm.h"
#include "crypto/sha256.h"
#include "ept/host.h"
#include "monitor/anchor.h"
#include "monitor/boot/acpi.h"
#include "monitor/boot/tboot.h"
#include "monitor/boot/tpm2.h"
#include "monitor/boot/txt.h"
#include "monitor/hw.h"
#include "monitor/iommu/iommu.h"
#include "monitor/keys/keys.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/panic.h"
#include "monitor/platform.h"
#include "monitor/tpm_io.h"

#define PCRS (1u << MEASURED_PCR_LOADED | 1u << MEASURED_PCR_KEYS)
#define HEX_TEXT "sha256:"

/* Modules and their command lines, what is measured once, and with each its digests in all banks. */
#define EVENTS_MAX (2 * BOOT_MODULES_MAX + 8)
#define EVENT_BYTES (MEASURED_EVENT_MAX + 16 + FIRMWARELOG_BANKS_MAX * (2 + TPM_DIGEST_MAX))
#define LOG_PAGES \
	(ALIGN_UP(EVENTLOG_FIRMWARE_MAX + EVENTS_MAX * EVENT_BYTES, PAGE_SIZE) >> PAGE_SHIFT)
#define TXT_LOG_PAGES 8 /* tboot 1.10.5 gives SINIT two */

_Static_assert(MEASURED_EVENT_MAX <= TPM_EVENT_MAX, "the TPM's driver takes an event");

static struct {
	struct tpm tpm;
	struct eventlog *log;
	struct acpi_table table; /* ACPI's TPM2 */
	bool listed;
	uint64_t control;
	bool open;   /* the TPM is ours */
	bool failed; /* something is missing, in a PCR or in the log */
	bool keys;
} measure;

/*
 * L1 gets none of the TPM's localities but 0: those above can abort a command, and reset PCRs (17 to 22). Nor a TPM that was not measured
 * into, all of it: L1 would measure into it itself, as a monitor whose keys it has. Its table goes, too, so that dom0's driver does not
 * look for it.
 */
static void close_to_l1(bool all)
{
	uint64_t first = all || !measure.tpm.locality ? TPM_LOCALITY_0 : TPM_LOCALITY_1;
	uint64_t control = ALIGN_DOWN(measure.control, PAGE_SIZE);
	int err = host_set(HPA(first), TPM_LOCALITY_END - first, 0);

	if (!err && all && control && control < mem_top())
		err = host_set(HPA(control), PAGE_SIZE, 0);
	if (err)
		die("no room to keep the TPM from L1: raise BLOCK_FIXED in mem.c");
	if (all && measure.listed)
		acpi_hide(&measure.table);
}

static void give_up(const char *why)
{
	measure.failed = true;
	log_line(
		"TPM: %s (response %x): what runs here is not vouched for, and no key can be released",
		why, measure.tpm.code);
}

/* An event of both parts, one behind the other, into the PCR and the log. */
static void event(enum measured_id id, const void *a, uint32_t a_bytes, const void *b,
		  uint32_t b_bytes)
{
	uint32_t pcr = id < MEASURED_KEYS ? MEASURED_PCR_LOADED : MEASURED_PCR_KEYS;
	struct measured_head head = {id, a_bytes + b_bytes};
	uint8_t data[MEASURED_EVENT_MAX];
	struct tpm_digests digests;
	const char *why;
	uint32_t n = sizeof(head) + head.bytes;

	ASSERT(n <= sizeof(data));
	memcpy(data, &head, sizeof(head));
	memcpy(data + sizeof(head), a, a_bytes);
	memcpy(data + sizeof(head) + a_bytes, b, b_bytes);
	if (tpm_event(&measure.tpm, pcr, data, n, &digests, &why))
		give_up(why);
	else if (eventlog_add(measure.log, pcr, MEASURED_EVENT_TYPE, &digests, data, n))
		give_up("the event log is full");
}

/* The same, unless something is missing already: what comes after a gap would vouch for nothing. */
static void measured(enum measured_id id, const void *a, uint32_t a_bytes, const void *b,
		     uint32_t b_bytes)
{
	if (measure.open && !measure.failed)
		event(id, a, a_bytes, b, b_bytes);
}

/* To be measured as it is. Else its hash is: of what is long, and of what could be taken for a hash. */
static bool is_plain(const char *text)
{
	size_t i = 0;

	while (HEX_TEXT[i] && text[i] == HEX_TEXT[i])
		i++;
	return HEX_TEXT[i] && strlen(text) <= MEASURED_STRING_MAX;
}

static void measured_string(enum measured_id id, const void *a, uint32_t a_bytes, const char *text)
{
	char digits[sizeof(HEX_TEXT) + 2 * CRYPTO_SHA256_BYTES] = HEX_TEXT;
	uint8_t digest[CRYPTO_SHA256_BYTES];
	size_t n = strlen(text);

	if (!is_plain(text)) {
		crypto_sha256(text, n, digest);
		n = strlen(HEX_TEXT);
		for (unsigned int i = 0; i < sizeof(digest); i++, n += 2)
			snprintf(digits + n, sizeof(digits) - n, "%02x", digest[i]);
		text = digits;
	}
	measured(id, a, a_bytes, text, (uint32_t)n);
}

static void measured_module(const struct boot_info *info, uint32_t number)
{
	const struct boot_module *module = &info->module[number];
	struct measured_module m = {.number = number, .bytes = module->at.end - module->at.start};
	const void *bytes = m.bytes ? boot_mem(HPA(module->at.start), m.bytes) : "";

	if (!bytes) {
		give_up("a module can not be read");
		return;
	}
	crypto_sha256(bytes, m.bytes, m.sha256);
	measured(MEASURED_MODULE, &m, sizeof(m), "", 0);
	measured_string(MEASURED_CMDLINE, &number, sizeof(number),
			boot_string(info, module->cmdline));
}

void measure_loaded(const struct boot_info *info)
{
	struct measured_platform platform = {iommu_count(), (uint32_t)iommu_flags(),
					     (uint32_t)platform_report().open};
	uint32_t tboot = tboot_found()->state;
	char text[80];
	int n = snprintf(text, sizeof(text), "nethervisor %s %s", keys_version, hw_name);

	if (!measure.open)
		return;
	measured(MEASURED_MONITOR, text, (uint32_t)n, "", 0);
	measured_string(MEASURED_OPTIONS, "", 0, boot_string(info, info->cmdline));
	measured(MEASURED_TBOOT, &tboot, sizeof(tboot), "", 0);
	measured(MEASURED_PLATFORM, &platform, sizeof(platform), "", 0);
	for (unsigned int i = 0; i < info->module_count; i++)
		measured_module(info, i);
	measured(MEASURED_LOADED_END, "", 0, "", 0);
}

void measure_keys(const struct measured_keys *keys)
{
	measured(MEASURED_KEYS, keys, sizeof(*keys), "", 0);
	measure.keys = measure.open && !measure.failed;
}

void measure_end(void)
{
	if (!measure.open)
		return;
	anchor_learn(&measure.tpm);
	if (measure.failed)
		event(MEASURED_LOADED_END, "", 0, "", 0);
	event(MEASURED_KEYS_END, "", 0, "", 0);
	tpm_close(&measure.tpm);
	measure.open = false;
	if (measure.failed)
		close_to_l1(true);
	if (measure.keys && !measure.failed)
		measure_complete();
	if (!measure.failed)
		log_line("TPM: measured into PCRs %u and %u%s", MEASURED_PCR_LOADED,
			 MEASURED_PCR_KEYS, measure.keys ? "" : ", without keys");
}

/* The firmware's log, as the boot loader or ACPI names it, to our buffer; false, with *why: none that can be continued. */
static bool firmware_log(const struct boot_info *info, const struct tpm2 *tpm2, const char **why)
{
	struct range at = info->event_log.end ? info->event_log : tpm2->event_log;
	uint64_t n = at.end - at.start;

	*why = "the firmware names none";
	if (at.end <= at.start)
		return false;
	*why = "it lies outside of memory, or is too long";
	if (n > EVENTLOG_FIRMWARE_MAX || boot_read(measure.log->bytes, HPA(at.start), n))
		return false;
	return !eventlog_continue(measure.log, (uint32_t)n, why);
}

static void start_log(const struct boot_info *info, const struct tpm2 *tpm2)
{
	const char *why;

	measure.log = measure_events();
	measure.log->bytes = mem_pages(LOG_PAGES);
	measure.log->size = LOG_PAGES * PAGE_SIZE;
	if (firmware_log(info, tpm2, &why))
		return;
	log_line("TPM: no event log of the firmware's: %s", why);
	memset(measure.log->bytes, 0, measure.log->size);
	if (eventlog_begin(measure.log, &measure.tpm))
		give_up("the event log is full");
}

/* Out of the heap, which L1 will not reach. */
static void take_txt_log(void)
{
	struct eventlog *log = measure_txt_events();
	const char *why;

	if (tboot_found()->state != TBOOT_MEASURED)
		return;
	log->bytes = mem_pages(TXT_LOG_PAGES);
	log->size = TXT_LOG_PAGES * PAGE_SIZE;
	if (txt_log_read(&tboot_found()->txt, log, &why))
		log_line("TPM: no event log of the TXT launch: %s", why);
	else
		log_line("TPM: the TXT launch's event log has %u bytes", log->used);
}

void measure_start(const struct boot_info *info)
{
	const char *why = NULL, *ignored;
	struct tpm2 tpm2;
	int err = tpm2_parse(&tpm2, info, &why);

	tpm_io_init(&info->map);
	measure.listed = !acpi_find(&measure.table, info, "TPM2", &ignored);
	measure.control = tpm2.control;
	if (!err || err == ERR_NOENT)
		err = tpm_open(&measure.tpm, tpm2.control, PCRS, &why);
	close_to_l1(err);
	if (err) {
		log_line("no TPM: %s (response %x): no key can be released to this monitor", why,
			 measure.tpm.code);
		return;
	}
	measure.open = true;
	if (measure.tpm.started)
		log_line("TPM: the firmware had not started it, and so measured nothing");
	start_log(info, &tpm2);
	take_txt_log();
}
