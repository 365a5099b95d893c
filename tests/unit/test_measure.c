/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured, with a real TPM: the PCRs that it holds are those that the log leads to. */
#define RAM_SIZE (8 * MIB)
#define BLOCK (16 * MIB)
#define BLOCK_SIZE (4 * MIB)
#include "tests/unit/test_machine.h"

#include "attest/eventlog.h"
#include "crypto/sha256.h"
#include "monitor/boot/txt.h"
#include "monitor/measure.h"
#include "monitor/tpm_io.h"
#include "tests/unit/test_boot_launch.h"
#include "tests/unit/test_boot_tables.h"
#include "tests/unit/test_tpm_real.h"

#define TPM2_TABLE 0x3e02000u
#define FIRMWARE_LOG 0x3000000u
#define KERNEL_AT 0x200000u
#define KERNEL_BYTES 100001u
#define MODULE_AT 0x300000u
#define LOG_MAX 65536u

static struct boot_info info;
static uint8_t log_bytes[LOG_MAX];
static uint64_t log_size, said;
static const struct measured_keys keys = {.receive = {1, 2, 3}, .sign = {4, 5, [63] = 6}};

void tpm_io_init(const struct memmap *map)
{
}

static boot_string_t text(const char *s)
{
	uint32_t at = info.strings_len;

	memcpy(&info.strings[at], s, strlen(s) + 1);
	info.strings_len += (uint32_t)strlen(s) + 1;
	return at;
}

static void put_tpm2(uint32_t method, uint64_t control, uint64_t log, uint32_t bytes)
{
	uint8_t body[40] = {0};

	memcpy(body + 4, &control, 8);
	memcpy(body + 12, &method, 4);
	memcpy(body + 28, &bytes, 4);
	memcpy(body + 32, &log, 8);
	table_put(TPM2_TABLE, "TPM2", body, TABLE_HEADER + sizeof(body));
	tables_root(TPM2_TABLE);
}

/* A kernel and a module as they may be after l1_load(). */
static void start(enum model_kind kind)
{
	machine(1);
	assert_int_equal(crypto_init(&(const char *){NULL}), 0);
	said = log_end();
	ram_all(false);
	memset(&info, 0, sizeof(info));
	info.strings_len = 1;
	info.cmdline = text("nethervisor.elf");
	memmap_add(&info.map, 0, 64 * MIB, REGION_RAM);
	for (uint32_t i = 0; i < KERNEL_BYTES; i++)
		ram[KERNEL_AT + i] = (uint8_t)(i * 7 + (i >> 8));
	memset(&ram[MODULE_AT], 0x5a, 4096);
	info.module_count = 2;
	info.module[0].at = (struct range){KERNEL_AT, KERNEL_AT + KERNEL_BYTES};
	info.module[0].cmdline = text("console=com1");
	info.module[1].at = (struct range){MODULE_AT, MODULE_AT + 4096};
	info.module[1].cmdline = text("root=/dev/vda");
	put_tpm2(6, 0, 0, 0);
	if (kind)
		real_start(kind);
	else
		model_reset(kind);
}

static void read_log(void)
{
	int64_t n;

	log_size = 0;
	do {
		n = measure_log(log_bytes + log_size, log_size, 1000, &said);
		assert_true(n >= 0);
		log_size += (uint64_t)n;
	} while (n);
	assert_int_equal(log_size, said);
}

static uint32_t log32(uint32_t at)
{
	uint32_t value;

	memcpy(&value, log_bytes + at, sizeof(value));
	return value;
}

/*
 * Walks the log and extends as the TPM does. Returns how many events have this PCR; of the n-th of them *data is the data. All digests
 * that we can compute are right.
 */
