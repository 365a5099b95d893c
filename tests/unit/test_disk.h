/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk with its two files in memory, and the agent and the device that honestly read and write them.
 * Files are sparse, so that they may be of any size.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "iodecrypt/disk.h"

#ifndef STORE_PAGES
#define STORE_PAGES (1u << 15)
#endif
#define DEFAULT_PAGES DISK_PAGES(2048)

/* 4 KiB of a file each; index is page number * 2 + file, plus 1. */
struct store {
	struct {
		uint64_t index;
		uint8_t *bytes;
	} page[STORE_PAGES];
};

static struct world {
	struct store store;
	struct disk d;
	struct disk_keys keys;
	struct disk_header made;
	struct disk_receipt receipt;
	void *pages;
	int fail_in; /* this request fails: 1 is the next, 0 none */
	int fails;
	uint64_t counter;                       /* of the TPM */
	unsigned int lists;                     /* of requests, that were carried out */
	void (*seen)(const struct disk_io *io); /* is told of each request that is done */
} w;

static inline uint8_t *store_page(struct store *s, uint32_t file, uint64_t page, bool make)
{
	uint64_t index = page * 2 + file + 1,
		 at = (index * 0x9e3779b97f4a7c15u >> 40) % STORE_PAGES;

	for (;; at = (at + 1) % STORE_PAGES) {
		if (s->page[at].index == index)
			return s->page[at].bytes;
		if (!s->page[at].index)
			break;
	}
	if (!make)
		return NULL;
	s->page[at].index = index;
	s->page[at].bytes = calloc(1, 4096);
	return s->page[at].bytes;
}

static inline void store_write(struct store *s, uint32_t file, uint64_t offset, const void *buf,
			       size_t n)
{
	for (size_t part, done = 0; done < n; done += part) {
		uint64_t at = offset + done;

		part = 4096 - at % 4096 < n - done ? 4096 - at % 4096 : n - done;
		memcpy(store_page(s, file, at / 4096, true) + at % 4096,
		       (const uint8_t *)buf + done, part);
	}
}

static inline void store_read(struct store *s, uint32_t file, uint64_t offset, void *buf, size_t n)
{
	for (size_t part, done = 0; done < n; done += part) {
		uint64_t at = offset + done;
		const uint8_t *page = store_page(s, file, at / 4096, false);

		part = 4096 - at % 4096 < n - done ? 4096 - at % 4096 : n - done;
		if (page)
			memcpy((uint8_t *)buf + done, page + at % 4096, part);
		else
			memset((uint8_t *)buf + done, 0, part);
	}
}

static inline void store_clear(struct store *s)
{
	for (size_t i = 0; i < STORE_PAGES; i++)
		free(s->page[i].bytes);
	memset(s, 0, sizeof(*s));
}

static inline void store_copy(struct store *to, const struct store *from)
{
	store_clear(to);
	for (size_t i = 0; i < STORE_PAGES; i++)
		if (from->page[i].index) {
			to->page[i].index = from->page[i].index;
			to->page[i].bytes = malloc(4096);
			memcpy(to->page[i].bytes, from->page[i].bytes, 4096);
		}
}

static inline void store_flip(uint32_t file, uint64_t offset, uint8_t bits)
{
	uint8_t b;

	store_read(&w.store, file, offset, &b, 1);
	b ^= bits;
	store_write(&w.store, file, offset, &b, 1);
}

