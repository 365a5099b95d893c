/* SPDX-License-Identifier: Apache-2.0 */
/* Which bits of the bitmaps an MSR or a port has, and which of them stay closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/apic.h"
#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/fake/msr.h"
#include "monitor/msr_list.h"
#include "monitor/types.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_maps.h"

struct vmx_caps hw_caps; /* as caps.c would find them */

#define L1_MSRS 0x10000u
#define L1_PORTS_A 0x20000u
#define L1_PORTS_B 0x30000u
#define VARIABLE_RANGES 8

static uint8_t msrs[PAGE_SIZE], ports[2 * PAGE_SIZE];
static struct hw_vcpu v;
static uint64_t f[FIELD_COUNT];

/* The firmware's MTRRs; all 8 variable ranges and the fixed ones. */
static void set_mtrrs(void)
{
	static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
					 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

	fake_msr_reset();
	fake_set_msr(0xfe, 0x500 | VARIABLE_RANGES);
	fake_set_msr(0x2ff, 0xc06);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		fake_set_msr(fixed[i], 0);
	for (uint32_t i = 0; i < 2 * VARIABLE_RANGES; i++)
		fake_set_msr(0x200 + i, 0);
	fake_catch();
	types_read(40, true);
}

/* L1's bitmaps leave everything open, and are in use. */
static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	set_mtrrs();
	memset(&v, 0, sizeof(v));
	memset(f, 0, sizeof(f));
	v.msr = (struct permit_map){.bits = msrs, .size = sizeof(msrs)};
	v.io = (struct permit_map){.bits = ports, .size = sizeof(ports)};
	f[F_CPU_CONTROLS] = CPU_MSR_BITMAPS | CPU_IO_BITMAPS;
	f[F_MSR_BITMAP] = L1_MSRS;
	f[F_IO_BITMAP_A] = L1_PORTS_A;
	f[F_IO_BITMAP_B] = L1_PORTS_B;
	permit_reset(&v.msr);
	permit_reset(&v.io);
	maps_prepare(&v, f);
	return 0;
}

/* SDM volume 3, 25.6.9: reads of low MSRs, of high ones, writes of low ones, of high ones. */
static unsigned int msr_bit(uint32_t msr, bool write)
{
	return (write ? 2048 * 8 : 0) + (msr >= 0xc0000000 ? 1024 * 8 : 0) + (msr & 0x1fff);
}

#define OPEN_MSRS open_in(msrs, sizeof(msrs))
#define OPEN_PORTS open_in(ports, sizeof(ports))

/* The next entry, with these processor-based controls. */
static void enter(uint32_t controls)
{
	f[F_CPU_CONTROLS] = controls;
	maps_prepare(&v, f);
}

/* What has to exit: the monitor's, or the local APIC's. */
static bool kept(uint32_t msr, bool write)
{
	if (msr == 0x3a || msr == 0xda0 || (msr >= 0x480 && msr <= 0x493))
		return true;
	if (msr == 0x3f1 || msr == 0x600 || msr == 0x17d0 || msr == 0x17d1 ||
	    (msr >= 0x560 && msr <= 0x571) || (msr >= 0x580 && msr <= 0x587))
		return true;
	if ((msr >= 0x200 && msr < 0x200 + 2 * VARIABLE_RANGES) || msr == 0x2ff)
		return true;
	if (msr == 0x250 || msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f))
		return true;
	return write && (msr == 0xda0 || msr_rule(msr)->kind != RULE_OPEN);
}

static void nothing_is_open_at_first(void **state)
{
	assert_int_equal(OPEN_MSRS, 0);
	assert_int_equal(OPEN_PORTS, 0);
	enter(0);
	assert_int_equal(OPEN_MSRS, 0);
	assert_int_equal(OPEN_PORTS, 0);
}

/* Whatever L1 says: MSRs of system calls, segments and PAT; writes to some of them are the monitor's to see. */
static void an_isolated_guest_has_its_own(void **state)
{
	static const uint32_t own[] = {0x174,      0x175,      0x176,      0x277,      0xc0000081,
				       0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
				       0xc0000102, 0xc0000103, 0xc0000080};
	unsigned int open = 0;

	enter(CPU_MSR_BITMAPS);
	memset(fake_at(HPA(L1_MSRS), PAGE_SIZE), 0xff, PAGE_SIZE);
	maps_reset(&v, true);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		bool exits = (own[i] >= 0xc0000080 && own[i] <= 0xc0000084) || own[i] == 0xc0000103;

		assert_false(get_bit(msrs, msr_bit(own[i], false)));
		assert_int_equal(get_bit(msrs, msr_bit(own[i], true)), exits);
		open += 2 - exits;
	}
	assert_int_equal(OPEN_MSRS, open);
	enter(CPU_MSR_BITMAPS);
	assert_int_equal(OPEN_MSRS, open);
	assert_int_equal(OPEN_PORTS, 0);
	maps_reset(&v, false);
	assert_int_equal(OPEN_MSRS, 0);
}

