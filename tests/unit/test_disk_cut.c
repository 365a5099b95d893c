/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts. A guest's work is logged, each write and sync of both files; for places in the log the files
 * are built as they may be after a cut there: what was not synced may be there or not, in any order, in
 * part, but for a sector of 512 bytes, which is never torn. Recovery must give each sector what was
 * flushed last, or what was written since, and no error; and then the same again.
 */
#define STORE_PAGES 1024u
#include "tests/unit/test_disk.h"

#define SECTORS 2816u /* a few more leaves than pages */
#define VERSIONS 64u
#define LOG_MAX 40000u
#define IN_FLIGHT 3u

enum entry_kind { ENTRY_WRITE, ENTRY_SYNC, ENTRY_START, ENTRY_END, ENTRY_FLUSHED, ENTRY_PIN };

struct entry {
	uint8_t kind, file;
	uint64_t at; /* offset, or first sector */
	uint32_t n;  /* bytes, or sectors */
	uint64_t version;
	uint8_t *bytes; /* or versions */
};

struct log {
	struct entry entry[LOG_MAX];
	size_t n;
};

/* What a sector may have: v[0..n), of which v[ended] is the last write that has ended. */
struct allowed {
	uint64_t v[VERSIONS];
	uint32_t n, ended;
};

/* What is surely there after a cut, and from which entry on a file's writes are not. */
struct durable {
	struct store store;
	size_t from[2];
};

static struct log work, recovery, *logged;
static struct durable at, again;
static struct allowed allowed[SECTORS];
static uint64_t seed = 1;
static uint32_t deepest;

static uint32_t dice(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 20) % n;
}

static struct entry *add(uint8_t kind, uint64_t place, uint32_t n, uint64_t version)
{
	struct entry *e = &logged->entry[logged->n++];

	assert_true(logged->n < LOG_MAX);
	*e = (struct entry){.kind = kind, .at = place, .n = n, .version = version};
	return e;
}

static void add_write(uint8_t file, uint64_t offset, const void *buf, uint32_t n)
{
	struct entry *e = add(ENTRY_WRITE, offset, n, 0);

	e->file = file;
	e->bytes = malloc(n);
	memcpy(e->bytes, buf, n);
}

static void see(const struct disk_io *io)
{
	if (io->op == DISK_WRITE)
		add_write(io->file, io->offset, io->buf, io->bytes);
	if (io->op == DISK_SYNC)
		add(ENTRY_SYNC, 0, 0, 0)->file = io->file;
}

static void forget_log(struct log *log)
{
	for (size_t i = 0; i < log->n; i++)
		free(log->entry[i].bytes);
	log->n = 0;
}

/* --- the guest's work ----------------------------------------------------------------------------- */

static struct request *in_flight[IN_FLIGHT];
static uint64_t version;

static void start_one(struct request **r)
{
	uint32_t count = dice(4) ? 1 + dice(20) : 1 + dice(300);
	int err;

	*r = new_request(dice(4) ? dice(500) : dice(SECTORS - count), count);
	err = start_write(*r, ++version);
	if (err) {
		assert_int_equal(err, ERR_BUSY);
		free_request(*r);
		*r = NULL;
		return;
	}
	add(ENTRY_START, (*r)->cmd.lba, count, version);
}

static void device_part(const struct request *r, uint32_t from, uint32_t n)
{
	if (!n)
		return;
	device_write(r, from, n);
	add_write(DISK_DATA, (r->cmd.lba + from) * DISK_SECTOR, r->buf + (size_t)from * DISK_SECTOR,
		  n * DISK_SECTOR);
}

/* What it left is what is read, from then on. */
static void pin(const struct request *r)
{
	struct request *read = new_request(r->cmd.lba, r->cmd.count);
	struct entry *e;

	assert_int_equal(end_read(read), 0);
	e = add(ENTRY_PIN, r->cmd.lba, r->cmd.count, 0);
	e->bytes = calloc(r->cmd.count, 8);
	for (uint32_t i = 0; i < r->cmd.count; i++)
		((uint64_t *)(void *)e->bytes)[i] =
			sector_version(read->buf + (size_t)i * DISK_SECTOR, r->cmd.lba + i);
	free_request(read);
}

