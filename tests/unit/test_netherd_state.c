/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/state.h and receipt.h: what is on file afterwards, and what is not taken for it. */
#include "tests/unit/test_netherd.h"

#include "attest/netherd/receipt.h"
#include "attest/netherd/state.h"

/* --- state ---------------------------------------------------------------------------------------- */

static void kept(void **state)
{
	uint16_t server = 9;
	int fd = state_open("run", 7);

	assert_true(fd >= 0);
	assert_int_equal(state_read(fd, "boot/7/vm/a", &server), -ENOENT);
	assert_int_equal(state_write(fd, "boot/7/vm/a", 65535), 0);
	close(fd);
	fd = state_open("run", 7);
	assert_int_equal(state_read(fd, "boot/7/vm/a", &server), 0);
	assert_int_equal(server, 65535);
	/* A shorter one leaves nothing of the longer. */
	assert_int_equal(state_write(fd, "boot/7/vm", 2), 0);
	assert_int_equal(state_read(fd, "boot/7/vm", &server), 0);
	assert_int_equal(server, 2);
	close(fd);
	fd = state_open("run", 8);
	assert_int_equal(state_read(fd, "boot/7/vm", &server), -ENOENT);
	close(fd);
	state_remove("run", 7);
	assert_int_not_equal(access("run/domain-7", F_OK), 0);
	assert_int_equal(access("run/domain-8", F_OK), 0);
}

static void of_another_domain(void **state)
{
	uint16_t server = 9;
	int fd = state_open("run", 7);

	assert_int_equal(state_write(fd, "boot/7/vm/a", 1), 0);
	assert_int_equal(state_read(fd, "boot/7/vm/b", &server), -ENOENT);
	assert_int_equal(state_read(fd, "boot/7/vm/", &server), -ENOENT);
	assert_int_equal(state_read(fd, "boot/7/vm/aa", &server), -ENOENT);
	assert_int_equal(state_read(fd, "tomorrow/7/vm/a", &server), -ENOENT);
	assert_int_equal(server, 9);
	close(fd);
}

static void not_ours(void **state)
{
	static const char *const text[] = {
		"",
		"server=",
		"server=1",
		"server=1 domain=x",
		"server=1 domain=x\n\n",
		"server=01 domain=x\n",
		"server=-1 domain=x\n",
		"server=+1 domain=x\n",
		"server=65536 domain=x\n",
		"server=99999 domain=x\n",
		"server=4294967297 domain=x\n",
		"Server=1 domain=x\n",
	};
	uint16_t server = 9;
	int fd = state_open("run", 7);

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		put_text("run/domain-7", text[i]);
		assert_int_equal(state_read(fd, "x", &server), -ENOENT);
	}
	put_text("run/domain-7", "server=1 domain=x\n");
	assert_int_equal(state_read(fd, "x", &server), 0);
	close(fd);
}

static void one_at_a_time(void **state)
{
	int fd = state_open("run", 7);
	int other = state_open("run", 8);

	assert_int_equal(state_open("run", 7), -EWOULDBLOCK);
	assert_true(other >= 0);
	close(fd);
	fd = state_open("run", 7);
	assert_true(fd >= 0);
	close(fd);
	close(other);
}

static void no_place(void **state)
{
	assert_int_equal(state_open("not/there", 7), -ENOENT);
	put_text("file", "x");
	assert_int_equal(state_open("file", 7), -ENOTDIR);
	assert_int_equal(mkdir("run", 0700), 0);
	put_text("target", "important");
	assert_int_equal(symlink("../target", "run/domain-7"), 0);
	assert_int_equal(state_open("run", 7), -ELOOP);
}

/* --- receipts ------------------------------------------------------------------------------------- */

static const struct receipt some = {
	.uuid = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 0xff},
	.generation = UINT64_MAX - 1,
	.root = {0xfe, 0xdc, 9},
};
#define SOME                                     \
	"uuid=0123456789abcdef01020304050607ff " \
	"generation=18446744073709551614 "       \
	"root=fedc0900000000000000000000000000"

static void written_and_read(void **state)
{
	struct receipt r = {.generation = 1};
	char text[200];

	assert_int_equal(receipt_read("r", &r), -ENOENT);
	assert_int_equal(receipt_write("r", &r), 0);
	assert_int_equal(receipt_write("r", &some), 0);
	text[get_file("r", text, sizeof(text) - 1)] = '\0';
	assert_string_equal(text, SOME "\n");
	assert_int_equal(receipt_read("r", &r), 0);
	assert_memory_equal(&r, &some, sizeof(r));
	put_text("r", SOME);
	assert_int_equal(receipt_read("r", &r), 0);
	assert_int_not_equal(access("r.new", F_OK), 0);
}

static void no_receipt(void **state)
{
	static const char *const text[] = {
		"",
		"\n",
		"uuid=0123456789abcdef01020304050607ff generation=1",
		"uuid=0123456789abcdef01020304050607ff generation=1 root=fedc090000000000000000000000000",
		"uuid=0123456789abcdef01020304050607f  generation=1 root=fedc0900000000000000000000000000",
		"uuid=0123456789ABCDEF01020304050607ff generation=1 root=fedc0900000000000000000000000000",
		"uuid=0123456789abcdef01020304050607ff generation=-1 root=fedc0900000000000000000000000000",
		"uuid=0123456789abcdef01020304050607ff generation= root=fedc0900000000000000000000000000",
		"uuid=0123456789abcdef01020304050607ff generation=18446744073709551616 "
		"root=fedc0900000000000000000000000000",
		"generation=1 uuid=0123456789abcdef01020304050607ff root=fedc0900000000000000000000000000",
		SOME "0",
		SOME "\n\n",
		SOME "\nuuid=",
		" " SOME,
	};
	struct receipt r;
	char large[300];

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		put_text("r", text[i]);
		assert_int_equal(receipt_read("r", &r), -EINVAL);
	}
	memset(large, 'x', sizeof(large));
	put_file("r", large, sizeof(large));
	assert_int_equal(receipt_read("r", &r), -EINVAL);
	put_file("r", SOME "\n\0 more", sizeof(SOME) + 6);
	assert_int_equal(receipt_read("r", &r), -EINVAL);
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(receipt_read("d", &r), -EISDIR);
}

/* The old one stays if the new one cannot be written. */
static void not_written(void **state)
{
	struct receipt r;

	assert_int_equal(receipt_write("not/there", &some), -ENOENT);
	assert_int_equal(receipt_write("r", &some), 0);
	assert_int_equal(symlink("/dev/full", "r.new"), 0);
	assert_int_equal(receipt_write("r", &(struct receipt){.generation = 9}), -ELOOP);
	assert_int_equal(receipt_read("r", &r), 0);
	assert_memory_equal(&r, &some, sizeof(r));
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(receipt_write("d", &some), -EISDIR);
	assert_int_not_equal(access("d.new", F_OK), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_test_dir, remove_test_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept),     TEST(of_another_domain), TEST(not_ours),   TEST(one_at_a_time),
		TEST(no_place), TEST(written_and_read),  TEST(no_receipt), TEST(not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
