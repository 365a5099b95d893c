/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The anchor's counter in a real TPM (swtpm), by way of an agent that relays, or lies: whatever it does, a value that is
 * believed is the TPM's own.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/counter.h"
#include "attest/tpm_bytes.h"

#define CC_NV_UNDEFINE_SPACE 0x122
#define CC_NV_INCREMENT 0x134
#define CC_NV_READ 0x14e
#define RH_OWNER 0x40000001u

static char folder[] = "/tmp/test_counter.XXXXXX";
static pid_t swtpm;
static int tpm = -1;
static struct counter_key key;
static const uint8_t image[COUNTER_UUID] = "an image", another[COUNTER_UUID] = "another";

/* --- the TPM --------------------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void transmit(uint8_t message[COUNTER_MESSAGE])
{
	uint32_t n = get32(message + 2), got = 0;

	assert_in_range(n, TPM_HEADER, COUNTER_MESSAGE);
	assert_int_equal(write(tpm, message, n), n);
	memset(message, 0, COUNTER_MESSAGE);
	while (got < TPM_HEADER || got < get32(message + 2)) {
		ssize_t part = read(tpm, message + got, COUNTER_MESSAGE - got);

		assert_true(part > 0);
		got += (uint32_t)part;
	}
}

static int start_tpm(void **state)
{
	char server[128], state_dir[128];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const char *why;

	assert_int_equal(crypto_init(&why), 0);
	assert_non_null(mkdtemp(folder));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", folder);
	snprintf(server, sizeof(server), "type=unixio,path=%s/socket", folder);
	snprintf(state_dir, sizeof(state_dir), "dir=%s", folder);
	swtpm = fork();
	if (!swtpm) {
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state_dir, "--server",
		       server, "--flags", "not-need-init,startup-clear", "--seccomp", "action=none",
		       NULL);
		_exit(127);
	}
	for (unsigned int tries = 0; tries < 3000; tries++) {
		tpm = socket(AF_UNIX, SOCK_STREAM, 0);
		if (!connect(tpm, (struct sockaddr *)&at, sizeof(at)))
			return 0;
		close(tpm);
		assert_int_equal(waitpid(swtpm, NULL, WNOHANG), 0);
		usleep(10000);
	}
	return -1;
}

static int end_tpm(void **state)
{
	char command[64];

	close(tpm);
	kill(swtpm, SIGTERM);
	waitpid(swtpm, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

/* What the monitor does at boot. */
static void learn(struct counter_key *k)
{
	uint8_t message[COUNTER_MESSAGE];
	uint32_t handle;

	counter_key_command(message);
	transmit(message);
	assert_int_equal(counter_key_learn(k, message, &handle), 0);
	counter_flush_command(message, handle);
	transmit(message);
	assert_int_equal(get32(message + 6), 0);
}

static void undefine(uint32_t index)
{
	uint8_t message[COUNTER_MESSAGE] = {0};
	struct tpm_cursor w = {message, 0, sizeof(message), false};

	tpm_put(&w, 0x8002, 2);
	tpm_put(&w, TPM_HEADER + 8 + 4 + 9, 4);
	tpm_put(&w, CC_NV_UNDEFINE_SPACE, 4);
	tpm_put(&w, RH_OWNER, 4);
	tpm_put(&w, index, 4);
	tpm_put(&w, 9, 4);
	tpm_put(&w, 0x40000009, 4);
	tpm_put(&w, 0, 4);
	tpm_put(&w, 0, 1);
	transmit(message);
	assert_int_equal(get32(message + 6), 0);
}

/* --- the agent ------------------------------------------------------------------------------------------- */

static struct counter c;
static unsigned int commands;

static int use(const uint8_t *uuid, uint64_t target,
	       void (*agent)(uint8_t message[COUNTER_MESSAGE]))
{
	int err = counter_begin(&c, &key, uuid, target);

	assert_int_equal(err, 0);
	commands = 0;
	do {
		assert_in_range(++commands, 1, 12);
		agent(c.message);
		err = counter_go_on(&c);
	} while (err == ERR_AGAIN);
	return err;
}

static uint64_t value_of(const uint8_t *uuid)
{
	assert_int_equal(use(uuid, 0, transmit), 0);
	return c.value;
}

static void the_key(void **state)
{
	struct counter_key second = {.known = false};

	assert_int_equal(counter_begin(&c, &second, image, 0), ERR_NOENT);
	learn(&key);
	learn(&second);
	assert_memory_equal(&key, &second, sizeof(key));
}

static void counts(void **state)
{
	uint64_t first = value_of(image); /* made */

	assert_true(first > 0);
	assert_int_equal(value_of(image), first);
	for (uint64_t i = 1; i < 5; i++) {
		assert_int_equal(use(image, first + i, transmit), 0);
		assert_int_equal(c.value, first + i);
		assert_int_equal(use(image, first + i, transmit), 0); /* it is that already */
		assert_int_equal(value_of(image), first + i);
	}
	assert_int_equal(use(image, first + 6, transmit), ERR_STALE);
	assert_int_equal(use(image, first + 3, transmit), ERR_STALE);
	assert_int_equal(value_of(image), first + 4);
	assert_true(value_of(another) > 0);
	assert_int_equal(value_of(image), first + 4);
}

