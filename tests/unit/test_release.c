/* SPDX-License-Identifier: Apache-2.0 */
/* attest/release.h: what a tenant seals opens, at one monitor, as it was, and nothing else does. */
// clang-format off: cmocka wants these first
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "attest/tenant/release_seal.h"
#include "crypto/x25519.h"
#include "ept/base.h"

static uint8_t monitor[32], monitor_public[32], tenant[32];

static void fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(random() >> 8);
}

static struct release some_release(void)
{
	struct release r;

	fill(&r, sizeof(r));
	r.drive = 1;
	r.plain = 0xd;
	r.consent = r.root_known = 1;
	r.anchor = 2;
	memset(r.zero, 0, sizeof(r.zero));
	return r;
}

static struct release_message sealed(const struct release *r)
{
	struct release_message m;
	uint8_t ephemeral[32];

	fill(ephemeral, sizeof(ephemeral));
	assert_int_equal(release_seal(&m, r, monitor_public, tenant, ephemeral), 0);
	return m;
}

static int setup(void **state)
{
	const char *why;

	fill(monitor, sizeof(monitor));
	fill(tenant, sizeof(tenant));
	if (crypto_init(&why))
		return 1;
	crypto_x25519_public(monitor_public, monitor);
	return 0;
}

static int opened(struct release *out, const struct release_message *m)
{
	return release_open(out, m, monitor_public, monitor);
}

static void opens(void **state)
{
	struct release r = some_release(), got;
	struct release_message m = sealed(&r);
	uint8_t public[32];

	assert_int_equal(opened(&got, &m), 0);
	assert_memory_equal(&got, &r, sizeof(r));
	crypto_x25519_public(public, tenant);
	assert_memory_equal(m.tenant, public, sizeof(public));
}

/* Each byte of a message. */
static void changed(void **state)
{
	const size_t head = offsetof(struct release_message, enc);
	struct release r = some_release(), got, none = {.drive = 0};
	struct release_message m = sealed(&r);

	for (size_t i = 0; i < sizeof(m); i++) {
		struct release_message bad = m;

		((uint8_t *)&bad)[i] ^= (uint8_t)(1 << random() % 8);
		fill(&got, sizeof(got));
		assert_int_equal(opened(&got, &bad), i < head ? ERR_INVAL : ERR_KEY);
		assert_memory_equal(&got, &none, sizeof(none));
	}
}

static void another_monitor(void **state)
{
	struct release r = some_release(), got;
	struct release_message m = sealed(&r);
	uint8_t other[32], public[32];

	fill(other, sizeof(other));
	crypto_x25519_public(public, other);
	assert_int_equal(release_open(&got, &m, public, other), ERR_KEY);
	assert_int_equal(release_open(&got, &m, monitor_public, other), ERR_KEY);
	assert_int_equal(release_open(&got, &m, public, monitor), ERR_KEY);
}

static void assert_senseless(const struct release *r)
{
	struct release got, none = {.drive = 0};
	struct release_message m = sealed(r);

	assert_int_equal(opened(&got, &m), ERR_INVAL);
	assert_memory_equal(&got, &none, sizeof(none));
}

/* What the tenant sealed is checked as well. */
static void senseless(void **state)
{
	struct release r = some_release();

	r.drive = 4;
	assert_senseless(&r);
	r = some_release();
	r.plain = 0x10;
	assert_senseless(&r);
	r = some_release();
	r.consent = 2;
	assert_senseless(&r);
	r = some_release();
	r.root_known = 0xff;
	assert_senseless(&r);
	r = some_release();
	r.zero[2] = 1;
	assert_senseless(&r);
	r = some_release();
	r.anchor = 3;
	assert_senseless(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens),
		cmocka_unit_test(changed),
		cmocka_unit_test(another_monitor),
		cmocka_unit_test(senseless),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
