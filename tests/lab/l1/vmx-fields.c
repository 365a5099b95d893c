/* SPDX-License-Identifier: Apache-2.0 */
/* VMREAD and VMWRITE: every field, every form of operand, and what they refuse. */
#include "lib/pages.h"
#include "lib/smp.h"
#include "vmx/vmx.h"

#define PATTERN 0x8877665544332211ull
#define RIGHTS_BITS 0x1f0ffull

enum need { ALWAYS, IF_VPID, IF_TPR, IF_APIC_ACCESS };

struct row {
	enum field field;
	enum need need;
	uint64_t bits; /* that are kept; 0 for all of the field's width */
};

static const struct row rows[] = {
	{C_VPID, IF_VPID, 0},
	{G_ES, ALWAYS, 0},
	{G_CS, ALWAYS, 0},
	{G_SS, ALWAYS, 0},
	{G_DS, ALWAYS, 0},
	{G_FS, ALWAYS, 0},
	{G_GS, ALWAYS, 0},
	{G_LDTR, ALWAYS, 0},
	{G_TR, ALWAYS, 0},
	{H_ES, ALWAYS, 0},
	{H_CS, ALWAYS, 0},
	{H_SS, ALWAYS, 0},
	{H_DS, ALWAYS, 0},
	{H_FS, ALWAYS, 0},
	{H_GS, ALWAYS, 0},
	{H_TR, ALWAYS, 0},
	{C_IO_MAP_A, ALWAYS, 0},
	{C_IO_MAP_B, ALWAYS, 0},
	{C_MSR_MAP, ALWAYS, 0},
	{C_EXIT_STORE, ALWAYS, 0},
	{C_EXIT_LOAD, ALWAYS, 0},
	{C_ENTRY_LOAD, ALWAYS, 0},
	{C_TSC_OFFSET, ALWAYS, 0},
	{C_VIRTUAL_APIC, IF_TPR, 0},
	{C_APIC_ACCESS, IF_APIC_ACCESS, 0},
	{C_EPTP, ALWAYS, 0},
	{G_LINK, ALWAYS, 0},
	{G_DEBUGCTL, ALWAYS, 0},
	{G_PAT, ALWAYS, 0},
	{G_EFER, ALWAYS, 0},
	{G_PDPTE0, ALWAYS, 0},
	{G_PDPTE1, ALWAYS, 0},
	{G_PDPTE2, ALWAYS, 0},
	{G_PDPTE3, ALWAYS, 0},
	{H_PAT, ALWAYS, 0},
	{H_EFER, ALWAYS, 0},
	{C_PIN, ALWAYS, 0},
	{C_PROC, ALWAYS, 0},
	{C_EXCEPTIONS, ALWAYS, 0},
	{C_PF_MASK, ALWAYS, 0},
	{C_PF_MATCH, ALWAYS, 0},
	{C_CR3_COUNT, ALWAYS, 0},
	{C_EXIT, ALWAYS, 0},
	{C_EXIT_STORE_COUNT, ALWAYS, 0},
	{C_EXIT_LOAD_COUNT, ALWAYS, 0},
	{C_ENTRY, ALWAYS, 0},
	{C_ENTRY_LOAD_COUNT, ALWAYS, 0},
	{C_EVENT, ALWAYS, 0},
	{C_EVENT_ERROR, ALWAYS, 0},
	{C_EVENT_LENGTH, ALWAYS, 0},
	{C_TPR_THRESHOLD, IF_TPR, 0},
	{C_PROC2, ALWAYS, 0},
	{G_ES_LIMIT, ALWAYS, 0},
	{G_CS_LIMIT, ALWAYS, 0},
	{G_SS_LIMIT, ALWAYS, 0},
	{G_DS_LIMIT, ALWAYS, 0},
	{G_FS_LIMIT, ALWAYS, 0},
	{G_GS_LIMIT, ALWAYS, 0},
	{G_LDTR_LIMIT, ALWAYS, 0},
	{G_TR_LIMIT, ALWAYS, 0},
	{G_GDTR_LIMIT, ALWAYS, 0},
	{G_IDTR_LIMIT, ALWAYS, 0},
	{G_ES_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_CS_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_SS_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_DS_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_FS_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_GS_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_LDTR_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_TR_RIGHTS, ALWAYS, RIGHTS_BITS},
	{G_INTERRUPTIBILITY, ALWAYS, 0},
	{G_ACTIVITY, ALWAYS, 0},
	{G_SMBASE, ALWAYS, 0},
	{G_SYSENTER_CS, ALWAYS, 0},
	{H_SYSENTER_CS, ALWAYS, 0},
	{C_CR0_MASK, ALWAYS, 0},
	{C_CR4_MASK, ALWAYS, 0},
	{C_CR0_SHADOW, ALWAYS, 0},
	{C_CR4_SHADOW, ALWAYS, 0},
	{G_CR0, ALWAYS, 0},
	{G_CR3, ALWAYS, 0},
	{G_CR4, ALWAYS, 0},
	{G_ES_BASE, ALWAYS, 0},
	{G_CS_BASE, ALWAYS, 0},
	{G_SS_BASE, ALWAYS, 0},
	{G_DS_BASE, ALWAYS, 0},
	{G_FS_BASE, ALWAYS, 0},
	{G_GS_BASE, ALWAYS, 0},
	{G_LDTR_BASE, ALWAYS, 0},
	{G_TR_BASE, ALWAYS, 0},
	{G_GDTR_BASE, ALWAYS, 0},
	{G_IDTR_BASE, ALWAYS, 0},
	{G_DR7, ALWAYS, 0},
	{G_RSP, ALWAYS, 0},
	{G_RIP, ALWAYS, 0},
	{G_RFLAGS, ALWAYS, 0},
	{G_PENDING_DEBUG, ALWAYS, 0},
	{G_SYSENTER_ESP, ALWAYS, 0},
	{G_SYSENTER_EIP, ALWAYS, 0},
	{H_CR0, ALWAYS, 0},
	{H_CR3, ALWAYS, 0},
	{H_CR4, ALWAYS, 0},
	{H_FS_BASE, ALWAYS, 0},
	{H_GS_BASE, ALWAYS, 0},
	{H_TR_BASE, ALWAYS, 0},
	{H_GDTR_BASE, ALWAYS, 0},
	{H_IDTR_BASE, ALWAYS, 0},
	{H_SYSENTER_ESP, ALWAYS, 0},
	{H_SYSENTER_EIP, ALWAYS, 0},
	{H_RSP, ALWAYS, 0},
	{H_RIP, ALWAYS, 0},
};

