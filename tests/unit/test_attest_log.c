/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's parser of event logs, and what it makes of PCRs. */
#include "tests/unit/test_attest_log.h"

#include "attest/tool/loaded.h"

static const uint8_t ones[32] = {1, 1, 1, 1};

static void extend(uint8_t pcr[32], const uint8_t digest[32])
{
	uint8_t both[64];

	memcpy(both, pcr, 32);
	memcpy(both + 32, digest, 32);
	hash(pcr, both, 64);
}

static void test_replay(void **state)
{
	uint8_t want[32] = {0}, top[32], digest[32], *copy;
	char why[LOG_WHY];
	struct made m;
	struct log l;

	put_head(&m);
	put_event(&m, 3, 1, ones, "x", 1);
	put_hashed(&m, 3, EV_SEPARATOR, "\0\0\0\0", 4);
	put_event(&m, 23, 1, ones, "", 0);
	assert_int_equal(parse_made(&l, m.at, m.n, &copy, why), 0);
	assert_int_equal(l.count, 3);
	extend(want, ones);
	hash(digest, "\0\0\0\0", 4);
	extend(want, digest);
	assert_memory_equal(l.pcrs[3], want, 32);
	memset(top, 0xff, 32);
	assert_memory_equal(l.pcrs[17], top, 32);
	memset(top, 0, 32);
	assert_memory_equal(l.pcrs[16], top, 32);
	log_free(&l);
	assert_int_equal(log_parse(&l, copy, m.n, true, why), 0);
	assert_memory_equal(l.pcrs[17], top, 32);
	log_free(&l);
	free(copy);
}

static void bad(const struct made *m);

/* Of a TXT launch: PCRs 17 and 18 begin with zeros; what only tells, in no PCR, is passed over. */
static void test_txt(void **state)
{
	uint8_t want[32] = {0}, *copy;
	char why[LOG_WHY];
	struct made m;
	struct log l;

	put_head(&m);
	put_event(&m, 0xff, 0x401, ones, "mapping", 7);
	put_event(&m, 17, 0x402, ones, "", 0);
	put_event(&m, 18, 0x404, ones, "", 0);
	assert_int_equal(parse_made(&l, m.at, m.n, &copy, why), 0);
	log_free(&l);
	assert_int_equal(log_parse(&l, copy, m.n, true, why), 0);
	assert_int_equal(l.count, 2);
	extend(want, ones);
	assert_memory_equal(l.pcrs[17], want, 32);
	assert_memory_equal(l.pcrs[18], want, 32);
	log_free(&l);
	free(copy);
	put_event(&m, 0xff, 0x500, ones, "", 0);
	bad(&m);
	put_head(&m);
	put_event(&m, 0xfe, 0x401, ones, "", 0);
	bad(&m);
}

/* No log is right that lacks a byte, or has one more; but what ends with a whole event. */
static void test_lengths(void **state)
{
	size_t whole[3], at = 0;
	struct made m;

	put_head(&m);
	whole[0] = m.n;
	put_event(&m, 1, 1, ones, "data", 4);
	whole[1] = m.n;
	put_event(&m, 1, 1, ones, "", 0);
	whole[2] = m.n;
	put(&m, "", 1);
	for (size_t n = 0; n <= m.n; n++) {
		char why[LOG_WHY];
		uint8_t *copy;
		struct log l;
		int err = parse_made(&l, m.at, n, &copy, why);

		if (n == whole[at]) {
			assert_int_equal(err, 0);
			assert_int_equal(l.count, at);
			at += at < 2;
		} else {
			assert_int_equal(err, -1);
		}
		log_free(&l);
		free(copy);
	}
	assert_int_equal(at, 2);
}

static void bad(const struct made *m)
{
	char why[LOG_WHY];
	uint8_t *copy;
	struct log l;

	assert_int_equal(parse_made(&l, m->at, m->n, &copy, why), -1);
	assert_null(l.events);
	free(copy);
}

static void test_bad_events(void **state)
{
	struct made m, good;
	size_t event;

	put_head(&m);
	event = m.n;
	put_event(&m, 1, 1, ones, "data", 4);
	good = m;
	m.at[event] = 24; /* a PCR */
	bad(&m);
	m = good;
	m.at[event + 8] = 1; /* one digest: SHA-1, and bytes that are left */
	bad(&m);
	m.at[event + 8] = 0;
	bad(&m);
	m.at[event + 8] = 3;
	bad(&m);
	m = good;
	m.at[event + 12] = 0xb; /* SHA-256 where SHA-1 was, and twice */
	bad(&m);
	m = good;
	m.at[event + 12] = 5; /* of no known algorithm */
	bad(&m);
	m = good;
	m.at[event + 12 + 22 + 34 + 3] = 0xff; /* size */
	bad(&m);
}

static void test_bad_head(void **state)
{
	struct made m, good;

	put_head(&m);
	good = m;
	/* PCR, type, digest, size, name, number of algorithms, their sizes */
	for (size_t at = 0; at < m.n; at++) {
		if (at >= 48 && at < 56)
			continue; /* versions */
		m = good;
		m.at[at] ^= 0x80;
		if (at == 60 || at == 61) /* SHA-1's number: another algorithm, of that size */
			continue;
		bad(&m);
	}
}

