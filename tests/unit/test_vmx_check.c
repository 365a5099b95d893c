/* SPDX-License-Identifier: Apache-2.0 */
/* VMCSs that VM entry refuses: one wrong field at a time, next to the closest right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/vmx/vmx.h"

#define RAM_SIZE MIB
#define LAST_PAGE (RAM_SIZE - PAGE_SIZE)
#define VIRTUAL_APIC 0x15000

#define LOADS (EXIT_HOST_64 | EXIT_LOAD_PAT | EXIT_LOAD_EFER)
#define PIN_MUST 0x16u
#define CPU_MUST 0x04006172u
#define EXIT_MUST (0x36dfbu | EXIT_HOST_64)
#define ENTRY_MUST 0x11fbu

static const struct vmx_caps all_caps = {
	.pin = {PIN_MUST, PIN_MUST | PIN_INTR | PIN_NMI | PIN_VIRTUAL_NMI},
	.cpu = {CPU_MUST, CPU_MUST | CPU_INTR_WINDOW | CPU_TSC_OFFSET | CPU_TPR_SHADOW |
				  CPU_NMI_WINDOW | CPU_PORTS | CPU_IO_BITMAPS | CPU_TRAP_FLAG |
				  CPU_MSR_BITMAPS | CPU_SECONDARY},
	.cpu2 = {CPU2_RDTSCP, CPU2_APIC_ACCESSES | CPU2_EPT | CPU2_RDTSCP | CPU2_X2APIC |
				      CPU2_VPID | CPU2_UNRESTRICTED | CPU2_INVPCID},
	.exit = {EXIT_MUST, EXIT_MUST | EXIT_ACK_INTR | EXIT_LOAD_PAT | EXIT_LOAD_EFER},
	.entry = {ENTRY_MUST, ENTRY_MUST | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER},
	.cr0_must = CR0_PG | CR0_NE | CR0_PE,
	.cr0_may = UINT32_MAX,
	.cr4_must = 1u << 13,
	.cr4_may = 0x3767ff,
	.ept_vpid = CAP_UC | CAP_AD,
	.misc = 1ul << 30,
	.phys_bits = 40,
};
static struct vmx_caps caps;
static uint64_t f[FIELD_COUNT];

static void set_host(void)
{
	f[F_HOST_CR0] = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE;
	f[F_HOST_CR3] = 0x7000;
	f[F_HOST_CR4] = 1u << 13 | CR4_PAE;
	f[F_HOST_PAT] = 0x0007040600070406;
	f[F_HOST_EFER] = EFER_LMA | EFER_LME | EFER_SCE | EFER_NXE;
	f[F_HOST_CS_SELECTOR] = 0x08;
	f[F_HOST_TR_SELECTOR] = 0x40;
	f[F_HOST_RIP] = 0xffff800000001234;
	f[F_HOST_RSP] = 0xffff800000008000;
}

/* With everything in use that has rules. */
static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	memset(f, 0, sizeof(f));
	caps = all_caps;
	f[F_PIN_CONTROLS] = PIN_MUST | PIN_NMI | PIN_VIRTUAL_NMI;
	f[F_CPU_CONTROLS] = CPU_MUST | CPU_TPR_SHADOW | CPU_NMI_WINDOW | CPU_IO_BITMAPS |
			    CPU_MSR_BITMAPS | CPU_SECONDARY;
	f[F_CPU2_CONTROLS] =
		CPU2_RDTSCP | CPU2_APIC_ACCESSES | CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED;
	f[F_EXIT_CONTROLS] = EXIT_MUST | EXIT_LOAD_PAT | EXIT_LOAD_EFER;
	f[F_ENTRY_CONTROLS] = ENTRY_MUST | ENTRY_GUEST_64;
	f[F_VPID] = 1;
	f[F_EPT_POINTER] = 0x10000 | EPTP_LEVELS_4 | EPTP_WB;
	f[F_IO_BITMAP_A] = 0x11000;
	f[F_IO_BITMAP_B] = 0x12000;
	f[F_MSR_BITMAP] = 0x13000;
	f[F_APIC_ACCESS] = 0x14000;
	f[F_VIRTUAL_APIC] = VIRTUAL_APIC;
	f[F_GUEST_CR0] = CR0_PE | CR0_PG;
	set_host();
	return 0;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