/* The agent. Bounds that the engine promises are checked here. */
static inline void carry_out(void)
{
	size_t bytes = 0;

	w.lists++;
	assert_in_range(w.d.ios, 1, DISK_IO_MAX);
	w.d.io_status = 0;
	for (uint32_t i = 0; i < w.d.ios; i++) {
		const struct disk_io *io = &w.d.io[i];

		bytes += io->bytes;
		assert_true(bytes <= DISK_IO_BYTES);
		assert_true((io->op >= DISK_SYNC) == (io->bytes == 0));
		if (w.fail_in && !--w.fail_in) {
			w.d.io_status = -5;
			w.fails++;
			return;
		}
		if (io->op == DISK_READ)
			store_read(&w.store, io->file, io->offset, io->buf, io->bytes);
		if (io->op == DISK_WRITE) {
			assert_int_equal(io->file, DISK_SIDECAR);
			assert_true(io->offset + io->bytes <= format_sidecar_bytes(&w.made));
			store_write(&w.store, io->file, io->offset, io->buf, io->bytes);
		}
		if (io->op == DISK_ANCHOR) {
			assert_int_equal(w.d.ios, 1);
			assert_int_equal(io->offset, ++w.counter);
		}
		if (w.seen)
			w.seen(io);
	}
}

#define UNTIL_DONE(err, call)           \
	do {                            \
		(err) = (call);         \
		if ((err) == ERR_AGAIN) \
			carry_out();    \
	} while ((err) == ERR_AGAIN)

/* A new image, never written, of generation 1. */
static inline void make_image(uint64_t sectors, uint32_t journal)
{
	static const uint8_t master[DISK_MASTER_BYTES] = "master key of the unit tests",
			     uuid[DISK_UUID_BYTES] = "uuid of a test";
	uint8_t page[DISK_HEADER_BYTES];
	struct crypto_hmac k;
	const char *reason;

	assert_int_equal(crypto_init(&reason), 0);
	store_clear(&w.store);
	free(w.pages);
	memset(&w, 0, sizeof(w));
	disk_keys_derive(&w.keys, master, uuid);
	disk_keys_hmac(&k, &w.keys, "nethervisor disk v1 header");
	memcpy(w.made.uuid, uuid, sizeof(uuid));
	memcpy(w.made.key_id, w.keys.id, sizeof(w.keys.id));
	w.made.sectors = sectors;
	w.made.generation = 1;
	w.made.journal = journal;
	format_header_make(&w.made, &k, page);
	store_write(&w.store, DISK_SIDECAR, DISK_HEADER_BYTES, page, sizeof(page));
	memcpy(w.receipt.uuid, uuid, sizeof(uuid));
	w.receipt.generation = 1;
}

static inline int try_open(const struct disk_expect *expect, size_t pages)
{
	uint8_t session[DISK_SESSION_BYTES];
	int err;

	free(w.pages);
	w.pages = aligned_alloc(4096, pages * 4096);
	assert_int_equal(disk_init(&w.d, w.pages, pages), 0);
	assert_int_equal(crypto_random(session, sizeof(session)), 0);
	UNTIL_DONE(err, disk_open(&w.d, &w.keys, expect, session));
	return err;
}

/* As it was closed. */
static inline int open_closed(void)
{
	struct disk_expect expect = {.generation = w.receipt.generation, .root_known = true};

	memcpy(expect.root, w.receipt.root, sizeof(expect.root));
	return try_open(&expect, DEFAULT_PAGES);
}

static inline int open_consented(size_t pages)
{
	struct disk_expect expect = {.generation = w.receipt.generation, .consent = true};

	return try_open(&expect, pages);
}

static inline int close_disk(void)
{
	int err;

	UNTIL_DONE(err, disk_close(&w.d, &w.receipt));
	return err;
}

/* A command with its buffer. */
struct request {
	struct disk_cmd cmd;
	uint8_t *buf;
	uint64_t fault_at; /* offset + 1 at which get or put fails */
};

static inline int request_get(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	struct request *r = cmd->arg;

	assert_true(n <= 4096 && offset + n <= (uint64_t)cmd->count * DISK_SECTOR);
	if (r->fault_at && offset + n >= r->fault_at)
		return ERR_FAULT;
	memcpy(buf, r->buf + offset, n);
	return 0;
}

static inline int request_put(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	struct request *r = cmd->arg;

	assert_true(n <= 4096 && offset + n <= (uint64_t)cmd->count * DISK_SECTOR);
	memcpy(r->buf + offset, buf, n);
	return 0;
}

