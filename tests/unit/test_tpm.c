/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's drivers, over registers that do as they should, and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/test_tpm_model.h"

#define PCRS (1u << 11 | 1u << 12)

static struct tpm tpm;
static struct tpm_digests digests;
static const char *why;

/* What the TPM of a test answers: the next of these, the last of them for ever. */
static struct {
	const uint8_t *bytes;
	uint32_t n;
} answer[8];
static unsigned int answers, asked;

static uint32_t model_answer(const uint8_t *command, uint32_t n, uint8_t *response)
{
	unsigned int i = asked < answers ? asked : answers - 1;

	asked++;
	memcpy(response, answer[i].bytes, answer[i].n);
	return answer[i].n;
}

#define ANSWER(...)                                            \
	do {                                                   \
		static const uint8_t bytes_[] = {__VA_ARGS__}; \
		answer[answers].bytes = bytes_;                \
		answer[answers++].n = sizeof(bytes_);          \
	} while (0)

#define HEAD(tag, size, code) \
	0x80, tag, 0, 0, (size) >> 8, (size)&0xff, 0, 0, (code) >> 8, (code)&0xff
#define BANK(alg, map1) 0, alg, 3, 0xff, map1, 0xff
/* SHA-1 without PCRs 11 and 12, SHA-256, SHA-384, SHA-512 empty. */
#define BANKS                                                                          \
	HEAD(1, 19 + 24, 0), 0, 0, 0, 0, 5, 0, 0, 0, 4, BANK(4, 0x07), BANK(11, 0xff), \
		BANK(12, 0x18), 0, 13, 3, 0, 0, 0
#define BYTES8(b) b, b, b, b, b, b, b, b
#define BYTES32(b) BYTES8(b), BYTES8(b), BYTES8(b), BYTES8(b)
#define DIGESTS 0, 0, 0, 2, 0, 11, BYTES32(1), 0, 12, BYTES32(2), BYTES8(2), BYTES8(2)
#define SESSION 0, 0, 1, 0, 0
#define EVENT HEAD(2, 10 + 4 + 88 + 5, 0), 0, 0, 0, 88, DIGESTS, SESSION

static const enum model_kind kinds[] = {MODEL_FIFO, MODEL_CRB, MODEL_CRB_ELSEWHERE};

static int start(enum model_kind kind)
{
	model_reset(kind);
	answers = asked = 0;
	why = NULL;
	return 0;
}

static int open_it(void)
{
	return tpm_open(&tpm, model.kind == MODEL_CRB_ELSEWHERE ? MODEL_ELSEWHERE : 0, PCRS, &why);
}

static void refused(int err, const char *says)
{
	int got = open_it();

	if (got != err)
		fail_msg("%d, not %d, where '%s' was expected", got, err, says);
	assert_non_null(why);
	if (!strstr(why, says))
		fail_msg("'%s', not '%s'", why, says);
	assert_false(model.active); /* locality 0 is free again */
}

static void works(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		start(kinds[i]);
		ANSWER(BANKS);
		ANSWER(EVENT);
		assert_int_equal(open_it(), 0);
		assert_false(tpm.started);
		assert_int_equal(tpm.bank_count, 2);
		assert_int_equal(tpm.bank[0], 11);
		assert_int_equal(tpm.bank[1], 12);
		assert_int_equal(tpm_event(&tpm, 11, "abc", 3, &digests, &why), 0);
		assert_int_equal(digests.count, 2);
		assert_int_equal(digests.of[1].algorithm, 12);
		assert_int_equal(digests.of[0].digest[31], 1);
		assert_int_equal(digests.of[1].digest[47], 2);
		static const uint8_t sent[] = {0x80, 2, 0,  0, 0, 32, 0, 0,    1,   0x3c, 0,
					       0,    0, 11, 0, 0, 0,  9, 0x40, 0,   0,    9,
					       0,    0, 0,  0, 0, 0,  3, 'a',  'b', 'c'};
		assert_memory_equal(model.in, sent, sizeof(sent));
		assert_int_equal(kinds[i] == MODEL_CRB_ELSEWHERE ? 1 : model.active, 1);
		tpm_close(&tpm);
		assert_false(model.active);
		assert_int_equal(model.aborted, 0);
		assert_int_equal(model.commands, 2);
	}
}

static void none(void **state)
{
	start(MODEL_NONE);
	refused(ERR_NOENT, "nothing answers");
	assert_int_equal(model.commands, 0);
	/* ACPI's control area lies in RAM, or is not aligned. */
	assert_int_equal(tpm_open(&tpm, 0x100000, PCRS, &why), ERR_IO);
	assert_non_null(strstr(why, "where memory is"));
	assert_int_equal(tpm_open(&tpm, MODEL_ELSEWHERE + 1, PCRS, &why), ERR_IO);
}