static const char *wrong(void)
{
	const char *text = check_controls(f, &caps);

	if (!text)
		text = check_event(f, &caps);
	return text ? text : check_host(f, &caps);
}

/* What is said about the field names it. */
static void expect_wrong(const char *word)
{
	if (!wrong())
		fail_msg("'%s' was expected", word);
	if (!strstr(wrong(), word))
		fail_msg("'%s' where '%s' was expected", wrong(), word);
}

static void expect(const char *word)
{
	if (word)
		expect_wrong(word);
	else if (wrong())
		fail_msg("unexpected: '%s'", wrong());
}

/* word, or NULL if the value is right */
static void try(enum vmcs_field field, uint64_t value, const char *word)
{
	uint64_t old = f[field];

	f[field] = value;
	expect(word);
	f[field] = old;
}

static void a_valid_one(void **state)
{
	expect(NULL);
	/* Hardly anything in use: nothing of it is looked at. */
	memset(f, 0xff, sizeof(f));
	f[F_PIN_CONTROLS] = PIN_MUST;
	f[F_CPU_CONTROLS] = CPU_MUST;
	f[F_EXIT_CONTROLS] = EXIT_MUST;
	f[F_ENTRY_CONTROLS] = ENTRY_MUST;
	f[F_ENTRY_EVENT] = ~(uint64_t)EVENT_VALID;
	f[F_CR3_TARGET_COUNT] = 0;
	f[F_EXIT_MSR_STORE_COUNT] = f[F_EXIT_MSR_LOAD_COUNT] = f[F_ENTRY_MSR_LOAD_COUNT] = 0;
	for (int i = F_HOST_ES_SELECTOR; i <= F_HOST_GS_SELECTOR; i++)
		f[i] = 0;
	set_host();
	f[F_HOST_PAT] = f[F_HOST_EFER] = UINT64_MAX;
	expect(NULL);
}

/* --- 27.2.1.1 to 27.2.1.3: reserved bits ------------------------------------------------------ */

static void expect_offered_only(enum vmcs_field field, struct control_caps c, const char *word)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;

		if (!(c.may & mask))
			try(field, f[field] | mask, word);
		else if (c.must & mask)
			try(field, f[field] & ~mask, word);
	}
}

static void controls_that_are_not_offered(void **state)
{
	expect_offered_only(F_PIN_CONTROLS, caps.pin, "pin-based controls");
	expect_offered_only(F_CPU_CONTROLS, caps.cpu, "processor-based controls");
	expect_offered_only(F_CPU2_CONTROLS, caps.cpu2, "secondary controls");
	expect_offered_only(F_EXIT_CONTROLS, caps.exit, "exit controls");
	expect_offered_only(F_ENTRY_CONTROLS, caps.entry, "entry controls");
}

static void controls_that_are_offered(void **state)
{
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_APIC_ACCESSES;
	try(F_PIN_CONTROLS, caps.pin.may, NULL);
	try(F_CPU_CONTROLS, caps.cpu.may, NULL);
	try(F_CPU2_CONTROLS, caps.cpu2.may & ~CPU2_APIC_ACCESSES, NULL);
	try(F_CPU2_CONTROLS, caps.cpu2.must, NULL);
	try(F_EXIT_CONTROLS, caps.exit.may, NULL);
	try(F_EXIT_CONTROLS, caps.exit.must, NULL);
	try(F_ENTRY_CONTROLS, caps.entry.may, NULL);
	try(F_ENTRY_CONTROLS, caps.entry.must, NULL);
}

/* Without the bit that activates them, the secondary controls are 0, whatever the field holds. */
static void secondary_controls_that_are_off(void **state)
{
	f[F_CPU_CONTROLS] &= ~(uint64_t)CPU_SECONDARY;
	f[F_VPID] = 0;
	f[F_EPT_POINTER] = f[F_APIC_ACCESS] = UINT64_MAX;
	try(F_CPU2_CONTROLS, UINT64_MAX, NULL);
	try(F_CPU2_CONTROLS, CPU2_UNRESTRICTED, NULL);
	try(F_CPU2_CONTROLS, CPU2_X2APIC, NULL);
	try(F_CPU2_CONTROLS, 0, NULL);
}

