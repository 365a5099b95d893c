/* SPDX-License-Identifier: Apache-2.0 */
/* EPT violations and misconfigurations: what they report, and what the tables allow. SDM 3, 28.2. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/nested_tests.h"
#include "lib/pages.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

/* The exit qualification of a violation: SDM 3, table 27-7. */
#define Q_READ 0x1u
#define Q_WRITE 0x2u
#define Q_FETCH 0x4u
#define Q_RIGHTS(r) ((uint64_t)(r) << 3)
#define Q_LINEAR 0x80u
#define Q_FINAL 0x100u
#define Q_DEFINED 0x13fu /* and bit 7 */

GUEST(guest_real_read, ".code16; mov (%bx), %ax;" STOP);

static void expect_kind(struct guest *g, uint64_t qualification, uint64_t optional, const void *rip)
{
	uint64_t seen;

	guest_expect_at(g, X_EPT_VIOLATION, rip);
	seen = get(g, I_QUALIFICATION) & (Q_DEFINED | Q_LINEAR | Q_FINAL) & ~optional;
	CHECK(seen == qualification, "qualification is 0x%x, not 0x%x", seen, qualification);
	CHECK_EQ(get(g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(g, I_EVENT) & EVENT_VALID, 0);
}

static void expect_violation(struct guest *g, uint64_t qualification, uint64_t gpa, const void *rip)
{
	expect_kind(g, qualification, 0, rip);
	CHECK(get(g, I_GPA) == gpa, "gpa is 0x%x, not 0x%x", get(g, I_GPA), gpa);
}

void expect_nested_fault(struct guest *g, enum nested_access access, unsigned rights,
			 const void *rip)
{
	static const uint64_t kinds[] = {Q_READ, Q_WRITE, Q_WRITE, Q_FETCH};

	expect_kind(g, kinds[access] | Q_RIGHTS(rights) | Q_LINEAR | Q_FINAL,
		    access == NESTED_MODIFY ? Q_READ : 0, rip);
}

void expect_walk_fault(struct guest *g, const void *rip)
{
	expect_kind(g, Q_READ | Q_LINEAR, 0, rip);
}

uint64_t nested_fault_gpa(const struct guest *g)
{
	return get(g, I_GPA);
}

void check_fault_address(const struct guest *g, uint64_t gpa, uint64_t linear)
{
	CHECK(get(g, I_GPA) == gpa, "gpa is 0x%x, not 0x%x", get(g, I_GPA), gpa);
	CHECK_EQ(get(g, I_LINEAR), linear);
}

void expect_page_fault(struct guest *g, uint32_t error, uint64_t address, const void *rip)
{
	guest_expect_event(g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_PF);
	CHECK_EQ(get(g, G_RIP), rip);
	CHECK_EQ(get(g, I_QUALIFICATION), address);
	CHECK_EQ(get(g, I_EVENT_ERROR), error);
}

/* The rights are in the order of the entry's own. */
void nested_deny(uint64_t *entry, unsigned rights)
{
	*entry &= ~(uint64_t)rights;
}

_Static_assert(NESTED_R == EPT_R && NESTED_W == EPT_W && NESTED_X == EPT_X, "rights as in an EPT");

static void allowed_read(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)(EPT_W | EPT_X);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x2222);
}

static void write_read_only(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), rights = *(const uint64_t *)arg;

	ept_map(g.ept, (uint64_t)page, (uint64_t)page, rights);
	expect_violation(&g, Q_WRITE | Q_RIGHTS(rights) | Q_LINEAR | Q_FINAL, g.r.rbx, guest_write);
	CHECK_EQ(page[1], 0x2222);
	ept_map(g.ept, (uint64_t)page, (uint64_t)page, EPT_ALL);
	flush_all();
	guest_expect_at(&g, X_VMCALL, after_write);
}

