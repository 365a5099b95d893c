/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a disk's tree costs when its nodes are not in memory: the engine with as many pages as the monitor gives a disk,
 * over a sidecar in memory and an agent that counts.
 *   tree GIB...
 * Each disk is written first, 4 KiB in each of its leaves (128 KiB), so that the tree has all its nodes; then it is closed
 * and opened again, so that none is in memory. Then it is read at places that were written. Prints for each kind of reading
 * a line "GIB LEVELS KIND BYTES REQUESTS NODES ROUNDS WITHOUT NANOSECONDS": sums over all requests; a round is one list of
 * requests to the agent, for which the guest's processor leaves and comes back; WITHOUT is how many requests needed none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "crypto/crypto.h"
#include "iodecrypt/disk.h"
#include "monitor/disks.h"
#include "tests/bench/random.h"

#define LEAF DISK_FANOUT /* sectors */
#define PIECE 8u         /* sectors of a leaf that are written */
#define LARGEST (1u << 20)

static struct {
	struct disk d;
	struct disk_keys keys;
	struct disk_header made;
	struct disk_receipt receipt;
	struct crypto_xts
		xts; /* the device's: it knows what was written, so that it need not keep it */
	uint8_t *sidecar;
	void *pages;
	uint64_t rounds;
	uint8_t buf[LARGEST];
} w;

static void fail(const char *what)
{
	fprintf(stderr, "tree: %s\n", what);
	exit(1);
}

/* ept/base.h */
_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "tree: %s:%d: %s\n", file, line, what);
	abort();
}

static void carry_out(void)
{
	w.rounds++;
	w.d.io_status = 0;
	for (uint32_t i = 0; i < w.d.ios; i++) {
		const struct disk_io *io = &w.d.io[i];

		if (io->op == DISK_SYNC)
			continue;
		if (io->file != DISK_SIDECAR ||
		    io->offset + io->bytes > format_sidecar_bytes(&w.made))
			fail("a request that should not be");
		if (io->op == DISK_READ)
			memcpy(io->buf, w.sidecar + io->offset, io->bytes);
		else
			memcpy(w.sidecar + io->offset, io->buf, io->bytes);
	}
}