static void cr3_targets_and_vpid(void **state)
{
	try(F_CR3_TARGET_COUNT, 4, NULL);
	try(F_CR3_TARGET_COUNT, 5, "CR3 targets");
	try(F_CR3_TARGET_COUNT, UINT32_MAX, "CR3 targets");
	try(F_VPID, UINT16_MAX, NULL);
	try(F_VPID, 0, "VPID");
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_VPID;
	try(F_VPID, 0, NULL);
}

static void expect_page(enum vmcs_field field, enum vmcs_field control, uint32_t bit,
			const char *word)
{
	try(field, 0, NULL);
	try(field, LAST_PAGE, NULL);
	try(field, RAM_SIZE, word);
	try(field, UINT64_MAX, word);
	try(field, ALIGN_DOWN(UINT64_MAX, PAGE_SIZE), word);
	for (unsigned int b = 0; b < 64; b++)
		try(field, 1ull << b, b < 12 || b >= 20 ? word : NULL);
	f[control] &= ~(uint64_t)bit;
	try(field, UINT64_MAX, NULL);
	f[control] |= bit;
}

static void pages_are_in_memory(void **state)
{
	expect_page(F_IO_BITMAP_A, F_CPU_CONTROLS, CPU_IO_BITMAPS, "I/O bitmap");
	expect_page(F_IO_BITMAP_B, F_CPU_CONTROLS, CPU_IO_BITMAPS, "I/O bitmap");
	expect_page(F_MSR_BITMAP, F_CPU_CONTROLS, CPU_MSR_BITMAPS, "MSR bitmap");
	expect_page(F_APIC_ACCESS, F_CPU2_CONTROLS, CPU2_APIC_ACCESSES, "APIC-access page");
	expect_page(F_VIRTUAL_APIC, F_CPU_CONTROLS, CPU_TPR_SHADOW, "virtual-APIC page");
}

static void nmis(void **state)
{
	f[F_PIN_CONTROLS] = PIN_MUST | PIN_VIRTUAL_NMI;
	expect("virtual NMIs without NMI exiting");
	f[F_PIN_CONTROLS] = PIN_MUST | PIN_NMI;
	expect("NMI-window exiting without virtual NMIs");
	f[F_CPU_CONTROLS] &= ~(uint64_t)CPU_NMI_WINDOW;
	expect(NULL);
	f[F_PIN_CONTROLS] = PIN_MUST;
	expect(NULL);
	f[F_PIN_CONTROLS] = PIN_MUST | PIN_NMI | PIN_VIRTUAL_NMI;
	expect(NULL);
}

static void apic_modes(void **state)
{
	f[F_CPU2_CONTROLS] |= CPU2_X2APIC;
	expect("virtual APIC accesses and virtual x2APIC");
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_APIC_ACCESSES;
	expect(NULL);
	f[F_CPU_CONTROLS] &= ~(uint64_t)CPU_TPR_SHADOW;
	expect("virtual x2APIC without a TPR shadow");
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_X2APIC;
	expect(NULL);
	f[F_CPU2_CONTROLS] |= CPU2_APIC_ACCESSES; /* needs none */
	expect(NULL);
}

/* It is compared with the TPR in memory unless accesses to the APIC are virtual. */
static void the_tpr_threshold(void **state)
{
	uint8_t *tpr = fake_at(HPA(VIRTUAL_APIC + 0x80), 1);

	for (unsigned int bit = 4; bit < 64; bit++)
		try(F_TPR_THRESHOLD, 1ull << bit, "threshold has reserved bits");
	for (unsigned int threshold = 0; threshold < 16; threshold++) {
		for (unsigned int value = 0; value < 256; value++) {
			*tpr = (uint8_t)value;
			f[F_CPU2_CONTROLS] |= CPU2_APIC_ACCESSES;
			try(F_TPR_THRESHOLD, threshold, NULL);
			f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_APIC_ACCESSES;
			try(F_TPR_THRESHOLD, threshold,
			    threshold > value / 16 ? "above the virtual TPR" : NULL);
		}
	}
	*tpr = 0;
	f[F_CPU_CONTROLS] &= ~(uint64_t)CPU_TPR_SHADOW;
	try(F_TPR_THRESHOLD, UINT32_MAX, NULL);
}

