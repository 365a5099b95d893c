/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counter that nobody can put back, in place of the owner's consent (R26): which states of an image are taken after a cut,
 * and that nothing from before the last anchored checkpoint is.
 */
#define STORE_PAGES 1024u
#include "tests/unit/test_disk.h"

#define SECTORS 2000u
#define JOURNAL (16u << 10)
#define STATES_MAX 600u

static const uint8_t place[DISK_ANCHOR_BYTES] = "a counter", other[DISK_ANCHOR_BYTES] = "another";

/* As the files and the counter were when a request was done. */
static struct state {
	struct store store;
	uint64_t counter, flushed; /* the version that surely is there */
} * states[STATES_MAX];
static unsigned int count;
static uint64_t flushed;
static bool made; /* the counter was, just now */
static uint8_t need;

static void keep(const struct disk_io *io)
{
	struct state *s = calloc(1, sizeof(*s));

	assert_true(count < STATES_MAX);
	store_copy(&s->store, &w.store);
	s->counter = w.counter;
	s->flushed = flushed;
	states[count++] = s;
}

static void drop_states(void)
{
	while (count) {
		store_clear(&states[--count]->store);
		free(states[count]);
	}
}

static int open_anchored(const uint8_t *id)
{
	struct disk_expect expect = {.generation = w.receipt.generation,
				     .anchored = true,
				     .anchor = w.counter,
				     .anchor_new = made,
				     .anchor_need = need};

	memcpy(expect.anchor_id, id, sizeof(expect.anchor_id));
	return try_open(&expect, DEFAULT_PAGES);
}

static void write_all(uint64_t version)
{
	for (uint32_t at = 0; at < SECTORS; at += 250)
		assert_int_equal(write_sectors(at, 250, version), 0);
}

static void flush(uint64_t version)
{
	int err;

	UNTIL_DONE(err, disk_flush_end(&w.d));
	assert_int_equal(err, 0);
	flushed = version;
}

static uint64_t version_at(uint64_t lba)
{
	struct request *r = new_request(lba, 1);
	uint64_t version;

	assert_int_equal(end_read(r), 0);
	version = sector_version(r->buf, lba);
	free_request(r);
	return version;
}

static void fresh(void)
{
	drop_states();
	flushed = 0;
	make_image(SECTORS, JOURNAL);
	w.counter = 40;
	made = true;
	assert_int_equal(open_anchored(place), 0);
	made = false;
}

static void counts(void **state)
{
	fresh();
	assert_int_equal(w.counter, 41); /* the opening */
	write_all(1);                    /* checkpoints, since the journal is small */
	flush(1);
	assert_true(w.d.stats.checkpoints > 1);
	assert_int_equal(w.counter, 41);
	w.d.anchor_due = true;
	write_all(2);
	w.d.anchor_due = true;
	flush(2);
	assert_in_range(w.counter, 42, 43);
	assert_false(w.d.anchor_due);
	assert_int_equal(close_disk(), 0);
	assert_in_range(w.counter, 43, 44);
	/* The receipt does, too, and with another counter. */
	assert_int_equal(open_closed(), 0);
	assert_int_equal(w.d.header.anchor, 0);
}

/* A session of three parts, each anchored at its end; every state on the way. */
static void session(void)
{
	fresh();
	w.seen = keep;
	for (uint64_t version = 1; version <= 3; version++) {
		write_all(version);
		w.d.anchor_due = version > 1;
		flush(version);
	}
	assert_int_equal(close_disk(), 0);
	w.seen = NULL;
	keep(NULL);
	w.receipt.generation = 1; /* its owner was not told */
}

/* Where the power was cut, the disk goes on without consent, and has what was flushed. */
static void cuts(void **state)
{
	session();
	for (unsigned int i = 0; i < count; i++) {
		store_copy(&w.store, &states[i]->store);
		w.counter = states[i]->counter;
		if (open_anchored(place))
			fail_msg("state %u of %u", i, count);
		assert_int_equal(w.counter, states[i]->counter + 1);
		for (uint32_t at = 0; at < SECTORS; at += 83)
			assert_in_range(version_at(at), states[i]->flushed, states[i]->flushed + 1);
	}
}

