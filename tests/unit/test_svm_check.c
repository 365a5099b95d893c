/* SPDX-License-Identifier: Apache-2.0 */
/* VMCBs that VMRUN refuses: one wrong field at a time, next to the closest right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "monitor/svm/svm.h"

#define RAM_SIZE MIB
#define LONG_MODE (EFER_SVME | EFER_LME | EFER_LMA)
#define PAGED (CR0_PE | CR0_PG)

static const struct svm_features features = {.phys_bits = 40};
static struct vmcb v;

static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	memset(&v, 0, sizeof(v));
	v.c.intercept2 = INTERCEPT2(VMEXIT_VMRUN);
	v.c.asid = 1;
	v.c.nested_ctl = NESTED_CTL_NP;
	v.c.nested_cr3 = 0x5000;
	v.c.msrpm_base = 0x10000;
	v.c.iopm_base = 0x20000;
	v.s.efer = LONG_MODE;
	v.s.cr0 = PAGED;
	v.s.cr4 = CR4_PAE;
	v.s.cs.attrib = 1u << 9;
	v.s.pat = 0x0007040600070406;
	return 0;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

static const char *wrong(void)
{
	struct svm_looked none = {0};
	const char *controls = svm_check_controls(&v.c, &none);

	return controls ? controls : svm_check_state(&v.s, &features);
}

/* What is said about the field names it. */
static void expect_wrong(const char *word)
{
	assert_non_null(wrong());
	if (!strstr(wrong(), word))
		fail_msg("'%s' where '%s' was expected", wrong(), word);
}

#define TRY(field, value, word)               \
	do {                                  \
		const char *about = word;     \
		const struct vmcb saved = v;  \
                                              \
		(field) = (value);            \
		if (about)                    \
			expect_wrong(about);  \
		else                          \
			assert_null(wrong()); \
		v = saved;                    \
	} while (0)

static void a_valid_one(void **state)
{
	assert_null(wrong());
	v.s.efer = EFER_SVME; /* real mode */
	v.s.cr0 = CR0_ET;
	v.s.cr4 = 0;
	assert_null(wrong());
	v.c.nested_ctl = 0;
	v.c.nested_cr3 = UINT64_MAX; /* not looked at then */
	assert_null(wrong());
}

static void controls(void **state)
{
	TRY(v.c.intercept2, 0, "VMRUN");
	TRY(v.c.intercept2, ~INTERCEPT2(VMEXIT_VMRUN), "VMRUN");
	TRY(v.c.intercept2, ~0u, NULL);
	TRY(v.c.asid, 0, "ASID");
	TRY(v.c.asid, UINT32_MAX, NULL);
	for (unsigned int bit = 1; bit < 64; bit++)
		TRY(v.c.nested_ctl, NESTED_CTL_NP | 1ull << bit, "nested control");
}

static void maps_are_in_memory(void **state)
{
	TRY(v.c.msrpm_base, RAM_SIZE - 0x2000, NULL);
	TRY(v.c.msrpm_base, RAM_SIZE - 0x1000, "MSR");
	TRY(v.c.msrpm_base, RAM_SIZE, "MSR");
	TRY(v.c.msrpm_base, UINT64_MAX, "MSR");
	TRY(v.c.msrpm_base, 0x10fff, NULL); /* the low bits do not count */
	TRY(v.c.iopm_base, RAM_SIZE - 0x3000, NULL);
	TRY(v.c.iopm_base, RAM_SIZE - 0x2000, "I/O");
	TRY(v.c.iopm_base, RAM_SIZE, "I/O");
	TRY(v.c.iopm_base, UINT64_MAX, "I/O");
	TRY(v.c.iopm_base, 0x20fff, NULL);
}

static void the_nested_table_is_in_memory(void **state)
{
	TRY(v.c.nested_cr3, RAM_SIZE - 0x1000, NULL);
	TRY(v.c.nested_cr3, RAM_SIZE, "nested table");
	TRY(v.c.nested_cr3, 1ull << 63, "nested table");
	TRY(v.c.nested_cr3, 0x5018, NULL); /* PWT and PCD */
	for (unsigned int bit = 0; bit < 12; bit++)
		TRY(v.c.nested_cr3, 0x5000 | 1u << bit,
		    bit == 3 || bit == 4 ? NULL : "nested table");
}