/* Those that do not do as an interface should: each ends, and says why. */
static void stuck(void **state)
{
#define TRY(kind, what, says)                                 \
	do {                                                  \
		start(kind);                                  \
		ANSWER(BANKS);                                \
		model.what = 1;                               \
		refused(ERR_IO, says);                        \
		assert_true(model.clock < 40u * 1000 * 1000); \
	} while (0)
	TRY(MODEL_FIFO, no_locality, "locality 0");
	TRY(MODEL_FIFO, never_ready, "ready");
	TRY(MODEL_FIFO, no_burst, "take a command");
	TRY(MODEL_FIFO, greedy, "take a command");
	TRY(MODEL_FIFO, sated, "take a command");
	TRY(MODEL_FIFO, silent, "does not answer");
	TRY(MODEL_FIFO, missing, "too short");
	TRY(MODEL_FIFO, extra, "longer than it says");
	TRY(MODEL_CRB, no_locality, "locality 0");
	TRY(MODEL_CRB, never_ready, "ready");
	TRY(MODEL_CRB, stuck_idle, "ready");
	TRY(MODEL_CRB, silent, "does not answer");
	TRY(MODEL_CRB, fails, "has failed");
	TRY(MODEL_CRB, small_buffer, "buffers");
	TRY(MODEL_CRB, far_buffer, "buffers");
	TRY(MODEL_CRB_ELSEWHERE, silent, "does not answer");
#undef TRY
}

/* A silent one has been asked to drop the command. */
static void drops(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		start(kinds[i]);
		ANSWER(BANKS);
		model.silent = true;
		refused(ERR_IO, "does not answer");
		assert_int_equal(model.aborted, 1);
	}
}

static void late(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		start(kinds[i]);
		ANSWER(BANKS);
		model.late = 3000000;
		assert_int_equal(open_it(), 0);
		assert_true(model.clock > 3000000);
	}
}

/* Codes that ask for another try get one, but not for ever; others do not. */
static void codes(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		start(kinds[i]);
		ANSWER(HEAD(1, 10, 0x922));
		ANSWER(HEAD(1, 10, 0x908));
		ANSWER(HEAD(1, 10, 0x90a));
		ANSWER(BANKS);
		assert_int_equal(open_it(), 0);
		assert_int_equal(model.commands, 4);
		start(kinds[i]);
		ANSWER(HEAD(1, 10, 0x922));
		refused(ERR_IO, "refuses");
		assert_int_equal(tpm.code, 0x922);
		assert_true(model.commands > 100 && model.commands < 3000);
		start(kinds[i]);
		ANSWER(HEAD(1, 10, 0x101));
		refused(ERR_IO, "refuses");
		assert_int_equal(tpm.code, 0x101);
		assert_int_equal(model.commands, 1);
	}
}

/* It was not started: that is done, and said. */
static void not_started(void **state)
{
	start(MODEL_FIFO);
	ANSWER(HEAD(1, 10, 0x100));
	ANSWER(HEAD(1, 10, 0));
	ANSWER(BANKS);
	assert_int_equal(open_it(), 0);
	assert_true(tpm.started);
	start(MODEL_FIFO);
	ANSWER(HEAD(1, 10, 0x100));
	refused(ERR_IO, "refuses");
	assert_false(tpm.started);
	assert_int_equal(model.commands, 2);
	start(MODEL_FIFO);
	ANSWER(HEAD(1, 10, 0x100));
	ANSWER(HEAD(1, 10, 0));
	ANSWER(HEAD(1, 10, 0x100));
	refused(ERR_IO, "refuses");
	assert_int_equal(model.commands, 3);
	start(MODEL_FIFO);
	ANSWER(HEAD(1, 10, 0x100));
	ANSWER(HEAD(1, 11, 0), 0);
	refused(ERR_IO, "TPM2_Startup");
}