static void test_startup_locality(void **state)
{
	static const uint8_t zeros[32];
	uint8_t want[32] = {[31] = 3}, *copy;
	char why[LOG_WHY];
	struct made m;
	struct log l;

	put_head(&m);
	put_event(&m, 0, EV_NO_ACTION, zeros, "StartupLocality\0\3", 17);
	put_event(&m, 0, 1, ones, "", 0);
	assert_int_equal(parse_made(&l, m.at, m.n, &copy, why), 0);
	extend(want, ones);
	assert_memory_equal(l.pcrs[0], want, 32);
	log_free(&l);
	free(copy);
	put_event(&m, 0, EV_NO_ACTION, zeros, "StartupLocality\0\3", 17); /* later, or twice */
	bad(&m);
	put_head(&m);
	put_event(&m, 0, EV_NO_ACTION, zeros, "StartupLocality\0\5", 17);
	bad(&m);
	put_head(&m);
	put_event(&m, 0, EV_NO_ACTION, zeros, "StartupLocality\0", 16);
	bad(&m);
	put_head(&m);
	put_event(&m, 1, EV_NO_ACTION, zeros, "StartupLocality\0\3", 17);
	bad(&m);
	put_head(&m);
	put_event(&m, 0xffffffff, EV_NO_ACTION, zeros, "SP800-155 Event", 16);
	assert_int_equal(parse_made(&l, m.at, m.n, &copy, why), 0);
	assert_int_equal(l.count, 0);
	log_free(&l);
	free(copy);
	put_event(&m, 0xffffffff, 1, zeros, "", 0);
	bad(&m);
}

static int data_of(uint32_t pcr, uint32_t type, const char *hashed, size_t hashed_n,
		   const void *data, size_t n, char **words)
{
	uint8_t digest[32];
	struct log_event e = {
		.pcr = pcr, .type = type, .bytes = (uint32_t)n, .digest = digest, .data = data};

	hash(digest, hashed, hashed_n);
	*words = log_words(&e);
	return log_data(&e);
}

/* GRUB 2.06 measures the text; the event has a prefix and a NUL besides (grub-core/commands/tpm.c, kern/efi/tpm.c). */
static void test_words(void **state)
{
	char *words;

	assert_int_equal(data_of(8, EV_IPL, "boot", 4, "grub_cmd: boot", 15, &words), 1);
	assert_string_equal(words, "boot (grub_cmd: a label)");
	free(words);
	assert_int_equal(data_of(8, EV_IPL, "boot", 4, "kernel_cmdline: boot", 21, &words), 1);
	free(words);
	assert_int_equal(data_of(8, EV_IPL, "", 0, "grub_cmd: ", 11, &words), 1);
	free(words);
	assert_int_equal(data_of(8, EV_IPL, "boot", 5, "grub_cmd: boot", 15, &words), -1);
	assert_string_equal(words, "grub_cmd: boot (a label)");
	free(words);
	assert_int_equal(data_of(8, EV_IPL, "boot", 4, "boot", 5, &words), 0);
	free(words);
	assert_int_equal(data_of(9, EV_IPL, "boot", 4, "grub_cmd: boot", 15, &words), 0);
	free(words);
	assert_int_equal(data_of(9, EV_IPL, "x", 1, "/a\x1b[2J", 7, &words), 0);
	assert_string_equal(words, "/a\\x1b[2J (a label)");
	free(words);
	assert_int_equal(data_of(4, EV_EFI_ACTION, "Exit", 4, "Exit", 4, &words), 1);
	free(words);
	assert_int_equal(data_of(4, EV_SEPARATOR, "\0\0\0\0", 4, "\0\0\0\1", 4, &words), -1);
	free(words);
	assert_int_equal(data_of(8, EV_IPL, "", 0, "", 0, &words), 0);
	assert_string_equal(words, " (a label)");
	free(words);
}

/* A module's number that wraps, lengths that lie: within the event that was measured. */
static void test_loaded_lengths(void **state)
{
	uint8_t event[64], *copy;
	struct loaded loaded;
	struct measured_keys keys;
	char why[LOG_WHY];
	struct made m;
	struct log l;

	for (uint32_t id = MEASURED_MONITOR; id <= MEASURED_CMDLINE; id++)
		for (uint32_t n = 0; n < 40; n++)
			for (uint32_t says = n ? n - 1 : 0; says <= n + 1; says++) {
				memset(event, 'x', sizeof(event));
				memcpy(event, &id, 4);
				memcpy(event + 4, &says, 4);
				put_head(&m);
				put_hashed(&m, 11, EV_EVENT_TAG, event, 8 + n);
				put_hashed(&m, 12, EV_EVENT_TAG, event, n < 8 ? n : 8 + n);
				assert_int_equal(parse_made(&l, m.at, m.n, &copy, why), 0);
				assert_int_equal(loaded_read(&loaded, &l, why), -1);
				assert_int_equal(loaded_keys(&keys, &l, why), -1);
				log_free(&l);
				free(copy);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),   cmocka_unit_test(test_txt),
		cmocka_unit_test(test_lengths),  cmocka_unit_test(test_bad_events),
		cmocka_unit_test(test_bad_head), cmocka_unit_test(test_startup_locality),
		cmocka_unit_test(test_words),    cmocka_unit_test(test_loaded_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
