/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What surrounds a launch, in both formats: the layout before and after, the digest of what was
 * taken, declarations. Each test is a process.
 */
#include "monitor/launch.h"
#include "tests/unit/test_host_leaf.h"

#define RAM (64 * MIB)
#define ROOT (16 * MIB)  /* L1's pages for tables start here */
#define PAGES (32 * MIB) /* and those that it maps here */
#define GUEST 5u
#define ID 77u
#define LOW_END (4 * MIB)
#define INFO 0x9f000u
#define IDENT_PT 0xfeffe000u
#define VIDEO LOW_END
#ifdef FORMAT_EPT
#define WB ((uint64_t)MEM_WB << 3)
#define MARKED(entry) ((entry) | (uint64_t)7 << 3)
#define MALFORMED(entry) (((entry) & ~(uint64_t)7) | 2)
#else
#define WB 0
#define MARKED(entry) ((entry) & ~(uint64_t)4)
#define MALFORMED(entry) ((entry) | (uint64_t)1 << 7)
#endif

static const char signature[8] = {'H', 'V', 'M', ' ', 'I', 'N', 'F', 'O'};
static struct guest_table table;
static struct guest_layout layout;
static uint64_t next_table, root;
static uint64_t state[DIGEST_STATES];

static int never(struct guest_table *t, gpa_t gpa, void *page)
{
	fail();
	return 0;
}

static void new_guest(unsigned int number, uint64_t tables)
{
	root = tables;
	next_table = root + PAGE_SIZE;
	table = (struct guest_table){.guest = number,
				     .root = HPA(root),
				     .fill = never,
				     .leave = never};
}

static void begin(void)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM);
	fake_cpus(2);
	log_console(false);
	types = pc_types();
	assert_int_equal(start_table(TOP, true), 0);
	new_guest(GUEST, ROOT);
	for (unsigned int i = 0; i < DIGEST_STATES; i++)
		state[i] = 3 * i;
}

static uint64_t *entry_for(uint64_t gpa, unsigned int level)
{
	uint64_t at = root;

	for (unsigned int l = TABLE_LEVELS;; l--) {
		uint64_t *e = (uint64_t *)fake_at(HPA(at), PAGE_SIZE) + table_index(l, gpa);

		if (l == level)
			return e;
		if (!*e) {
			*e = table_entry(HPA(next_table));
			next_table += PAGE_SIZE;
		}
		at = table_hpa(*e, l).a;
	}
}

static void map(uint64_t gpa, uint64_t hpa, unsigned int level)
{
	*entry_for(gpa, level) = table_leaf(HPA(hpa), level, TABLE_RWX, WB);
}

static void put_info(uint64_t hpa, uint64_t low_end)
{
	uint8_t *info = fake_at(HPA(hpa + 0x800), 48), sum = 0;
	const uint32_t words[] = {48, 0, 2, (uint32_t)(low_end >> PAGE_SHIFT), 0xfeff0, 0};

	memcpy(info, signature, sizeof(signature));
	memcpy(info + 8, words, sizeof(words));
	for (unsigned int i = 0; i < 48; i++)
		sum = (uint8_t)(sum + info[i]);
	info[12] = (uint8_t)-sum;
}

static void paint(uint64_t hpa, uint64_t len, uint8_t with)
{
	memset(fake_at(HPA(hpa), len), with, len);
}

/*
 * An HVM guest with its pages from `at` on: hvm_info, some of a loader, 2 MiB of RAM with little in
 * it (as one page or as 512), the page of page tables; shared: video memory and the rings.
 */