static void execute_only(const void *arg)
{
	struct guest g = guest_long(guest_jump);
	uint8_t *page = (uint8_t *)target_page(&g) + 0x40;

	(void)arg;
	if (!(ept_vpid_capabilities() & CAP_EXECUTE_ONLY))
		test_skip("no execute-only translations");
	memcpy(page, guest_read, (size_t)(guest_read_end - guest_read));
	g.r.rbx = (uint64_t)page;
	ept_map(g.ept, (uint64_t)page & PAGE_MASK, (uint64_t)page & PAGE_MASK, EPT_X);
	expect_violation(&g, Q_READ | Q_RIGHTS(EPT_X) | Q_LINEAR | Q_FINAL, (uint64_t)page, page);
}

/* Rights of all levels are ANDed, also in what is reported. */
static void level_read_only(const void *arg)
{
	const struct named_level *l = arg;
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);

	*ept_entry(g.ept, gpa, l->level) &= ~(uint64_t)(EPT_W | EPT_X);
	expect_violation(&g, Q_WRITE | Q_RIGHTS(EPT_R) | Q_LINEAR | Q_FINAL, gpa + 8, guest_write);
}

static void large_2m(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = page_alloc();
	uint64_t gpa = 700 * GIB + ((uint64_t)page & (2 * MIB - 1));

	(void)arg;
	reach(&g, gpa);
	g.r.rcx = 0x4455;
	*ept_entry(g.ept, gpa, LEVEL_2M) =
		ALIGN_DOWN((uint64_t)page, 2 * MIB) | EPT_ALL | EPT_WB | EPT_LARGE;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(page[0], 0x4455);
	*ept_entry(g.ept, gpa, LEVEL_2M) &= ~(uint64_t)EPT_W;
	flush_all();
	guest_at(&g, guest_write);
	expect_violation(&g, Q_WRITE | Q_RIGHTS(EPT_R | EPT_X) | Q_LINEAR | Q_FINAL, gpa,
			 guest_write);
}

static void large_1g(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = page_alloc();
	uint64_t gpa = 800 * GIB + (uint64_t)page;

	(void)arg;
	if (!(ept_vpid_capabilities() & CAP_1G))
		test_skip("no 1 GiB pages");
	reach(&g, gpa);
	g.r.rcx = 0x6677;
	*ept_entry(g.ept, gpa, LEVEL_1G) = 0 | EPT_ALL | EPT_WB | EPT_LARGE;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(page[0], 0x6677);
}

static void accessed_and_dirty(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);
	uint64_t *entry = table_entry(reach(&g, (uint64_t)page + 8), TEST_VA, LEVEL_4K);

	(void)arg;
	if (!(ept_vpid_capabilities() & CAP_AD))
		test_skip("no A and D bits");
	leaf(&g, entry);
	set_bits(&g, C_EPTP, EPTP_AD);
	*leaf(&g, page) &= ~(uint64_t)(EPT_A | EPT_D);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(*leaf(&g, page) & (EPT_A | EPT_D), EPT_A);
	CHECK_EQ(*leaf(&g, entry) & (EPT_A | EPT_D), EPT_A | EPT_D);
	CHECK(*entry & PTE_A, "A is clear in the guest's own leaf");
	guest_at(&g, guest_write);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(*leaf(&g, page) & (EPT_A | EPT_D), EPT_A | EPT_D);
	CHECK(*ept_entry(g.ept, (uint64_t)page, LEVEL_2M) & EPT_A, "A is clear in the directory");
	CHECK(g.ept[0] & EPT_A, "A is clear in the root");
}

/* Without EPTP's bit 6, the entries are left alone. */
static void no_accessed_and_dirty(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), entry = *leaf(&g, page), root = g.ept[0];

	(void)arg;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(*leaf(&g, page), entry);
	CHECK_EQ(g.ept[0], root);
}