static const enum field information[] = {
	I_ERROR, I_REASON,          I_EVENT,         I_EVENT_ERROR, I_VECTORING, I_LENGTH,
	I_INFO,  I_VECTORING_ERROR, I_QUALIFICATION, I_LINEAR,      I_GPA,
};

static bool exists(const struct row *r)
{
	switch (r->need) {
	case ALWAYS:
		return true;
	case IF_VPID:
		return can(C_PROC2, PROC2_VPID);
	case IF_TPR:
		return can(C_PROC, PROC_TPR_SHADOW);
	case IF_APIC_ACCESS:
		return can(C_PROC2, PROC2_APIC_ACCESS);
	}
	return false;
}

/* Bits 14:13 of an encoding are the width. */
static uint64_t width_mask(enum field f)
{
	switch (f >> 13 & 3) {
	case 0:
		return 0xffff;
	case 2:
		return 0xffffffff;
	default:
		return ~0ull;
	}
}

static uint64_t value_for(const struct row *r, uint64_t round)
{
	uint64_t v = (PATTERN * ((uint64_t)(r - rows) + 1) ^ round * 0x9e3779b97f4a7c15ull) &
		     width_mask(r->field);

	return r->bits ? v & r->bits : v;
}

static uint64_t fresh(void)
{
	uint64_t vmcs = (uint64_t)vmcs_alloc();

	CHECK_EQ(vmclear(vmcs), 0);
	CHECK_EQ(vmptrld(vmcs), 0);
	return vmcs;
}

