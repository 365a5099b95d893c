/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that leave a guest and come back: only the last content, once, at its own address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/sealed.h"

#define ROOM 4096

static struct crypto_key key[2];
static struct seal_owner a = {7, &key[0]}, b = {8, &key[1]};
static uint8_t page[PAGE_SIZE], other[PAGE_SIZE], plain[PAGE_SIZE];
static size_t room;

static void fill(uint8_t *p, unsigned int seed)
{
	for (size_t i = 0; i < PAGE_SIZE; i++)
		p[i] = (uint8_t)(i * 7 + i / 256 + seed);
}

static size_t used(void)
{
	size_t n, all;

	sealed_usage(&n, &all);
	assert_int_equal(all, room);
	return n;
}

static int set_up(void **state)
{
	static uint64_t memory[ROOM / 8];
	const uint8_t bytes[2][CRYPTO_KEY_BYTES] = {{1}, {2}};
	size_t n;

	memset(memory, 0, sizeof(memory));
	sealed_init(memory, sizeof(memory));
	sealed_usage(&n, &room);
	assert_int_equal(n, 0);
	assert_true(room > 10);
	crypto_key_init(&key[0], bytes[0]);
	crypto_key_init(&key[1], bytes[1]);
	fill(page, 0);
	memcpy(plain, page, PAGE_SIZE);
	return 0;
}

static void there_and_back(void **state)
{
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	assert_memory_not_equal(page, plain, PAGE_SIZE);
	assert_int_equal(used(), 1);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
	assert_memory_equal(page, plain, PAGE_SIZE);
	assert_int_equal(used(), 0);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), ERR_NOENT);
	assert_memory_equal(page, plain, PAGE_SIZE);
}

/* Nothing of a page shows, not even that it is like another or like itself before. */
static void never_alike(void **state)
{
	fill(other, 0);
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	assert_int_equal(sealed_out(&a, GPA(0x6000), other), 0);
	assert_memory_not_equal(page, other, PAGE_SIZE);
	memcpy(other, page, PAGE_SIZE);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	assert_memory_not_equal(page, other, PAGE_SIZE);
}

static void an_old_content_is_refused(void **state)
{
	uint8_t old[PAGE_SIZE];

	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	memcpy(old, page, PAGE_SIZE);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
	fill(page, 1);
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	memcpy(other, old, PAGE_SIZE);
	assert_int_equal(sealed_in(&a, GPA(0x5000), other), ERR_PERM);
	assert_memory_equal(other, old, PAGE_SIZE);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
	fill(other, 1);
	assert_memory_equal(page, other, PAGE_SIZE);
}

static void elsewhere_is_refused(void **state)
{
	fill(other, 9);
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	assert_int_equal(sealed_out(&a, GPA(0x6000), other), 0);
	assert_int_equal(sealed_in(&a, GPA(0x6000), page), ERR_PERM); /* swapped */
	assert_int_equal(sealed_in(&a, GPA(0x7000), page), ERR_NOENT);
	assert_int_equal(sealed_in(&b, GPA(0x5000), page), ERR_NOENT); /* another guest */
	assert_int_equal(sealed_out(&b, GPA(0x5000), other), 0);
	assert_int_equal(sealed_in(&b, GPA(0x5000), page), ERR_PERM);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
	assert_memory_equal(page, plain, PAGE_SIZE);
}

static void every_byte_counts(void **state)
{
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	for (size_t i = 0; i < PAGE_SIZE; i += 97) {
		page[i] ^= 0x10;
		assert_int_equal(sealed_in(&a, GPA(0x5000), page), ERR_PERM);
		page[i] ^= 0x10;
	}
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), 0);
}

/* What was exported for reading opens nowhere, even with the same counter. */
static void an_export_is_refused(void **state)
{
	struct crypto_nonce nonce;
	struct crypto_tag tag;

	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	for (uint64_t counter = 0; counter < 100; counter++) {
		nonce = crypto_nonce(SEAL_DOMAIN_EXPORT, counter);
		crypto_seal(&key[0], &nonce, NULL, 0, other, plain, PAGE_SIZE, &tag);
		assert_int_equal(sealed_in(&a, GPA(0x5000), other), ERR_PERM);
	}
}

static void twice_is_refused(void **state)
{
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	memcpy(other, page, PAGE_SIZE);
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), ERR_PERM);
	assert_memory_equal(page, other, PAGE_SIZE);
	assert_int_equal(used(), 1);
}

static void given_up(void **state)
{
	assert_int_equal(sealed_out(&a, GPA(0x5000), page), 0);
	sealed_forget(&a, GPA(0x6000));
	sealed_forget(&b, GPA(0x5000));
	assert_int_equal(used(), 1);
	sealed_forget(&a, GPA(0x5000));
	assert_int_equal(used(), 0);
	assert_int_equal(sealed_in(&a, GPA(0x5000), page), ERR_NOENT);
}

/* All records, then none; forgetting one guest leaves the other's. */
static void to_the_last_record(void **state)
{
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < room; i++)
			assert_int_equal(sealed_out(i % 2 ? &b : &a, GPA(i << PAGE_SHIFT), page),
					 0);
		memcpy(other, page, PAGE_SIZE);
		assert_int_equal(sealed_out(&a, GPA(room << PAGE_SHIFT), page), ERR_NOMEM);
		assert_memory_equal(page, other, PAGE_SIZE);
		sealed_forget_all(&a);
		assert_int_equal(used(), room / 2);
		for (size_t i = 0; i < room; i++)
			sealed_forget(&b, GPA(i << PAGE_SHIFT));
		assert_int_equal(used(), 0);
	}
}

static void without_room(void **state)
{
	sealed_init(NULL, 0);
	room = 0;
	assert_int_equal(sealed_out(&a, GPA(0), page), ERR_NOMEM);
	assert_int_equal(sealed_in(&a, GPA(0), page), ERR_NOENT);
	sealed_forget(&a, GPA(0));
	sealed_forget_all(&a);
	assert_memory_equal(page, plain, PAGE_SIZE);
	assert_int_equal(used(), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		T(there_and_back),       T(never_alike),       T(an_old_content_is_refused),
		T(elsewhere_is_refused), T(every_byte_counts), T(an_export_is_refused),
		T(twice_is_refused),     T(given_up),          T(to_the_last_record),
		T(without_room),
	};

	const char *why = "";

	if (crypto_init(&why))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
