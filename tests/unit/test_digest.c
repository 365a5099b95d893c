/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch digest against a second implementation, written in Python from docs/launch-digest.md,
 * and what has to change it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "monitor/digest.h"
#include "monitor/fake/machine.h"

#define PAGES 64u /* of RAM, and so at most in a guest */
#define REFERENCE "tests/unit/launch_digest.py"
#define EXAMPLE "247fb899f975a7e67559885548de197679730f472afee3de0940502ace15cf3b"

struct page {
	uint64_t gpa, hpa;
};

static struct {
	bool sealed;
	struct guest_layout layout;
	struct page page[PAGES]; /* by gpa */
	size_t pages;
	uint64_t state[DIGEST_STATES];
	uint8_t manifest[100];
	size_t manifest_len;
} guest;

static void hex(const uint8_t digest[DIGEST_BYTES], char text[2 * DIGEST_BYTES + 1])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
}

static void digest(char text[2 * DIGEST_BYTES + 1])
{
	uint8_t out[DIGEST_BYTES];
	struct digest d;

	memset(&d, 0xa5, sizeof(d));
	digest_begin(&d, guest.sealed);
	digest_shared(&d, &guest.layout);
	for (size_t i = 0; i < guest.pages; i++)
		assert_int_equal(digest_page(&d, GPA(guest.page[i].gpa), HPA(guest.page[i].hpa)),
				 0);
	digest_state(&d, guest.state);
	digest_manifest(&d, guest.manifest, guest.manifest_len);
	digest_end(&d, out);
	hex(out, text);
}

/* What the reference says. */
static void expect(const char *got)
{
	char text[2 * DIGEST_BYTES + 2] = "", memory[] = "/tmp/test_digest.XXXXXX", command[200];
	int fd = mkstemp(memory);
	FILE *to, *from;
	char answer[] = "/tmp/test_digest.XXXXXX";
	int answer_fd = mkstemp(answer);

	assert_true(fd >= 0 && answer_fd >= 0);
	assert_int_equal(write(fd, fake_at(HPA(0), PAGES * PAGE_SIZE), PAGES * PAGE_SIZE),
			 PAGES * PAGE_SIZE);
	snprintf(command, sizeof(command), "python3 %s >%s", REFERENCE, answer);
	to = popen(command, "w");
	assert_non_null(to);
	fprintf(to, guest.sealed ? "sealed\n" : "open\n");
	for (unsigned int i = 0; i < guest.layout.count; i++)
		fprintf(to, "shared %lx %lx %x\n", guest.layout.shared[i].start.a,
			guest.layout.shared[i].end.a, guest.layout.reason[i]);
	for (size_t i = guest.pages; i-- > 0;) /* backwards: order is not the input's business */
		fprintf(to, "page %lx %s %lx\n", guest.page[i].gpa, memory, guest.page[i].hpa);
	for (unsigned int i = 0; i < DIGEST_STATES; i++)
		fprintf(to, "state %x %lx\n", i, guest.state[i]);
	for (size_t i = 0; i < guest.manifest_len; i++)
		fprintf(to, "%s%02x%s", i ? " " : "manifest ", guest.manifest[i],
			i + 1 == guest.manifest_len ? "\n" : "");
	assert_int_equal(pclose(to), 0);
	from = fdopen(answer_fd, "r");
	assert_non_null(fgets(text, sizeof(text), from));
	fclose(from);
	close(fd);
	unlink(memory);
	unlink(answer);
	assert_string_equal(got, strtok(text, "\n"));
}

static void share(uint64_t start, uint64_t end, unsigned int reason)
{
	guest.layout.shared[guest.layout.count] = (struct gpa_range){GPA(start), GPA(end)};
	guest.layout.reason[guest.layout.count++] = reason;
}

static void add(uint64_t gpa, uint64_t hpa)
{
	guest.page[guest.pages++] = (struct page){gpa, hpa};
}

/* The guest of the document's example. */
static int set_up(void **state)
{
	memset(&guest, 0, sizeof(guest));
	fake_reset();
	fake_add_ram(HPA(0), PAGES * PAGE_SIZE);
	share(0xfee00000, 0xfee01000, LAYOUT_APIC);
	share(0xfeff8000, 0xfeffe000, LAYOUT_SPECIAL);
	share(0xfefff000, 0xff000000, LAYOUT_CONSOLE);
	add(0x1000, 0x3000);
	add(0x2000, 0x1000);
	add(0x3000, 0x8000);
	add(0x4000, 0x2000);
	add(0x200000, 0x7000);
	memset(fake_at(HPA(0x8000), PAGE_SIZE), 0x5a, PAGE_SIZE);
	for (unsigned int i = 0; i < DIGEST_STATES; i++)
		guest.state[i] = i;
	return 0;
}

