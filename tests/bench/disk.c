/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest with a disk runs; requests are the disk's own: O_DIRECT, one at a time.
 *   disk read|write DEV FROM BYTES COUNT   COUNT requests one after the other, from byte FROM on
 *   disk spread DEV BYTES STRIDE COUNT     a write at each multiple of STRIDE
 *   disk random DEV BYTES STRIDE COUNT N   N reads, each at one of these places
 *   disk pio DEV SECTOR COUNT              reads of one sector each by READ SECTORS, as SCSI commands that pass through libata
 *   disk load DIR ROUNDS                   files are made, written, looked at, read, renamed, removed: see load()
 *   disk part DEV FROM BYTES               makes that DEV1, a partition
 *   disk mark N                            sets mark N for the plugin (count.c)
 * Each but the last two sets mark 0 before its work and 1 after it, and prints how many requests it made and its status.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/random.h"

#define LARGEST (2u << 20)
#define SECTOR 512u

/* count.c's instruction */
static void mark(unsigned int n)
{
	if (n)
		__asm__ volatile("nopl 0x4e485401(%%rax,%%rax,1)" : : : "memory");
	else
		__asm__ volatile("nopl 0x4e485400(%%rax,%%rax,1)" : : : "memory");
}

static _Noreturn void fail(const char *what)
{
	printf("0 1\n");
	fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One large page, so that no request is split because its buffer is in pieces. */
static uint8_t *make_buffer(void)
{
	uint8_t *p =
		mmap(NULL, 2 * LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	p += -(uintptr_t)p % LARGEST;
	madvise(p, LARGEST, MADV_HUGEPAGE);
	for (size_t i = 0; i < LARGEST; i++)
		p[i] = (uint8_t)(i * 7 + i / 4096);
	return p;
}

static int open_disk(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	if (fd < 0)
		fail(path);
	return fd;
}

static void move(int fd, bool out, uint8_t *buf, size_t bytes, uint64_t at)
{
	ssize_t n = out ? pwrite(fd, buf, bytes, (off_t)at) : pread(fd, buf, bytes, (off_t)at);

	if (n != (ssize_t)bytes)
		fail(out ? "write" : "read");
}

/* Requests that the kernel has had of this disk so far, reads and writes: what was merged or split shows here. */
static uint64_t requests(const char *dev)
{
	char path[64];
	unsigned long long r = 0, w = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", dev + strlen("/dev/"));
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu %*u %*u %*u %llu", &r, &w) != 2)
		fail(path);
	fclose(f);
	return r + w;
}

static void sequence(int fd, bool out, uint64_t from, size_t bytes, uint64_t stride, uint64_t count)
{
	uint8_t *buf = make_buffer();

	mark(0);
	for (uint64_t i = 0; i < count; i++)
		move(fd, out, buf, bytes, from + i * stride);
	mark(1);
}

static void at_random(int fd, size_t bytes, uint64_t stride, uint64_t count, uint64_t n)
{
	uint8_t *buf = make_buffer();

	mark(0);
	for (uint64_t i = 0; i < n; i++)
		move(fd, false, buf, bytes, next_random() % count * stride);
	mark(1);
}

/* ATA PASS-THROUGH (16) (SAT-4): READ SECTORS, PIO data-in. */
static void pio_read(int fd, uint8_t *buf, uint32_t lba)
{
	uint8_t sense[32], cdb[16] = {0x85,
				      4 << 1,
				      0x0e,
				      [6] = 1,
				      [8] = (uint8_t)lba,
				      [10] = (uint8_t)(lba >> 8),
				      [12] = (uint8_t)(lba >> 16),
				      [13] = 0x40,
				      [14] = 0x20};
	struct sg_io_hdr h = {.interface_id = 'S',
			      .dxfer_direction = SG_DXFER_FROM_DEV,
			      .cmd_len = sizeof(cdb),
			      .mx_sb_len = sizeof(sense),
			      .dxfer_len = SECTOR,
			      .dxferp = buf,
			      .cmdp = cdb,
			      .sbp = sense,
			      .timeout = 60000};

	if (ioctl(fd, SG_IO, &h) || h.status || h.host_status || h.driver_status)
		fail("SG_IO");
}

static void pio(int fd, uint32_t first, uint32_t count)
{
	uint8_t *buf = make_buffer();

	mark(0);
	for (uint32_t i = 0; i < count; i++)
		pio_read(fd, buf, first + i);
	mark(1);
}

/* --- a file server's day: dbench's calls in about dbench's proportions, a fixed number of them ------------------- */

#define FILES 10u
static uint8_t content[16384];

static void name(char *to, size_t n, const char *dir, uint64_t round, unsigned int file,
		 const char *more)
{
	snprintf(to, n, "%s/d%llu/f%u%s", dir, (unsigned long long)round % 8, file, more);
}

static void make_file(const char *path, unsigned int i, bool sync)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		fail(path);
	for (unsigned int k = 0; k < 1 + i % 2; k++)
		if (write(fd, content, sizeof(content) >> i % 3) < 0)
			fail("write");
	if (sync && fsync(fd))
		fail("fsync");
	close(fd);
}

static void read_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || stat(path, &st) || fstat(fd, &st))
		fail(path);
	for (unsigned int k = 0; k < 4; k++)
		if (pread(fd, content, 4096, k * 4096 % st.st_size) < 0)
			fail("read");
	close(fd);
}