static unsigned int replay(uint32_t pcr, uint8_t value[32], unsigned int n, const uint8_t **data,
			   uint32_t *bytes)
{
	uint32_t at = 32 + log32(28), count = 0;

	memset(value, 0, 32);
	while (at < log_size) {
		uint32_t of = log32(at), type = log32(at + 4), banks = log32(at + 8), size;
		uint8_t both[64], sha256[32], found[32] = {0};

		at += 12;
		while (banks--) {
			uint16_t algorithm = (uint16_t)log32(at);

			if (algorithm == 11)
				memcpy(found, log_bytes + at + 2, 32);
			at += 2 + tpm_digest_bytes(algorithm);
		}
		size = log32(at);
		at += 4;
		if (of == pcr && type != 3) {
			crypto_sha256(log_bytes + at, size, sha256);
			if (pcr > 9)
				assert_memory_equal(sha256, found, 32);
			memcpy(both, value, 32);
			memcpy(both + 32, found, 32);
			crypto_sha256(both, 64, value);
			if (count++ == n) {
				*data = log_bytes + at;
				*bytes = size;
			}
		}
		at += size;
	}
	assert_int_equal(at, log_size);
	return count;
}

static void measure_all(bool with_keys)
{
	measure_start(&info);
	measure_loaded(&info);
	if (with_keys)
		measure_keys(&keys);
	assert_false(measure_done());
	measure_end();
}

/* The TPM's own PCRs are what the log leads to, and the log has so many events of each. */
static void verify(unsigned int loaded, unsigned int in_keys)
{
	uint8_t held[32], value[32];
	const uint8_t *data;
	uint32_t bytes;

	read_log();
	assert_int_equal(replay(11, value, 0, &data, &bytes), loaded);
	real_pcr(11, held);
	assert_memory_equal(value, held, 32);
	assert_int_equal(replay(12, value, 0, &data, &bytes), in_keys);
	real_pcr(12, held);
	assert_memory_equal(value, held, 32);
	assert_false(model.active);
}

static void expect_event(uint32_t pcr, unsigned int n, uint32_t id, const void *body, uint32_t size)
{
	const uint8_t *data = NULL;
	uint8_t value[32];
	uint32_t bytes = 0;

	replay(pcr, value, n, &data, &bytes);
	assert_non_null(data);
	assert_int_equal(bytes, 8 + size);
	assert_memory_equal(data, &id, 4);
	assert_memory_equal(data + 4, &size, 4);
	assert_memory_equal(data + 8, body, size);
}

static void expect_said(const char *what)
{
	uint64_t pos = 0;
	const char *all = log_text(&pos);

	if (!strstr(all, what))
		fail_msg("no '%s' in: %s", what, all);
}

/* What the code under test remembers begins anew in a process of its own. */
static void in_child(void (*test)(unsigned int), unsigned int argument)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		test(argument);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("with %u", argument);
}

static void whole_chain_by(unsigned int kind)
{
	static const char monitor[] = "nethervisor ", backend[] = " fake";
	struct measured_module m = {.bytes = KERNEL_BYTES};
	const uint8_t *data;
	uint8_t value[32];
	uint32_t bytes;

	start(kind);
	measure_all(true);
	assert_true(measure_done());
	verify(9, 2);
	replay(11, value, 0, &data, &bytes);
	assert_memory_equal(data + 8, monitor, sizeof(monitor) - 1);
	assert_memory_equal(data + bytes - 5, backend, 5);
	expect_event(11, 1, 0x4e480002, "nethervisor.elf", 15);
	expect_event(11, 2, 0x4e480003, "\0\0\0\0", 4);
	expect_event(11, 3, 0x4e480004, "\0\0\0\0\1\0\0\0\0\0\0\0", 12);
	crypto_sha256(&ram[KERNEL_AT], KERNEL_BYTES, m.sha256);
	expect_event(11, 4, 0x4e480005, &m, sizeof(m));
	expect_event(11, 5, 0x4e480006, "\0\0\0\0console=com1", 16);
	expect_event(11, 7, 0x4e480006, "\1\0\0\0root=/dev/vda", 17);
	expect_event(11, 8, 0x4e48000f, "", 0);
	expect_event(12, 0, 0x4e480010, &keys, sizeof(keys));
	expect_event(12, 1, 0x4e48001f, "", 0);
	expect_said("the firmware had not started it");
	expect_said("no event log of the firmware's");
	real_stop();
}

