/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that L1 reads and writes without an exit: shown to it, and collected from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

enum {
	OTHER,
	L1,
	L2,
	UNUSED,
	SHADOW
}; /* VMCSs; the shadow's has to be the address of an integer */

#define SHADOWING (1u << 14)

static struct hw_cpu hw;
static uint64_t *f = hw.current.f;

void vmx_vmcs_init(struct vmcs *v)
{
	memset(vmcs.of[v->hpa], 0, sizeof(vmcs.of[0]));
	vmx_clear(v);
}

static bool all(uint64_t encoding)
{
	return true;
}

static void start(void)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	fake_add_monitor(HPA(16 * MIB), 2 * MIB);
	vmcs_catch();
	fields_init(all);
	memset(&hw, 0, sizeof(hw));
	hw_caps.cpu2.may = SHADOWING;
	hw_caps.misc = 1ul << 29;
	hw.l1.hpa = L1;
	vmcs_load(L1);
	shadow_create(&hw);
	assert_true(mem_is_monitor(HPA(hw.shadow.hpa)));
	hw.shadow.hpa = SHADOW;
	shadow_enable(&hw);
}

static bool opened(uint16_t bitmap, unsigned int field)
{
	const uint8_t *bits = mem_at(HPA(vmcs.of[L1][bitmap]));
	uint16_t e = field_encoding[field];

	return !(bits[e / 8] >> (e % 8) & 1);
}

static bool l1_writes(unsigned int field)
{
	return opened(VMCS_VMWRITE_BITMAP, field);
}

/* What L1 wrote, and nothing else, is newer than what runs. */
static void what_l1_wrote(void **state)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		uint64_t before[FIELD_COUNT];

		start();
		for (unsigned int j = 0; j < FIELD_COUNT; j++)
			before[j] = f[j] = 0x1000 + j;
		shadow_show(&hw);
		vmcs.of[SHADOW][field_encoding[i]] ^= 0x21;
		shadow_collect(&hw);
		for (unsigned int j = 0; j < FIELD_COUNT; j++) {
			bool changed = j == i && l1_writes(j);

			assert_int_equal(f[j], changed ? before[j] ^ 0x21 : before[j]);
			assert_int_equal(set_has(&hw.current.dirty, j), changed);
		}
		count += l1_writes(i);
		assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	}
	assert_in_range(count, 10, FIELD_COUNT / 2);
}

/* What is marked already stays so. */
static void marks_stay(void **state)
{
	start();
	set_add(&hw.current.dirty, F_GUEST_RIP);
	set_add(&hw.current.dirty, F_HOST_CR3);
	shadow_show(&hw);
	shadow_collect(&hw);
	assert_true(set_has(&hw.current.dirty, F_GUEST_RIP));
	assert_true(set_has(&hw.current.dirty, F_HOST_CR3));
}

/* All that L1 can read there is shown; the hardware's copy is written back before L1 runs. */
static void what_l1_reads(void **state)
{
	unsigned int clears;

	start();
	clears = vmcs.clears[SHADOW];
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		f[i] = 0x2000 + i;
	shadow_show(&hw);
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		bool reads = opened(VMCS_VMREAD_BITMAP, i);

		assert_int_equal(vmcs.of[SHADOW][field_encoding[i]], reads ? f[i] : 0);
		assert_true(reads || !l1_writes(i));
	}
	assert_int_equal(vmcs.clears[SHADOW], clears + 1);
	shadow_collect(&hw);
	assert_int_equal(vmcs.clears[SHADOW], clears + 2);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
}

/* Without an exit only what means the same there: no field that is read late, or in halves. */
static void which_fields(void **state)
{
	start();
	for (unsigned int i = 0; i < FIELD_COUNT; i++) {
		uint16_t e = field_encoding[i];
		bool info = FIELD_TYPE(e) == FIELD_TYPE_INFO;

		if (info || FIELD_WIDTH(e) == 1 || set_has(&fields_of[COLD], i) ||
		    set_has(&fields_of[CHOICE], i) || set_has(&fields_of[LIST], i))
			assert_false(l1_writes(i));
		if (set_has(&fields_of[COLD], i))
			assert_false(opened(VMCS_VMREAD_BITMAP, i));
	}
	assert_false(opened(VMCS_VMREAD_BITMAP, F_INSN_ERROR));
	assert_true(opened(VMCS_VMREAD_BITMAP, F_EXIT_REASON));
	assert_true(l1_writes(F_GUEST_RIP));
	assert_true(l1_writes(F_ENTRY_EVENT));
}

/* SDM volume 3, 25.10: by a control and the link pointer of L1's VMCS. */
static void on_and_off(void **state)
{
	start();
	vmcs.of[L1][VMCS_CPU2_CONTROLS] = 0x2a;
	shadow_switch(&hw, true);
	assert_int_equal(vmcs.of[L1][VMCS_CPU2_CONTROLS], 0x2a | SHADOWING);
	assert_int_equal(vmcs.of[L1][VMCS_LINK_POINTER], SHADOW);
	shadow_switch(&hw, false);
	assert_int_equal(vmcs.of[L1][VMCS_CPU2_CONTROLS], 0x2a);
	assert_int_equal(vmcs.of[L1][VMCS_LINK_POINTER], NO_VMCS);
}

static void without(void **state)
{
	for (int why = 0; why < 3; why++) {
		start();
		hw.shadow.hpa = 0;
		hw_caps.cpu2.may = why == 0 ? 0 : SHADOWING;
		hw_caps.misc = why == 1 ? 0 : 1ul << 29;
		shadow_off = why == 2;
		shadow_create(&hw);
		shadow_off = false;
		assert_int_equal(hw.shadow.hpa, 0);
		vmcs.writes = 0;
		shadow_enable(&hw);
		shadow_switch(&hw, true);
		shadow_show(&hw);
		shadow_collect(&hw);
		assert_int_equal(vmcs.writes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_l1_wrote), cmocka_unit_test(marks_stay),
		cmocka_unit_test(what_l1_reads), cmocka_unit_test(which_fields),
		cmocka_unit_test(on_and_off),    cmocka_unit_test(without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
