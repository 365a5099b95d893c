/* SPDX-License-Identifier: Apache-2.0 */
/* Searches for the secret in all memory that dom0 can read: its own, and what it can map. */
#include "tests/attack/dom0/attacks.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/memory.h>

#define BATCH 256 /* pages at once */
#define DOMAINS_MAX 16
#define FRAMES_MAX 64 /* of a resource of Xen's */
/* Where Linux maps all of a domain's memory (Documentation/x86/x86_64/mm.rst). */
#define DIRECT_START 0xffff888000000000u
#define DIRECT_END 0xffffc88000000000u

struct tally {
	uint64_t pages;   /* that could be read */
	const char *what; /* where the secret is, or NULL */
};

static bool search_bytes(struct world *w, struct tally *t, const void *bytes, size_t size,
			 const char *what)
{
	t->pages += size / PAGE;
	if (has_secret(w, bytes, size))
		t->what = what;
	return t->what != NULL;
}

/* All gfns of a domain, its special pages too. */
static bool search_domain(struct world *w, struct tally *t, uint32_t domain)
{
	xen_pfn_t gfns[BATCH];
	int errs[BATCH];
	xen_pfn_t last;

	if (xc_domain_maximum_gpfn(w->xc, domain, &last))
		return false;
	for (xen_pfn_t gfn = 0; gfn <= last && !t->what; gfn += BATCH) {
		char *pages;

		for (size_t i = 0; i < BATCH; i++)
			gfns[i] = gfn + i;
		pages = xenforeignmemory_map(w->memory, domain, PROT_READ, BATCH, gfns, errs);
		for (size_t i = 0; pages && i < BATCH; i++)
			if (!errs[i])
				search_bytes(w, t, pages + i * PAGE, PAGE, "a page of a guest");
		if (pages)
			xenforeignmemory_unmap(w->memory, pages, BATCH);
	}
	return t->what;
}

/* What Xen lets a domain's owner map besides: its grant tables. */
static bool search_grants(struct world *w, struct tally *t, uint32_t domain)
{
	for (unsigned int frame = 0; frame < FRAMES_MAX && !t->what; frame++) {
		void *address = NULL;
		xenforeignmemory_resource_handle *handle =
			xenforeignmemory_map_resource(w->memory, domain,
						      XENMEM_resource_grant_table,
						      XENMEM_resource_grant_table_id_shared, frame,
						      1, &address, PROT_READ, 0);

		if (!handle)
			break;
		search_bytes(w, t, address, PAGE, "a grant table");
		xenforeignmemory_unmap_resource(w->memory, handle);
	}
	return t->what;
}

/* dom0's own memory: kernel, page cache and all processes, this one too. */
static bool search_dom0(struct world *w, struct tally *t)
{
	static char block[BATCH * PAGE] __attribute__((aligned(4096)));
	int core = open("/proc/kcore", O_RDONLY);
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (core < 0 || pread(core, &head, sizeof(head), 0) != sizeof(head))
		return false;
	for (int i = 0; i < head.e_phnum && !t->what; i++) {
		off_t at = (off_t)(head.e_phoff + (uint64_t)i * sizeof(part));

		if (pread(core, &part, sizeof(part), at) != sizeof(part) ||
		    part.p_type != PT_LOAD || part.p_vaddr < DIRECT_START ||
		    part.p_vaddr >= DIRECT_END)
			continue;
		for (uint64_t done = 0; done < part.p_filesz && !t->what; done += sizeof(block)) {
			ssize_t n =
				pread(core, block, sizeof(block), (off_t)(part.p_offset + done));

			if (n > 0)
				search_bytes(w, t, block, (size_t)n, "dom0's memory");
		}
	}
	close(core);
	return t->what;
}

void foreign_search(struct world *w)
{
	struct tally t = {0};

	if (search_domain(w, &t, w->victim))
		return succeeded(w, "the secret is in page %lu of those that can be mapped",
				 t.pages);
	failed(w, "not in any of %lu pages", t.pages);
}

void search_all(struct world *w)
{
	xc_dominfo_t domains[DOMAINS_MAX];
	int count = xc_domain_getinfo(w->xc, 1, DOMAINS_MAX, domains);
	struct tally t = {0};
	uint64_t own;

	if (count < 1)
		return untried(w, errno, "no list of guests");
	search_dom0(w, &t);
	own = t.pages;
	for (int i = 0; i < count && !t.what; i++)
		if (!search_domain(w, &t, domains[i].domid))
			search_grants(w, &t, domains[i].domid);
	if (own < 100u * 256)
		untried(w, 0, "only %lu MiB of dom0's memory can be read", own / 256);
	else if (t.what)
		succeeded(w, "the secret is in %s", t.what);
	else
		failed(w, "not in %lu MiB of dom0 and %lu pages of guests", own / 256,
		       t.pages - own);
}