static void unrestricted_guest(void **state)
{
	try(F_CPU2_CONTROLS, CPU2_RDTSCP | CPU2_UNRESTRICTED, "unrestricted guest without EPT");
	try(F_CPU2_CONTROLS, CPU2_RDTSCP | CPU2_UNRESTRICTED | CPU2_EPT, NULL);
	try(F_CPU2_CONTROLS, CPU2_RDTSCP | CPU2_EPT, NULL);
	try(F_CPU2_CONTROLS, CPU2_RDTSCP, NULL);
}

static void the_ept_pointer(void **state)
{
	const char *bits = "EPT pointer", *place = "EPT root";

	for (uint64_t low = 0; low < 0x1000; low++) {
		unsigned int type = low & 7;
		bool good = (type == 0 || type == 6) && (low >> 3 & 7) == 3 && !(low >> 7);

		assert_int_equal(eptp_ok(0x10000 | low, &caps), good);
		try(F_EPT_POINTER, 0x10000 | low, good ? NULL : bits);
	}
	assert_true(eptp_ok(0x5e, &caps)); /* uncached is 0, 4 levels are 3, A and D bits are 6 */
	assert_true(eptp_ok(0x58, &caps));
	for (unsigned int bit = 12; bit < 64; bit++) {
		assert_int_equal(eptp_ok(1ull << bit | 0x1e, &caps), bit < 40);
		try(F_EPT_POINTER, 1ull << bit | 0x1e, bit < 20 ? NULL : bit < 40 ? place : bits);
	}
	try(F_EPT_POINTER, LAST_PAGE | 0x1e, NULL);
	try(F_EPT_POINTER, RAM_SIZE | 0x1e, place);
	caps.ept_vpid = CAP_AD;
	try(F_EPT_POINTER, 0x10018, bits);
	try(F_EPT_POINTER, 0x1005e, NULL);
	caps.ept_vpid = CAP_UC;
	try(F_EPT_POINTER, 0x1005e, bits);
	try(F_EPT_POINTER, 0x10018, NULL);
	f[F_CPU2_CONTROLS] = CPU2_RDTSCP;
	try(F_EPT_POINTER, UINT64_MAX, NULL);
}

static void msr_lists(void **state)
{
	static const struct {
		enum vmcs_field list, count;
	} row[] = {
		{F_EXIT_MSR_STORE, F_EXIT_MSR_STORE_COUNT},
		{F_EXIT_MSR_LOAD, F_EXIT_MSR_LOAD_COUNT},
		{F_ENTRY_MSR_LOAD, F_ENTRY_MSR_LOAD_COUNT},
	};
	const char *word = "MSR list";

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		f[row[i].count] = 1;
		try(row[i].list, RAM_SIZE - 16, NULL);
		try(row[i].list, RAM_SIZE, word);
		try(row[i].list, UINT64_MAX - 15, word);
		for (unsigned int bit = 0; bit < 64; bit++)
			try(row[i].list, 1ull << bit, bit < 4 || bit >= 20 ? word : NULL);
		f[row[i].list] = RAM_SIZE - 512 * 16;
		try(row[i].count, 512, NULL);
		try(row[i].count, 513, word);
		f[row[i].list] = RAM_SIZE - 511 * 16;
		try(row[i].count, 511, NULL);
		try(row[i].count, 512, word);
		f[row[i].list] = 0x1000;
		try(row[i].count, 513, word); /* in memory, but more than IA32_VMX_MISC says */
		try(row[i].count, UINT32_MAX, word);
		try(row[i].count, 1ull << 60, word);
		f[row[i].list] = UINT64_MAX;
		f[row[i].count] = 0;
		expect(NULL);
	}
}

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || vector == 17 || (vector > 9 && vector < 15);
}

/* External interrupt, reserved, NMI, hardware exception, software interrupt .. */
static bool vector_fits(unsigned int type, unsigned int vector)
{
	switch (type) {
	case 1:
		return false;
	case 2:
		return vector == 2;
	case 3:
		return vector < 32;
	case 7:
		return vector == 0;
	default:
		return true;
	}
}

static const char *event_wrong(uint64_t event)
{
	f[F_ENTRY_EVENT] = event;
	return check_event(f, &caps);
}

static void try_events(bool protected_mode)
{
	for (unsigned int type = 0; type < 8; type++) {
		for (unsigned int vector = 0; vector < 256; vector++) {
			uint64_t event = 1u << 31 | type << 8 | vector;
			bool good = vector_fits(type, vector);
			bool error = protected_mode && type == 3 && has_error_code(vector);

			f[F_ENTRY_INSN_LEN] = 1;
			assert_int_equal(!event_wrong(event), good && !error);
			assert_int_equal(!event_wrong(event | 1u << 11), good && error);
			assert_null(event_wrong(event & ~(1ull << 31)));
		}
	}
}

