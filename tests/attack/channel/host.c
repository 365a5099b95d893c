/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs in dom0: what an attacker does to a channel's pages there. channel-host SEED ..; SEED as the guests have it (guest/peer.c).
 *   read DOMAIN GFN PAGES          maps pages of a guest and says what is there: zeros, marker, private, other; or that Xen refuses
 *   write DOMAIN GFN               maps a page and writes to it
 *   hold DOMAIN GFN PAGES FILE     maps pages, makes FILE, and reads them when that is gone
 *   search DOMAIN..                all pages of guests that it can map: whether the marker is in any
 *   save DOMAIN                    saves it as for migration, lets it go on, and counts where the marker begins in what was saved
 *   balloon|populate|unmap|exchange DOMAIN GFN   has Xen take the page away; exchange: for the one behind it
 *   accept|close|page DOMAIN GFN ID  as the host, of a channel; GFN: a page of the domain's, which is mapped for the call; DOMAIN 0: one of its own
 * GFN and ID are hexadecimal. Status: 0 if it could be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#include "monitor/ctl/ask.h"
#include "switch-channel/call.h"
#include "tests/attack/pattern.h"

#define PAGE 4096u
#define BATCH 256u
#define HOLE 0x80000u    /* a gfn where no guest has anything */
#define SEARCHED 0x2000u /* gfns of a guest: twice what it has */

enum { SEEN_ZEROS = 1, SEEN_MARKER = 2, SEEN_PRIVATE = 4, SEEN_OTHER = 8 };

static uint64_t seed;
static xc_interface *xc;
static xenforeignmemory_handle *memory;

static int failed(const char *what)
{
	printf("refused: %s: %s\n", what, strerror(errno));
	return 1;
}

/* --- what is there ---------------------------------------------------------------------------------- */

static unsigned int seen(const volatile uint64_t *words, size_t pages)
{
	unsigned int found = 0;

	for (size_t i = 0; i < pages * PAGE_WORDS; i++) {
		uint64_t word = words[i];

		found |= !word                                                     ? SEEN_ZEROS
			 : word == pattern(seed, PATTERN_SECRET, i % SECRET_WORDS) ? SEEN_MARKER
			 : word == pattern(seed, PATTERN_SECRET + 1, i % SECRET_WORDS)
				 ? SEEN_PRIVATE
				 : SEEN_OTHER;
	}
	return found;
}

static int say(unsigned int found)
{
	printf("seen%s%s%s%s\n", found & SEEN_ZEROS ? " zeros" : "",
	       found & SEEN_MARKER ? " marker" : "", found & SEEN_PRIVATE ? " private" : "",
	       found & SEEN_OTHER ? " other" : "");
	return 0;
}

static void *map(uint32_t domain, xen_pfn_t gfn, size_t pages, int prot)
{
	xen_pfn_t gfns[BATCH] = {0};
	int errs[BATCH] = {0};
	void *base;

	if (pages > BATCH) {
		errno = E2BIG;
		return NULL;
	}
	for (size_t i = 0; i < pages; i++)
		gfns[i] = gfn + i;
	base = xenforeignmemory_map(memory, domain, prot, pages, gfns, errs);
	for (size_t i = 0; base && i < pages; i++)
		if (errs[i]) {
			xenforeignmemory_unmap(memory, base, pages);
			errno = -errs[i];
			return NULL;
		}
	return base;
}

static int do_read(uint32_t domain, xen_pfn_t gfn, size_t pages)
{
	const void *base = map(domain, gfn, pages, PROT_READ);

	return base ? say(seen(base, pages)) : failed("mapping");
}

static int do_hold(uint32_t domain, xen_pfn_t gfn, size_t pages, const char *file)
{
	const void *base = map(domain, gfn, pages, PROT_READ);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);

	if (!base || fd < 0)
		return failed("mapping");
	close(fd);
	while (!access(file, F_OK))
		usleep(10000);
	return say(seen(base, pages));
}

static int do_write(uint32_t domain, xen_pfn_t gfn)
{
	volatile uint64_t *page = map(domain, gfn, 1, PROT_READ | PROT_WRITE);

	if (!page)
		return failed("mapping");
	page[7] = pattern(seed, 1, 7);
	printf("written\n");
	return 0;
}

static int do_search(uint32_t domain)
{
	unsigned long pages = 0, marked = 0;

	for (xen_pfn_t gfn = 0; gfn < SEARCHED; gfn += BATCH) {
		xen_pfn_t gfns[BATCH];
		int errs[BATCH];
		uint64_t *base;

		for (size_t i = 0; i < BATCH; i++)
			gfns[i] = gfn + i;
		base = xenforeignmemory_map(memory, domain, PROT_READ, BATCH, gfns, errs);
		for (size_t i = 0; base && i < BATCH; i++) {
			if (errs[i])
				continue;
			pages++;
			marked += (seen(base + i * PAGE_WORDS, 1) & SEEN_MARKER) != 0;
		}
		if (base)
			xenforeignmemory_unmap(memory, base, BATCH);
	}
	printf("pages %lu marked %lu\n", pages, marked);
	return !pages;
}

