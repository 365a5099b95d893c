/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a VMCS: which there are, whose they are, and what may be written to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/vmx/vmx.h"

#define END 0xff /* of a row */

/* SDM volume 3, appendix B: fields whose encodings follow each other, two apart. */
static const struct {
	uint16_t first;
	uint8_t field[24];
} manual[] = {
	{0x0000, {F_VPID, END}},
	{0x0800,
	 {F_GUEST_ES_SELECTOR, F_GUEST_CS_SELECTOR, F_GUEST_SS_SELECTOR, F_GUEST_DS_SELECTOR,
	  F_GUEST_FS_SELECTOR, F_GUEST_GS_SELECTOR, F_GUEST_LDTR_SELECTOR, F_GUEST_TR_SELECTOR,
	  END}},
	{0x0c00,
	 {F_HOST_ES_SELECTOR, F_HOST_CS_SELECTOR, F_HOST_SS_SELECTOR, F_HOST_DS_SELECTOR,
	  F_HOST_FS_SELECTOR, F_HOST_GS_SELECTOR, F_HOST_TR_SELECTOR, END}},
	{0x2000,
	 {F_IO_BITMAP_A, F_IO_BITMAP_B, F_MSR_BITMAP, F_EXIT_MSR_STORE, F_EXIT_MSR_LOAD,
	  F_ENTRY_MSR_LOAD, F_EXECUTIVE_VMCS, END}},
	{0x2010, {F_TSC_OFFSET, F_VIRTUAL_APIC, F_APIC_ACCESS, END}},
	{0x201a, {F_EPT_POINTER, END}},
	{0x202c, {F_XSS_EXITING, END}},
	{0x2400, {F_GUEST_PHYSICAL, END}},
	{0x2800, {F_LINK_POINTER, F_GUEST_DEBUGCTL, F_GUEST_PAT, F_GUEST_EFER, END}},
	{0x280a, {F_GUEST_PDPTE0, F_GUEST_PDPTE1, F_GUEST_PDPTE2, F_GUEST_PDPTE3, END}},
	{0x2c00, {F_HOST_PAT, F_HOST_EFER, END}},
	{0x4000,
	 {F_PIN_CONTROLS, F_CPU_CONTROLS, F_EXCEPTION_BITMAP, F_PF_ERROR_MASK, F_PF_ERROR_MATCH,
	  F_CR3_TARGET_COUNT, F_EXIT_CONTROLS, F_EXIT_MSR_STORE_COUNT, F_EXIT_MSR_LOAD_COUNT,
	  F_ENTRY_CONTROLS, F_ENTRY_MSR_LOAD_COUNT, F_ENTRY_EVENT, F_ENTRY_ERROR_CODE,
	  F_ENTRY_INSN_LEN, F_TPR_THRESHOLD, F_CPU2_CONTROLS, F_PLE_GAP, F_PLE_WINDOW, END}},
	{0x4400,
	 {F_INSN_ERROR, F_EXIT_REASON, F_EXIT_EVENT, F_EXIT_ERROR_CODE, F_VECTORING_EVENT,
	  F_VECTORING_ERROR_CODE, F_EXIT_INSN_LEN, F_EXIT_INSN_INFO, END}},
	{0x4800,
	 {F_GUEST_ES_LIMIT,
	  F_GUEST_CS_LIMIT,
	  F_GUEST_SS_LIMIT,
	  F_GUEST_DS_LIMIT,
	  F_GUEST_FS_LIMIT,
	  F_GUEST_GS_LIMIT,
	  F_GUEST_LDTR_LIMIT,
	  F_GUEST_TR_LIMIT,
	  F_GUEST_GDTR_LIMIT,
	  F_GUEST_IDTR_LIMIT,
	  F_GUEST_ES_RIGHTS,
	  F_GUEST_CS_RIGHTS,
	  F_GUEST_SS_RIGHTS,
	  F_GUEST_DS_RIGHTS,
	  F_GUEST_FS_RIGHTS,
	  F_GUEST_GS_RIGHTS,
	  F_GUEST_LDTR_RIGHTS,
	  F_GUEST_TR_RIGHTS,
	  F_GUEST_INTERRUPTIBILITY,
	  F_GUEST_ACTIVITY,
	  F_GUEST_SMBASE,
	  F_GUEST_SYSENTER_CS,
	  END}},
	{0x4c00, {F_HOST_SYSENTER_CS, END}},
	{0x6000,
	 {F_CR0_MASK, F_CR4_MASK, F_CR0_SHADOW, F_CR4_SHADOW, F_CR3_TARGET0, F_CR3_TARGET1,
	  F_CR3_TARGET2, F_CR3_TARGET3, END}},
	{0x6400,
	 {F_EXIT_QUALIFICATION, F_IO_RCX, F_IO_RSI, F_IO_RDI, F_IO_RIP, F_GUEST_LINEAR, END}},
	{0x6800, {F_GUEST_CR0,          F_GUEST_CR3,          F_GUEST_CR4,
		  F_GUEST_ES_BASE,      F_GUEST_CS_BASE,      F_GUEST_SS_BASE,
		  F_GUEST_DS_BASE,      F_GUEST_FS_BASE,      F_GUEST_GS_BASE,
		  F_GUEST_LDTR_BASE,    F_GUEST_TR_BASE,      F_GUEST_GDTR_BASE,
		  F_GUEST_IDTR_BASE,    F_GUEST_DR7,          F_GUEST_RSP,
		  F_GUEST_RIP,          F_GUEST_RFLAGS,       F_GUEST_PENDING_DEBUG,
		  F_GUEST_SYSENTER_ESP, F_GUEST_SYSENTER_EIP, END}},
	{0x6c00,
	 {F_HOST_CR0, F_HOST_CR3, F_HOST_CR4, F_HOST_FS_BASE, F_HOST_GS_BASE, F_HOST_TR_BASE,
	  F_HOST_GDTR_BASE, F_HOST_IDTR_BASE, F_HOST_SYSENTER_ESP, F_HOST_SYSENTER_EIP, F_HOST_RSP,
	  F_HOST_RIP, END}},
};