static void events(void **state)
{
	try_events(true);
	f[F_GUEST_CR0] = 0; /* real mode: no error codes; if there can be such a guest */
	try_events(false);
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_UNRESTRICTED;
	try_events(true);
	f[F_CPU2_CONTROLS] |= CPU2_UNRESTRICTED;
	f[F_CPU_CONTROLS] &= ~(uint64_t)CPU_SECONDARY;
	try_events(true);
}

static void bits_of_events(void **state)
{
	const uint64_t page_fault = 1u << 31 | 1u << 11 | 3u << 8 | 14;

	for (unsigned int bit = 12; bit < 31; bit++)
		try(F_ENTRY_EVENT, page_fault | 1ull << bit, "reserved bits");
	try(F_ENTRY_EVENT, page_fault, NULL);
	try(F_ENTRY_EVENT, 1u << 31 | 7u << 8, NULL);
	caps.cpu.may &= ~CPU_TRAP_FLAG;
	try(F_ENTRY_EVENT, 1u << 31 | 7u << 8, "reserved type");
	f[F_ENTRY_EVENT] = page_fault;
	for (unsigned int bit = 0; bit < 32; bit++)
		try(F_ENTRY_ERROR_CODE, 1ull << bit, bit < 16 ? NULL : "error code");
	f[F_ENTRY_EVENT] = 1u << 31 | 3u << 8 | 6;
	try(F_ENTRY_ERROR_CODE, UINT32_MAX, NULL);
}

static void lengths_of_software_events(void **state)
{
	const char *word = "instruction length";

	for (unsigned int type = 0; type < 7; type++) {
		if (type == 1)
			continue;
		for (uint64_t len = 0; len < 70; len++) {
			bool soft = type >= 4;

			f[F_ENTRY_EVENT] = 1u << 31 | type << 8 | (type == 2 ? 2 : 3);
			caps.misc = 1ul << 30;
			try(F_ENTRY_INSN_LEN, len, soft && len > 15 ? word : NULL);
			caps.misc = ~(1ul << 30);
			try(F_ENTRY_INSN_LEN, len, soft && (!len || len > 15) ? word : NULL);
		}
		try(F_ENTRY_INSN_LEN, UINT32_MAX, type >= 4 ? word : NULL);
	}
}

/* --- 27.2.2 to 27.2.4 ------------------------------------------------------------------------- */

static void host_control_registers(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;
		bool cr4_needs = bit == 5 || (caps.cr4_must & mask);

		try(F_HOST_CR0, f[F_HOST_CR0] | mask, bit < 32 ? NULL : "host CR0");
		try(F_HOST_CR0, f[F_HOST_CR0] & ~mask, caps.cr0_must & mask ? "host CR0" : NULL);
		try(F_HOST_CR4, f[F_HOST_CR4] | mask, caps.cr4_may & mask ? NULL : "host CR4");
		try(F_HOST_CR4, f[F_HOST_CR4] & ~mask, cr4_needs ? "host CR4" : NULL);
		try(F_HOST_CR3, mask, bit < 40 ? NULL : "host CR3");
	}
}

static void host_memory_types(void **state)
{
	for (unsigned int entry = 0; entry < 8; entry++) {
		for (uint64_t type = 0; type < 256; type++) {
			uint64_t pat =
				(f[F_HOST_PAT] & ~(0xffull << 8 * entry)) | type << 8 * entry;
			bool good = type < 8 && type != 2 && type != 3;

			try(F_HOST_PAT, pat, good ? NULL : "host PAT");
		}
	}
	f[F_EXIT_CONTROLS] &= ~(uint64_t)EXIT_LOAD_PAT;
	try(F_HOST_PAT, UINT64_MAX, NULL);
}