static int suspend(void *data)
{
	return xc_domain_shutdown(xc, *(uint32_t *)data, SHUTDOWN_suspend) == 0;
}

static int switch_model(uint32_t domain, unsigned int enable, void *data)
{
	return 0; /* there is none */
}

/* Words of the stream lie at multiples of 8, those of pages, too. */
static int do_save(uint32_t domain)
{
	struct save_callbacks how = {.suspend = suspend,
				     .switch_qemu_logdirty = switch_model,
				     .data = &domain};
	FILE *f = tmpfile();
	unsigned long words = 0, marked = 0;
	uint64_t word;

	if (!f || xc_domain_save(xc, fileno(f), domain, 0, &how, XC_STREAM_PLAIN, -1))
		return failed("saving");
	if (xc_domain_resume(xc, domain, 1))
		return failed("resuming");
	rewind(f);
	for (; fread(&word, sizeof(word), 1, f) == 1; words++)
		marked += word == pattern(seed, PATTERN_SECRET, 0);
	printf("words %lu marked %lu\n", words, marked);
	fclose(f);
	return 0;
}

/* --- what Xen does to it ------------------------------------------------------------------------------- */

static int move(uint32_t domain, xen_pfn_t from, xen_pfn_t to)
{
	return xc_domain_add_to_physmap(xc, domain, XENMAPSPACE_gmfn, from, to);
}

static int populate(uint32_t domain, xen_pfn_t gfn)
{
	xc_dominfo_t info;

	if (xc_domain_getinfo(xc, domain, 1, &info) != 1 ||
	    xc_domain_setmaxmem(xc, domain, info.max_memkb + 64))
		return -1;
	return xc_domain_populate_physmap_exact(xc, domain, 1, 0, 0, &gfn);
}

static int do_take(const char *how, uint32_t domain, xen_pfn_t gfn)
{
	int err = -1;

	if (!strcmp(how, "balloon"))
		err = xc_domain_decrease_reservation_exact(xc, domain, 1, 0, &gfn);
	else if (!strcmp(how, "populate"))
		err = populate(domain, gfn);
	else if (!strcmp(how, "unmap"))
		err = xc_domain_remove_from_physmap(xc, domain, gfn);
	else if (!strcmp(how, "exchange"))
		err = move(domain, gfn, HOLE) || move(domain, gfn + 1, gfn) ||
		      move(domain, HOLE, gfn + 1);
	if (err)
		return failed(how);
	printf("done\n");
	return 0;
}

/* --- as the host -------------------------------------------------------------------------------------------- */

static int do_host(const char *what, uint32_t domain, xen_pfn_t gfn, uint64_t id)
{
	static const uint8_t own[PAGE] = {1};
	const void *page = domain ? map(domain, gfn, 1, PROT_READ) : own;
	uint64_t first = 0, run = 0;
	int err;

	if (!page)
		return failed("mapping");
	err = !strcmp(what, "accept")  ? ask_channel_accept(id, page)
	      : !strcmp(what, "close") ? ask_channel_close(id, page, CHANNEL_REASON_CLOSED)
				       : ask_channel_page(id, 0, &first, &run);
	printf("%s: %d\n", what, err);
	return err != 0;
}

static uint64_t hexadecimal(const char *text)
{
	return strtoull(text, NULL, 16);
}

static int run(int argc, char **argv)
{
	const char *what = argv[0];
	uint32_t domain = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	xen_pfn_t gfn = argc > 2 ? hexadecimal(argv[2]) : 0;
	int status = 0;

	if (argc == 4 && !strcmp(what, "read"))
		return do_read(domain, gfn, strtoul(argv[3], NULL, 10));
	if (argc == 3 && !strcmp(what, "write"))
		return do_write(domain, gfn);
	if (argc == 5 && !strcmp(what, "hold"))
		return do_hold(domain, gfn, strtoul(argv[3], NULL, 10), argv[4]);
	if (argc == 2 && !strcmp(what, "save"))
		return do_save(domain);
	if (argc >= 2 && !strcmp(what, "search")) {
		for (int i = 1; i < argc; i++)
			status |= do_search((uint32_t)strtoul(argv[i], NULL, 10));
		return status;
	}
	if (argc == 3)
		return do_take(what, domain, gfn);
	if (argc == 4)
		return do_host(what, domain, gfn, hexadecimal(argv[3]));
	fprintf(stderr, "channel-host: see its source\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct monitor_version version;

	xc = xc_interface_open(NULL, NULL, 0);
	memory = xenforeignmemory_open(NULL, 0);
	if (argc < 3 || !xc || !memory || ask_version(&version)) {
		fprintf(stderr, "channel-host: no arguments, no dom0, or no monitor\n");
		return 2;
	}
	seed = hexadecimal(argv[1]);
	return run(argc - 2, argv + 2);
}
