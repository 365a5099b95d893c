/* SPDX-License-Identifier: Apache-2.0 */
/* A command's buffers in an isolated guest's memory: which pages have frames for the device model. */
#include "monitor/dma.h"
#include "tests/unit/test_disclose.h"

static struct walk_space space;
static const struct dma_space at = {&space};

static void begin(void)
{
	launch();
	fill_registers();
	hw_guest_space(cpu, &space);
	guest_space(guest, &space);
}

/* The frame that L1 finds at one of the guest's addresses. */
static uint8_t *frame_at(uint64_t gpa)
{
	struct walk_result r;

	assert_int_equal(walk_gpa(&space, GPA(gpa), WALK_WRITE, &r), 0);
	assert_non_null(seen(r.hpa.a & PAGE_MASK));
	return seen(r.hpa.a & PAGE_MASK) + r.hpa.a % PAGE_SIZE;
}

static void the_same_page_again(void **state)
{
	struct dma d = {0}, other = {0};
	uint64_t used[8] = {0}, page = SMALL + 3 * PAGE_SIZE;
	uint8_t bytes[8], want[8];
	gpa_t gpa;

	begin();
	for (unsigned int i = 0; i < 8; i++) {
		gpa = GPA(page + 0x800);
		assert_int_equal(dma_add_apart(i < 6 ? &d : &other, &at, &gpa, 0x800), 0);
		assert_int_equal(gpa.a % PAGE_SIZE, 0x800);
		assert_int_equal(gpa.a == page + 0x800, i == 0);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(gpa.a, used[k]);
		used[i] = gpa.a;
	}
	for (unsigned int i = 0; i < 6; i++) {
		memset(bytes, (int)(0x10 + i), sizeof(bytes));
		dma_write_device(&d, i * 0x800 + 8, bytes, sizeof(bytes));
	}
	for (unsigned int i = 0; i < 6; i++) {
		memset(bytes, (int)(0x10 + i), sizeof(bytes));
		assert_memory_equal(frame_at(used[i]) + 8, bytes, sizeof(bytes));
	}
	memset(want, 0x77, sizeof(want));
	assert_int_equal(dma_write_guest(&d, 5 * 0x800, want, sizeof(want)), 0);
	assert_int_equal(dma_read_guest(&d, 0, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, want, sizeof(bytes));
	dma_close(&d);
	dma_close(&other);
	gpa = GPA(page + 0x800);
	assert_int_equal(dma_add_apart(&d, &at, &gpa, 0x800), 0);
	assert_int_equal(gpa.a, page + 0x800);
	dma_close(&d);
}

/* A region of pages in a row gets as many in a row, past those that are in use; the end of memory is not. */
static void regions(void **state)
{
	struct dma d = {0};
	uint64_t last = SMALL + (SMALL_PAGES - 2) * PAGE_SIZE;
	gpa_t gpa = GPA(last + 16);

	begin();
	assert_int_equal(dma_add_apart(&d, &at, &gpa, PAGE_SIZE), 0);
	assert_int_equal(gpa.a, last + 16);
	gpa = GPA(last + 16);
	assert_int_equal(dma_add_apart(&d, &at, &gpa, PAGE_SIZE), 0);
	assert_int_not_equal(gpa.a, last + 16);
	assert_int_equal(gpa.a % PAGE_SIZE, 16);
	assert_non_null(frame_at(gpa.a));
	assert_non_null(frame_at(gpa.a + PAGE_SIZE));
	gpa = GPA(0xf0000000);
	assert_int_equal(dma_add_apart(&d, &at, &gpa, 16), ERR_FAULT);
	dma_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_page_again),
		cmocka_unit_test(regions),
	};

	return RUN_APART(tests);
}