static void build_hvm(uint64_t at, bool large)
{
	map(INFO, at, 1);
	put_info(at, LOW_END);
	map(MIB, at + 0x1000, 1);
	paint(at + 0x1000, PAGE_SIZE, 0x90);
	map(MIB + PAGE_SIZE, at + 0x2000, 1);
	map(IDENT_PT, at + 0x3000, 1);
	paint(at + 0x3000, 100, 0xe7);
	map(VIDEO, at + 0x4000, 1);
	map(IDENT_PT - PAGE_SIZE, at + 0x5000, 1);
	map(IDENT_PT + PAGE_SIZE, at + 0x6000, 1);
	for (unsigned int i = 0; !large && i < 512; i++)
		map(2 * MIB + i * PAGE_SIZE, at + 2 * MIB + i * PAGE_SIZE, 1);
	if (large)
		map(2 * MIB, at + 2 * MIB, 2);
	paint(at + 3 * MIB, 2 * PAGE_SIZE, 0x11);
}

static struct launch launch(void)
{
	assert_int_equal(launch_prepare(&table, &layout), 0);
	assert_int_equal(guest_table_launch(&table), 0);
	assert_int_equal(launch_measure(&table, ID, &layout, state), 0);
	assert_int_equal(launch_of(table.guest).id, ID);
	return launch_of(table.guest);
}

static void page(struct digest *d, uint64_t gpa, uint64_t hpa)
{
	assert_int_equal(digest_page(d, GPA(gpa), HPA(hpa)), 0);
}

/* What the guest of build_hvm() must give. */
static void expect_digest(const struct launch *l, uint64_t at)
{
	uint64_t manifest[MANIFEST_WORDS];
	uint8_t want[DIGEST_BYTES];
	struct digest d;

	digest_begin(&d, l->sealed);
	digest_shared(&d, &layout);
	page(&d, INFO, at);
	page(&d, MIB, at + 0x1000);
	page(&d, MIB + PAGE_SIZE, at + 0x2000);
	for (unsigned int i = 0; i < 512; i++)
		page(&d, 2 * MIB + i * PAGE_SIZE, at + 2 * MIB + i * PAGE_SIZE);
	page(&d, IDENT_PT, at + 0x3000);
	digest_state(&d, state);
	manifest_words(cpu_this(), manifest);
	digest_manifest(&d, manifest, sizeof(manifest));
	digest_end(&d, want);
	assert_memory_equal(want, l->digest, sizeof(want));
}

static void an_hvm_guest(void **unused)
{
	struct launch l;

	begin();
	assert_int_equal(launch_of(GUEST).id, 0);
	build_hvm(PAGES, true);
	l = launch();
	assert_false(l.sealed);
	assert_true(layout.hvm);
	assert_int_equal(table.shared_count, layout.count);
	assert_memory_equal(table.shared, layout.shared, sizeof(table.shared));
	expect_digest(&l, PAGES);
	assert_int_equal(owner_kind(owner_of(HPA(PAGES + 0x3000))), OWNER_GUEST);
	for (unsigned int i = 4; i < 7; i++)
		assert_int_equal(owner_kind(owner_of(HPA(PAGES + i * PAGE_SIZE))), OWNER_SHARED);
	assert_int_equal(launch_of(GUEST - 1).id, 0);
}

static void the_same_guest_mapped_otherwise(void **unused)
{
	struct launch a, b;

	begin();
	build_hvm(PAGES, true);
	a = launch();
	new_guest(GUEST + 1, ROOT + MIB);
	build_hvm(PAGES + 8 * MIB, false);
	paint(PAGES + 8 * MIB + 0x4000, 3 * PAGE_SIZE, 0x77); /* what is shared does not count */
	b = launch();
	assert_memory_equal(a.digest, b.digest, sizeof(a.digest));
	new_guest(GUEST + 2, ROOT + 2 * MIB);
	build_hvm(PAGES + 16 * MIB, true);
	paint(PAGES + 16 * MIB + 0x2fff, 1, 1); /* what is private does */
	b = launch();
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
}

/* Xen's marks on the way to the table are no hindrance. */
static void marked_entries(void **unused)
{
	struct launch l;

	begin();
	build_hvm(PAGES, true);
	for (unsigned int level = TABLE_LEVELS; level; level--)
		*entry_for(INFO, level) = MARKED(*entry_for(INFO, level));
	l = launch();
	assert_true(layout.hvm);
	expect_digest(&l, PAGES);
}

