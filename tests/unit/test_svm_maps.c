/* SPDX-License-Identifier: Apache-2.0 */
/* Which bits of the permission maps an MSR or a port has, and which of them stay closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/apic.h"
#include "monitor/fake/machine.h"
#include "monitor/msr_list.h"
#include "monitor/svm/svm.h"
#include "tests/unit/test_maps.h"

#define MSRPM 0x10000u
#define IOPM 0x20000u
#define DEF_TYPE 0x2ffu      /* the one MTRR of a machine without any */
#define HIGH_MSR 0xc0000102u /* in the second range */

static uint8_t msrpm[MSRPM_BYTES], iopm[IOPM_BYTES];
static struct hw_vcpu v;
static struct vmcb_control request;

/* L1's maps leave everything open, and are in use. */
static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	memset(&v, 0, sizeof(v));
	memset(&request, 0, sizeof(request));
	v.msr = (struct permit_map){.bits = msrpm, .size = sizeof(msrpm)};
	v.io = (struct permit_map){.bits = iopm, .size = sizeof(iopm)};
	request.intercept1 = INTERCEPT1(VMEXIT_MSR) | INTERCEPT1(VMEXIT_IOIO);
	request.msrpm_base = MSRPM | 0xabc; /* the low bits do not count */
	request.iopm_base = IOPM | 0xabc;
	svm_maps_reset(&v, false);
	svm_maps_sync(&v, &request);
	return 0;
}

/* APM volume 2, 15.11: 2 KiB a range, 2 bits an MSR, first read, then write. */
static unsigned int msr_bit(uint32_t msr, bool write)
{
	unsigned int range = msr < 0x2000 ? 0 : msr < 0xc0010000 ? 0x800 : 0x1000;

	return range * 8 + (msr & 0x1fff) * 2 + write;
}

static bool open_msr(uint32_t msr, bool write, bool *opened)
{
	return svm_maps_open_msr(&v, msr, write, opened);
}

/* The next entry: L1 has a map for MSRs, or leaves all of them to its guest. */
static void enter(bool mapped)
{
	request.intercept1 = mapped ? INTERCEPT1(VMEXIT_MSR) | INTERCEPT1(VMEXIT_IOIO) : 0;
	svm_maps_sync(&v, &request);
}

static void nothing_is_open_at_first(void **state)
{
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
	assert_int_equal(open_in(iopm, sizeof(iopm)), 0);
	enter(false);
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
	assert_int_equal(open_in(iopm, sizeof(iopm)), 0);
}

static const uint32_t ranges[] = {0,          0x10,       0x1b,      0x1fff,
				  0xc0000000, 0xc0000080, HIGH_MSR,  0xc0001fff,
				  0xc0010000, 0xc0010015, 0xc0011fff};

/* Whether the list leaves it open, and the backend. */
static bool may_open(uint32_t msr, bool write)
{
	return !write || (msr != MSR_EFER && msr_rule(msr)->kind == RULE_OPEN);
}

static void an_open_msr_is_opened_alone(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (int write = 0; write < 2; write++) {
			bool opened;

			set_up(NULL);
			assert_true(open_msr(ranges[i], write, &opened));
			assert_int_equal(opened, may_open(ranges[i], write));
			if (!opened) {
				assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
				continue;
			}
			assert_false(get_bit(msrpm, msr_bit(ranges[i], write)));
			assert_int_equal(open_in(msrpm, sizeof(msrpm)), 1);
			assert_int_equal(open_in(iopm, sizeof(iopm)), 0);
		}
	}
}

static void a_closed_msr_stays_closed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (int write = 0; write < 2; write++) {
			bool opened;

			set_up(NULL);
			set_bit(MSRPM, msr_bit(ranges[i], write), true);
			assert_false(open_msr(ranges[i], write, &opened));
			assert_false(opened);
			assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
			enter(false); /* unless L1 has no map at all */
			assert_true(open_msr(ranges[i], write, &opened));
		}
	}
}

static void msrs_outside_the_map(void **state)
{
	const uint32_t msr[] = {0x2000, 0xbfffffff, 0xc0002000, 0xc000ffff, 0xc0012000, UINT32_MAX};
	bool opened;

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		set_up(NULL);
		assert_false(open_msr(msr[i], true, &opened));
		enter(false);
		assert_true(open_msr(msr[i], true, &opened));
		assert_false(opened);
		assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
	}
}

static void some_msrs_are_never_opened(void **state)
{
	const struct {
		uint32_t msr;
		bool read;
	} row[] = {
		{MSR_VM_CR, false},     {MSR_VM_HSAVE_PA, false}, {MSR_APIC_BASE, true},
		{MSR_X2APIC_ICR, true}, {MSR_XSS, true},          {0x79, true},
		{DEF_TYPE, false},      {0xc0010010, true},
	};
	bool opened;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		for (int mapped = 0; mapped < 2; mapped++) {
			set_up(NULL);
			enter(mapped);
			assert_true(open_msr(row[i].msr, true, &opened)); /* L1 does not want it */
			assert_false(opened);
			assert_int_equal(open_in(msrpm, sizeof(msrpm)), 0);
			assert_true(open_msr(row[i].msr, false, &opened));
			assert_int_equal(opened, row[i].read);
			assert_int_equal(open_in(msrpm, sizeof(msrpm)), row[i].read);
		}
	}
}