/* With A/D on, a walk of the guest's tables is a write of data. */
static void table_walk_is_write(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = table_identity(), *entry;

	(void)arg;
	if (!(ept_vpid_capabilities() & CAP_AD))
		test_skip("no A and D bits");
	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W | PTE_A);
	entry = table_entry(own, TEST_VA, LEVEL_4K);
	put(&g, G_CR3, (uint64_t)own);
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, entry) &= ~(uint64_t)EPT_W;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x2222);
	set_bits(&g, C_EPTP, EPTP_AD);
	flush_all();
	guest_at(&g, guest_read);
	guest_expect_at(&g, X_EPT_VIOLATION, guest_read);
	CHECK_EQ(get(&g, I_QUALIFICATION) & (Q_WRITE | Q_LINEAR | Q_FINAL), Q_WRITE | Q_LINEAR);
	CHECK_EQ(get(&g, I_GPA), entry);
}

/* The walk sets A in the guest's entry, which the EPT forbids. */
static void table_walk_read_only(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);
	uint64_t *entry = table_entry(reach(&g, (uint64_t)page + 8), TEST_VA, LEVEL_4K);

	(void)arg;
	*leaf(&g, entry) &= ~(uint64_t)EPT_W;
	CHECK_EQ(guest_enter(&g), 0);
	bochs_limit(get(&g, I_REASON) == X_VMCALL,
		    "Bochs sets A in the guest's table where the EPT forbids writes");
	CHECK_EQ(get(&g, I_REASON), X_EPT_VIOLATION);
	CHECK_EQ(get(&g, G_RIP), guest_read);
	CHECK_EQ(get(&g, I_QUALIFICATION) & (Q_WRITE | Q_LINEAR | Q_FINAL | Q_RIGHTS(EPT_ALL)),
		 Q_WRITE | Q_LINEAR | Q_RIGHTS(EPT_R | EPT_X));
	CHECK_EQ(get(&g, I_GPA) & PAGE_MASK, (uint64_t)entry & PAGE_MASK);
	CHECK_EQ(*entry & PTE_A, 0);
}

static void real_mode(const void *arg)
{
	struct guest g = guest_real(guest_real_read, guest_real_read_end);
	uint64_t *page = page_alloc(), gpa = REAL_GUEST + 0x3000;

	(void)arg;
	page[1] = 0x2222;
	g.r.rbx = 0x3008;
	*leaf(&g, (void *)gpa) = 0;
	expect_violation(&g, Q_READ | Q_LINEAR | Q_FINAL, gpa + 8, NULL);
	ept_map(g.ept, gpa, (uint64_t)page, EPT_R);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x2222);
}

static void empty_root(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	put(&g, C_EPTP, (uint64_t)page_alloc() | EPTP_WB_4_LEVELS);
	guest_expect_at(&g, X_EPT_VIOLATION, guest_stop);
	CHECK_EQ(get(&g, I_QUALIFICATION) & Q_RIGHTS(EPT_ALL), 0);
	CHECK_EQ(get(&g, I_GPA) & PAGE_MASK, get(&g, G_CR3) & PAGE_MASK);
}

/* Bits that an entry may have: ignored ones. */
static void ignored_bits(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) |= 0x7ff0000000000c40 | EPT_A | EPT_D;
	*ept_entry(g.ept, (uint64_t)page, LEVEL_2M) |= 0x7ff0000000000c00 | EPT_A;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x2222);
}

struct misconfiguration {
	const char *name;
	enum table_level level;
	uint64_t clear, set;
};

static const struct misconfiguration misconfigurations[] = {
	{"write-only", LEVEL_4K, EPT_ALL, EPT_W},
	{"write-execute", LEVEL_4K, EPT_ALL, EPT_W | EPT_X},
	{"write-only-2m", LEVEL_2M, EPT_ALL, EPT_W},
	{"write-only-512g", LEVEL_512G, EPT_ALL, EPT_W},
	{"type-2", LEVEL_4K, 0x38, 2 << 3},
	{"type-3", LEVEL_4K, 0x38, 3 << 3},
	{"type-7", LEVEL_4K, 0x38, 7 << 3},
	{"reserved-bit-3", LEVEL_2M, 0, 0x8},
	{"reserved-bit-6", LEVEL_2M, 0, 0x40},
	{"reserved-bit-4-1g", LEVEL_1G, 0, 0x10},
	{"reserved-bit-5-512g", LEVEL_512G, 0, 0x20},
	{"large-512g", LEVEL_512G, 0, EPT_LARGE},
	{"beyond-physical", LEVEL_4K, 0, 1ull << 51},
	{"beyond-physical-2m", LEVEL_2M, 0, 1ull << 51},
};