/* Nobody writes by himself to a counter that the monitor reckons with (clock.h, uptime.h). */
static void the_counter(void **state)
{
	static const uint32_t msr[] = {0x10, 0x3b, 0x11};

	for (int isolated = 0; isolated < 2; isolated++)
		for (size_t i = 0; i < ARRAY_SIZE(msr); i++)
			for (int write = 0; write < 2; write++) {
				bool opened, counter = msr[i] != 0x11;

				enter(CPU_MSR_BITMAPS);
				maps_reset(&v, isolated);
				assert_true(maps_msr(&v, msr[i], write, &opened));
				assert_int_equal(opened,
						 !(write && counter) && !kept(msr[i], write));
			}
	maps_reset(&v, false);
}

static void try_msr(uint32_t msr, bool write)
{
	unsigned int bit = msr_bit(msr, write);
	bool opened = true;

	/* L1 wants all but this one. */
	memset(fake_at(HPA(L1_MSRS), PAGE_SIZE), 0xff, PAGE_SIZE);
	set_bit(L1_MSRS, bit, false);
	permit_reset(&v.msr);
	assert_true(maps_msr(&v, msr, write, &opened));
	assert_int_equal(opened, !kept(msr, write));
	assert_int_equal(get_bit(msrs, bit), kept(msr, write));
	assert_int_equal(v.msr.count, opened);
	/* L1 wants this one alone. */
	memset(fake_at(HPA(L1_MSRS), PAGE_SIZE), 0, PAGE_SIZE);
	set_bit(L1_MSRS, bit, true);
	permit_reset(&v.msr);
	opened = true;
	assert_false(maps_msr(&v, msr, write, &opened));
	assert_false(opened);
	assert_true(get_bit(msrs, bit));
	assert_int_equal(v.msr.count, 0);
}

static void every_msr(void **state)
{
	for (uint32_t msr = 0; msr < 0x2000; msr++) {
		for (int write = 0; write < 2; write++) {
			try_msr(msr, write);
			try_msr(0xc0000000 + msr, write);
		}
	}
}

static void an_open_msr_is_opened_alone(void **state)
{
	const uint32_t msr[] = {0xc1, 0x277, 0xddf, 0xc0000080, 0xc0000102, 0xc0000303};

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		for (int write = 0; write < 2; write++) {
			bool opened;

			permit_reset(&v.msr);
			assert_true(maps_msr(&v, msr[i], write, &opened));
			assert_false(get_bit(msrs, msr_bit(msr[i], write)));
			assert_int_equal(OPEN_MSRS, 1);
			assert_int_equal(OPEN_PORTS, 0);
		}
	}
}

/* They exit whatever a bitmap says: to L1. */
static void msrs_outside_the_bitmap(void **state)
{
	const uint32_t msr[] = {0x2000,     0x3a00,     0x40000000, 0xbfffffff,
				0xc0002000, 0xc0010015, 0xc0011fff, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		for (int write = 0; write < 2; write++) {
			bool opened = true;

			assert_false(maps_msr(&v, msr[i], write, &opened));
			assert_false(opened);
			assert_int_equal(OPEN_MSRS, 0);
		}
	}
}

/* All of them exit to L1: there is no control that has none exit. */
static void without_an_msr_bitmap(void **state)
{
	bool opened = true;

	enter(CPU_IO_BITMAPS);
	assert_false(maps_msr(&v, 0x10, false, &opened));
	assert_false(opened);
	enter(CPU_MSR_BITMAPS);
	assert_true(maps_msr(&v, 0x10, false, &opened));
	assert_int_equal(OPEN_MSRS, 1);
	enter(0);
	assert_int_equal(OPEN_MSRS, 0);
}

/* SDM volume 3, table 25-6: use of the bitmaps has all exit or none do, where it is off. */
static void port_controls(void **state)
{
	assert_true(permit_port(&v.io, false, 0x80, 1));
	assert_int_equal(OPEN_PORTS, 1);
	enter(CPU_IO_BITMAPS | CPU_PORTS); /* then the bitmaps alone count */
	assert_int_equal(OPEN_PORTS, 1);
	enter(CPU_PORTS);
	assert_int_equal(OPEN_PORTS, 0);
	assert_false(permit_port(&v.io, false, 0x80, 1));
	enter(0);
	memset(fake_at(HPA(L1_PORTS_A), PAGE_SIZE), 0xff, PAGE_SIZE);
	assert_true(permit_port(&v.io, false, 0x80, 1));
	enter(0);
	assert_int_equal(OPEN_PORTS, 1);
	enter(CPU_IO_BITMAPS);
	assert_int_equal(OPEN_PORTS, 0);
	assert_false(permit_port(&v.io, false, 0x80, 1));
}