static void write_all(uint64_t round)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (exists(&rows[i]))
			CHECK(vmwrite(rows[i].field, value_for(&rows[i], round)) == 0,
			      "VMWRITE of 0x%x fails", U64(rows[i].field));
	}
}

static void check_all(uint64_t round)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = 0;

		if (!exists(&rows[i]))
			continue;
		CHECK(vmread(rows[i].field, &v) == 0, "VMREAD of 0x%x fails", U64(rows[i].field));
		CHECK(v == value_for(&rows[i], round), "field 0x%x is 0x%x, not 0x%x",
		      U64(rows[i].field), v, value_for(&rows[i], round));
	}
}

static void all_fields(const void *arg)
{
	(void)arg;
	fresh();
	write_all(1);
	check_all(1);
	write_all(2);
	check_all(2);
}

/* Of two VMCSs, each keeps its own fields, while current or not, and across VMCLEAR. */
static void two_vmcss(const void *arg)
{
	uint64_t a = fresh(), b = fresh();

	(void)arg;
	write_all(4);
	CHECK_EQ(vmptrld(a), 0);
	write_all(3);
	CHECK_EQ(vmptrld(b), 0);
	check_all(4);
	CHECK_EQ(vmptrld(a), 0);
	check_all(3);
	CHECK_EQ(vmclear(a), 0);
	CHECK_EQ(vmclear(b), 0);
	CHECK_EQ(vmptrld(b), 0);
	check_all(4);
	CHECK_EQ(vmptrld(a), 0);
	check_all(3);
}

static uint64_t moved_result;

static void read_elsewhere(void *arg)
{
	vmx_enable();
	if (vmptrld(*(const uint64_t *)arg) == 0) {
		check_all(5);
		write_all(6);
		moved_result = vmclear(*(const uint64_t *)arg) == 0;
	}
	vmx_disable();
}

static void other_cpu(const void *arg)
{
	uint64_t vmcs;

	(void)arg;
	if (cpu_count() < 2)
		test_skip("one CPU");
	vmcs = fresh();
	moved_result = 0;
	write_all(5);
	CHECK_EQ(vmclear(vmcs), 0);
	CHECK(cpu_start(1, read_elsewhere, &vmcs), "CPU 1 does not start");
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not finish");
	CHECK_EQ(moved_result, 1);
	CHECK_EQ(vmptrld(vmcs), 0);
	check_all(6);
}

/* What is above a field's width is ignored by VMWRITE, and read as 0. */
static void narrow_fields(const void *arg)
{
	uint64_t v = 0;

	(void)arg;
	fresh();
	CHECK_EQ(vmwrite(G_ES, ~0ull), 0);
	CHECK_EQ(vmread(G_ES, &v), 0);
	CHECK_EQ(v, 0xffff);
	v = ~0ull;
	CHECK_EQ(vmwrite(C_EXCEPTIONS, 0xf00000012), 0);
	CHECK_EQ(vmread(C_EXCEPTIONS, &v), 0);
	CHECK_EQ(v, 0x12);
}

/* The odd encodings of 64-bit fields are their high halves. */
static void high_halves(const void *arg)
{
	unsigned seen = 0;

	(void)arg;
	fresh();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t f = rows[i].field, v = 0;

		if ((f >> 13 & 3) != 1 || !exists(&rows[i]))
			continue;
		seen++;
		CHECK_EQ(vmwrite(f, 0x1111111122222222), 0);
		CHECK_EQ(vmread(f | 1, &v), 0);
		CHECK_EQ(v, 0x11111111);
		CHECK_EQ(vmwrite(f | 1, 0x5555555533333333), 0);
		CHECK_EQ(vmread(f, &v), 0);
		CHECK_EQ(v, 0x3333333322222222);
		CHECK_EQ(vmread(f | 1, &v), 0);
		CHECK_EQ(v, 0x33333333);
	}
	CHECK(seen > 10, "only %u 64-bit fields", U64(seen));
}

/* Only 64-bit fields have them (SDM 3, 24.11.2). */
static void other_high_halves(const void *arg)
{
	static const enum field fields[] = {G_ES, C_PIN, I_REASON, G_RIP, I_QUALIFICATION, H_CS};
	uint64_t v = 0x77;

	(void)arg;
	fresh();
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		CHECK_EQ(vmread(fields[i] | 1, &v), 12);
		CHECK_EQ(v, 0x77);
		CHECK_EQ(vmwrite(fields[i] | 1, 0), 12);
	}
}