static void the_example(void **state)
{
	char got[65];

	digest(got);
	assert_string_equal(got, EXAMPLE);
	expect(got);
}

static void fill_at_random(void)
{
	uint64_t gpa = 0;

	guest.sealed = random() & 1;
	guest.layout.count = 0;
	for (unsigned int n = (unsigned int)random() % GUEST_TABLE_SHARED_MAX; n--;)
		share((guest.layout.count + 1ull) << 40,
		      ((guest.layout.count + 1ull) << 40) + PAGE_SIZE,
		      1 + (unsigned int)random() % 7);
	guest.pages = 0;
	for (size_t n = (size_t)random() % (PAGES + 1); guest.pages < n;) {
		uint64_t hpa = guest.pages * PAGE_SIZE;
		uint8_t *bytes = fake_at(HPA(hpa), PAGE_SIZE);

		memset(bytes, 0, PAGE_SIZE);
		if (random() % 3 == 0) /* one bit, where it may be overlooked */
			bytes[random() % PAGE_SIZE] = (uint8_t)(1u << random() % 8);
		add(gpa, hpa);
		gpa += random() % 4 ? PAGE_SIZE : (uint64_t)(random() % (1 << 20)) << PAGE_SHIFT;
		gpa += guest.page[guest.pages - 1].gpa == gpa ? PAGE_SIZE : 0;
	}
	for (unsigned int i = 0; i < DIGEST_STATES; i++)
		guest.state[i] = (uint64_t)random() << 33 ^ (uint64_t)random();
	guest.manifest_len = random() % 2 ? (size_t)random() % sizeof(guest.manifest) : 0;
	for (size_t i = 0; i < guest.manifest_len; i++)
		guest.manifest[i] = (uint8_t)random();
}

static void random_guests(void **state)
{
	char got[65];

	for (unsigned int i = 0; i < 60; i++) {
		fill_at_random();
		digest(got);
		expect(got);
	}
}

/* No two of these are equal. */
static char seen[6000][65];
static size_t seen_count;

static void expect_new(void)
{
	digest(seen[seen_count]);
	for (size_t i = 0; i < seen_count; i++)
		assert_string_not_equal(seen[i], seen[seen_count]);
	assert_true(++seen_count < ARRAY_SIZE(seen));
}

#define CHANGED(place, value)                     \
	do {                                      \
		__typeof__(place) kept = (place); \
                                                  \
		(place) = (value);                \
		expect_new();                     \
		(place) = kept;                   \
	} while (0)

static void everything_counts(void **state)
{
	uint64_t *zero = fake_at(HPA(0x1000), PAGE_SIZE), *full = fake_at(HPA(0x8000), PAGE_SIZE);

	expect_new();
	CHANGED(guest.sealed, true);
	CHANGED(guest.layout.count, 2);
	for (unsigned int i = 0; i < 3; i++) {
		CHANGED(guest.layout.shared[i].start.a, guest.layout.shared[i].start.a - PAGE_SIZE);
		CHANGED(guest.layout.shared[i].end.a, guest.layout.shared[i].end.a + PAGE_SIZE);
		CHANGED(guest.layout.reason[i], LAYOUT_BLOCKS);
	}
	for (unsigned int i = 0; i < PAGE_SIZE / 8; i++) {
		CHANGED(zero[i], 1);
		CHANGED(zero[i], 1ull << 63);
		CHANGED(full[i], 0);
	}
	CHANGED(guest.pages, 4);            /* the last is not mapped */
	CHANGED(guest.page[4].gpa, 0x5000); /* elsewhere */
	CHANGED(guest.page[2].hpa, 0x1000); /* all zero */
	CHANGED(guest.page[3].hpa, 0x8000); /* twice the same */
	CHANGED(guest.page[1].hpa, 0x8000);
	for (unsigned int i = 0; i < DIGEST_STATES; i++)
		CHANGED(guest.state[i], ~guest.state[i]);
	for (unsigned int i = 1; i < 17; i++)
		CHANGED(guest.manifest_len, i);
}

/* Where the pages are in the machine is no matter. */
static void hpas_do_not_count(void **state)
{
	char got[65];

	memset(fake_at(HPA(0x9000), PAGE_SIZE), 0x5a, PAGE_SIZE);
	guest.page[2].hpa = 0x9000;
	guest.page[0].hpa = 0x1000;
	guest.page[1].hpa = 0x3000;
	digest(got);
	assert_string_equal(got, EXAMPLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_example, set_up),
		cmocka_unit_test_setup(random_guests, set_up),
		cmocka_unit_test_setup(everything_counts, set_up),
		cmocka_unit_test_setup(hpas_do_not_count, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