static void made_again(void **state)
{
	uint64_t before = value_of(image);

	for (unsigned int i = 0; i < 3; i++) {
		undefine(c.index);
		assert_true(value_of(image) > before);
		before = value_of(image);
	}
}

/* --- lies ------------------------------------------------------------------------------------------------- */

static struct {
	uint32_t code;                /* about which command */
	unsigned int at, bit;         /* which bit of its response */
	uint8_t old[COUNTER_MESSAGE]; /* a response to one like it */
	bool keep, give;
} lie;

static uint32_t code_of(const uint8_t *message)
{
	return get32(message + 6);
}

static void flips(uint8_t message[COUNTER_MESSAGE])
{
	bool it = code_of(message) == lie.code;

	transmit(message);
	if (it && lie.at < get32(message + 2))
		message[lie.at] ^= (uint8_t)(1 << lie.bit);
}

static void replays(uint8_t message[COUNTER_MESSAGE])
{
	bool it = code_of(message) == lie.code;

	transmit(message);
	if (it && lie.give)
		memcpy(message, lie.old, COUNTER_MESSAGE);
	if (it && lie.keep)
		memcpy(lie.old, message, COUNTER_MESSAGE);
}

/* The command changed on its way to the TPM. */
static void alters(uint8_t message[COUNTER_MESSAGE])
{
	if (code_of(message) == lie.code && lie.at < get32(message + 2))
		message[lie.at] ^= (uint8_t)(1 << lie.bit);
	if (get32(message + 2) < TPM_HEADER || get32(message + 2) > COUNTER_MESSAGE)
		return;
	transmit(message);
}

static void changed_responses(void **state)
{
	uint64_t value = value_of(image);

	lie.code = CC_NV_READ;
	for (lie.at = 0; lie.at < 110; lie.at++) {
		lie.bit = lie.at % 8;
		if (!use(image, 0, flips)) /* behind the end, or it was made once more */
			assert_true(c.value == value_of(image) && lie.at > 80);
	}
	assert_int_equal(value_of(image), value);
}

static void old_responses(void **state)
{
	uint64_t value = value_of(image);

	lie.code = CC_NV_READ;
	lie.keep = true;
	lie.give = false;
	assert_int_equal(use(image, 0, replays), 0);
	assert_int_equal(use(image, value + 1, transmit), 0);
	lie.keep = false;
	lie.give = true;
	assert_int_equal(use(image, 0, replays), ERR_TAG);
	assert_int_equal(use(image, value + 1, replays), ERR_TAG);
	/* An increment that never took place. */
	lie.code = CC_NV_INCREMENT;
	lie.keep = true;
	lie.give = false;
	assert_int_equal(use(image, value + 2, replays), 0);
	lie.keep = false;
	lie.give = true;
	assert_int_equal(use(image, value + 3, replays), ERR_TAG);
}

static void changed_commands(void **state)
{
	uint64_t value;
	int err;

	lie.code = CC_NV_INCREMENT;
	for (lie.at = 10; lie.at < 95; lie.at += 3) {
		lie.bit = lie.at % 8;
		value = value_of(image);
		err = use(image, value + 1, alters);
		if (!err)
			assert_int_equal(value_of(image), value + 1);
		assert_true(value_of(image) <= value + 1);
	}
}

static void no_such_counter(uint8_t message[COUNTER_MESSAGE])
{
	static const uint8_t refusal[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x8b};

	if (code_of(message) == CC_NV_READ)
		memcpy(message, refusal, sizeof(refusal));
	else
		transmit(message);
}

/* There is one, and the agent says there is not: it is not made again, nor believed. */
static void denied(void **state)
{
	uint64_t value = value_of(image);

	assert_int_equal(use(image, 0, no_such_counter), ERR_IO);
	assert_int_equal(use(image, value + 1, no_such_counter), ERR_IO);
	assert_int_equal(value_of(image), value);
}

static void silent(uint8_t message[COUNTER_MESSAGE])
{
	memset(message, 0, COUNTER_MESSAGE);
}

static void echoes(uint8_t message[COUNTER_MESSAGE])
{
}

static void nothing(void **state)
{
	assert_int_equal(use(image, 0, silent), ERR_IO);
	assert_int_equal(use(image, 0, echoes), ERR_IO);
}

/* Another TPM, or one that was cleared: another key, by which no session comes about. */
static void another_tpm(void **state)
{
	struct counter_key kept = key;

	key.point[0] ^= 1;
	assert_int_equal(use(image, 0, transmit), CRYPTO_ERR_KEY); /* no point of the curve */
	key = kept;
	{
		static const uint8_t scalar[32] = {[31] = 3};

		assert_int_equal(crypto_p256_public(key.point, scalar), 0);
	}
	assert_true(use(image, 0, transmit) < 0);
	key = kept;
	assert_int_equal(use(image, 0, transmit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key),       cmocka_unit_test(counts),
		cmocka_unit_test(made_again),    cmocka_unit_test(changed_responses),
		cmocka_unit_test(old_responses), cmocka_unit_test(changed_commands),
		cmocka_unit_test(denied),        cmocka_unit_test(nothing),
		cmocka_unit_test(another_tpm),
	};

	return cmocka_run_group_tests(tests, start_tpm, end_tpm);
}
