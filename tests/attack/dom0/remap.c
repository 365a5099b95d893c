/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that want other memory, or none, where the victim has a page. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/memory.h>

#define HOLE 0x80000u /* gfn of nothing in any of the guests, and below what maps one to one */

/* Moves the page at one gfn to another, as a guest may ask for its own; what was there is freed. */
static int move(struct world *w, xen_pfn_t from, xen_pfn_t to)
{
	return xc_domain_add_to_physmap(w->xc, w->victim, XENMAPSPACE_gmfn, from, to);
}

static int swap(struct world *w, xen_pfn_t a, xen_pfn_t b)
{
	return move(w, a, HOLE) || move(w, b, a) || move(w, HOLE, b);
}

void balloon_take(struct world *w)
{
	xen_pfn_t gfn = data_gfn(w, 8);

	if (xc_domain_decrease_reservation_exact(w->xc, w->victim, 1, 0, &gfn))
		return untried(w, errno, "taking its page");
	expect_change(w, data_page(w, 8));
}

void unmap_private(struct world *w)
{
	if (xc_domain_remove_from_physmap(w->xc, w->victim, data_gfn(w, 9)))
		return untried(w, errno, "unmapping its page");
	expect_change(w, data_page(w, 9));
}

void populate_over(struct world *w)
{
	xen_pfn_t gfn = data_gfn(w, 10);

	if (grow_limit(w, w->victim, 1) ||
	    xc_domain_populate_physmap_exact(w->xc, w->victim, 1, 0, 0, &gfn))
		return untried(w, errno, "a new page over its own");
	expect_change(w, data_page(w, 10));
}

void swap_pages(struct world *w)
{
	if (xc_domain_pause(w->xc, w->victim) || swap(w, data_gfn(w, 11), data_gfn(w, 12)) ||
	    xc_domain_unpause(w->xc, w->victim))
		return untried(w, errno, "swapping its pages");
	expect_change(w, data_page(w, 11));
}

/* The victim reads the pages all the time, on another CPU. In the end they are where they were. */
void swap_while_running(struct world *w)
{
	for (int i = 0; i < 100; i++)
		if (swap(w, data_gfn(w, 13), data_gfn(w, 14)))
			return untried(w, errno, "swapping its pages, time %d", i);
	expect_change(w, data_page(w, 13));
}

void move_page(struct world *w)
{
	if (move(w, data_gfn(w, 15), data_gfn(w, 16)))
		return untried(w, errno, "moving its page");
	expect_change(w, data_page(w, 16));
}

void shared_info_over(struct world *w)
{
	if (xc_domain_add_to_physmap(w->xc, w->victim, XENMAPSPACE_shared_info, 0, data_gfn(w, 17)))
		return untried(w, errno, "mapping shared_info");
	expect_change(w, data_page(w, 17));
}

void grant_frame_over(struct world *w)
{
	if (xc_domain_add_to_physmap(w->xc, w->victim, XENMAPSPACE_grant_table, 0, data_gfn(w, 18)))
		return untried(w, errno, "mapping the grant table");
	expect_change(w, data_page(w, 18));
}

/* A page of this program above all that guests have as gfns, so that its frame is easy to find. */
static void *own_page(xen_pfn_t *pfn)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	for (int tries = 0; fd >= 0 && tries < 4096; tries++) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

		if (page == MAP_FAILED ||
		    pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE * 8)) !=
			    sizeof(entry))
			break;
		*pfn = entry & ((1ull << 55) - 1);
		if (*pfn >= 0x4000) {
			close(fd);
			return page;
		}
	}
	close(fd);
	return NULL;
}

void host_frame_over(struct world *w)
{
	xen_pfn_t pfn = 0;
	xen_pfn_t frames[2];
	uint64_t *page = own_page(&pfn);
	size_t n = page ? frames_of(w, pfn, frames, 2) : 0;

	if (n != 1)
		return untried(w, 0, "finding a frame of dom0's own (%zu)", n);
	memset(page, 0x33, PAGE);
	if (xc_domain_iomem_permission(w->xc, w->victim, frames[0], 1, 1) ||
	    xc_domain_memory_mapping(w->xc, w->victim, data_gfn(w, 20), frames[0], 1,
				     DPCI_ADD_MAPPING))
		return untried(w, errno, "mapping a frame of dom0");
	expect_change(w, data_page(w, 20));
}

void declare_mmio(struct world *w)
{
	if (xendevicemodel_set_mem_type(w->model, w->victim, HVMMEM_mmio_dm, data_gfn(w, 21), 1))
		return untried(w, errno, "changing the page's type");
	expect_change(w, data_page(w, 21));
}

/* Xen drops the victim's writes. */
void declare_read_only(struct world *w)
{
	if (xendevicemodel_set_mem_type(w->model, w->victim, HVMMEM_ram_ro, w->epoch / PAGE, 1))
		return untried(w, errno, "changing the page's type");
	expect_change(w, w->epoch);
}
