/* SPDX-License-Identifier: Apache-2.0 */
/* Nested page faults: what they report, and what the nested table allows. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/nested_tests.h"
#include "lib/pages.h"
#include "svm/known.h"
#include "svm/svm.h"

GUEST(guest_write_rip, "write_at: movl $0x11223344, 0x10(%rbx)\n write_next:" STOP);
GUEST_LABEL(write_at);
GUEST_LABEL(write_next);

static void expect_kind(struct guest *g, uint64_t info1, const void *rip)
{
	guest_expect_at(g, X_NPF, rip);
	CHECK(g->vmcb->exit_info1 == info1, "exit_info1 is 0x%x, not 0x%x", g->vmcb->exit_info1,
	      info1);
	CHECK_EQ(g->vmcb->exit_int_info & EVENT_VALID, 0);
}

static void expect_npf(struct guest *g, uint64_t info1, uint64_t gpa, const void *rip)
{
	expect_kind(g, info1, rip);
	CHECK(g->vmcb->exit_info2 == gpa, "gpa is 0x%x, not 0x%x", g->vmcb->exit_info2, gpa);
}

void expect_nested_fault(struct guest *g, enum nested_access access, unsigned rights,
			 const void *rip)
{
	static const uint64_t kinds[] = {
		[NESTED_WRITE] = PF_W, [NESTED_MODIFY] = PF_W, [NESTED_FETCH] = PF_I};

	expect_kind(g, NPF_FINAL | PF_U | kinds[access] | (rights ? PF_P : 0), rip);
}

/* Walks are writes: APM 2, 15.25.5. */
void expect_walk_fault(struct guest *g, const void *rip)
{
	expect_kind(g, NPF_TABLE | PF_U | PF_W, rip);
}

uint64_t nested_fault_gpa(const struct guest *g)
{
	return g->vmcb->exit_info2;
}

void check_fault_address(const struct guest *g, uint64_t gpa, uint64_t linear)
{
	(void)linear;
	CHECK(g->vmcb->exit_info2 == gpa, "gpa is 0x%x, not 0x%x", g->vmcb->exit_info2, gpa);
}

void expect_page_fault(struct guest *g, uint32_t error, uint64_t address, const void *rip)
{
	guest_expect_at(g, X_EXCEPTION + VEC_PF, rip);
	CHECK_EQ(g->vmcb->exit_info2, address);
	CHECK_EQ(g->vmcb->exit_info1, error);
}

void nested_deny(uint64_t *entry, unsigned rights)
{
	if (rights & NESTED_W)
		*entry &= ~(uint64_t)PTE_W;
	if (rights & NESTED_X)
		*entry |= PTE_NX;
}

static void allowed(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)PTE_W;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0x2222);
}

static void write_read_only(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W | PF_P, g.r.rbx, guest_write);
	CHECK_EQ(page[1], 0x2222);
}

/* Nested walks are user accesses: a supervisor entry is refused (APM 2, 15.25.5). */
static void supervisor_entry(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)PTE_U;
	expect_npf(&g, NPF_FINAL | PF_U | PF_P, g.r.rbx, guest_read);
}

static void reserved_bit(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) |= 1ull << 51;
	guest_expect_at(&g, X_NPF, guest_read);
	CHECK(g.vmcb->exit_info1 & PF_RSVD, "exit_info1 0x%x", g.vmcb->exit_info1);
	CHECK_EQ(g.vmcb->exit_info2, g.r.rbx);
}

/* Rights of all levels are ANDed. */
static void level_read_only(const void *arg)
{
	const struct named_level *l = arg;
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);

	*table_entry(g.nested, gpa, l->level) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W | PF_P, gpa + 8, guest_write);
}

static void large_2m(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint8_t *page = pages_alloc(1, PAGE_SIZE);
	uint64_t gpa = 700 * GIB + ((uint64_t)page & (2 * MIB - 1));

	(void)arg;
	*(uint64_t *)page = 0x4455;
	reach(&g, gpa);
	*table_entry(g.nested, gpa, LEVEL_2M) =
		ALIGN_DOWN((uint64_t)page, 2 * MIB) | PTE_ALL | PTE_LARGE;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0x4455);
	CHECK(*table_entry(g.nested, gpa, LEVEL_2M) & PTE_A, "A is clear in the large leaf");
}