static void end_one(struct request **r)
{
	uint32_t count = (*r)->cmd.count, part = dice(count + 1);
	bool ok = dice(12);

	if (ok || dice(2))
		device_part(*r, part, count - part);
	if (ok || dice(2))
		device_part(*r, 0, part);
	assert_int_equal(end_write(*r, ok), 0);
	if (ok)
		add(ENTRY_END, (*r)->cmd.lba, count, 0);
	else
		pin(*r);
	free_request(*r);
	*r = NULL;
}

static void work_once(void)
{
	struct request **r = &in_flight[dice(IN_FLIGHT)];

	if (!dice(20)) {
		add(ENTRY_SYNC, 0, 0, 0)->file = DISK_DATA;
		assert_int_equal(flush_disk(), 0);
		add(ENTRY_FLUSHED, 0, 0, 0);
	} else if (*r) {
		end_one(r);
	} else {
		start_one(r);
	}
}

static void work_long(size_t entries)
{
	logged = &work;
	w.seen = see;
	while (work.n < entries)
		work_once();
	for (uint32_t i = 0; i < IN_FLIGHT; i++)
		if (in_flight[i]) {
			free_request(in_flight[i]);
			in_flight[i] = NULL;
		}
	w.seen = NULL;
	cut();
}

/* --- what may be there after a cut ---------------------------------------------------------------- */

static void model_sector(struct allowed *a, const struct entry *e, uint32_t i)
{
	if (e->kind == ENTRY_START) {
		assert_true(a->n < VERSIONS);
		a->v[a->n++] = e->version;
	}
	if (e->kind == ENTRY_END)
		a->ended = a->n - 1;
	if (e->kind == ENTRY_FLUSHED) {
		memmove(a->v, a->v + a->ended, sizeof(a->v[0]) * (a->n - a->ended));
		a->n -= a->ended;
		a->ended = 0;
	}
	if (e->kind == ENTRY_PIN) {
		uint64_t pinned = ((const uint64_t *)(const void *)e->bytes)[i];

		assert_true(pinned == a->v[a->ended] || pinned == a->v[a->n - 1]);
		*a = (struct allowed){.v = {pinned}, .n = 1};
	}
	deepest = a->n > deepest ? a->n : deepest;
}

static void model(const struct entry *e)
{
	if (e->kind == ENTRY_FLUSHED)
		for (uint32_t i = 0; i < SECTORS; i++)
			model_sector(&allowed[i], e, 0);
	else if (e->kind >= ENTRY_START)
		for (uint32_t i = 0; i < e->n; i++)
			model_sector(&allowed[e->at + i], e, i);
}

static void apply(struct store *s, const struct entry *e)
{
	store_write(s, e->file, e->at, e->bytes, e->n);
}

/* Takes entry i into what is durable. */
static void advance(struct durable *d, const struct log *log, size_t i)
{
	const struct entry *e = &log->entry[i];

	if (e->kind != ENTRY_SYNC)
		return;
	for (; d->from[e->file] < i; d->from[e->file]++) {
		const struct entry *past = &log->entry[d->from[e->file]];

		if (past->kind == ENTRY_WRITE && past->file == e->file)
			apply(&d->store, past);
	}
}

enum mode {
	CUT_PREFIX,
	CUT_NONE,
	CUT_ONE_LOST,
	CUT_ONE_EARLY,
	CUT_SOME,
	CUT_SOME_BLOCKS,
	CUT_MODES
};

/* The n-th of all writes that are not durable. */
static void maybe_apply(const struct entry *e, enum mode mode, bool chosen)
{
	if (mode == CUT_PREFIX || (mode == CUT_ONE_LOST && !chosen) ||
	    (mode == CUT_ONE_EARLY && chosen) || (mode == CUT_SOME && dice(2)))
		apply(&w.store, e);
	if (mode != CUT_SOME_BLOCKS)
		return;
	for (uint32_t b = 0; b < e->n; b += 512)
		if (dice(2))
			store_write(&w.store, e->file, e->at + b, e->bytes + b, 512);
}