static void unsupported(const void *arg)
{
	static const uint64_t fields[] = {0x03fe,
					  0x0bfe,
					  0x23fe,
					  0x43fe,
					  0x47fe,
					  0x63fe,
					  0x6ffe,
					  0x1000 | G_RIP,
					  0x8000 | G_RIP,
					  0x10000 | G_RIP,
					  0x80000000 | G_RIP,
					  1ull << 32 | G_RIP,
					  1ull << 63 | G_RIP,
					  ~0ull};
	uint64_t v = 0x77;

	(void)arg;
	fresh();
	CHECK_EQ(vmwrite(G_RIP, 0x1234), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		CHECK(vmread(fields[i], &v) == 12, "field 0x%x can be read", fields[i]);
		CHECK_EQ(v, 0x77);
		CHECK(vmwrite(fields[i], 0) == 12, "field 0x%x can be written", fields[i]);
	}
	CHECK_EQ(vmread(G_RIP, &v), 0);
	CHECK_EQ(v, 0x1234);
}

/* Fields of controls that the CPU does not offer. */
static void absent_fields(const void *arg)
{
	static const struct {
		uint64_t field;
		enum field control;
		uint32_t bit;
	} optional[] = {
		{0x0002, C_PIN, 0x80},        {0x2016, C_PIN, 0x80},
		{0x482e, C_PIN, 0x40},        {0x0810, C_PROC2, 0x200},
		{0x201c, C_PROC2, 0x200},     {0x0812, C_PROC2, 0x20000},
		{0x200e, C_PROC2, 0x20000},   {0x2018, C_PROC2, 0x2000},
		{0x2024, C_PROC2, 0x2000},    {0x2026, C_PROC2, 0x4000},
		{0x2028, C_PROC2, 0x4000},    {0x202a, C_PROC2, 0x40000},
		{0x0004, C_PROC2, 0x40000},   {0x202c, C_PROC2, 0x100000},
		{0x2032, C_PROC2, 0x2000000}, {0x4020, C_PROC2, 0x400},
		{0x4022, C_PROC2, 0x400},     {0x2808, C_ENTRY, 0x2000},
		{0x2c04, C_EXIT, 0x1000},     {0x2812, C_ENTRY, 0x10000},
	};

	(void)arg;
	fresh();
	for (unsigned i = 0; i < ARRAY_SIZE(optional); i++) {
		uint64_t v = 0;
		int want = can(optional[i].control, optional[i].bit) ? 0 : 12;
		int err = vmread(optional[i].field, &v);

		CHECK(err == want || (optional[i].bit == 0x80 && err == 12),
		      "VMREAD of 0x%x: error %u, not %u", optional[i].field, U64(err), U64(want));
		CHECK(vmwrite(optional[i].field, v) == err, "VMWRITE of 0x%x does not agree",
		      optional[i].field);
	}
}

static void read_only_fields(const void *arg)
{
	bool writable = rdmsr(MSR_VMX_MISC) & MISC_WRITE_ALL;
	uint64_t v = 0;

	(void)arg;
	fresh();
	for (unsigned i = 0; i < ARRAY_SIZE(information); i++) {
		CHECK(vmwrite(information[i], 0x5a) == (writable ? 0 : 13), "VMWRITE of 0x%x",
		      U64(information[i]));
		CHECK(vmread(information[i], &v) == 0, "VMREAD of 0x%x", U64(information[i]));
		if (writable)
			CHECK_EQ(v, 0x5a);
	}
}

/* Each failing instruction leaves its number in the error field; success leaves the last one. */
static void error_field(const void *arg)
{
	uint64_t v = 0, vmcs = fresh();

	(void)arg;
	CHECK_EQ(vmwrite(0x7ffe, 0), 12);
	CHECK_EQ(vmread(I_ERROR, &v), 0);
	CHECK_EQ(v, 12);
	CHECK_EQ(vmptrld(vmcs | 1), 9);
	CHECK_EQ(vmwrite(G_RIP, 0), 0);
	CHECK_EQ(vmread(I_ERROR, &v), 0);
	CHECK_EQ(v, 9);
}