static void large_1g(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = page_alloc();
	uint64_t gpa = 800 * GIB + (uint64_t)page;

	(void)arg;
	if (!(cpuid(0x80000001, 0).d & 0x4000000))
		test_skip("no 1 GiB pages");
	reach(&g, gpa);
	g.r.rcx = 0x6677;
	*table_entry(g.nested, gpa, LEVEL_1G) = 0 | PTE_ALL | PTE_LARGE;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(page[0], 0x6677);
	CHECK_EQ(*table_entry(g.nested, gpa, LEVEL_1G) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

static void accessed_and_dirty(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)(PTE_A | PTE_D);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(*leaf(&g, page) & (PTE_A | PTE_D), PTE_A);
	g.vmcb->rip = (uint64_t)guest_write;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(*leaf(&g, page) & (PTE_A | PTE_D), PTE_A | PTE_D);
	CHECK(*table_entry(g.nested, (uint64_t)page, LEVEL_2M) & PTE_A,
	      "A is clear in the directory");
	CHECK(g.nested[0] & PTE_A, "A is clear in the root");
}

/* The guest's own table page is walked as a write of data: D is set on it (APM 2, 15.25.5). */
static void table_page_dirty(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);
	uint64_t *entry = table_entry(reach(&g, (uint64_t)page + 8), TEST_VA, LEVEL_4K);

	(void)arg;
	*leaf(&g, entry) &= ~(uint64_t)(PTE_A | PTE_D);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(*leaf(&g, entry) & (PTE_A | PTE_D), PTE_A | PTE_D);
	CHECK(*entry & PTE_A, "A is clear in the guest's own leaf");
}

static void table_walk_read_only(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);
	uint64_t *entry = table_entry(reach(&g, (uint64_t)page + 8), TEST_VA, LEVEL_4K);

	(void)arg;
	*leaf(&g, entry) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_TABLE | PF_U | PF_W | PF_P, (uint64_t)entry, guest_read);
}

static void bytes(const void *arg)
{
	struct guest g = guest_long(guest_write_rip);
	uint64_t *page = target_page(&g);
	size_t len = (size_t)(write_next - write_at);

	(void)arg;
	if (!(svm_features() & SVM_DECODE))
		test_skip("no decode assists");
	*leaf(&g, page) = 0;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W, g.r.rbx + 0x10, write_at);
	CHECK((g.vmcb->fetched & 0xf) >= len, "%u bytes, the instruction has %u",
	      U64(g.vmcb->fetched), len);
	CHECK(!memcmp(g.vmcb->bytes, write_at, len), "the bytes are not the instruction's");
}

/* Without nested paging, the guest's CR3 and tables are in L1's own physical memory. */
static void no_nested_paging(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g);

	(void)arg;
	reach(&g, (uint64_t)page + 8);
	g.vmcb->np_control = 0;
	g.vmcb->nested_cr3 = 0;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(page[1], 0x3333);
}

static void no_nested_paging_fault(const void *arg)
{
	struct guest g = guest_long(guest_write);

	(void)arg;
	g.vmcb->np_control = 0;
	g.vmcb->nested_cr3 = 0;
	g.r.rbx = TEST_VA + 8;
	guest_expect_at(&g, X_EXCEPTION + VEC_PF, guest_write);
	CHECK_EQ(g.vmcb->exit_info2, TEST_VA + 8);
	CHECK_EQ(g.vmcb->exit_info1, PF_W);
}

/* A nested root outside memory cannot be walked: a fault, not a stop of the machine. */
static void empty_root(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->nested_cr3 = (uint64_t)page_alloc();
	guest_expect(&g, X_NPF);
	CHECK_EQ(g.vmcb->rip, guest_stop);
	CHECK(g.vmcb->exit_info1 & PF_U, "exit_info1 0x%x", g.vmcb->exit_info1);
	CHECK(!(g.vmcb->exit_info1 & PF_P), "exit_info1 0x%x", g.vmcb->exit_info1);
}

void l1_main(void)
{
	svm_start();
	nested_tests();
	test("read-allowed", allowed, NULL);
	test("write-read-only", write_read_only, NULL);
	test("supervisor-entry", supervisor_entry, NULL);
	test("reserved-bit", reserved_bit, NULL);
	for (unsigned i = 0; i < LEVELS; i++)
		test_named("read-only-", named_levels[i].name, level_read_only, &named_levels[i]);
	test("large-2m", large_2m, NULL);
	test("large-1g", large_1g, NULL);
	test("accessed-and-dirty", accessed_and_dirty, NULL);
	test("table-page-dirty", table_page_dirty, NULL);
	test("table-walk-read-only", table_walk_read_only, NULL);
	test("instruction-bytes", bytes, NULL);
	test("no-nested-paging", no_nested_paging, NULL);
	test("no-nested-paging-fault", no_nested_paging_fault, NULL);
	test("empty-root", empty_root, NULL);
}
