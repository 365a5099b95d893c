/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by way of something that Xen gives to others: grants, a device model, another guest. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/attack/pattern.h"

#define WINDOW 0x100000u      /* gfn in the accomplice where frames are put: 4 GiB */
#define WINDOW_PAGES 0x40000u /* 1 GiB: what it maps there */
#define REF 200               /* a grant that the victim does not use */
#define BUFFER_MAX 64

/* --- grants ------------------------------------------------------------------------------- */

/* Writes into the victim's grant table that dom0 may map this gfn, and maps it. */
static void *forged_grant(struct world *w, xen_pfn_t gfn)
{
	void *address = NULL;
	grant_entry_v1_t *entries;
	xengnttab_handle *grants = xengnttab_open(NULL, 0);

	if (!grants ||
	    !xenforeignmemory_map_resource(w->memory, w->victim, XENMEM_resource_grant_table,
					   XENMEM_resource_grant_table_id_shared, 0, 1, &address,
					   PROT_READ | PROT_WRITE, 0))
		return NULL;
	entries = address;
	entries[REF].domid = 0;
	entries[REF].frame = (uint32_t)gfn;
	__atomic_store_n(&entries[REF].flags, GTF_permit_access, __ATOMIC_SEQ_CST);
	return xengnttab_map_grant_ref(grants, w->victim, REF, PROT_READ | PROT_WRITE);
}

void grant_forged_read(struct world *w)
{
	void *page = forged_grant(w, w->secret / PAGE);

	if (!page)
		return untried(w, errno, "mapping by a forged grant");
	judge_secret(w, page, PAGE, "a page mapped by a forged grant");
}

void grant_forged_write(struct world *w)
{
	volatile uint64_t *page = forged_grant(w, data_gfn(w, 22));

	if (!page)
		return untried(w, errno, "mapping by a forged grant");
	page[7] = 1;
	expect_change(w, data_page(w, 22));
}

/* --- a device model ----------------------------------------------------------------------- */

struct model {
	ioservid_t id;
	xenevtchn_handle *events;
	volatile struct ioreq *request; /* of vCPU 0 */
	int port;
};

static bool model_create(struct world *w, struct model *m)
{
	m->events = xenevtchn_open(NULL, 0);
	return m->events && !xendevicemodel_create_ioreq_server(w->model, w->victim,
								HVM_IOREQSRV_BUFIOREQ_OFF, &m->id);
}

/* Begins to work, with the ring at this address. */
static bool model_enable(struct world *w, struct model *m, void *ring)
{
	if (!ring || xendevicemodel_set_ioreq_server_state(w->model, w->victim, m->id, 1))
		return false;
	m->request = &((struct shared_iopage *)ring)->vcpu_ioreq[0];
	m->port = xenevtchn_bind_interdomain(m->events, w->victim, m->request->vp_eport);
	return m->port >= 0;
}

/* Answers a request of the victim if there is one within a second. */
static bool model_answer(struct model *m, uint64_t *data, bool *is_write)
{
	struct pollfd wait = {.fd = xenevtchn_fd(m->events), .events = POLLIN};

	while (m->request->state != STATE_IOREQ_READY) {
		if (poll(&wait, 1, 1000) <= 0)
			return false;
		xenevtchn_unmask(m->events, (evtchn_port_t)xenevtchn_pending(m->events));
	}
	*data = m->request->data;
	*is_write = m->request->type == IOREQ_TYPE_COPY && m->request->dir == IOREQ_WRITE;
	m->request->data = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	m->request->state = STATE_IORESP_READY;
	xenevtchn_notify(m->events, (evtchn_port_t)m->port);
	return true;
}

static bool model_ring(struct world *w, struct model *m, void **ring)
{
	return xenforeignmemory_map_resource(w->memory, w->victim, XENMEM_resource_ioreq_server,
					     m->id, XENMEM_resource_ioreq_server_frame_ioreq(0), 1,
					     ring, PROT_READ | PROT_WRITE, 0) != NULL;
}

static bool is_written(const struct world *w, uint64_t data)
{
	for (uint64_t beat = 0; beat < 256; beat++)
		if (data == pattern(w->seed, PATTERN_EPOCH + beat, 0))
			return true;
	return false;
}

/* The page is said to be a device's: each write of the victim comes to the device model. */
void mmio_listen(struct world *w)
{
	struct model m;
	void *ring = NULL;
	uint64_t data = 0;
	bool is_write = false, got = false;

	if (!model_create(w, &m) ||
	    xendevicemodel_map_io_range_to_ioreq_server(w->model, w->victim, m.id, 1, w->epoch,
							w->epoch + PAGE - 1) ||
	    !model_ring(w, &m, &ring) || !model_enable(w, &m, ring))
		return untried(w, errno, "becoming a device model");
	if (xendevicemodel_set_mem_type(w->model, w->victim, HVMMEM_mmio_dm, w->epoch / PAGE, 1))
		return untried(w, errno, "changing the page's type");
	for (int silent = 0, i = 0; !got && silent < 60 && i < 4 * PAGE_WORDS; i++) {
		if (model_answer(&m, &data, &is_write))
			got = is_write && is_written(w, data);
		else if (domain_stopped(w, w->victim))
			return failed(w, "the victim was stopped");
		else
			silent++;
	}
	xendevicemodel_destroy_ioreq_server(w->model, w->victim, m.id);
	if (got)
		succeeded(w, "the device model was sent what the victim wrote");
	else
		failed(w, "nothing that the victim wrote");
}