static uint64_t in_memory __attribute__((used));

#define FIELD_RIP ((uint64_t)G_RIP)

/* VMREAD and VMWRITE of G_RIP with one form of memory operand, at which *place must be. */
#define FORM(name, operand, constraints...)                                        \
	static void form_##name(uint64_t *place)                                   \
	{                                                                          \
		uint64_t flags;                                                    \
                                                                                   \
		*place = PATTERN;                                                  \
		__asm__ volatile("push %%rbx; push %%r12; push %%r13;" constraints \
				 "vmwrite " operand ", %%rax; pushfq; pop %0;"     \
				 "pop %%r13; pop %%r12; pop %%rbx"                 \
				 : "=&S"(flags)                                    \
				 : "a"(FIELD_RIP), "d"(place)                      \
				 : "rcx", "rdi", "memory", "cc");                  \
		CHECK_EQ(vm_result(flags), 0);                                     \
		*place = 0;                                                        \
		CHECK_EQ(vmread(G_RIP, place), 0);                                 \
		CHECK_EQ(*place, PATTERN);                                         \
		*place = 0;                                                        \
		__asm__ volatile("push %%rbx; push %%r12; push %%r13;" constraints \
				 "vmread %%rax, " operand "; pushfq; pop %0;"      \
				 "pop %%r13; pop %%r12; pop %%rbx"                 \
				 : "=&S"(flags)                                    \
				 : "a"(FIELD_RIP), "d"(place)                      \
				 : "rcx", "rdi", "memory", "cc");                  \
		CHECK_EQ(vm_result(flags), 0);                                     \
		CHECK_EQ(*place, PATTERN);                                         \
		CHECK_EQ(vmwrite(G_RIP, 0), 0);                                    \
	}
FORM(base, "(%%rdx)", "")
FORM(disp8, "0x58(%%rcx)", "lea -0x58(%%rdx), %%rcx;")
FORM(disp8_negative, "-0x10(%%rdi)", "lea 0x10(%%rdx), %%rdi;")
FORM(disp32, "0x12345(%%rbx)", "lea -0x12345(%%rdx), %%rbx;")
FORM(sib, "(%%rbx, %%rcx, 8)", "mov $3, %%ecx; lea -24(%%rdx), %%rbx;")
FORM(sib_disp, "-0x20(%%r12, %%r13, 4)", "mov $8, %%r13d; mov %%rdx, %%r12;")
FORM(sib_no_base, "0x10(, %%rcx, 2)", "lea -0x10(%%rdx), %%rcx; shr %%rcx;")
FORM(r12_base, "(%%r12)", "mov %%rdx, %%r12;")
FORM(r13_base, "(%%r13)", "mov %%rdx, %%r13;")
FORM(address32, "(%%ecx)", "movabs $0x5500000000, %%rcx; or %%rdx, %%rcx;")
FORM(rip_relative, "in_memory(%%rip)", "")
FORM(absolute, "in_memory", "")

static const struct form {
	const char *name;
	void (*fn)(uint64_t *);
} forms[] = {
	{"base", form_base},
	{"disp8", form_disp8},
	{"disp8-negative", form_disp8_negative},
	{"disp32", form_disp32},
	{"sib", form_sib},
	{"sib-disp", form_sib_disp},
	{"sib-no-base", form_sib_no_base},
	{"r12", form_r12_base},
	{"r13", form_r13_base},
	{"address32", form_address32},
	{"rip-relative", form_rip_relative},
	{"absolute", form_absolute},
};

static void memory_form(const void *arg)
{
	fresh();
	((const struct form *)arg)->fn(&in_memory);
}