/* What was looked at once is so until a page of L1's changes hands, or L1 names another. */
static void pages_are_looked_at_again(void **state)
{
	struct svm_looked looked = {0};

	assert_null(svm_check_controls(&v.c, &looked));
	assert_null(svm_check_controls(&v.c, &looked));
	assert_true(owner_change(HPA(0x5000), OWNER_WORD(OWNER_HOST), OWNER_WORD(OWNER_BUSY)));
	assert_non_null(svm_check_controls(&v.c, &looked));
	v.c.nested_cr3 = 0x6000;
	assert_null(svm_check_controls(&v.c, &looked));
	v.c.msrpm_base = RAM_SIZE;
	assert_non_null(svm_check_controls(&v.c, &looked));
	v.c.msrpm_base = 0x10000;
	v.c.iopm_base = RAM_SIZE;
	assert_non_null(svm_check_controls(&v.c, &looked));
}

static void events(void **state)
{
	for (unsigned int type = 0; type < 8; type++) {
		const char *word = type == EVENT_TYPE_EXCEPTION ? "exception" : "reserved type";

		for (unsigned int vector = 0; vector < 256; vector++) {
			uint64_t e = EVENT_VALID | type << 8 | vector;
			bool bad = type == 1 || type > 4 ||
				   (type == 3 && (vector == 2 || vector > 31));

			TRY(v.c.event_inj, e, bad ? word : NULL);
			TRY(v.c.event_inj, e | EVENT_ERROR_VALID | 0xffffull << 32,
			    bad ? word : NULL);
			TRY(v.c.event_inj, e & ~EVENT_VALID, NULL);
		}
	}
}

static void efer(void **state)
{
	const uint64_t defined = 1 << 0 | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 |
				 1 << 15 | 1 << 17 | 1 << 18 | 1 << 20 | 1 << 21;

	TRY(v.s.efer, LONG_MODE & ~EFER_SVME, "SVME");
	for (unsigned int bit = 0; bit < 64; bit++)
		TRY(v.s.efer, LONG_MODE | 1ull << bit, defined >> bit & 1 ? NULL : "EFER");
}

static void control_registers(void **state)
{
	TRY(v.s.cr0, PAGED | CR0_NW, "NW");
	TRY(v.s.cr0, PAGED | CR0_NW | CR0_CD, NULL);
	TRY(v.s.cr0, PAGED | CR0_CD, NULL);
	for (unsigned int bit = 32; bit < 64; bit++) {
		TRY(v.s.cr0, PAGED | 1ull << bit, "CR0");
		TRY(v.s.cr4, CR4_PAE | 1ull << bit, "CR4");
		TRY(v.s.dr6, 1ull << bit, "DR6");
		TRY(v.s.dr7, 1ull << bit, "DR7");
	}
	TRY(v.s.dr6, UINT32_MAX, NULL);
	TRY(v.s.dr7, UINT32_MAX, NULL);
	for (unsigned int bit = 0; bit < 64; bit++)
		TRY(v.s.cr3, 1ull << bit, bit >= 40 ? "CR3" : NULL);
	v.s.efer = EFER_SVME;
	v.s.cr4 = 0;
	TRY(v.s.cr3, UINT64_MAX, NULL); /* 32 bits are used */
}

static void long_mode(void **state)
{
	TRY(v.s.cr4, 0, "PAE");
	TRY(v.s.cr0, CR0_PG, "PE");
	TRY(v.s.cs.attrib, 3u << 9, "CS.L");
	TRY(v.s.cs.attrib, 1u << 10, NULL);
	v.s.cr0 = CR0_PE; /* without paging it is not in force */
	TRY(v.s.cr4, 0, NULL);
	TRY(v.s.cs.attrib, 3u << 9, NULL);
	v.s.cr0 = PAGED;
	v.s.efer = EFER_SVME;
	TRY(v.s.cr4, 0, NULL);
	TRY(v.s.cs.attrib, 3u << 9, NULL);
}

static void memory_types(void **state)
{
	for (unsigned int entry = 0; entry < 8; entry++) {
		for (uint64_t type = 0; type < 256; type++) {
			uint64_t pat = (v.s.pat & ~(0xffull << 8 * entry)) | type << 8 * entry;
			bool good = type < 8 && type != 2 && type != 3;

			TRY(v.s.pat, pat, good ? NULL : "PAT");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_valid_one, set_up),
		cmocka_unit_test_setup(controls, set_up),
		cmocka_unit_test_setup(maps_are_in_memory, set_up),
		cmocka_unit_test_setup(the_nested_table_is_in_memory, set_up),
		cmocka_unit_test_setup(pages_are_looked_at_again, set_up),
		cmocka_unit_test_setup(events, set_up),
		cmocka_unit_test_setup(efer, set_up),
		cmocka_unit_test_setup(control_registers, set_up),
		cmocka_unit_test_setup(long_mode, set_up),
		cmocka_unit_test_setup_teardown(memory_types, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