static void whole_chain(void **state)
{
	in_child(whole_chain_by, MODEL_FIFO);
	in_child(whole_chain_by, MODEL_CRB);
}

/* PCRs 11 and 12 of a boot in which change() has changed something. */
static void boot(void (*change)(void), uint8_t pcr[2][32])
{
	start(MODEL_CRB);
	change();
	measure_start(&info);
	measure_loaded(&info);
	measure_keys(&keys);
	measure_end();
	real_pcr(11, pcr[0]);
	real_pcr(12, pcr[1]);
	real_stop();
}

static void nothing(void)
{
}

static void change_module(void)
{
	ram[MODULE_AT + 4095]++;
}

static void change_kernel(void)
{
	ram[KERNEL_AT + KERNEL_BYTES - 1]++;
}

static void change_cmdline(void)
{
	info.strings[info.module[1].cmdline] = 'b';
}

static void change_options(void)
{
	info.cmdline = text("nethervisor.elf no-isolation");
}

static void change_order(void)
{
	struct boot_module first = info.module[0];

	info.module[0] = info.module[1];
	info.module[1] = first;
}

static void changes(void **state)
{
	void (*const change[])(void) = {change_module, change_kernel, change_cmdline,
					change_options, change_order};
	uint8_t as_is[2][32], again[2][32], other[ARRAY_SIZE(change)][2][32];

	boot(nothing, as_is);
	boot(nothing, again);
	assert_memory_equal(as_is, again, sizeof(as_is));
	for (unsigned int i = 0; i < ARRAY_SIZE(change); i++) {
		boot(change[i], other[i]);
		assert_memory_not_equal(other[i][0], as_is[0], 32);
		assert_memory_equal(other[i][1], as_is[1], 32);
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(other[i][0], other[j][0], 32);
	}
}

/* The monitor's command line is measured as its hash. */
static void hashed_string(const char *line)
{
	char hashed[7 + 65] = "sha256:";
	uint8_t digest[32];

	start(MODEL_FIFO);
	info.cmdline = text(line);
	measure_start(&info);
	measure_loaded(&info);
	measure_end();
	verify(9, 1);
	crypto_sha256(line, strlen(line), digest);
	for (unsigned int i = 0; i < 32; i++)
		sprintf(hashed + 7 + 2 * i, "%02x", digest[i]);
	expect_event(11, 1, 0x4e480002, hashed, 71);
	real_stop();
}