static void list(const char *dir)
{
	DIR *d = opendir(dir);

	if (!d)
		fail(dir);
	while (readdir(d))
		;
	closedir(d);
}

static void one_round(const char *dir, uint64_t round)
{
	char path[96], other[96], here[96];

	snprintf(here, sizeof(here), "%s/d%llu", dir, (unsigned long long)round % 8);
	if (mkdir(here, 0700))
		fail(here);
	for (unsigned int i = 0; i < FILES; i++) {
		name(path, sizeof(path), dir, round, i, "");
		make_file(path, i, i % 5 == 0);
	}
	for (unsigned int i = 0; i < FILES; i++) {
		name(path, sizeof(path), dir, round, i, "");
		read_file(path);
		if (i % 3 == 0)
			list(here);
	}
	name(path, sizeof(path), dir, round, 0, "");
	name(other, sizeof(other), dir, round, 0, ".new");
	if (rename(path, other) || rename(other, path))
		fail("rename");
	for (unsigned int i = 0; i < FILES; i++) {
		name(path, sizeof(path), dir, round, i, "");
		if (unlink(path))
			fail("unlink");
	}
	if (rmdir(here))
		fail("rmdir");
}

/*
 * A round: a directory, 10 files of 4 to 16 KiB made (15 writes, 2 fsyncs), each looked at twice and read (4 reads), the directory
 * listed 4 times, 2 renames, all removed. At the end all is on the disk.
 */
static void load(const char *dir, uint64_t rounds)
{
	mark(0);
	for (uint64_t i = 0; i < rounds; i++)
		one_round(dir, i);
	sync();
	mark(1);
}

static void part(const char *dev, uint64_t from, uint64_t bytes)
{
	struct blkpg_partition p = {.start = (long long)from, .length = (long long)bytes, .pno = 1};
	struct blkpg_ioctl_arg arg = {.op = BLKPG_ADD_PARTITION, .datalen = sizeof(p), .data = &p};
	int fd = open(dev, O_RDWR);

	if (fd < 0 || ioctl(fd, BLKPG, &arg))
		fail("BLKPG");
}

static uint64_t number(char **argv, int i)
{
	return strtoull(argv[i], NULL, 10);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[1] : "", *dev = argc > 2 ? argv[2] : "";
	bool files = !strcmp(kind, "load");
	uint64_t before;
	int fd;

	if (!strcmp(kind, "mark")) {
		mark((unsigned int)number(argv, 2));
		return 0;
	}
	if (!strcmp(kind, "part") && argc == 5) {
		part(dev, number(argv, 3), number(argv, 4));
		return 0;
	}
	fd = files ? -1 : open_disk(dev);
	before = requests(files ? "/dev/sda" : dev);
	if (!strcmp(kind, "read") && argc == 6)
		sequence(fd, false, number(argv, 3), number(argv, 4), number(argv, 4),
			 number(argv, 5));
	else if (!strcmp(kind, "write") && argc == 6)
		sequence(fd, true, number(argv, 3), number(argv, 4), number(argv, 4),
			 number(argv, 5));
	else if (!strcmp(kind, "spread") && argc == 6)
		sequence(fd, true, 0, number(argv, 3), number(argv, 4), number(argv, 5));
	else if (!strcmp(kind, "random") && argc == 7)
		at_random(fd, number(argv, 3), number(argv, 4), number(argv, 5), number(argv, 6));
	else if (!strcmp(kind, "pio") && argc == 5)
		pio(fd, (uint32_t)number(argv, 3), (uint32_t)number(argv, 4));
	else if (files && argc == 4)
		load(dev, number(argv, 3));
	else
		fail("usage");
	before = requests(files ? "/dev/sda" : dev) - before;
	/* Passed-through commands are not among the kernel's. */
	printf("%llu 0\n", (unsigned long long)(strcmp(kind, "pio") ? before : number(argv, 4)));
	return 0;
}