static bool all(uint64_t encoding)
{
	return true;
}

static void encodings_are_the_manuals(void **state)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(manual); i++) {
		for (unsigned int j = 0; manual[i].field[j] != END; j++, seen++)
			assert_int_equal(field_encoding[manual[i].field[j]],
					 manual[i].first + 2 * j);
	}
	assert_int_equal(seen, FIELD_COUNT);
}

static void encodings_rise(void **state)
{
	for (unsigned int f = 1; f < FIELD_COUNT; f++)
		assert_true(field_encoding[f] > field_encoding[f - 1]);
	for (unsigned int f = 0; f < FIELD_COUNT; f++) {
		assert_false(field_encoding[f] & FIELD_HIGH);
		assert_true((field_encoding[f] >> 1 & 0x1ff) <= FIELD_INDEX_MAX);
	}
}

/* What an encoding says, and what is done with the field. SDM volume 3, table 25-21. */
static void kinds_fit_types(void **state)
{
	enum { CONTROL, INFORMATION, GUEST_STATE, HOST_STATE };
	static const int type[KIND_COUNT] = {
		[GUEST] = GUEST_STATE, [COLD] = GUEST_STATE, [CHOICE] = GUEST_STATE,
		[COPY] = CONTROL,      [EVENT] = CONTROL,    [MERGE] = CONTROL,
		[LIST] = CONTROL,      [HOST] = HOST_STATE,  [INFO] = INFORMATION,
	};

	fields_init(all);
	for (unsigned int f = 0; f < FIELD_COUNT; f++) {
		unsigned int kinds = 0;

		for (int kind = 0; kind < KIND_COUNT; kind++) {
			if (!set_has(&fields_of[kind], f))
				continue;
			kinds++;
			if (kind != NONE)
				assert_int_equal(FIELD_TYPE(field_encoding[f]), type[kind]);
		}
		assert_int_equal(kinds, 1);
		assert_true(field_exists(f));
	}
}