static void misconfigured(const void *arg)
{
	const struct misconfiguration *m = arg;
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);
	uint64_t *entry = ept_entry(g.ept, gpa, m->level), good = *entry;

	*entry = (good & ~m->clear) | m->set;
	guest_expect_at(&g, X_EPT_MISCONFIGURATION, guest_read);
	CHECK_EQ(get(&g, I_GPA), gpa + 8);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	*entry = good;
	flush_all();
	guest_expect_at(&g, X_VMCALL, after_read);
	CHECK_EQ(g.r.rax, 0x2222);
}

static void misaligned_large(const void *arg)
{
	const struct named_level *l = arg;
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);

	if (l->level == LEVEL_1G && !(ept_vpid_capabilities() & CAP_1G))
		test_skip("no 1 GiB pages");
	*ept_entry(g.ept, gpa, l->level) =
		((uint64_t)page & PAGE_MASK) | PAGE_SIZE | EPT_ALL | EPT_WB | EPT_LARGE;
	guest_expect_at(&g, X_EPT_MISCONFIGURATION, guest_read);
	CHECK_EQ(get(&g, I_GPA), gpa + 8);
}

static void execute_only_misconfigured(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	if (ept_vpid_capabilities() & CAP_EXECUTE_ONLY)
		test_skip("execute-only translations are legal");
	ept_map(g.ept, (uint64_t)page, (uint64_t)page, EPT_X);
	guest_expect_at(&g, X_EPT_MISCONFIGURATION, guest_read);
}

/* A misconfigured entry that is not used does no harm; one found absent above it is a violation. */
static void absent_above(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);

	(void)arg;
	*ept_entry(g.ept, gpa, LEVEL_4K) = EPT_W;
	*ept_entry(g.ept, gpa, LEVEL_2M) &= ~(uint64_t)EPT_ALL;
	expect_violation(&g, Q_READ | Q_LINEAR | Q_FINAL, gpa + 8, guest_read);
}

void l1_main(void)
{
	static const uint64_t rx = EPT_R | EPT_X, r = EPT_R;

	vmx_start();
	nested_tests();
	test("read-allowed", allowed_read, NULL);
	test("write-read-execute", write_read_only, &rx);
	test("write-read-only", write_read_only, &r);
	test("execute-only", execute_only, NULL);
	for (unsigned i = 0; i < LEVELS; i++)
		test_named("read-only-", named_levels[i].name, level_read_only, &named_levels[i]);
	test("large-2m", large_2m, NULL);
	test("large-1g", large_1g, NULL);
	test("accessed-and-dirty", accessed_and_dirty, NULL);
	test("no-accessed-and-dirty", no_accessed_and_dirty, NULL);
	test("table-walk-is-write", table_walk_is_write, NULL);
	test("table-walk-read-only", table_walk_read_only, NULL);
	test("real-mode", real_mode, NULL);
	test("empty-root", empty_root, NULL);
	test("ignored-bits", ignored_bits, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(misconfigurations); i++)
		test_named("misconfigured-", misconfigurations[i].name, misconfigured,
			   &misconfigurations[i]);
	test("misconfigured-misaligned-2m", misaligned_large, &named_levels[1]);
	test("misconfigured-misaligned-1g", misaligned_large, &named_levels[2]);
	test("misconfigured-execute-only", execute_only_misconfigured, NULL);
	test("absent-above", absent_above, NULL);
}
