/* SPDX-License-Identifier: Apache-2.0 */
/* A disk for fuzzers: its files in memory, an agent that a function of the fuzzer sits in front of. */
#ifndef FUZZ_DISK_H
#define FUZZ_DISK_H

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "iodecrypt/disk.h"

#define FILE_BYTES (256u << 10) /* beyond, a file has zeros and forgets */
#define PAGES DISK_PAGES(300)
#define REQUESTS_MAX 4000u /* of one call */

static struct {
	struct disk d;
	struct disk_keys keys;
	struct disk_header made;
	struct crypto_hmac header_key, journal_key, node_key;
	uint8_t file[2][FILE_BYTES];
	uint8_t *pages;
} f;

/* The bytes that are left of the input; zeros after it. */
static const uint8_t *input;
static size_t input_left;

static inline uint8_t next8(void)
{
	if (!input_left)
		return 0;
	input_left--;
	return *input++;
}

static inline uint64_t next_bytes(uint32_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | next8();
	return v;
}

static inline void copy_file(uint32_t file, uint64_t at, void *to, const void *from, uint32_t n)
{
	uint32_t part = at >= FILE_BYTES      ? 0
			: n < FILE_BYTES - at ? n
					      : (uint32_t)(FILE_BYTES - at);

	if (from && part)
		memcpy(f.file[file] + at, from, part);
	if (!to)
		return;
	memset(to, 0, n);
	if (part)
		memcpy(to, f.file[file] + at, part);
}

/* What the engine promises of its requests. */
static inline void check_io(const struct disk_io *io)
{
	const uint8_t *buf = io->buf;
	uint64_t size = io->file == DISK_DATA ? f.d.header.sectors * DISK_SECTOR
					      : format_sidecar_bytes(&f.d.header);

	ASSERT(io->file <= DISK_DATA && io->op <= DISK_SYNC); /* no counter: no anchor */
	if (io->op == DISK_SYNC)
		return;
	ASSERT(io->op == DISK_READ || io->file == DISK_SIDECAR);
	ASSERT(buf >= f.pages && buf + io->bytes <= f.pages + PAGES * 4096);
	if (f.d.header.sectors)
		ASSERT(io->offset <= size && io->bytes <= size - io->offset);
}

static inline void honest(const struct disk_io *io)
{
	if (io->op == DISK_READ)
		copy_file(io->file, io->offset, io->buf, NULL, io->bytes);
	if (io->op == DISK_WRITE)
		copy_file(io->file, io->offset, NULL, io->buf, io->bytes);
}

static inline void carry_out(int (*agent)(const struct disk_io *io))
{
	uint32_t bytes = 0;

	ASSERT(f.d.ios && f.d.ios <= DISK_IO_MAX);
	f.d.io_status = 0;
	for (uint32_t i = 0; i < f.d.ios && !f.d.io_status; i++) {
		bytes += f.d.io[i].bytes;
		ASSERT(bytes <= DISK_IO_BYTES);
		check_io(&f.d.io[i]);
		f.d.io_status = agent(&f.d.io[i]);
	}
}

/* Every call ends. */
#define UNTIL_DONE(err, agent, call)                     \
	do {                                             \
		uint32_t turns_ = 0;                     \
		while (((err) = (call)) == ERR_AGAIN) {  \
			ASSERT(++turns_ < REQUESTS_MAX); \
			carry_out(agent);                \
		}                                        \
	} while (0)

struct request {
	struct disk_cmd cmd;
	uint8_t buf[300 * DISK_SECTOR];
};

static inline int request_get(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	struct request *r = (struct request *)(void *)cmd;

	ASSERT(n <= 4096 && offset + n <= (uint64_t)cmd->count * DISK_SECTOR);
	memcpy(buf, r->buf + offset, n);
	return 0;
}

static inline int request_put(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	struct request *r = (struct request *)(void *)cmd;

	ASSERT(n <= 4096 && offset + n <= (uint64_t)cmd->count * DISK_SECTOR);
	memcpy(r->buf + offset, buf, n);
	return 0;
}

static inline void set_request(struct request *r, uint64_t lba, uint32_t count)
{
	memset(&r->cmd, 0, sizeof(r->cmd));
	r->cmd.lba = lba;
	r->cmd.count = count;
	r->cmd.get = request_get;
	r->cmd.put = request_put;
}

/* Keys, once; then for each input empty files. */
static inline void new_files(const uint8_t *data, size_t size)
{
	static const uint8_t master[DISK_MASTER_BYTES] = "master", uuid[DISK_UUID_BYTES] = "uuid";
	const char *why;

	input = data;
	input_left = size;
	if (!f.pages) {
		ASSERT(!crypto_init(&why));
		f.pages = aligned_alloc(4096, PAGES * 4096);
		disk_keys_derive(&f.keys, master, uuid);
		disk_keys_hmac(&f.header_key, &f.keys, "nethervisor disk v1 header");
		disk_keys_hmac(&f.journal_key, &f.keys, "nethervisor disk v1 journal");
		disk_keys_hmac(&f.node_key, &f.keys, "nethervisor disk v1 node");
	}
	memset(f.file, 0, sizeof(f.file));
	memset(&f.made, 0, sizeof(f.made));
	memcpy(f.made.uuid, uuid, sizeof(uuid));
	memcpy(f.made.key_id, f.keys.id, sizeof(f.keys.id));
}

static inline void put_header(void)
{
	format_header_make(&f.made, &f.header_key,
			   f.file[DISK_SIDECAR] +
				   format_header_slot(f.made.generation) * DISK_HEADER_BYTES);
}

static inline int open_disk(int (*agent)(const struct disk_io *io),
			    const struct disk_expect *expect)
{
	static uint8_t session[DISK_SESSION_BYTES];
	int err;

	session[0]++;
	memset(&f.d, 0, sizeof(f.d));
	ASSERT(!disk_init(&f.d, f.pages, PAGES));
	UNTIL_DONE(err, agent, disk_open(&f.d, &f.keys, expect, session));
	return err;
}

#endif