/* Bitmap A has the ports below 8000, B those from there on. */
static void both_port_bitmaps(void **state)
{
	const struct {
		uint16_t port;
		uint64_t map;
		unsigned int bit;
	} row[] = {
		{0, L1_PORTS_A, 0},      {0xcf8, L1_PORTS_A, 0xcf8},   {0x7fff, L1_PORTS_A, 0x7fff},
		{0x8000, L1_PORTS_B, 0}, {0xffff, L1_PORTS_B, 0x7fff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		permit_reset(&v.io);
		set_bit(row[i].map, row[i].bit, true);
		assert_false(permit_port(&v.io, false, row[i].port, 1));
		set_bit(row[i].map, row[i].bit, false);
		assert_true(permit_port(&v.io, false, row[i].port, 1));
		assert_false(get_bit(ports, row[i].port));
		assert_int_equal(OPEN_PORTS, 1);
	}
	permit_reset(&v.io);
	set_bit(L1_PORTS_B, 0, true);
	assert_false(permit_port(&v.io, false, 0x7fff, 2));
	set_bit(L1_PORTS_B, 0, false);
	assert_true(permit_port(&v.io, false, 0x7fff, 2));
	assert_int_equal(OPEN_PORTS, 2);
}

static void what_l1_closes_is_closed(void **state)
{
	const uint32_t msr[] = {0x277, 0x48, 0xc0000102};
	bool opened;

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		assert_true(maps_msr(&v, msr[i], false, &opened));
		assert_true(maps_msr(&v, msr[i], true, &opened));
	}
	assert_true(permit_port(&v.io, false, 0x80, 1));
	assert_true(permit_port(&v.io, false, 0x8080, 1));
	set_bit(L1_MSRS, msr_bit(0x48, true), true);
	set_bit(L1_MSRS, msr_bit(0xc0000102, false), true);
	set_bit(L1_PORTS_B, 0x80, true);
	assert_int_equal(OPEN_MSRS, 6);
	assert_int_equal(OPEN_PORTS, 2);
	maps_prepare(&v, f);
	assert_int_equal(OPEN_MSRS, 4);
	assert_true(get_bit(msrs, msr_bit(0x48, true)));
	assert_true(get_bit(msrs, msr_bit(0xc0000102, false)));
	assert_int_equal(OPEN_PORTS, 1);
	assert_true(get_bit(ports, 0x8080));
	f[F_MSR_BITMAP] = MIB; /* there is nothing */
	f[F_IO_BITMAP_A] = MIB;
	maps_prepare(&v, f);
	assert_int_equal(OPEN_MSRS, 0);
	assert_int_equal(OPEN_PORTS, 0);
	assert_false(maps_msr(&v, 0x10, false, &opened));
	assert_false(permit_port(&v.io, false, 0x80, 1));
	assert_true(permit_port(&v.io, false, 0x8081, 1));
}

/* While L1 runs, the monitor's own exit and all others do not. */
static void l1s_own_bitmap(void **state)
{
	uint8_t bitmap[PAGE_SIZE] = {0};

	maps_host(bitmap);
	for (uint32_t msr = 0; msr < 0x2000; msr++) {
		for (int write = 0; write < 2; write++) {
			assert_int_equal(get_bit(bitmap, msr_bit(msr, write)), kept(msr, write));
			assert_int_equal(get_bit(bitmap, msr_bit(0xc0000000 + msr, write)),
					 kept(0xc0000000 + msr, write));
		}
	}
}

/* Nor while a guest runs whose L1 opens what it can. */
static void a_guest_reaches_no_more(void **state)
{
	const uint32_t msr[] = {0x3a,  0x480, 0x491, 0x200, 0x20f, 0x250, 0x26f, 0x2ff, 0x1b,
				0x830, 0xda0, 0x560, 0x600, 0x79,  0x1d9, 0x1a0, 0x401, 0xc0000104};
	bool opened;

	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		assert_true(maps_msr(&v, msr[i], true, &opened)); /* L1 does not want it */
		assert_false(opened);
	}
	assert_int_equal(OPEN_MSRS, 0);
	assert_true(maps_msr(&v, MSR_APIC_BASE, false, &opened));
	assert_true(opened);
	assert_true(maps_msr(&v, 0x210, true, &opened)); /* no MTRR on this CPU */
	assert_false(opened);
	assert_true(maps_msr(&v, 0x210, false, &opened));
	assert_true(opened);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_open_at_first),
		T(every_msr),
		T(an_open_msr_is_opened_alone),
		T(msrs_outside_the_bitmap),
		T(without_an_msr_bitmap),
		T(port_controls),
		T(both_port_bitmaps),
		T(what_l1_closes_is_closed),
		T(l1s_own_bitmap),
		T(a_guest_reaches_no_more),
		T(an_isolated_guest_has_its_own),
		T(the_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
