/* SPDX-License-Identifier: Apache-2.0 */
/* L1's MSR lists: what VM entry loads, what VM exit stores, and where either stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/fake/msr.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

#define RAM_SIZE (4 * MIB)
#define LIST 0x8ff0u /* its second entry is in the next page */

struct entry {
	uint32_t index, reserved;
	uint64_t value;
};

static struct hw_cpu hw;
static struct cpu cpu = {.hw = &hw};

static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	assert_int_equal(host_init(mem_top(), true, NULL), 0);
	fake_msr_reset();
	fake_set_msr(0x10, 0x1010);
	fake_set_msr(0xc0000102, 0x102);
	return 0;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

static struct entry *entry(unsigned int i)
{
	return fake_at(HPA(LIST + i * sizeof(struct entry)), sizeof(struct entry));
}

static void put(unsigned int i, uint32_t index, uint64_t value)
{
	*entry(i) = (struct entry){index, 0, value};
}

static uint32_t load_one(uint32_t index, uint64_t value)
{
	put(0, index, value);
	return msrs_load(&cpu, LIST, 1);
}

static uint32_t store_one(uint32_t index)
{
	put(0, index, 0xabcdef);
	return msrs_store(&cpu, LIST, 1);
}

static void an_empty_list(void **state)
{
	assert_int_equal(msrs_load(&cpu, UINT64_MAX, 0), 0);
	assert_int_equal(msrs_store(&cpu, UINT64_MAX, 0), 0);
}

static void in_order(void **state)
{
	put(0, 0x10, 1);
	put(1, 0xc0000102, 2);
	put(2, 0x10, 3);
	assert_int_equal(msrs_load(&cpu, LIST, 3), 0);
	assert_int_equal(fake_msr(0x10), 3);
	assert_int_equal(fake_msr(0xc0000102), 2);
	put(0, 0xc0000102, 77);
	put(1, 0x10, 77);
	assert_int_equal(msrs_store(&cpu, LIST, 2), 0);
	assert_int_equal(entry(0)->value, 2);
	assert_int_equal(entry(1)->value, 3);
	assert_int_equal(entry(2)->value, 3); /* beyond the list */
	assert_int_equal(entry(0)->index, 0xc0000102);
	assert_int_equal(entry(0)->reserved, 0);
}

/* Numbered from 1: SDM volume 3, 27.8. What comes before it has been done, what comes behind has not. */
static void the_first_bad_entry(void **state)
{
	for (uint32_t bad = 0; bad < 4; bad++) {
		set_up(NULL);
		for (uint32_t i = 0; i < 4; i++)
			put(i, i == bad ? 0x999 : 0x10, i);
		assert_int_equal(msrs_load(&cpu, LIST, 4), bad + 1);
		assert_int_equal(fake_msr(0x10), bad ? bad - 1 : 0x1010);
		assert_int_equal(msrs_store(&cpu, LIST, 4), bad + 1);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(entry(i)->value, i < bad ? bad - 1 : i);
	}
}

static void reserved_bits(void **state)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		put(0, 0x10, 5);
		entry(0)->reserved = 1u << bit;
		assert_int_equal(msrs_load(&cpu, LIST, 1), 1);
		assert_int_equal(msrs_store(&cpu, LIST, 1), 1);
		assert_int_equal(entry(0)->value, 5);
	}
	assert_int_equal(fake_msr(0x10), 0x1010);
}

/* SDM volume 3, 27.4 and 28.4: the local APIC's, SMM's and the microcode's. */
static void msrs_that_no_list_has(void **state)
{
	const uint32_t single[] = {0x79, 0x8b, 0x9b};

	for (uint32_t msr = 0x7fe; msr < 0x902; msr++) {
		bool apic = msr >= 0x800 && msr < 0x900;

		fake_msr_reset();
		fake_set_msr(msr, 1);
		assert_int_equal(load_one(msr, 2), apic);
		assert_int_equal(store_one(msr), apic);
		assert_int_equal(fake_msr(msr), 1); /* the others are closed: see below */
	}
	for (size_t i = 0; i < ARRAY_SIZE(single); i++) {
		fake_set_msr(single[i], 1);
		assert_int_equal(load_one(single[i], 2), 1);
		assert_int_equal(store_one(single[i]), 1);
		assert_int_equal(fake_msr(single[i]), 1);
	}
}

/* A list can do no more than L1's WRMSR can. */
static void msrs_that_are_closed(void **state)
{
	fake_set_msr(0x600, 1);
	fake_set_msr(0x4e0, 1);
	fake_set_msr(0x199, 0);
	assert_int_equal(load_one(0x600, 0x2000), 0); /* dropped */
	assert_int_equal(load_one(0x4e0, 0x2000), 0);
	assert_int_equal(load_one(0x199, 0x12345), 0);
	assert_int_equal(fake_msr(0x600), 1);
	assert_int_equal(fake_msr(0x4e0), 1);
	assert_int_equal(fake_msr(0x199), 0x2345);
	assert_int_equal(store_one(0x4e0), 0);
	assert_int_equal(entry(0)->value, 1);
}