static inline struct request *new_request(uint64_t lba, uint32_t count)
{
	struct request *r = calloc(1, sizeof(*r));

	r->buf = calloc(count ? count : 1, DISK_SECTOR);
	r->cmd = (struct disk_cmd){
		.lba = lba, .count = count, .get = request_get, .put = request_put, .arg = r};
	return r;
}

static inline void free_request(struct request *r)
{
	free(r->buf);
	free(r);
}

/* Version 0 is a sector never written. */
static inline void fill_sector(uint8_t *sector, uint64_t lba, uint64_t version)
{
	uint64_t words[DISK_SECTOR / 8] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(words) && version; i++)
		words[i] = i % 2 ? lba : version;
	memcpy(sector, words, sizeof(words));
}

/* Which version of the sector this is. Fails if it is none. */
static inline uint64_t sector_version(const uint8_t *sector, uint64_t lba)
{
	uint8_t want[DISK_SECTOR];
	uint64_t version;

	memcpy(&version, sector, sizeof(version));
	fill_sector(want, lba, version);
	assert_memory_equal(sector, want, sizeof(want));
	return version;
}

static inline int start_write(struct request *r, uint64_t version)
{
	int err;

	for (uint32_t i = 0; i < r->cmd.count; i++)
		fill_sector(r->buf + (size_t)i * DISK_SECTOR, r->cmd.lba + i, version);
	UNTIL_DONE(err, disk_write_start(&w.d, &r->cmd));
	return err;
}

/* What the device does of it: sectors from..from + n. */
static inline void device_write(const struct request *r, uint32_t from, uint32_t n)
{
	store_write(&w.store, DISK_DATA, (r->cmd.lba + from) * DISK_SECTOR,
		    r->buf + (size_t)from * DISK_SECTOR, (size_t)n * DISK_SECTOR);
}

static inline int end_write(struct request *r, bool ok)
{
	int err;

	UNTIL_DONE(err, disk_write_end(&w.d, &r->cmd, ok));
	return err;
}

static inline int write_sectors(uint64_t lba, uint32_t count, uint64_t version)
{
	struct request *r = new_request(lba, count);
	int err = start_write(r, version);

	if (!err) {
		device_write(r, 0, count);
		err = end_write(r, true);
	}
	free_request(r);
	return err;
}

static inline int end_read(struct request *r)
{
	int err;

	store_read(&w.store, DISK_DATA, r->cmd.lba * DISK_SECTOR, r->buf,
		   (size_t)r->cmd.count * DISK_SECTOR);
	UNTIL_DONE(err, disk_read_end(&w.d, &r->cmd));
	return err;
}

/* All must be of this version. */
static inline void expect_sectors(uint64_t lba, uint32_t count, uint64_t version)
{
	struct request *r = new_request(lba, count);

	assert_int_equal(end_read(r), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(sector_version(r->buf + (size_t)i * DISK_SECTOR, lba + i),
				 version);
	free_request(r);
}

/* A read of count sectors must fail at sector bad, with zeros from there on. */
static inline void expect_bad(uint64_t lba, uint32_t count, uint64_t bad)
{
	struct request *r = new_request(lba, count);

	assert_int_equal(end_read(r), ERR_IO);
	assert_int_equal(r->cmd.bad, bad);
	for (size_t i = (bad - lba) * DISK_SECTOR; i < (size_t)count * DISK_SECTOR; i++)
		assert_int_equal(r->buf[i], 0);
	free_request(r);
}

static inline int flush_disk(void)
{
	int err;

	UNTIL_DONE(err, disk_flush_end(&w.d));
	return err;
}

/* The power fails: what has been written stays, what the engine knows is gone. */
static inline void cut(void)
{
	disk_abandon(&w.d);
}

static inline int forget(void **state)
{
	store_clear(&w.store);
	free(w.pages);
	w.pages = NULL;
	return 0;
}

#endif
