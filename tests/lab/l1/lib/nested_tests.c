/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/nested_tests.h"

#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"

const struct named_level named_levels[LEVELS] = {{"4k", LEVEL_4K},
						 {"2m", LEVEL_2M},
						 {"1g", LEVEL_1G},
						 {"512g", LEVEL_512G}};

uint64_t *target_page(struct guest *g)
{
	uint64_t *page = page_alloc();

	page[0] = 0x1111;
	page[1] = 0x2222;
	g->r.rbx = (uint64_t)page + 8;
	g->r.rcx = 0x3333;
	return page;
}

uint64_t *leaf(struct guest *g, const void *page)
{
	return nested_entry(g, (uint64_t)page, LEVEL_4K);
}

uint64_t *reach(struct guest *g, uint64_t gpa)
{
	uint64_t *own = table_identity();

	table_map(own, TEST_VA, gpa & PAGE_MASK, PTE_P | PTE_W);
	guest_root(g, own);
	g->r.rbx = TEST_VA + gpa % PAGE_SIZE;
	return own;
}

uint64_t far_gpa(struct guest *g, const void *page)
{
	uint64_t gpa = 600 * GIB + 0x5000;

	reach(g, gpa + 8);
	nested_map(g, gpa, page);
	return gpa;
}

static void read_absent(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_nested_fault(&g, NESTED_READ, 0, guest_read);
	check_fault_address(&g, g.r.rbx, g.r.rbx);
	nested_map(&g, (uint64_t)page, page);
	guest_expect_at(&g, X_STOP, after_read);
	CHECK_EQ(guest_rax(&g), 0x2222);
}

static void write_absent(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_nested_fault(&g, NESTED_WRITE, 0, guest_write);
	check_fault_address(&g, g.r.rbx, g.r.rbx);
	CHECK_EQ(page[1], 0x2222);
	nested_map(&g, (uint64_t)page, page);
	guest_expect_at(&g, X_STOP, after_write);
	CHECK_EQ(page[1], 0x3333);
}

static void modify_read_only(const void *arg)
{
	struct guest g = guest_long(guest_modify);
	uint64_t *page = target_page(&g);

	(void)arg;
	nested_deny(leaf(&g, page), NESTED_W);
	expect_nested_fault(&g, NESTED_MODIFY, NESTED_R | NESTED_X, guest_modify);
	check_fault_address(&g, g.r.rbx, g.r.rbx);
	CHECK_EQ(page[1], 0x2222);
}

/* A guest about to jump to STOP in a page of its own. */
static struct guest jumps_to(uint8_t *code)
{
	struct guest g = guest_long(guest_jump);

	memcpy(code, guest_stop, STOP_SIZE);
	g.r.rbx = (uint64_t)code;
	return g;
}

static void fetch_absent(const void *arg)
{
	uint8_t *page = page_alloc(), *code = page + 0x123;
	struct guest g = jumps_to(code);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_nested_fault(&g, NESTED_FETCH, 0, code);
	check_fault_address(&g, (uint64_t)code, (uint64_t)code);
	nested_map(&g, (uint64_t)page, page);
	guest_expect_at(&g, X_STOP, code);
}

static void fetch_no_execute(const void *arg)
{
	uint8_t *page = page_alloc(), *code = page + 0x40;
	struct guest g = jumps_to(code);

	(void)arg;
	nested_deny(leaf(&g, page), NESTED_X);
	expect_nested_fault(&g, NESTED_FETCH, NESTED_R | NESTED_W, code);
	check_fault_address(&g, (uint64_t)code, (uint64_t)code);
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
	expect_nested_fault(&g, NESTED_FETCH, 0, start);
	CHECK_EQ(nested_fault_gpa(&g) & PAGE_MASK, page + PAGE_SIZE);
}

/* A write that crosses into an absent page stores nothing. */
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
	guest_expect_at(&g, X_NESTED, guest_write);
	CHECK_EQ(nested_fault_gpa(&g) & PAGE_MASK, page + PAGE_SIZE);
	memcpy(&before, page + PAGE_SIZE - 8, 8);
	CHECK_EQ(before, 0x7777777777777777);
}

static void level_absent(const void *arg)
{
	const struct named_level *l = arg;
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), gpa = far_gpa(&g, page);

	guest_expect(&g, X_STOP);
	CHECK_EQ(guest_rax(&g), 0x2222);
	guest_at(&g, guest_read);
	*nested_entry(&g, gpa, l->level) = 0;
	nested_flush(&g);
	expect_nested_fault(&g, NESTED_READ, 0, guest_read);
	check_fault_address(&g, gpa + 8, TEST_VA + 8);
}

/* A fault on a page of the guest's own table has the entry's gpa. */
static void table_walk(const void *arg)
{
	const struct named_level *l = arg;
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = reach(&g, (uint64_t)page + 8),
		 linear = TEST_VA + 8;
	uint64_t *entry = table_entry(own, TEST_VA, l->level);

	*leaf(&g, entry) = 0;
	if (l->level == LEVEL_512G) {
		entry = own; /* the root is needed to fetch the instruction already */
		linear = (uint64_t)guest_read;
	}
	expect_walk_fault(&g, guest_read);
	check_fault_address(&g, (uint64_t)entry, linear);
}

/* The guest's own page fault comes first, and is the guest's. */
static void guest_fault_first(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t *page = target_page(&g), *own = table_identity();

	(void)arg;
	table_map(own, TEST_VA, (uint64_t)page, 0);
	guest_root(&g, own);
	g.r.rbx = TEST_VA + 8;
	*leaf(&g, page) = 0;
	expect_page_fault(&g, 0, TEST_VA + 8, guest_read);
}

static void remapped(const void *arg)
{
	struct guest g = guest_long(guest_write);
	uint64_t *page = target_page(&g), *other = page_alloc();

	(void)arg;
	nested_map(&g, (uint64_t)page, other);
	guest_expect(&g, X_STOP);
	CHECK_EQ(page[1], 0x2222);
	CHECK_EQ(other[1], 0x3333);
}

static void without_guest_paging(const void *arg)
{
	struct guest g = guest_protected(guest_read32);
	uint64_t *page = target_page(&g);

	(void)arg;
	*leaf(&g, page) = 0;
	expect_nested_fault(&g, NESTED_READ, 0, guest_read32);
	check_fault_address(&g, g.r.rbx, g.r.rbx);
	nested_map(&g, (uint64_t)page, page);
	guest_expect(&g, X_STOP);
	CHECK_EQ(guest_rax(&g), 0x2222);
}

void nested_tests(void)
{
	test("read-absent", read_absent, NULL);
	test("write-absent", write_absent, NULL);
	test("modify-read-only", modify_read_only, NULL);
	test("fetch-absent", fetch_absent, NULL);
	test("fetch-no-execute", fetch_no_execute, NULL);
	test("fetch-across", fetch_across, NULL);
	test("write-across", write_across, NULL);
	for (unsigned i = 0; i < LEVELS; i++)
		test_named("absent-", named_levels[i].name, level_absent, &named_levels[i]);
	for (unsigned i = 0; i < LEVELS; i++)
		test_named("table-walk-", named_levels[i].name, table_walk, &named_levels[i]);
	test("guest-fault-first", guest_fault_first, NULL);
	test("remapped", remapped, NULL);
	test("without-guest-paging", without_guest_paging, NULL);
}