/* Those that L1's CPU does not hold while the monitor runs, or that are a field anyway. */
static void msrs_in_the_vmcs(void **state)
{
	static const struct {
		uint32_t msr;
		uint16_t field;
		bool loaded;
	} row[] = {
		{0x277, 0x2804, true},       {0x174, 0x482a, true},
		{0x175, 0x6824, true},       {0x176, 0x6826, true},
		{0x1d9, 0x2802, true},       {0xc0000080, 0x2806, true},
		{0xc0000100, 0x680e, false}, {0xc0000101, 0x6810, false},
	};

	vmcs_catch();
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		fake_set_msr(row[i].msr, 0); /* is not looked at */
		vmcs.field[row[i].field] = 0x500;
		assert_int_equal(store_one(row[i].msr), 0);
		assert_int_equal(entry(0)->value, 0x500);
		assert_int_equal(load_one(row[i].msr, 0xd01), !row[i].loaded);
		assert_int_equal(vmcs.field[row[i].field], !row[i].loaded ? 0x500
							   : row[i].msr == 0x1d9
								   ? 0 /* but BTF: R20 */
								   : 0xd01);
		assert_int_equal(fake_msr(row[i].msr), 0);
	}
	assert_int_equal(vmcs.writes, 6);
}

/* It fits the mode that VM entry has just set. */
static void efer(void **state)
{
	const uint64_t free = 1 << 0 | 1 << 11, mode = 1 << 8 | 1 << 10;

	vmcs_catch();
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;

		for (uint64_t now = 0; now <= mode; now += mode) {
			vmcs.field[0x2806] = now;
			assert_int_equal(load_one(0xc0000080, now ^ mask), !(free & mask));
			assert_int_equal(vmcs.field[0x2806], now ^ (free & mask));
		}
	}
}

/* A list is looked at entry by entry: it may go away meanwhile. */
static void a_list_out_of_memory(void **state)
{
	uint64_t list = RAM_SIZE - 2 * sizeof(struct entry);
	struct entry *last = fake_at(HPA(list), 2 * sizeof(struct entry));

	last[0] = last[1] = (struct entry){0x10, 0, 9};
	assert_int_equal(msrs_load(&cpu, list, 3), 3);
	assert_int_equal(msrs_store(&cpu, list, 3), 3);
	assert_int_equal(msrs_load(&cpu, RAM_SIZE, 1), 1);
	assert_int_equal(msrs_store(&cpu, UINT64_MAX - 15, 1), 1);
}

/* What L1 may not write itself is not written for it. */
static void a_list_in_a_page_that_is_not_l1s(void **state)
{
	put(0, 0x10, 1);
	put(1, 0x10, 2);
	put(2, 0x10, 3);
	fake_give(HPA(LIST), OWNER_TABLE);
	assert_int_equal(msrs_store(&cpu, LIST, 2), 1);
	assert_int_equal(entry(0)->value, 1);
	fake_give(HPA(LIST), OWNER_HOST);
	fake_give(HPA(ALIGN_UP(LIST, PAGE_SIZE)), OWNER_GUEST);
	assert_int_equal(msrs_store(&cpu, LIST, 3), 2);
	assert_int_equal(entry(0)->value, 0x1010);
	assert_int_equal(entry(1)->value, 2);
}

/* Fields that some MSRs are in. */
static const uint16_t *field_of(uint32_t msr)
{
	static const uint16_t sysenter[] = {VMCS_GUEST_SYSENTER_CS, VMCS_GUEST_SYSENTER_ESP,
					    VMCS_GUEST_SYSENTER_EIP};
	static const uint16_t pat = VMCS_GUEST_PAT, debugctl = VMCS_GUEST_DEBUGCTL;

	return msr == 0x277 ? &pat : msr == 0x1d9 ? &debugctl : &sysenter[msr - 0x174];
}

/* Fields of an isolated guest: what L1 stores is what it may see, and what it loads does not count. */
static void msrs_of_an_isolated_guest(void **state)
{
	static const uint32_t msr[] = {0x174, 0x175, 0x176, 0x277, 0x1d9};
	static struct guest guest = {.isolated = true};
	static struct guest_vcpu vcpu = {.guest = &guest};

	vmcs_catch();
	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		const uint16_t *field = field_of(msr[i]);

		hw.running = &vcpu;
		vmcs.field[*field] = 0x5ec;
		hw.current.f[field_find(*field)] = 0x50;
		assert_int_equal(store_one(msr[i]), 0);
		assert_int_equal(entry(0)->value, 0x50);
		assert_int_equal(load_one(msr[i], 7), 0);
		assert_int_equal(vmcs.field[*field], 0x5ec);
		hw.running = NULL; /* L1's own, and of DEBUGCTL BTF alone (R20) */
		assert_int_equal(load_one(msr[i], 7), 0);
		assert_int_equal(vmcs.field[*field], msr[i] == 0x1d9 ? 2 : 7);
	}
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_list),
		T(in_order),
		T(the_first_bad_entry),
		T(reserved_bits),
		T(msrs_that_no_list_has),
		T(msrs_that_are_closed),
		T(msrs_in_the_vmcs),
		T(efer),
		T(a_list_out_of_memory),
		T(a_list_in_a_page_that_is_not_l1s),
		T(msrs_of_an_isolated_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
