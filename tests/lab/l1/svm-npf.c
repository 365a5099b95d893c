/* SPDX-License-Identifier: Apache-2.0 */
/* Nested page faults: what they report, and what the nested table allows. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "svm/known.h"
#include "svm/svm.h"

/* Where a guest's tables are made to send a virtual address of its own. */
#define TEST_VA 0x10000000000ull

GUEST(guest_read, "mov (%rbx), %rax; after_read:" STOP);
GUEST_LABEL(after_read);
GUEST(guest_write, "mov %rcx, (%rbx); after_write:" STOP);
GUEST_LABEL(after_write);
GUEST(guest_modify, "lock addq $1, (%rbx)\n" STOP);
GUEST(guest_jump, "jmp *%rbx\n");
GUEST(guest_stop, STOP);
GUEST(guest_fetch_long, "movabs $0x1122334455667788, %rax; mov %rcx, (%rbx)\n" STOP);
GUEST(guest_write_rip, "write_at: movl $0x11223344, 0x10(%rbx)\n write_next:" STOP);
GUEST_LABEL(write_at);
GUEST_LABEL(write_next);
GUEST(guest_read32, ".code32; mov (%ebx), %eax;" STOP);

/* A page of the guest's, whose nested mapping the tests change. */
static uint64_t *target_page(struct guest *g)
{
	uint64_t *page = page_alloc();

	page[0] = 0x1111;
	page[1] = 0x2222;
	g->r.rbx = (uint64_t)page + 8;
	g->r.rcx = 0x3333;
	return page;
}

static uint64_t *leaf(struct guest *g, const void *page)
{
	return table_entry(g->nested, (uint64_t)page, LEVEL_4K);
}

static void expect_npf(struct guest *g, uint64_t info1, uint64_t gpa, const void *rip)
{
	guest_expect_at(g, X_NPF, rip);
	CHECK(g->vmcb->exit_info1 == info1, "exit_info1 is 0x%x, not 0x%x", g->vmcb->exit_info1,
	      info1);
	CHECK(g->vmcb->exit_info2 == gpa, "gpa is 0x%x, not 0x%x", g->vmcb->exit_info2, gpa);
	CHECK_EQ(g->vmcb->exit_int_info & EVENT_VALID, 0);
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

static void read_absent(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_npf(&g, NPF_FINAL | PF_U, g.r.rbx, guest_read);
	table_map(g.nested, (uint64_t)page, (uint64_t)page, PTE_ALL);
	guest_expect_at(&g, X_VMMCALL, after_read);
	CHECK_EQ(g.vmcb->rax, 0x2222);
}

static void write_absent(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W, g.r.rbx, guest_write);
	CHECK_EQ(page[1], 0x2222);
	table_map(g.nested, (uint64_t)page, (uint64_t)page, PTE_ALL);
	guest_expect_at(&g, X_VMMCALL, after_write);
	CHECK_EQ(page[1], 0x3333);
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

static void modify_read_only(const void *arg)
{
	struct guest g = guest_long(guest_modify);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W | PF_P, g.r.rbx, guest_modify);
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

static void fetch_absent(const void *arg)
{
	struct guest g = guest_long(guest_jump);
	uint8_t *page = (uint8_t *)target_page(&g) + 0x123;

	(void)arg;
	memcpy(page, guest_stop, STOP_SIZE);
	g.r.rbx = (uint64_t)page;
	*leaf(&g, page) = 0;
	expect_npf(&g, NPF_FINAL | PF_U | PF_I, (uint64_t)page, page);
	table_map(g.nested, (uint64_t)page & PAGE_MASK, (uint64_t)page & PAGE_MASK, PTE_ALL);
	guest_expect_at(&g, X_VMMCALL, page);
}

static void fetch_no_execute(const void *arg)
{
	struct guest g = guest_long(guest_jump);
	uint8_t *page = (uint8_t *)target_page(&g) + 0x40;

	(void)arg;
	memcpy(page, guest_stop, STOP_SIZE);
	g.r.rbx = (uint64_t)page;
	*leaf(&g, page) |= PTE_NX;
	expect_npf(&g, NPF_FINAL | PF_U | PF_I | PF_P, (uint64_t)page, page);
}

/* An instruction that lies on two pages, the second one absent. */
static void fetch_across(const void *arg)
{
	struct guest g = guest_long(guest_jump);
	uint8_t *page = pages_alloc(2, PAGE_SIZE), *start = page + PAGE_SIZE - 5;

	(void)arg;
	memcpy(start, guest_fetch_long, (size_t)(guest_fetch_long_end - guest_fetch_long));
	g.r.rbx = (uint64_t)start;
	*leaf(&g, page + PAGE_SIZE) = 0;
	guest_expect_at(&g, X_NPF, start);
	CHECK_EQ(g.vmcb->exit_info1, NPF_FINAL | PF_U | PF_I);
	CHECK_EQ(g.vmcb->exit_info2 & PAGE_MASK, page + PAGE_SIZE);
}

/* A page write that crosses into an absent page stores nothing. */
static void write_across(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint8_t *page = pages_alloc(2, PAGE_SIZE);
	uint64_t before;

	(void)arg;
	memset(page, 0x77, 2 * PAGE_SIZE);
	g.r.rbx = (uint64_t)page + PAGE_SIZE - 4;
	g.r.rcx = 0;
	*leaf(&g, page + PAGE_SIZE) = 0;
	guest_expect_at(&g, X_NPF, guest_write);
	CHECK_EQ(g.vmcb->exit_info2 & PAGE_MASK, page + PAGE_SIZE);
	memcpy(&before, page + PAGE_SIZE - 8, 8);
	CHECK_EQ(before, 0x7777777777777777);
}

static void level_absent(const void *arg)
{
	enum table_level level = *(const enum table_level *)arg;
	struct guest g = guest_long(guest_read);

	/* A gpa of its own in each table: 600 GiB, mapped to a page of ours. */
	uint64_t gpa = 600 * GIB + 0x5000, *page = target_page(&g);
	uint64_t *own = table_identity();

	table_map(own, TEST_VA, gpa, PTE_P | PTE_W);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	table_map(g.nested, gpa, (uint64_t)page, PTE_ALL);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0x2222);
	g.vmcb->rip = (uint64_t)guest_read;
	*table_entry(g.nested, gpa, level) = 0;
	g.vmcb->tlb_control = TLB_FLUSH_ALL;
	expect_npf(&g, NPF_FINAL | PF_U, gpa + 8, guest_read);
}