static void build(const struct durable *d, const struct log *log, size_t end, enum mode mode)
{
	size_t first = d->from[0] < d->from[1] ? d->from[0] : d->from[1];
	uint32_t pending = 0, chosen;

	for (int pass = 0; pass < 2; pass++) {
		chosen = pass ? dice(pending ? pending : 1) : 0;
		pending = 0;
		if (pass)
			store_copy(&w.store, &d->store);
		for (size_t i = first; i < end; i++) {
			const struct entry *e = &log->entry[i];

			if (e->kind != ENTRY_WRITE || i < d->from[e->file])
				continue;
			if (pass)
				maybe_apply(e, mode, pending == chosen);
			pending++;
		}
	}
}

/* --- recovery ------------------------------------------------------------------------------------- */

static void check_sector(const uint8_t *sector, uint32_t lba, uint64_t *found)
{
	const struct allowed *a = &allowed[lba];
	uint64_t v = sector_version(sector, lba);
	uint32_t i = 0;

	while (i < a->n && a->v[i] != v)
		i++;
	if (i == a->n)
		fail_msg("sector %u has version %llu, which is none of %u", lba,
			 (unsigned long long)v, a->n);
	*found = v;
}

static void read_all(uint64_t found[SECTORS], bool same)
{
	uint32_t step = 704;

	for (uint32_t lba = 0; lba < SECTORS; lba += step) {
		struct request *r = new_request(lba, step);

		if (end_read(r))
			fail_msg("sector %u is bad", (unsigned int)r->cmd.bad);
		for (uint32_t i = 0; i < step; i++) {
			uint64_t v = 0;

			check_sector(r->buf + (size_t)i * DISK_SECTOR, lba + i, &v);
			assert_true(!same || v == found[lba + i]);
			found[lba + i] = v;
		}
		free_request(r);
	}
}

/* The power fails again while recovery writes. */
static void cut_recovery(void)
{
	size_t end;

	store_copy(&again.store, &w.store);
	again.from[0] = again.from[1] = 0;
	logged = &recovery;
	w.seen = see;
	assert_int_equal(open_consented(DISK_PAGES(1)), 0);
	cut();
	w.seen = NULL;
	end = dice(recovery.n + 1);
	for (size_t i = 0; i < end; i++)
		advance(&again, &recovery, i);
	build(&again, &recovery, end, dice(CUT_MODES));
	forget_log(&recovery);
}

static void recover(bool twice)
{
	uint64_t found[SECTORS];

	w.receipt.generation = 0;
	if (twice)
		cut_recovery();
	assert_int_equal(open_consented(DISK_PAGES(1)), 0);
	read_all(found, false);
	assert_int_equal(w.d.stats.bad_tags + w.d.stats.bad_nodes, 0);
	if (twice) {
		assert_int_equal(close_disk(), 0);
		assert_int_equal(open_closed(), 0);
		read_all(found, true);
	}
	cut();
}

static void run(uint64_t first_seed, uint32_t journal, size_t entries, uint32_t every)
{
	uint32_t cuts = 0;

	seed = first_seed;
	make_image(SECTORS, journal);
	memset(allowed, 0, sizeof(allowed));
	for (uint32_t i = 0; i < SECTORS; i++)
		allowed[i].n = 1;
	assert_int_equal(open_closed(), 0);
	store_copy(&at.store, &w.store);
	at.from[0] = at.from[1] = 0;
	work_long(entries);
	for (size_t i = 0; i < work.n; i++) {
		advance(&at, &work, i);
		model(&work.entry[i]);
		if (dice(every))
			continue;
		build(&at, &work, i + 1, cuts % CUT_MODES);
		recover(cuts % 5 == 0);
		cuts++;
	}
	print_message("%u cuts in a log of %zu entries, up to %u versions\n", cuts, work.n,
		      deepest);
	forget_log(&work);
	store_clear(&at.store);
	store_clear(&again.store);
}

static void with_a_small_journal(void **state)
{
	run(0x5eed1, DISK_JOURNAL_MIN, 3200, 3);
}

static void with_a_journal_that_rarely_fills(void **state)
{
	run(0x5eed2, 256u << 10, 3200, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_a_small_journal),
		cmocka_unit_test(with_a_journal_that_rarely_fills),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
