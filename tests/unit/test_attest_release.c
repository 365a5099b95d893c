/* SPDX-License-Identifier: Apache-2.0 */
/* What the tenant's tool seals, by OpenSSL, is what the monitor opens, by crypto/. */
#include "iodecrypt/disk.h"
#include "attest/tool/release.h" /* before cmocka, which has a macro fail() */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/x25519.h"
#include "ept/base.h"
#include "iodecrypt/keys.h"

static uint8_t monitor[32] = {1, 2, 3}, monitor_public[32];
static char key_file[] = "/tmp/nether-attest-key-XXXXXX",
	    receipt_file[] = "/tmp/nether-attest-receipt-XXXXXX";

static void write_file(char *path, const void *content, size_t n)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, n), n);
	close(fd);
}

static int setup(void **state)
{
	static const char receipt[] =
		"uuid=000102030405060708090a0b0c0d0e0f generation=18446744073709551615 root=ffffffffffffffffffffffffffffffff\n";
	uint8_t master[32];

	memset(master, 0x11, sizeof(master));
	write_file(key_file, master, sizeof(master));
	write_file(receipt_file, receipt, sizeof(receipt) - 1);
	crypto_x25519_public(monitor_public, monitor);
	return 0;
}

static int teardown(void **state)
{
	unlink(key_file);
	unlink(receipt_file);
	return 0;
}

static void fill(struct release *r, unsigned int drive, unsigned int plain, uint64_t lease)
{
	const struct attest_options o = {
		.image = receipt_file,
		.key = key_file,
		.digest = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
		.expires = 600,
		.lease = lease,
		.drive = drive,
		.plain = plain,
	};

	const struct evidence e = {.uptime = 5000, .flags = EVIDENCE_ANCHORS};

	assert_int_equal(release_fill(r, &o, &e), ATTEST_OK);
	assert_int_equal(r->anchor, DISK_ANCHOR_NEEDED);
}

static void test_opens(void **state)
{
	uint8_t identity[32] = {4, 5, 6}, tenant[32], master[32], other[32] = {9};
	struct release r, got, zeros = {0};
	struct release_message m;
	struct disk_keys keys;

	crypto_x25519_public(tenant, identity);
	for (unsigned int drive = 0; drive < 4; drive++) {
		fill(&r, drive, 0xf & ~(1u << drive), drive ? 3600 : 0);
		assert_int_equal(release_seal(&m, &r, identity, monitor_public), 0);
		assert_int_equal(release_open(&got, &m, monitor_public, monitor), 0);
		assert_memory_equal(&got, &r, sizeof(r));
		assert_memory_equal(m.tenant, tenant, sizeof(tenant));
	}
	memset(master, 0x11, sizeof(master));
	disk_keys_derive(&keys, master, r.uuid);
	assert_memory_equal(got.xts, keys.xts, sizeof(got.xts));
	assert_int_equal(got.generation, UINT64_MAX);
	assert_int_equal(got.root_known, 1);
	assert_int_equal(got.expires, 605000);
	crypto_x25519_public(tenant, other);
	assert_int_not_equal(release_open(&got, &m, tenant, other), 0);
	m.tenant[0] ^= 1; /* another tenant's */
	assert_int_not_equal(release_open(&got, &m, monitor_public, monitor), 0);
	assert_memory_equal(&got, &zeros, sizeof(got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