/* A thread that answers everything. */
static void *model_serve(void *model)
{
	uint64_t data;
	bool is_write;

	for (;;)
		(void)model_answer(model, &data, &is_write);
	return NULL;
}

/* Xen takes a page for the ring of a device model, and out of the guest. */
void ioreq_page_over(struct world *w)
{
	void *ring = map_page(w, w->victim, PROT_READ | PROT_WRITE, data_gfn(w, 19));
	static struct model m;
	xen_pfn_t gfn;
	pthread_t server;

	if (xc_hvm_param_set(w->xc, w->victim, HVM_PARAM_IOREQ_SERVER_PFN, data_gfn(w, 19)) ||
	    xc_hvm_param_set(w->xc, w->victim, HVM_PARAM_NR_IOREQ_SERVER_PAGES, 1))
		return untried(w, errno, "naming its page");
	if (!model_create(w, &m) ||
	    xendevicemodel_get_ioreq_server_info(w->model, w->victim, m.id, &gfn, NULL, NULL))
		return untried(w, errno, "a device model's page");
	if (gfn != data_gfn(w, 19))
		return untried(w, 0, "Xen takes gfn %#lx", gfn);
	if (!model_enable(w, &m, ring))
		return untried(w, errno, "becoming a device model");
	if (pthread_create(&server, NULL, model_serve, &m))
		return untried(w, 0, "no thread");
	expect_change(w, data_page(w, 19));
}

/* --- another guest ------------------------------------------------------------------------ */

/* Maps frames into the accomplice's window, in place of what was there. */
static bool put_frames(struct world *w, xen_pfn_t gfn, xen_pfn_t frame, unsigned long count)
{
	return !xc_domain_iomem_permission(w->xc, w->accomplice, frame, count, 1) &&
	       !xc_domain_memory_mapping(w->xc, w->accomplice, gfn, frame, count, DPCI_ADD_MAPPING);
}

static bool take_frames(struct world *w, xen_pfn_t gfn, xen_pfn_t frame, unsigned long count)
{
	return !xc_domain_memory_mapping(w->xc, w->accomplice, gfn, frame, count,
					 DPCI_REMOVE_MAPPING);
}

/* Puts all frames into the window that may be the victim's page; their number. */
static size_t lend(struct world *w, xen_pfn_t gfn)
{
	xen_pfn_t frames[BUFFER_MAX];
	size_t n = frames_of(w, gfn, frames, BUFFER_MAX);

	for (size_t i = 0; i < n; i++)
		if (!put_frames(w, WINDOW + i, frames[i], 1))
			return 0;
	return n;
}

void two_guests_read(struct world *w)
{
	size_t n = lend(w, w->secret / PAGE);
	const char *found;

	if (!n)
		return untried(w, errno, "mapping its frame into another guest");
	found = ask_accomplice(w, "s %x000 %zx\n", WINDOW, n);
	if (!found)
		return failed(w, "the other guest was stopped");
	if (!strncmp(found, "found", 5))
		succeeded(w, "another guest read the secret");
	else
		failed(w, "another guest sees no secret in the frame");
}

void two_guests_write(struct world *w)
{
	size_t n = lend(w, data_gfn(w, 23));

	if (!n)
		return untried(w, errno, "mapping its frame into another guest");
	for (size_t i = 0; i < n; i++)
		if (!ask_accomplice(w, "w %zx000\n", WINDOW + i))
			return failed(w, "the other guest was stopped");
	expect_change(w, data_page(w, 23));
}

/* Searches the RAM in [frame, end) with the accomplice. 1 found, 0 not, -1 cannot be searched. */
static int search_ram(struct world *w, xen_pfn_t frame, xen_pfn_t end)
{
	while (frame < end) {
		/* Aligned as the window is, so that large pages can map it. */
		xen_pfn_t skip = frame % WINDOW_PAGES;
		xen_pfn_t count = WINDOW_PAGES - skip;
		const char *line;

		if (count > end - frame)
			count = end - frame;
		if (!put_frames(w, WINDOW + skip, frame, count))
			return -1;
		line = ask_accomplice(w, "s %lx000 %lx\n", WINDOW + skip, count);
		if (!line || !take_frames(w, WINDOW + skip, frame, count))
			return -1;
		if (!strncmp(line, "found", 5))
			return 1;
		frame += count;
	}
	return 0;
}

/* All that the machine calls RAM, whoever has it: guests, dom0, Xen. */
void all_ram_search(struct world *w)
{
	struct e820entry map[128];
	int entries = xc_get_machine_memory_map(w->xc, map, 128);
	uint64_t searched = 0;

	if (entries <= 0)
		return untried(w, errno, "the machine's memory map");
	for (int i = 0; i < entries; i++) {
		int found;

		if (map[i].type != E820_RAM || map[i].size < PAGE)
			continue;
		found = search_ram(w, (map[i].addr + PAGE - 1) / PAGE,
				   (map[i].addr + map[i].size) / PAGE);
		if (found < 0)
			return untried(w, errno, "the other guest cannot search on, after %lu MiB",
				       searched >> 20);
		if (found)
			return succeeded(w, "another guest found the secret, after %lu MiB",
					 searched >> 20);
		searched += map[i].size;
	}
	failed(w, "another guest searched %lu MiB and found nothing", searched >> 20);
}