/* Rights of all levels are ANDed. */
static void level_read_only(const void *arg)
{
	enum table_level level = *(const enum table_level *)arg;
	struct guest g = guest_long(guest_write);
	uint64_t gpa = 600 * GIB + 0x5000, *page = target_page(&g), *own = table_identity();

	table_map(own, TEST_VA, gpa, PTE_P | PTE_W);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	table_map(g.nested, gpa, (uint64_t)page, PTE_ALL);
	*table_entry(g.nested, gpa, level) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_FINAL | PF_U | PF_W | PF_P, gpa + 8, guest_write);
}

static void large_2m(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint8_t *page = pages_alloc(1, PAGE_SIZE);
	uint64_t gpa = 700 * GIB + ((uint64_t)page & (2 * MIB - 1)), *own = table_identity();

	(void)arg;
	*(uint64_t *)page = 0x4455;
	table_map(own, TEST_VA, gpa & PAGE_MASK, PTE_P | PTE_W);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA;
	*table_entry(g.nested, gpa, LEVEL_2M) =
		ALIGN_DOWN((uint64_t)page, 2 * MIB) | PTE_ALL | PTE_LARGE;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0x4455);
	CHECK(*table_entry(g.nested, gpa, LEVEL_2M) & PTE_A, "A is clear in the large leaf");
}

static void large_1g(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = page_alloc(), *own = table_identity();
	uint64_t gpa = 800 * GIB + (uint64_t)page;

	(void)arg;
	if (!(cpuid(0x80000001, 0).d & 0x4000000))
		test_skip("no 1 GiB pages");
	table_map(own, TEST_VA, gpa & PAGE_MASK, PTE_P | PTE_W);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA;
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
	uint64_t *page = target_page(&g), *own = table_identity(), *entry;

	(void)arg;
	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W);
	entry = table_entry(own, TEST_VA, LEVEL_4K);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, entry) &= ~(uint64_t)(PTE_A | PTE_D);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(*leaf(&g, entry) & (PTE_A | PTE_D), PTE_A | PTE_D);
	CHECK(*entry & PTE_A, "A is clear in the guest's own leaf");
}