#define MUST(call)                                   \
	do {                                         \
		int err_;                            \
		while ((err_ = (call)) == ERR_AGAIN) \
			carry_out();                 \
		if (err_)                            \
			fail(#call);                 \
	} while (0)

static int get(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	memcpy(buf, w.buf + offset, n);
	return 0;
}

static int put(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	memcpy(w.buf + offset, buf, n);
	return 0;
}

static void open_disk(void)
{
	struct disk_expect expect = {.generation = w.receipt.generation, .root_known = true};
	uint8_t session[DISK_SESSION_BYTES];

	memcpy(expect.root, w.receipt.root, sizeof(expect.root));
	if (disk_init(&w.d, w.pages, DISKS_PAGES) || crypto_random(session, sizeof(session)))
		fail("no disk");
	MUST(disk_open(&w.d, &w.keys, &expect, session));
}

static void make(uint64_t gib)
{
	static const uint8_t master[DISK_MASTER_BYTES] = "benchmark",
			     uuid[DISK_UUID_BYTES] = "of a disk";
	struct crypto_hmac k;

	memset(&w.receipt, 0, sizeof(w.receipt));
	disk_keys_derive(&w.keys, master, uuid);
	disk_keys_hmac(&k, &w.keys, "nethervisor disk v1 header");
	w.made = (struct disk_header){.sectors = gib * GIB / DISK_SECTOR,
				      .generation = 1,
				      .journal = DISK_JOURNAL_DEFAULT};
	memcpy(w.made.uuid, uuid, sizeof(uuid));
	memcpy(w.made.key_id, w.keys.id, sizeof(w.keys.id));
	w.sidecar = mmap(NULL, format_sidecar_bytes(&w.made), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w.sidecar == MAP_FAILED || crypto_xts_init(&w.xts, w.keys.xts))
		fail("no memory");
	format_header_make(&w.made, &k, w.sidecar + DISK_HEADER_BYTES);
	memcpy(w.receipt.uuid, uuid, sizeof(uuid));
	w.receipt.generation = 1;
}

/* In each leaf somewhere else. */
static uint64_t place(uint64_t leaf)
{
	return leaf * LEAF + (leaf * 0x9e3779b97f4a7c15u >> 32) % (LEAF / PIECE) * PIECE;
}

/* count sectors, PIECE of them at each of so many places; all plaintext is zeros. */
static void write_places(uint64_t leaves)
{
	for (uint64_t leaf = 0; leaf < leaves; leaf++) {
		struct disk_cmd cmd = {.lba = place(leaf), .count = PIECE, .get = get, .put = put};

		memset(w.buf, 0, PIECE * DISK_SECTOR);
		MUST(disk_write_start(&w.d, &cmd));
		MUST(disk_write_end(&w.d, &cmd, true));
	}
}

static void read_at(uint64_t lba, uint32_t count)
{
	struct disk_cmd cmd = {.lba = lba, .count = count, .get = get, .put = put};

	crypto_xts_encrypt(&w.xts, lba, w.buf, memset(w.buf, 0, count * DISK_SECTOR), count);
	/* Of a leaf only PIECE sectors were written; the others are read as never written, whatever the device has. */
	MUST(disk_read_end(&w.d, &cmd));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum kind { COLD, WARM, SAME, SEQUENTIAL };

static void measure(uint64_t gib, enum kind kind, uint32_t sectors, uint64_t requests)
{
	static const char *const name[] = {"first", "random", "same", "sequential"};
	uint64_t leaves = w.made.sectors / LEAF, nodes = w.d.stats.node_misses, rounds = w.rounds,
		 none = 0;
	double time = 0;

	for (uint64_t i = 0; i < requests; i++) {
		uint64_t before = w.rounds, lba = place(kind == SAME ? 0 : next_random() % leaves);
		double start;

		if (kind == SEQUENTIAL)
			lba = i * sectors;
		start = seconds();
		read_at(lba, sectors);
		time += seconds() - start;
		none += w.rounds == before;
	}
	printf("%llu %u %s %u %llu %llu %llu %llu %.0f\n", (unsigned long long)gib, w.d.levels,
	       name[kind], sectors * DISK_SECTOR, (unsigned long long)requests,
	       (unsigned long long)(w.d.stats.node_misses - nodes),
	       (unsigned long long)(w.rounds - rounds), (unsigned long long)none, time * 1e9);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *why;

	w.pages = aligned_alloc(4096, DISKS_PAGES * 4096);
	if (argc < 2 || !w.pages || crypto_init(&why))
		fail("usage: tree GIB...");
	for (int i = 1; i < argc; i++) {
		uint64_t gib = strtoull(argv[i], NULL, 10);

		make(gib);
		open_disk();
		write_places(w.made.sectors / LEAF);
		MUST(disk_close(&w.d, &w.receipt));
		open_disk();
		measure(gib, COLD, PIECE, 1);
		measure(gib, COLD, PIECE, 999);
		for (uint64_t n = 0; n < 4 * DISKS_PAGES; n++)
			read_at(place(next_random() % (w.made.sectors / LEAF)), PIECE);
		measure(gib, WARM, PIECE, 20000);
		measure(gib, SAME, PIECE, 20000);
		measure(gib, SEQUENTIAL, 128 * 1024 / DISK_SECTOR, 1000);
		measure(gib, SEQUENTIAL, LARGEST / DISK_SECTOR, 512);
		MUST(disk_close(&w.d, &w.receipt));
		munmap(w.sidecar, format_sidecar_bytes(&w.made));
	}
	return 0;
}