/* Later, the host brings an earlier state: not from before the last anchored checkpoint. */
static void rollback(void **state)
{
	unsigned int taken = 0;

	session();
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int now = i; now < count; now += 7) {
			int err;

			store_copy(&w.store, &states[i]->store);
			w.counter = states[now]->counter;
			err = open_anchored(place);
			if (w.counter > states[i]->counter + 2)
				assert_int_equal(err, ERR_UNCLEAN);
			if (err)
				continue;
			taken++;
			/* What was flushed when the counter became what it is. */
			for (unsigned int k = 0; k <= now; k++)
				if (states[k]->counter < states[now]->counter)
					assert_true(version_at(7) >= states[k]->flushed);
		}
	assert_true(taken > count / 7);
}

static void other_counters(void **state)
{
	session();
	assert_int_equal(open_anchored(other), ERR_UNCLEAN);
	w.counter++;
	assert_int_equal(open_anchored(place), ERR_UNCLEAN);
	w.counter -= 2; /* a header that is one more */
	assert_int_equal(open_anchored(place), 0);
	w.counter = 5;
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
}

/* The owner's receipt is that of the image as it was uploaded; the host brings just that, after sessions he was not told of. */
static void old_receipt(void **state)
{
	static struct store first;

	make_image(SECTORS, JOURNAL);
	w.counter = 40;
	store_copy(&first, &w.store);
	made = true;
	assert_int_equal(open_anchored(place), 0);
	made = false;
	write_all(1);
	assert_int_equal(close_disk(), 0);
	w.receipt.generation = 1;
	store_copy(&w.store, &first);
	assert_int_equal(open_anchored(place), ERR_UNCLEAN);
	/* It took the counter away: then only the owner can know that it was there. */
	made = true;
	need = DISK_ANCHOR_USED;
	assert_int_equal(open_anchored(place), ERR_UNCLEAN);
	need = DISK_ANCHOR_NEEDED;
	assert_int_equal(open_anchored(place), 0);
	made = false;
	need = DISK_ANCHOR_IF_ANY;
	store_clear(&first);
}

/* No TPM, or the host says so. */
static void needed(void **state)
{
	struct disk_expect expect = {.generation = 1, .anchor_need = DISK_ANCHOR_NEEDED};

	make_image(SECTORS, JOURNAL);
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), ERR_UNCLEAN);
	expect.anchor_need = DISK_ANCHOR_IF_ANY;
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), 0);
	expect.anchor_need = DISK_ANCHOR_NEEDED;
	expect.consent = true;
	make_image(SECTORS, JOURNAL);
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), 0);
}

/* A fork: as new as the receipt, and of another root. */
static void forks(void **state)
{
	struct disk_expect expect = {.anchored = true, .root_known = true};

	fresh();
	write_all(1);
	assert_int_equal(close_disk(), 0);
	expect.generation = w.receipt.generation;
	expect.anchor = w.counter;
	memcpy(expect.anchor_id, place, sizeof(place));
	memcpy(expect.root, w.receipt.root, sizeof(expect.root));
	expect.root[3] ^= 1;
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), ERR_UNCLEAN);
	expect.root[3] ^= 1;
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), 0);
}

/* The counter does not move: the disk is not used. */
static void no_counter(void **state)
{
	struct disk_expect expect = {.anchored = true, .anchor_new = true};
	unsigned int lists;

	make_image(SECTORS, JOURNAL);
	expect.generation = 1;
	assert_int_equal(try_open(&expect, DEFAULT_PAGES), 0);
	lists = w.lists;
	for (unsigned int fail = 1; fail < 20; fail++) {
		make_image(SECTORS, JOURNAL);
		w.fail_in = (int)fail;
		if (!try_open(&expect, DEFAULT_PAGES))
			break;
		assert_int_equal(w.counter, 0);
		assert_false(w.d.open);
	}
	assert_true(lists > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),   cmocka_unit_test(cuts),
		cmocka_unit_test(rollback), cmocka_unit_test(other_counters),
		cmocka_unit_test(forks),    cmocka_unit_test(old_receipt),
		cmocka_unit_test(needed),   cmocka_unit_test(no_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
