/* SPDX-License-Identifier: Apache-2.0 */
/* A test after a launch: what tboot handed over, and what the code under test has to say of it. */
#ifndef TESTS_UNIT_TEST_BOOT_CASE_H
#define TESTS_UNIT_TEST_BOOT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/test_boot_launch.h"

static struct boot_info info;
static const char *why;

/* A machine after a launch, with zeroes where the last test may have written. */
static void setup_launch(uint64_t at, size_t size)
{
	ram_all(true);
	memset(&ram[at], 0, size);
	put_launch(&info);
	why = NULL;
}

static int teardown(void **state)
{
	ram_all(false);
	fake_reset();
	return 0;
}

#endif