/* A fault on a page of the guest's own table: bit 33, and the entry's gpa. */
static void table_walk(const void *arg)
{
	enum table_level level = *(const enum table_level *)arg;
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = table_identity(), *entry;

	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W);
	entry = table_entry(own, TEST_VA, level);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, entry) = 0;
	if (level == LEVEL_512G)
		entry = own; /* the root is needed to fetch the instruction already */
	expect_npf(&g, NPF_TABLE | PF_U | PF_W, (uint64_t)entry, guest_read);
}

static void table_walk_read_only(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = table_identity(), *entry;

	(void)arg;
	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W);
	entry = table_entry(own, TEST_VA, LEVEL_4K);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, entry) &= ~(uint64_t)PTE_W;
	expect_npf(&g, NPF_TABLE | PF_U | PF_W | PF_P, (uint64_t)entry, guest_read);
}

/* The guest's own page fault comes first, and is the guest's. */
static void guest_fault_first(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = table_identity();

	(void)arg;
	table_map(own, TEST_VA, (uint64_t)page, 0);
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, page) = 0;
	guest_expect_at(&g, X_EXCEPTION + VEC_PF, guest_read);
	CHECK_EQ(g.vmcb->exit_info2, TEST_VA + 8);
	CHECK_EQ(g.vmcb->exit_info1, 0);
}

static void remapped(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), *other = page_alloc();

	(void)arg;
	table_map(g.nested, (uint64_t)page, (uint64_t)other, PTE_ALL);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(page[1], 0x2222);
	CHECK_EQ(other[1], 0x3333);
}

static void without_guest_paging(const void *arg)
{
	struct guest g = guest_protected(guest_read32);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_npf(&g, NPF_FINAL | PF_U, g.r.rbx, guest_read32);
	table_map(g.nested, (uint64_t)page, (uint64_t)page, PTE_ALL);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0x2222);
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
	uint64_t *page = target_page(&g), *own = table_identity();

	(void)arg;
	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W);
	g.vmcb->np_control = 0;
	g.vmcb->nested_cr3 = 0;
	g.vmcb->cr3 = (uint64_t)own;
	g.r.rbx = TEST_VA + 8;
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
	static const enum table_level levels[] = {LEVEL_4K, LEVEL_2M, LEVEL_1G, LEVEL_512G};
	static const char *const names[] = {"4k", "2m", "1g", "512g"};

	svm_start();
	test("read-allowed", allowed, NULL);
	test("read-absent", read_absent, NULL);
	test("write-absent", write_absent, NULL);
	test("write-read-only", write_read_only, NULL);
	test("modify-read-only", modify_read_only, NULL);
	test("supervisor-entry", supervisor_entry, NULL);
	test("reserved-bit", reserved_bit, NULL);
	test("fetch-absent", fetch_absent, NULL);
	test("fetch-no-execute", fetch_no_execute, NULL);
	test("fetch-across", fetch_across, NULL);
	test("write-across", write_across, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		test_named("absent-", names[i], level_absent, &levels[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		test_named("read-only-", names[i], level_read_only, &levels[i]);
	test("large-2m", large_2m, NULL);
	test("large-1g", large_1g, NULL);
	test("accessed-and-dirty", accessed_and_dirty, NULL);
	test("table-page-dirty", table_page_dirty, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		test_named("table-walk-", names[i], table_walk, &levels[i]);
	test("table-walk-read-only", table_walk_read_only, NULL);
	test("guest-fault-first", guest_fault_first, NULL);
	test("remapped", remapped, NULL);
	test("without-guest-paging", without_guest_paging, NULL);
	test("instruction-bytes", bytes, NULL);
	test("no-nested-paging", no_nested_paging, NULL);
	test("no-nested-paging-fault", no_nested_paging_fault, NULL);
	test("empty-root", empty_root, NULL);
}