/* All pages of both maps follow L1's, and each its own intercept. */
static void what_l1_closes_is_closed(void **state)
{
	const uint32_t msr[] = {0x48, 0x277, HIGH_MSR, 0xc0010004};
	bool opened;

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		assert_true(open_msr(msr[i], false, &opened));
		assert_true(open_msr(msr[i], true, &opened));
	}
	assert_true(permit_port(&v.io, false, 0x80, 1));
	assert_true(permit_port(&v.io, false, 0x8080, 1));
	assert_true(permit_port(&v.io, false, 0xffff, 2)); /* APM volume 2, 15.10.1: a third page */
	enter(true);
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 8);
	assert_int_equal(open_in(iopm, sizeof(iopm)), 4);
	set_bit(MSRPM, msr_bit(0x48, true), true);
	set_bit(MSRPM, msr_bit(0xc0010004, true), true);
	set_bit(IOPM, 0x8080, true);
	set_bit(IOPM, 0x10000, true);
	enter(false);
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 8);
	assert_int_equal(open_in(iopm, sizeof(iopm)), 4);
	enter(true);
	assert_true(get_bit(msrpm, msr_bit(0x48, true)));
	assert_true(get_bit(msrpm, msr_bit(0xc0010004, true)));
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 6);
	assert_true(get_bit(iopm, 0x8080) && get_bit(iopm, 0x10000));
	assert_int_equal(open_in(iopm, sizeof(iopm)), 2);
	request.intercept1 = INTERCEPT1(VMEXIT_IOIO);
	request.msrpm_base = MIB;
	request.iopm_base = MIB;
	svm_maps_sync(&v, &request);
	assert_int_equal(open_in(msrpm, sizeof(msrpm)), 6);
	assert_int_equal(open_in(iopm, sizeof(iopm)), 0);
}

static void a_map_that_is_gone_is_closed(void **state)
{
	bool opened;

	request.msrpm_base = MIB;
	request.iopm_base = UINT64_MAX;
	enter(true);
	assert_false(open_msr(0x11, false, &opened));
	assert_false(permit_port(&v.io, false, 0x81, 1));
}

/* Each bit says what the list says, or what is the backend's own. */
static void the_hosts_own_map(void **state)
{
	static const uint32_t start[] = {0, 0xc0000000, 0xc0010000};
	uint8_t map[MSRPM_BYTES] = {0};
	unsigned int closed = 0;

	svm_maps_host(map);
	for (uint32_t i = 0; i < ARRAY_SIZE(start) * 0x2000; i++) {
		uint32_t msr = start[i / 0x2000] + i % 0x2000;
		bool kept = msr == MSR_EFER || msr == MSR_VM_CR || msr == MSR_VM_HSAVE_PA;
		bool exits = kept || msr == MSR_XSS || msr_rule(msr)->kind != RULE_OPEN;

		assert_int_equal(get_bit(map, msr_bit(msr, false)), kept || msr == DEF_TYPE);
		assert_int_equal(get_bit(map, msr_bit(msr, true)), exits);
		closed += kept + (msr == DEF_TYPE) + exits;
	}
	assert_int_equal(open_in(map, sizeof(map)), MSRPM_BYTES * 8 - closed);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Those that the monitor keeps for an isolated guest exit to nobody, whatever L1 says; no others. */
static void an_isolated_guests_own(void **state)
{
	static const uint32_t own[] = {0x174,      0x175,      0x176,      0x277,
				       0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
				       0xc0000100, 0xc0000101, 0xc0000102};
	unsigned int open = 0;

	svm_maps_reset(&v, true);
	memset(fake_at(HPA(MSRPM), MSRPM_BYTES), 0xff, MSRPM_BYTES);
	svm_maps_sync(&v, &request);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		for (unsigned int write = 0; write < 2; write++) {
			unsigned int bit = msr_bit(own[i], write);

			assert_false(msrpm[bit / 8] >> bit % 8 & 1);
		}
	for (size_t i = 0; i < 8 * sizeof(msrpm); i++)
		open += !(msrpm[i / 8] >> i % 8 & 1);
	assert_int_equal(open, 2 * ARRAY_SIZE(own));
}

/* Nobody writes by himself to a counter that the monitor reckons with (clock.h, uptime.h). */
static void the_counter(void **state)
{
	for (int isolated = 0; isolated < 2; isolated++)
		for (int write = 0; write < 2; write++) {
			bool opened;

			set_up(NULL);
			svm_maps_reset(&v, isolated);
			assert_true(open_msr(0x10, write, &opened));
			assert_int_equal(opened, !write);
			assert_true(open_msr(0x3b, write, &opened));
			assert_int_equal(opened, !write);
		}
	svm_maps_reset(&v, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_open_at_first),     T(an_open_msr_is_opened_alone),
		T(a_closed_msr_stays_closed),    T(msrs_outside_the_map),
		T(some_msrs_are_never_opened),   T(what_l1_closes_is_closed),
		T(a_map_that_is_gone_is_closed), T(the_hosts_own_map),
		T(an_isolated_guests_own),       T(the_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