static void memory_rsp(const void *arg)
{
	uint64_t flags, v;

	(void)arg;
	fresh();
	__asm__ volatile("push %3; vmwrite (%%rsp), %2; pushfq; pop %0; pop %1"
			 : "=&r"(flags), "=&r"(v)
			 : "r"(FIELD_RIP), "r"(PATTERN)
			 : "memory", "cc");
	CHECK_EQ(vm_result(flags), 0);
	CHECK_EQ(vmread(G_RIP, &v), 0);
	CHECK_EQ(v, PATTERN);
	__asm__ volatile("push $0; push $0; vmread %2, 8(%%rsp); pushfq; pop %0; pop %1; pop %1"
			 : "=&r"(flags), "=&r"(v)
			 : "r"(FIELD_RIP)
			 : "memory", "cc");
	CHECK_EQ(vm_result(flags), 0);
	CHECK_EQ(v, PATTERN);
}

/* A segment's base counts; across a page boundary. */
static void memory_segment(const void *arg)
{
	uint8_t *pages = pages_alloc(2, PAGE_SIZE);
	uint64_t *place = (uint64_t *)(pages + PAGE_SIZE - 3), flags, fs = rdmsr(MSR_FS_BASE);

	(void)arg;
	fresh();
	CHECK_EQ(vmwrite(G_RIP, PATTERN), 0);
	wrmsr(MSR_FS_BASE, (uint64_t)pages);
	__asm__ volatile("vmread %1, %%fs:(%2); pushfq; pop %0"
			 : "=&r"(flags)
			 : "r"(FIELD_RIP), "r"(PAGE_SIZE - 3)
			 : "memory", "cc");
	wrmsr(MSR_FS_BASE, fs);
	CHECK_EQ(vm_result(flags), 0);
	CHECK_EQ(*place, PATTERN);
}

/* Each register as field and as value. RSP as the value: VMREAD must not use it, VMWRITE may. */
#define REGISTER(id, reg, other)                                                               \
	static void register_##id(uint64_t *place)                                             \
	{                                                                                      \
		uint64_t flags, v;                                                             \
                                                                                               \
		(void)place;                                                                   \
		__asm__ volatile("push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14;" \
				 "push %%r15; push %2; push %3; pop %%" reg "; pop %%" other   \
				 "; vmwrite %%" reg ", %%" other "; pushfq; mov %%" other      \
				 ", %%" reg "; vmread %%" reg ", %%" other "; push %%" other   \
				 "; pop %1; pop %0; pop %%r15; pop %%r14; pop %%r13;"          \
				 "pop %%r12; pop %%rbp; pop %%rbx"                             \
				 : "=&S"(flags), "=&D"(v)                                      \
				 : "a"(FIELD_RIP), "d"(PATTERN)                                \
				 : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");           \
		CHECK_EQ(vm_result(flags), 0);                                                 \
		CHECK_EQ(v, PATTERN);                                                          \
	}
REGISTER(rbx, "rbx", "rcx")
REGISTER(rcx, "rcx", "rbx")
REGISTER(rbp, "rbp", "r15")
REGISTER(r8, "r8", "r9")
REGISTER(r10, "r10", "r11")
REGISTER(r12, "r12", "r8")
REGISTER(r13, "r13", "r14")
REGISTER(r15, "r15", "r12")

static const struct form registers[] = {
	{"rbx-rcx", register_rbx}, {"rcx-rbx", register_rcx}, {"rbp-r15", register_rbp},
	{"r8-r9", register_r8},    {"r10-r11", register_r10}, {"r12-r8", register_r12},
	{"r13-r14", register_r13}, {"r15-r12", register_r15},
};

void l1_main(void)
{
	vmx_start();
	test("all-fields", all_fields, NULL);
	test("two-vmcss", two_vmcss, NULL);
	test("other-cpu", other_cpu, NULL);
	test("narrow-fields", narrow_fields, NULL);
	test("high-halves", high_halves, NULL);
	test("other-high-halves", other_high_halves, NULL);
	test("unsupported", unsupported, NULL);
	test("absent-fields", absent_fields, NULL);
	test("read-only-fields", read_only_fields, NULL);
	test("error-field", error_field, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
		test_named("memory-", forms[i].name, memory_form, &forms[i]);
	test("memory-rsp", memory_rsp, NULL);
	test("memory-segment", memory_segment, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		test_named("registers-", registers[i].name, memory_form, &registers[i]);
}