static void a_pvh_guest(void **unused)
{
	begin();
	map(0, PAGES, 2);
	launch();
	assert_false(layout.hvm);
	begin();
	map(MIB, PAGES, 1); /* nothing at hvm_info's place */
	launch();
	assert_false(layout.hvm);
}

/* The table is found in a large page, too. */
static void info_in_a_large_page(void **unused)
{
	begin();
	map(0, PAGES, 2);
	put_info(PAGES + INFO, LOW_END);
	assert_int_equal(launch_prepare(&table, &layout), 0);
	assert_true(layout.hvm);
	assert_int_equal(guest_table_launch(&table), ERR_PERM); /* over the VGA window */
}

static void refused_before(void **unused)
{
	begin();
	build_hvm(PAGES, true);
	put_info(PAGES, 5 * GIB);
	assert_int_equal(launch_prepare(&table, &layout), ERR_INVAL);
	begin();
	build_hvm(PAGES, true);
	map(INFO, RAM, 1); /* no RAM */
	assert_int_equal(launch_prepare(&table, &layout), ERR_FAULT);
	begin();
	build_hvm(PAGES, true);
	fake_give(HPA(PAGES), OWNER_GUEST); /* another guest's */
	assert_int_equal(launch_prepare(&table, &layout), ERR_FAULT);
	begin();
	build_hvm(PAGES, true);
	*entry_for(INFO, 3) = table_entry(HPA(RAM)); /* the same of a table */
	assert_int_equal(launch_prepare(&table, &layout), ERR_FAULT);
	begin();
	build_hvm(PAGES, true);
	*entry_for(INFO, 4) = MALFORMED(*entry_for(INFO, 4));
	assert_int_equal(launch_prepare(&table, &layout), ERR_FAULT);
	begin();
	table.root = HPA(RAM);
	assert_int_equal(launch_prepare(&table, &layout), ERR_FAULT);
}

/* L1 on another CPU changes the table after it was read and before its page is taken. */
static void changed_meanwhile(void **unused)
{
	const uint64_t ends[] = {LOW_END - PAGE_SIZE, LOW_END + PAGE_SIZE, 5 * GIB, 0};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		begin();
		build_hvm(PAGES, true);
		assert_int_equal(launch_prepare(&table, &layout), 0);
		put_info(PAGES, ends[i]);
		assert_int_equal(guest_table_launch(&table), 0);
		assert_int_equal(launch_measure(&table, ID, &layout, state), ERR_PERM);
		assert_int_equal(launch_of(GUEST).id, 0);
	}
	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_prepare(&table, &layout), 0);
	paint(PAGES + 0x800, 1, 'h'); /* now it looks like PVH */
	assert_int_equal(guest_table_launch(&table), 0);
	assert_int_equal(launch_measure(&table, ID, &layout, state), ERR_PERM);
	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_prepare(&table, &layout), 0);
	map(INFO, PAGES + 0x7000, 1); /* another page in its place */
	assert_int_equal(guest_table_launch(&table), 0);
	assert_int_equal(launch_measure(&table, ID, &layout, state), ERR_PERM);
}

/* --- declarations ------------------------------------------------------------------------------ */

static void declared_sealed(void **unused)
{
	struct launch open, sealed;

	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_declare(HPA(PAGES + 2 * MIB + 7 * PAGE_SIZE), true), 0);
	sealed = launch();
	assert_true(sealed.sealed);
	expect_digest(&sealed, PAGES);
	assert_int_equal(launch_declare(HPA(PAGES), true), ERR_PERM); /* too late */
	assert_int_equal(launch_declare(HPA(PAGES + 0x4000), true), ERR_PERM);
	assert_int_equal(launch_declare(HPA(ROOT), true), ERR_PERM);
	assert_int_equal(launch_declare(HPA(RAM), true), ERR_PERM);
	/* It is used up: whoever has the page next is open. */
	guest_table_drop(&table);
	for (uint64_t at = PAGES; at < PAGES + 4 * MIB; at += PAGE_SIZE)
		owner_set(at, at + PAGE_SIZE, OWNER_HOST);
	new_guest(GUEST, ROOT + MIB);
	build_hvm(PAGES, true);
	open = launch();
	assert_false(open.sealed);
	expect_digest(&open, PAGES);
	assert_memory_not_equal(open.digest, sealed.digest, sizeof(open.digest));
}