static void banks(void **state)
{
#define TRY(err, says, ...)          \
	do {                         \
		start(MODEL_CRB);    \
		ANSWER(__VA_ARGS__); \
		refused(err, says);  \
	} while (0)
#define LIST 0, 0, 0, 0, 5, 0, 0, 0
	TRY(ERR_IO, "size", HEAD(1, 9, 0));
	TRY(ERR_IO, "size", HEAD(1, 0xffff, 0));
	TRY(ERR_IO, "tag", HEAD(2, 19 + 6, 0), LIST, 1, BANK(11, 0xff));
	TRY(ERR_IO, "tag", 0, 0xc4, 0, 0, 0, 10, 0, 0, 0, 30); /* a TPM 1.2 */
	TRY(ERR_IO, "tag", HEAD(2, 10, 0x101));
	TRY(ERR_IO, "tag", HEAD(1, 11, 0x101), 0);
	TRY(ERR_IO, "list", HEAD(1, 10, 0));
	TRY(ERR_IO, "list", HEAD(1, 19 + 6, 0), 1, 0, 0, 0, 5, 0, 0, 0, 1,
	    BANK(11, 0xff)); /* more to come */
	TRY(ERR_IO, "list", HEAD(1, 19 + 6, 0), 0, 0, 0, 0, 6, 0, 0, 0, 1, BANK(11, 0xff));
	TRY(ERR_IO, "list", HEAD(1, 19 + 6, 0), LIST, 2, BANK(11, 0xff));
	TRY(ERR_IO, "list", HEAD(1, 19 + 6, 0), LIST, 17, BANK(11, 0xff));
	TRY(ERR_IO, "list", HEAD(1, 19 + 7, 0), LIST, 1, BANK(11, 0xff), 0);
	TRY(ERR_IO, "list", HEAD(1, 19 + 12, 0), LIST, 2, BANK(11, 0xff), BANK(11, 0xff));
	TRY(ERR_IO, "list", HEAD(1, 19 + 12, 0), LIST, 2, BANK(11, 0xff), BANK(0x99, 0xff));
	TRY(ERR_IO, "list", HEAD(1, 19 + 8, 0), LIST, 1, 0, 11, 5, 0xff, 0xff, 0, 0, 0);
	TRY(ERR_NOSYS, "SHA-256", HEAD(1, 19, 0), LIST, 0);
	TRY(ERR_NOSYS, "SHA-256", HEAD(1, 19 + 12, 0), LIST, 2, BANK(11, 0x10), BANK(12, 0xff));
#undef TRY
}

static void events(void **state)
{
#define TRY(says, ...)                                                                \
	do {                                                                          \
		start(MODEL_FIFO);                                                    \
		ANSWER(BANKS);                                                        \
		ANSWER(__VA_ARGS__);                                                  \
		assert_int_equal(open_it(), 0);                                       \
		assert_int_equal(tpm_event(&tpm, 12, "", 0, &digests, &why), ERR_IO); \
		if (!strstr(why, says))                                               \
			fail_msg("'%s', not '%s'", why, says);                        \
	} while (0)
	TRY("refuses", HEAD(1, 10, 0x907));
	TRY("tag", HEAD(1, 107, 0), 0, 0, 0, 88, DIGESTS, SESSION);
	TRY("digests", HEAD(2, 10, 0));
	TRY("digests", HEAD(2, 107, 0), 0, 0, 0, 87, DIGESTS, SESSION);
	TRY("digests", HEAD(2, 107, 0), 0xff, 0xff, 0xff, 0xff, DIGESTS, SESSION);
	TRY("digests", HEAD(2, 106, 0), 0, 0, 0, 88, DIGESTS, 0, 0, 1, 0);
	TRY("digests", HEAD(2, 108, 0), 0, 0, 0, 88, DIGESTS, SESSION, 0);
	TRY("digests", HEAD(2, 107, 0), 0, 0, 0, 88, DIGESTS, 0, 1, 1, 0, 0);
	TRY("digests", HEAD(2, 107, 0), 0, 0, 0, 88, DIGESTS, 0, 0, 0x81, 0, 0);
	/* One bank's digest is missing, comes twice, is of an unknown algorithm; there are too many. */
	TRY("digests", HEAD(2, 57, 0), 0, 0, 0, 38, 0, 0, 0, 1, 0, 11, BYTES32(1), SESSION);
	TRY("digests", HEAD(2, 91, 0), 0, 0, 0, 72, 0, 0, 0, 2, 0, 11, BYTES32(1), 0, 11,
	    BYTES32(1), SESSION);
	TRY("digests", HEAD(2, 91, 0), 0, 0, 0, 72, 0, 0, 0, 2, 0, 11, BYTES32(1), 0x0c, 0,
	    BYTES32(1), SESSION);
	TRY("digests", HEAD(2, 107, 0), 0, 0, 0, 88, 0, 0, 0, 9, 0, 11, BYTES32(1), 0, 12,
	    BYTES32(2), BYTES8(2), BYTES8(2), SESSION);
#undef TRY
	/* One more than is active is fine. */
	start(MODEL_FIFO);
	ANSWER(BANKS);
	ANSWER(HEAD(2, 141, 0), 0, 0, 0, 122, 0, 0, 0, 3, 0, 0x12, BYTES32(9), 0, 11, BYTES32(1), 0,
	       12, BYTES32(2), BYTES8(2), BYTES8(2), SESSION);
	assert_int_equal(open_it(), 0);
	assert_int_equal(tpm_event(&tpm, 12, "", 0, &digests, &why), 0);
	assert_int_equal(digests.count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works),       cmocka_unit_test(none),  cmocka_unit_test(stuck),
		cmocka_unit_test(drops),       cmocka_unit_test(late),  cmocka_unit_test(codes),
		cmocka_unit_test(not_started), cmocka_unit_test(banks), cmocka_unit_test(events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