static void expect_kind(enum field_kind kind, const uint8_t *field, size_t n)
{
	struct field_list list;

	field_list(&list, &fields_of[kind]);
	assert_int_equal(list.count, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(list.f[i], field[i]);
}

#define EXPECT_KIND(kind, ...)                               \
	do {                                                 \
		const uint8_t field[] = {__VA_ARGS__};       \
		expect_kind(kind, field, ARRAY_SIZE(field)); \
	} while (0)

/* What hardware gets as L1 wrote it is not to name memory, but for two pages that are checked. */
static void little_is_handed_on(void **state)
{
	fields_init(all);
	EXPECT_KIND(COPY, F_TSC_OFFSET, F_VIRTUAL_APIC, F_APIC_ACCESS, F_XSS_EXITING,
		    F_EXCEPTION_BITMAP, F_PF_ERROR_MASK, F_PF_ERROR_MATCH, F_CR3_TARGET_COUNT,
		    F_TPR_THRESHOLD, F_PLE_GAP, F_PLE_WINDOW, F_CR0_MASK, F_CR0_SHADOW,
		    F_CR4_SHADOW, F_CR3_TARGET0, F_CR3_TARGET1, F_CR3_TARGET2, F_CR3_TARGET3);
	EXPECT_KIND(EVENT, F_ENTRY_EVENT, F_ENTRY_ERROR_CODE, F_ENTRY_INSN_LEN);
	EXPECT_KIND(MERGE, F_VPID, F_EPT_POINTER, F_PIN_CONTROLS, F_CPU_CONTROLS, F_EXIT_CONTROLS,
		    F_ENTRY_CONTROLS, F_CPU2_CONTROLS, F_CR4_MASK);
	EXPECT_KIND(LIST, F_IO_BITMAP_A, F_IO_BITMAP_B, F_MSR_BITMAP, F_EXIT_MSR_STORE,
		    F_EXIT_MSR_LOAD, F_ENTRY_MSR_LOAD, F_EXIT_MSR_STORE_COUNT,
		    F_EXIT_MSR_LOAD_COUNT, F_ENTRY_MSR_LOAD_COUNT);
	EXPECT_KIND(NONE, F_EXECUTIVE_VMCS, F_LINK_POINTER, F_IO_RCX, F_IO_RSI, F_IO_RDI, F_IO_RIP);
	EXPECT_KIND(CHOICE, F_GUEST_DEBUGCTL, F_GUEST_PAT, F_GUEST_EFER, F_GUEST_DR7);
	EXPECT_KIND(GUEST, F_GUEST_CS_RIGHTS, F_GUEST_SS_RIGHTS, F_GUEST_INTERRUPTIBILITY,
		    F_GUEST_ACTIVITY, F_GUEST_CR0, F_GUEST_CR3, F_GUEST_CR4, F_GUEST_RSP,
		    F_GUEST_RIP, F_GUEST_RFLAGS, F_GUEST_PENDING_DEBUG);
}

/* Sums of kinds, for what is done with several. */
static void kinds_together(void **state)
{
	fields_init(all);
	for (unsigned int f = 0; f < FIELD_COUNT; f++) {
		bool copied = set_has(&fields_of[GUEST], f) || set_has(&fields_of[COLD], f) ||
			      set_has(&fields_of[COPY], f);
		bool checked = set_has(&fields_of[COPY], f) || set_has(&fields_of[MERGE], f) ||
			       set_has(&fields_of[LIST], f);
		bool host =
			(set_has(&fields_of[HOST], f) && f != F_HOST_RSP) || f == F_EXIT_CONTROLS;

		assert_int_equal(set_has(&fields_copied, f), copied);
		assert_int_equal(set_has(&fields_checked, f), checked);
		assert_int_equal(set_has(&fields_host_checked, f), host);
	}
}

/* The field with this encoding, an upper half's included, as slowly as possible. */
static int expected(uint64_t encoding)
{
	for (int f = 0; f < FIELD_COUNT; f++) {
		uint64_t e = field_encoding[f];
		bool is_64 = e >= 0x2000 && e < 0x4000;

		if (e == encoding || (is_64 && (e | 1) == encoding))
			return f;
	}
	return -1;
}

static void fields_by_encoding(void **state)
{
	unsigned int found = 0;

	fields_init(all);
	for (uint64_t e = 0; e <= 0x1ffff; e++) {
		assert_int_equal(field_find(e), expected(e));
		found += field_find(e) >= 0;
	}
	assert_int_equal(found, FIELD_COUNT + 23); /* 64-bit fields are found twice */
	/* Fields that the manual has and L1 has not: posted interrupts, PML, VM functions, #VE .. */
	assert_int_equal(field_find(0x0002), -1); /* posted-interrupt vector */
	assert_int_equal(field_find(0x0004), -1); /* EPTP index */
	assert_int_equal(field_find(0x0810), -1); /* guest interrupt status */
	assert_int_equal(field_find(0x200e), -1); /* PML address */
	assert_int_equal(field_find(0x2016), -1); /* posted-interrupt descriptor */
	assert_int_equal(field_find(0x2018), -1); /* VM functions */
	assert_int_equal(field_find(0x201c), -1); /* EOI exits */
	assert_int_equal(field_find(0x2024), -1); /* EPTP list */
	assert_int_equal(field_find(VMCS_VMREAD_BITMAP), -1);
	assert_int_equal(field_find(VMCS_VMWRITE_BITMAP), -1);
	assert_int_equal(field_find(0x202a), -1); /* #VE information */
	assert_int_equal(field_find(0x2032), -1); /* TSC multiplier */
	assert_int_equal(field_find(0x482e), -1); /* preemption timer */
}

static void wild_encodings(void **state)
{
	fields_init(all);
	for (unsigned int f = 0; f < FIELD_COUNT; f++)
		for (unsigned int bit = 15; bit < 64; bit++)
			assert_int_equal(field_find(field_encoding[f] | 1ull << bit), -1);
	assert_int_equal(field_find(UINT64_MAX), -1);
	assert_int_equal(field_find(UINT64_MAX - 1), -1);
	assert_int_equal(field_find(UINT32_MAX), -1);
	assert_int_equal(field_find(1ull << 63), -1);
}

static uint64_t lacking;

static bool all_but(uint64_t encoding)
{
	return encoding != lacking;
}

/* Found on one CPU, and on all that follow, whatever they have. */
static void a_field_that_a_cpu_lacks(void **state)
{
	static const uint8_t lacked[] = {F_XSS_EXITING, F_GUEST_CR0, F_VPID, F_HOST_RIP};

	fields_init(all);
	for (size_t i = 0; i < ARRAY_SIZE(lacked); i++) {
		lacking = field_encoding[lacked[i]];
		fields_init(all_but);
		if (i == 1)
			fields_init(all);
		for (unsigned int f = 0; f < FIELD_COUNT; f++) {
			bool missing = memchr(lacked, (int)f, i + 1);
			bool in_a_set = false;

			for (int kind = 0; kind < KIND_COUNT; kind++)
				in_a_set |= set_has(&fields_of[kind], f);
			assert_int_equal(field_exists(f), !missing);
			assert_int_equal(in_a_set, !missing);
			assert_int_equal(field_find(field_encoding[f]), missing ? -1 : (int)f);
		}
	}
}

static void expect_walk(const struct field_set *set)
{
	struct field_list list;
	int at = -1;

	field_list(&list, set);
	for (unsigned int f = 0, n = 0; f < FIELD_COUNT; f++) {
		if (!set_has(set, f))
			continue;
		at = set_next(set, at);
		assert_int_equal(at, f);
		assert_int_equal(list.f[n], f);
		assert_true(++n <= list.count);
	}
	assert_int_equal(set_next(set, at), -1);
}

static void sets(void **state)
{
	struct field_set set = {{0}};
	struct field_list list;

	expect_walk(&set);
	field_list(&list, &set);
	assert_int_equal(list.count, 0);
	for (unsigned int a = 0; a < FIELD_COUNT; a++) {
		for (unsigned int b = 0; b < FIELD_COUNT; b++) {
			set = (struct field_set){{0}};
			set_add(&set, a);
			set_add(&set, b);
			set_add(&set, b);
			expect_walk(&set);
			set_drop(&set, a);
			assert_false(set_has(&set, a));
			assert_int_equal(set_has(&set, b), a != b);
			set_drop(&set, a);
			expect_walk(&set);
		}
	}
	for (unsigned int f = 0; f < FIELD_COUNT; f++)
		set_add(&set, f);
	expect_walk(&set);
	field_list(&list, &set);
	assert_int_equal(list.count, FIELD_COUNT);
	/* current_load() sets bits beyond the last field as well. */
	memset(&set, 0xff, sizeof(set));
	for (int f = -1; f < FIELD_COUNT - 1; f++)
		assert_int_equal(set_next(&set, f), f + 1);
	assert_int_equal(set_next(&set, FIELD_COUNT), -1);
}

static void values_by_width(void **state)
{
	const uint64_t old = 0x0123456789abcdef, new = 0xfedcba9876543210;

	for (uint32_t e = 0; e < 0x8000; e++) {
		uint64_t got = field_set_value(e, old, new);

		switch (e >> 13) {
		case 0:
			assert_int_equal(got, 0x3210);
			break;
		case 1:
			assert_int_equal(got, e & 1 ? 0x7654321089abcdef : new);
			break;
		case 2:
			assert_int_equal(got, 0x76543210);
			break;
		default:
			assert_int_equal(got, new);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings_are_the_manuals),
		cmocka_unit_test(encodings_rise),
		cmocka_unit_test(kinds_fit_types),
		cmocka_unit_test(little_is_handed_on),
		cmocka_unit_test(kinds_together),
		cmocka_unit_test(fields_by_encoding),
		cmocka_unit_test(wild_encodings),
		cmocka_unit_test(sets),
		cmocka_unit_test(values_by_width),
		cmocka_unit_test(a_field_that_a_cpu_lacks), /* for good: last */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