/* Which page it is does not matter, nor that others are declared, nor how often. */
static void declared_pages(void **unused)
{
	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_declare(HPA(PAGES), true), 0);
	assert_int_equal(launch_declare(HPA(PAGES), true), 0);
	assert_int_equal(launch_declare(HPA(PAGES + 9 * MIB), true), 0); /* of the next guest */
	assert_true(launch().sealed);
	new_guest(GUEST + 1, ROOT + MIB);
	build_hvm(PAGES + 16 * MIB, true);
	assert_false(launch().sealed); /* nobody declared this one */
	new_guest(GUEST + 2, ROOT + 2 * MIB);
	map(MIB, PAGES + 9 * MIB, 1);
	assert_true(launch().sealed);
	new_guest(GUEST + 3, ROOT + 3 * MIB);
	map(MIB, PAGES + 10 * MIB, 1);
	map(IDENT_PT + PAGE_SIZE, PAGES + 11 * MIB, 1);
	assert_int_equal(launch_declare(HPA(PAGES + 11 * MIB), true), 0); /* will be SHARED */
	assert_true(launch().sealed);
	/* Taken by a guest that runs already: that says nothing about the next. */
	assert_int_equal(launch_declare(HPA(PAGES + 12 * MIB), true), 0);
	assert_true(owner_take(HPA(PAGES + 12 * MIB), 1, GUEST + 3, GPA(0)));
	new_guest(GUEST + 4, ROOT + 4 * MIB);
	map(MIB, PAGES + 13 * MIB, 1);
	assert_false(launch().sealed);
}

static void withdrawn(void **unused)
{
	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_declare(HPA(PAGES), false), 0);
	assert_int_equal(launch_declare(HPA(PAGES + 0x1000), true), 0);
	assert_int_equal(launch_declare(HPA(PAGES), true), 0);
	assert_int_equal(launch_declare(HPA(PAGES + 0x1000), false), 0);
	assert_int_equal(launch_declare(HPA(PAGES), false), 0);
	assert_false(launch().sealed);
}

/* The table takes an end, too, and is right again with one less. */
static void only_so_many(void **unused)
{
	begin();
	build_hvm(PAGES, true);
	assert_int_equal(launch_declare(HPA(PAGES), true), 0);
	for (unsigned int i = 0; i < 15; i++)
		assert_int_equal(launch_declare(HPA(MIB + i * PAGE_SIZE), true), 0);
	assert_true(launch().sealed); /* the oldest of 16 */
	new_guest(GUEST + 1, ROOT + MIB);
	build_hvm(PAGES + 16 * MIB, true);
	assert_int_equal(launch_declare(HPA(PAGES + 16 * MIB), true), 0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(launch_declare(HPA(MIB + i * PAGE_SIZE), true), 0);
	assert_false(launch().sealed);
	new_guest(GUEST + 2, ROOT + 2 * MIB);
	map(MIB, MIB + 985 * PAGE_SIZE, 1);
	assert_true(launch().sealed);
	new_guest(GUEST + 3, ROOT + 3 * MIB);
	map(MIB, MIB + 983 * PAGE_SIZE, 1);
	assert_false(launch().sealed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hvm_guest),
		cmocka_unit_test(the_same_guest_mapped_otherwise),
		cmocka_unit_test(marked_entries),
		cmocka_unit_test(a_pvh_guest),
		cmocka_unit_test(info_in_a_large_page),
		cmocka_unit_test(refused_before),
		cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(declared_sealed),
		cmocka_unit_test(declared_pages),
		cmocka_unit_test(withdrawn),
		cmocka_unit_test(only_so_many),
	};

	return RUN_APART(tests);
}