static void host_efer(void **state)
{
	const uint64_t long_mode = 1 << 8 | 1 << 10, defined = long_mode | 1 << 0 | 1 << 11;

	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t mask = 1ull << bit;

		assert_int_equal(efer_ok(long_mode | mask), !!(defined & mask));
		assert_int_equal(efer_ok(defined & ~mask), !(long_mode & mask));
		try(F_HOST_EFER, long_mode | mask, defined & mask ? NULL : "host EFER");
		try(F_HOST_EFER, defined & ~mask, long_mode & mask ? "host EFER" : NULL);
	}
	f[F_EXIT_CONTROLS] &= ~(uint64_t)EXIT_LOAD_EFER;
	try(F_HOST_EFER, UINT64_MAX, NULL);
}

static void host_selectors(void **state)
{
	static const uint8_t field[] = {
		F_HOST_ES_SELECTOR, F_HOST_CS_SELECTOR, F_HOST_SS_SELECTOR, F_HOST_DS_SELECTOR,
		F_HOST_FS_SELECTOR, F_HOST_GS_SELECTOR, F_HOST_TR_SELECTOR,
	};

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		bool needed = field[i] == F_HOST_CS_SELECTOR || field[i] == F_HOST_TR_SELECTOR;

		for (uint64_t low = 1; low < 8; low++)
			try(field[i], 0x10 | low, "host selector");
		try(field[i], 0xfff8, NULL);
		try(field[i], 8, NULL);
		try(field[i], 0, needed ? "CS or TR" : NULL);
	}
}

static void host_addresses(void **state)
{
	static const uint8_t field[] = {
		F_HOST_FS_BASE,   F_HOST_GS_BASE,      F_HOST_TR_BASE,      F_HOST_GDTR_BASE,
		F_HOST_IDTR_BASE, F_HOST_SYSENTER_ESP, F_HOST_SYSENTER_EIP, F_HOST_RIP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		const char *word = field[i] == F_HOST_RIP ? "host RIP" : "host address";

		try(field[i], 0, NULL);
		try(field[i], 0x00007fffffffffff, NULL);
		try(field[i], 0x0000800000000000, word);
		try(field[i], 0xffff7fffffffffff, word);
		try(field[i], 0xffff800000000000, NULL);
		try(field[i], UINT64_MAX, NULL);
		for (unsigned int bit = 47; bit < 64; bit++)
			try(field[i], 1ull << bit, word);
	}
	try(F_HOST_RSP, 1ull << 50, NULL); /* is not checked */
	try(F_HOST_SYSENTER_CS, UINT32_MAX, NULL);
}

/* --- what need not be checked again ------------------------------------------------------------- */

static bool exists(uint64_t encoding)
{
	return true;
}

/* While only this field changes, what a check says does not. */
static void expect_unread(unsigned int field,
			  const char *(*check)(const uint64_t *, const struct vmx_caps *))
{
	const uint64_t values[] = {0, 1, 4, 0x15001, LOADS, UINT32_MAX, 1ull << 63, UINT64_MAX};
	uint64_t old = f[field];
	bool good = !check(f, &caps);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		f[field] = values[i];
		assert_int_equal(!check(f, &caps), good);
		f[field] = old ^ values[i];
		assert_int_equal(!check(f, &caps), good);
	}
	f[field] = old;
}

static void fields_that_no_check_reads(void **state)
{
	fields_init(exists);
	for (int odd = 0; odd < 2; odd++) {
		for (unsigned int i = 0; i < FIELD_COUNT; i++) {
			if (!set_has(&fields_checked, i))
				expect_unread(i, check_controls);
			if (!set_has(&fields_host_checked, i))
				expect_unread(i, check_host);
		}
		/* Once more with values that only a control keeps from being wrong. */
		f[F_HOST_PAT] = f[F_HOST_EFER] = UINT64_MAX;
		f[F_EXIT_CONTROLS] &= ~(uint64_t)(EXIT_LOAD_PAT | EXIT_LOAD_EFER);
		expect(NULL);
	}
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_valid_one),
		T(controls_that_are_not_offered),
		T(controls_that_are_offered),
		T(secondary_controls_that_are_off),
		T(cr3_targets_and_vpid),
		T(pages_are_in_memory),
		T(nmis),
		T(apic_modes),
		T(the_tpr_threshold),
		T(unrestricted_guest),
		T(the_ept_pointer),
		T(msr_lists),
		T(events),
		T(bits_of_events),
		T(lengths_of_software_events),
		T(host_control_registers),
		T(host_memory_types),
		T(host_efer),
		T(host_selectors),
		T(host_addresses),
		T(fields_that_no_check_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