/* 900 bytes are measured as they are, one more as its hash; and what looks like a hash. */
static void long_strings(void **state)
{
	static char line[902];
	static uint8_t plain[904] = {1};

	memset(line, 'x', 901);
	memset(plain + 4, 'x', 900);
	start(MODEL_FIFO);
	info.module[1].cmdline = text(line + 1);
	measure_all(true);
	verify(9, 2);
	expect_event(11, 7, 0x4e480006, plain, sizeof(plain));
	real_stop();
	hashed_string(line);
	hashed_string("sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	hashed_string("sha256:");
}

static void short_strings(void **state)
{
	static const uint8_t almost[4 + 6] = {1, 0, 0, 0, 's', 'h', 'a', '2', '5', '6'};

	start(MODEL_FIFO);
	info.module[1].cmdline = text("sha256");
	measure_all(true);
	verify(9, 2);
	expect_event(11, 7, 0x4e480006, almost, sizeof(almost));
	real_stop();
}

static bool l1_reaches(uint64_t at)
{
	return host_allows(HPA(at), TABLE_R) || !host_map_device(HPA(at));
}

static bool hidden(void)
{
	return ram[TPM2_TABLE] == 'X';
}

/* Localities above 0 are never L1's. */
static void localities(void **state)
{
	start(MODEL_FIFO);
	measure_all(true);
	assert_true(measure_done());
	assert_true(l1_reaches(TPM_LOCALITY_0));
	for (uint64_t at = TPM_LOCALITY_1; at < TPM_LOCALITY_END; at += PAGE_SIZE)
		assert_false(l1_reaches(at));
	assert_true(l1_reaches(TPM_LOCALITY_END));
	assert_false(hidden());
	real_stop();
}

/* One in another place: that at the usual one, if there is one as well, is not L1's, who would have nothing measured into it. */
static void elsewhere(void **state)
{
	start(MODEL_CRB_ELSEWHERE);
	put_tpm2(7, MODEL_ELSEWHERE, 0, 0);
	measure_all(true);
	assert_true(measure_done());
	verify(9, 2);
	assert_false(l1_reaches(TPM_LOCALITY_0));
	assert_true(l1_reaches(MODEL_ELSEWHERE));
	real_stop();
}

/* Nothing is measured: L1 has no TPM. */
static void no_tpm(void **state)
{
	uint64_t size;

	start(MODEL_NONE);
	measure_all(true);
	assert_false(measure_done());
	assert_int_equal(measure_log(log_bytes, 0, 10, &size), ERR_NOENT);
	expect_said("no TPM: nothing answers");
	assert_false(l1_reaches(TPM_LOCALITY_0));
	assert_true(hidden());
}

static void unknown_start_method(void **state)
{
	start(MODEL_NONE);
	put_tpm2(2, MODEL_ELSEWHERE + 8, 0, 0);
	measure_all(true);
	assert_false(measure_done());
	expect_said("no TPM: ACPI names another start method");
	assert_false(l1_reaches(TPM_LOCALITY_0));
	assert_false(l1_reaches(MODEL_ELSEWHERE));
	assert_true(hidden());
}

static void malformed_table(void **state)
{
	start(MODEL_NONE);
	table_put(TPM2_TABLE, "TPM2", "", TABLE_HEADER);
	measure_all(true);
	expect_said("no TPM: ACPI's TPM2 table is too short");
	assert_true(hidden());
}

/* Whichever command fails, it is not done, and L1 does not get the TPM. */
static void failure(unsigned int at)
{
	start(MODEL_FIFO);
	real.fail_at = at;
	measure_all(true);
	assert_false(measure_done());
	assert_false(model.active);
	assert_false(l1_reaches(TPM_LOCALITY_0));
	assert_true(hidden());
	expect_said("response 101");
	real_stop();
}

/* Three to find it, nine into PCR 11 and two into 12; a fifteenth there is not. */
static void failures(void **state)
{
	for (unsigned int at = 1; at <= 14; at++)
		in_child(failure, at);
}

/* One that fails once: nothing more is measured but the ends, in both PCRs. */
static void capped(void **state)
{
	uint8_t value[32], held[32];
	const uint8_t *data;
	uint32_t bytes;

	start(MODEL_FIFO);
	measure_start(&info);
	real.fail_at = real.commands + 1;
	measure_loaded(&info);
	real.fail_at = 0;
	measure_keys(&keys);
	measure_end();
	assert_false(measure_done());
	verify(1, 1);
	expect_event(11, 0, 0x4e48000f, "", 0);
	expect_event(12, 0, 0x4e48001f, "", 0);
	replay(12, value, 0, &data, &bytes);
	real_pcr(12, held);
	assert_memory_equal(held, value, 32);
	real_stop();
}

static void without_keys(void **state)
{
	start(MODEL_CRB);
	measure_all(false);
	assert_false(measure_done());
	verify(9, 1);
	assert_true(l1_reaches(TPM_LOCALITY_0));
	real_stop();
}

/* The firmware's log, one event long: by ACPI, by the boot loader; and one that is none. */
static void firmware_log(void **state)
{
	struct tpm two = {.bank_count = 2, .bank = {4, 11}};
	struct tpm_digests digests = {.count = 1, .of = {{11, {7}}}};
	struct eventlog log = {.bytes = &ram[FIRMWARE_LOG], .size = 65536};
	uint8_t value[32];
	const uint8_t *data = NULL;
	uint32_t bytes;

	for (unsigned int i = 0; i < 3; i++) {
		start(MODEL_FIFO);
		memset(&ram[FIRMWARE_LOG], 0, 65536);
		assert_int_equal(eventlog_begin(&log, &two), 0);
		assert_int_equal(eventlog_add(&log, 4, 13, &digests, "boot", 4), 0);
		ram[FIRMWARE_LOG] = i == 2;
		if (i == 1)
			info.event_log = (struct range){FIRMWARE_LOG, FIRMWARE_LOG + log.used};
		else
			put_tpm2(6, 0, FIRMWARE_LOG, 65536);
		measure_all(false);
		verify(9, 1);
		assert_int_equal(replay(4, value, 0, &data, &bytes), i < 2);
		if (i == 2)
			expect_said("does not begin as a crypto-agile log");
		else
			assert_memory_equal(data, "boot", 4);
		real_stop();
	}
	start(MODEL_FIFO);
	put_tpm2(6, 0, FIRMWARE_LOG, EVENTLOG_FIRMWARE_MAX + 1);
	measure_all(false);
	verify(9, 1);
	expect_said("outside of memory, or is too long");
	real_stop();
}

/* What tboot has left, and that it has been found. */
static void launched(const char *options, enum tboot_state found)
{
	struct tboot_shared shared = launch_shared();
	const char *why;

	start(MODEL_FIFO);
	fake_add_device(HPA(TXT_PUBLIC), PAGE_SIZE);
	put_registers();
	put_heap();
	ram_put(SHARED_AT, &shared, sizeof(shared));
	info.cmdline = text(options);
	assert_int_equal(tboot_find(&info, &why), 0);
	assert_int_equal(tboot_found()->state, found);
}

/* After a TXT launch, and then only, its log is there beside the other; if it is whole. */
static void txt_launch(void **state)
{
	static uint8_t txt[TXT_LOG_BYTES + 1];

	launched("nethervisor.elf tboot=0x2473000", TBOOT_MEASURED);
	assert_int_equal(measure_log(txt, EVENTLOG_TXT, sizeof(txt), &said), ERR_NOENT);
	measure_all(false);
	verify(9, 1);
	assert_int_equal(measure_log(txt, EVENTLOG_TXT, sizeof(txt), &said), TXT_LOG_BYTES);
	assert_int_equal(said, TXT_LOG_BYTES);
	assert_memory_equal(txt, &ram[TXT_LOG_AT], TXT_LOG_BYTES);
	expect_said("launch's event log has 430 bytes");
	real_stop();

	launched("nethervisor.elf tboot=0x2473000", TBOOT_MEASURED);
	ram[TXT_LOG_AT] = 1;
	measure_all(false);
	verify(9, 1);
	assert_int_equal(measure_log(txt, EVENTLOG_TXT, sizeof(txt), &said), ERR_NOENT);
	expect_said("no event log of the TXT launch: it does not begin");
	real_stop();

	launched("nethervisor.elf", TBOOT_NONE);
	measure_all(false);
	verify(9, 1);
	assert_int_equal(measure_log(txt, EVENTLOG_TXT, sizeof(txt), &said), ERR_NOENT);
	real_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_chain),     cmocka_unit_test(changes),
		cmocka_unit_test(long_strings),    cmocka_unit_test(short_strings),
		cmocka_unit_test(localities),      cmocka_unit_test(elsewhere),
		cmocka_unit_test(no_tpm),          cmocka_unit_test(unknown_start_method),
		cmocka_unit_test(malformed_table), cmocka_unit_test(failures),
		cmocka_unit_test(capped),          cmocka_unit_test(without_keys),
		cmocka_unit_test(firmware_log),    cmocka_unit_test(txt_launch),
	};

	return RUN_APART(tests);
}
