/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs in dom0: disk-search MARKERS PLACE.. looks for markers, which a guest has on its disk, in places that dom0
 * can read:
 *   ram        dom0's own memory: kernel, page cache, processes
 *   pid=N      the memory of a process
 *   domain=N   what Xen lets dom0 map of a guest
 *   FILE       a file or block device
 * MARKERS has 64 bytes for each, inverted: dom0 never holds one in clear of its own doing. Prints for each place how
 * much was read, how often each marker was found, and the control: something that must be found in just that place, as
 * proof that it was looked through. Status: 0, whatever was found; 2, a place could not be read, or its control not found.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#define PAGE 4096u
#define BLOCK (256 * PAGE)
#define BATCH 256u       /* pages mapped at once */
#define HOLE 0x4000u     /* gfns without a page, in a row: behind a guest's RAM below 4 GiB */
#define SPECIAL 0xf0000u /* from here to 4 GiB are devices' memory and pages of Xen's */
#define LENGTH 64u
#define MARKERS_MAX 7
/* Where Linux maps all memory (Documentation/x86/x86_64/mm.rst). */
#define DIRECT_START 0xffff888000000000u
#define DIRECT_END 0xffffc88000000000u

struct needle {
	unsigned char inverted[LENGTH];
	size_t length; /* 0: none */
	unsigned long found;
};

struct search {
	struct needle markers[MARKERS_MAX];
	struct needle control;
	int count;
	uint64_t bytes;
};

static unsigned char beacon[LENGTH]; /* the control of our own memory, drawn when we start */

static void die(const char *what)
{
	fprintf(stderr, "disk-search: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void needle_set(struct needle *n, const unsigned char *clear, size_t length)
{
	memset(n, 0, sizeof(*n));
	n->length = length < LENGTH ? length : LENGTH;
	for (size_t i = 0; i < n->length; i++)
		n->inverted[i] = clear[i] ^ 0xff;
}

static void needle_count(struct needle *n, const unsigned char *bytes, size_t size)
{
	const unsigned char *at = bytes, *end = bytes + size;

	while (n->length && size >= n->length &&
	       (at = memchr(at, n->inverted[0] ^ 0xff, (size_t)(end - at) - (n->length - 1)))) {
		size_t same = 1;

		while (same < n->length && (at[same] ^ 0xff) == n->inverted[same])
			same++;
		n->found += same == n->length;
		if ((size_t)(end - ++at) < n->length)
			return;
	}
}

static void search_bytes(struct search *s, const void *bytes, size_t size)
{
	s->bytes += size;
	for (int i = 0; i < s->count; i++)
		needle_count(&s->markers[i], bytes, size);
	needle_count(&s->control, bytes, size);
}

/* [at, end) of a file, or up to where it can be read; what lies across two reads, too. */
static void search_range(struct search *s, int fd, uint64_t at, uint64_t end)
{
	static unsigned char block[BLOCK + LENGTH];
	size_t kept = 0;

	while (at < end) {
		size_t want = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
		ssize_t n = pread(fd, block + kept, want, (off_t)at);

		if (n <= 0 && want > PAGE) { /* a page of it has a hole */
			n = pread(fd, block + kept, PAGE, (off_t)at);
			want = PAGE;
		}
		if (n <= 0) {
			at += want;
			kept = 0;
			continue;
		}
		s->bytes -= kept;
		search_bytes(s, block, kept + (size_t)n);
		at += (uint64_t)n;
		kept += (size_t)n;
		if (kept >= LENGTH) {
			memmove(block, block + kept - (LENGTH - 1), LENGTH - 1);
			kept = LENGTH - 1;
		}
	}
	explicit_bzero(block, sizeof(block));
}

static void search_ram(struct search *s)
{
	int core = open("/proc/kcore", O_RDONLY);
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (core < 0 || pread(core, &head, sizeof(head), 0) != sizeof(head))
		die("/proc/kcore");
	needle_set(&s->control, beacon, LENGTH);
	for (int i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (uint64_t)i * sizeof(part));

		if (pread(core, &part, sizeof(part), at) == sizeof(part) &&
		    part.p_type == PT_LOAD && part.p_vaddr >= DIRECT_START &&
		    part.p_vaddr < DIRECT_END)
			search_range(s, core, part.p_offset, part.p_offset + part.p_filesz);
	}
	close(core);
}

/* All that it has mapped and that its own loads could read. Its arguments are the control. */
static void search_process(struct search *s, const char *pid)
{
	unsigned long start, end;
	char path[64], line[512];
	unsigned char words[LENGTH];
	ssize_t n = -1;
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, words, sizeof(words));
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_RDONLY);
	if (n < 8 || !maps || fd < 0)
		die(path);
	needle_set(&s->control, words, (size_t)n);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx r", &start, &end) == 2 && end < DIRECT_START)
			search_range(s, fd, start, end);
	fclose(maps);
	close(fd);
}

/* Where to look next, after so many gfns with nothing: not at all of a hole, which takes minutes. */
static xen_pfn_t behind_hole(xen_pfn_t gfn, xen_pfn_t nothing)
{
	return nothing >= HOLE && gfn < SPECIAL ? SPECIAL : gfn;
}

/* Each gfn that can be mapped. Without a control: what a guest has depends on who looks. */
static void search_domain(struct search *s, uint32_t domain)
{
	xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	xen_pfn_t gfns[BATCH], last, nothing = 0;
	int errs[BATCH];

	if (!memory || !xc || xc_domain_maximum_gpfn(xc, domain, &last))
		die("the guest's memory");
	for (xen_pfn_t gfn = 0; gfn <= last; gfn = behind_hole(gfn + BATCH, nothing)) {
		char *pages;

		for (size_t i = 0; i < BATCH; i++)
			gfns[i] = gfn + i;
		pages = xenforeignmemory_map(memory, domain, PROT_READ, BATCH, gfns, errs);
		for (size_t i = 0; i < BATCH; i++) {
			bool there = pages && !errs[i];

			nothing = there ? 0 : nothing + 1;
			if (there)
				search_bytes(s, pages + i * PAGE, PAGE);
		}
		if (pages)
			xenforeignmemory_unmap(memory, pages, BATCH);
	}
	xenforeignmemory_close(memory);
	xc_interface_close(xc);
}

/* Its first bytes are the control. */
static void search_file(struct search *s, const char *path)
{
	unsigned char first[LENGTH];
	int fd = open(path, O_RDONLY);
	off_t size;

	if (fd < 0 || pread(fd, first, LENGTH, 0) != LENGTH || (size = lseek(fd, 0, SEEK_END)) < 0)
		die(path);
	needle_set(&s->control, first, LENGTH);
	search_range(s, fd, 0, (uint64_t)size);
	close(fd);
}

static bool search_place(struct search *s, const char *place)
{
	bool controlled = strncmp(place, "domain=", 7) != 0;

	s->bytes = 0;
	memset(&s->control, 0, sizeof(s->control));
	for (int i = 0; i < s->count; i++)
		s->markers[i].found = 0;
	if (!strcmp(place, "ram"))
		search_ram(s);
	else if (!strncmp(place, "pid=", 4))
		search_process(s, place + 4);
	else if (!controlled)
		search_domain(s, (uint32_t)strtoul(place + 7, NULL, 10));
	else
		search_file(s, place);
	printf("SEARCH %s: %lu KiB,", place, (unsigned long)(s->bytes >> 10));
	for (int i = 0; i < s->count; i++)
		printf(" %lu", s->markers[i].found);
	printf("%s\n", !controlled        ? ""
		       : s->control.found ? ", control found"
					  : ", control MISSING");
	fflush(stdout);
	return s->bytes && (!controlled || s->control.found);
}

int main(int argc, char **argv)
{
	static struct search s;
	int status = 0, fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0)
		die("markers");
	while (s.count < MARKERS_MAX && read(fd, s.markers[s.count].inverted, LENGTH) == LENGTH)
		s.markers[s.count++].length = LENGTH;
	close(fd);
	if (!s.count || getrandom(beacon, sizeof(beacon), 0) != sizeof(beacon))
		die("markers");
	for (int i = 2; i < argc; i++)
		if (!search_place(&s, argv[i]))
			status = 2;
	return status;
}
