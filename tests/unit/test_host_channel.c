/* SPDX-License-Identifier: Apache-2.0 */
/* switch-channel/lib/xen/host.c over a pretended monitor and a pretended Xen: what is asked, in which order, and what is left after each failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xenforeignmemory.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "switch-channel/call.h"
#include "switch-channel/lib/netherchan.h"
#include "switch-channel/lib/xen/host.h"

#define PAGES 40u
#define ID 7u
#define DOMAIN 3u
#define GUEST 5u

static struct monitor_channel channel;
static uint8_t *memory;
static int version, page_error, accept_error;
static uint64_t other_page; /* is another guest's */
static bool xen_opens, xen_maps, one_page_fails, run_is_zero;
static unsigned int handles, mapped, accepted, closed;

/* --- the pretended ones ----------------------------------------------------------------------- */

int ask_version(struct monitor_version *v)
{
	return version;
}

int ask_channel(uint64_t index, struct monitor_channel *c)
{
	if (index == 0)
		return ERR_NOENT; /* a place of none */
	if (index > 2)
		return ERR_INVAL;
	*c = channel;
	if (index == 1) {
		c->id = ID + 1;
		c->state = CHANNEL_OPEN;
	}
	return 0;
}

/* Two pieces: from 0x100 on, and from 0x900. */
int ask_channel_page(uint64_t id, uint64_t n, uint64_t *gfn, uint64_t *run)
{
	assert_int_equal(id, ID);
	assert_in_range(n, 0, PAGES - 1);
	*gfn = n < 10 ? 0x100 + n : 0x900 + n - 10;
	*run = run_is_zero ? 0 : n < 10 ? 10 - n : UINT64_MAX;
	return page_error;
}

int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	uint64_t offset = (uint64_t)((const uint8_t *)page - memory);

	assert_true(mapped && offset % NRING_PAGE == 0 && offset < PAGES * NRING_PAGE);
	*launch = (struct monitor_launch){.id = GUEST + (offset / NRING_PAGE == other_page)};
	return 0;
}

int ask_channel_accept(uint64_t id, const void *page)
{
	assert_int_equal(id, ID);
	assert_int_equal(mapped, 1);
	assert_ptr_equal(page, memory);
	if (accept_error)
		return accept_error;
	accepted++;
	channel.state = CHANNEL_OPEN;
	channel.acceptor = CHANNEL_HOST;
	return 0;
}

int ask_channel_close(uint64_t id, const void *page, uint64_t reason)
{
	assert_int_equal(id, ID);
	assert_int_equal(mapped, 1);
	assert_ptr_equal(page, memory);
	assert_int_equal(accepted, 1);
	accepted--;
	closed++;
	return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned flags)
{
	handles += xen_opens;
	return xen_opens ? (xenforeignmemory_handle *)&handles : NULL;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	handles--;
	return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	assert_int_equal(dom, DOMAIN);
	assert_int_equal(pages, PAGES);
	assert_int_equal(accepted, 0); /* before it is known whose pages these are */
	for (uint32_t n = 0; n < PAGES; n++) {
		assert_int_equal(arr[n], n < 10 ? 0x100 + n : 0x900 + n - 10);
		err[n] = one_page_fails && n == PAGES - 1 ? -1 : 0;
	}
	mapped += xen_maps;
	return xen_maps ? memory : NULL;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	assert_ptr_equal(addr, memory);
	assert_int_equal(pages, PAGES);
	mapped--;
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	channel = (struct monitor_channel){.id = ID,
					   .state = CHANNEL_OFFERED,
					   .peer = CHANNEL_PEER_HOST,
					   .offerer = GUEST,
					   .pages = PAGES};
	memory = aligned_alloc(NRING_PAGE, PAGES * NRING_PAGE);
	memset(memory, 0, PAGES * NRING_PAGE);
	version = page_error = accept_error = 0;
	other_page = UINT64_MAX;
	xen_opens = xen_maps = true;
	one_page_fails = run_is_zero = false;
	handles = mapped = accepted = closed = 0;
	return 0;
}

static int tear_down(void **state)
{
	free(memory);
	return 0;
}

static void accepted_used_and_closed(void **state)
{
	struct nring_wish wish = {.features = NRING_F_CSUM, .mtu = 1500, .queues = 1, .order = 5};
	struct netherchan_frame out = {.data = (uint8_t[60]){1, 2, 3}, .length = 60},
				in = {.data = (uint8_t[60]){0}, .size = 60};
	struct netherchan *guest, *host;
	const char *why;
	void *pages;
	uint32_t n;
	bool bell;
	int bad;
	struct host_channel *c = host_channel_accept(DOMAIN, ID, &pages, &n, &why);

	assert_non_null(c);
	assert_null(why);
	assert_ptr_equal(pages, memory);
	assert_int_equal(n, PAGES);
	guest = netherchan_open(memory, n, true, &wish, &bad);
	host = netherchan_open(pages, n, false, &wish, &bad);
	assert_non_null(guest);
	assert_non_null(host);
	assert_int_equal(netherchan_look(host, 0), NRING_LINK_START);
	assert_int_equal(netherchan_look(guest, 0), NRING_LINK_START);
	assert_int_equal(netherchan_send(guest, 0, &out, 1, &bell), 1);
	assert_int_equal(netherchan_receive(host, 0, &in, 1, &bell), 1);
	assert_int_equal(in.length, 60);
	assert_memory_equal(in.data, out.data, 60);
	/* The monitor begins to zero the pages. */
	assert_int_equal(netherchan_send(guest, 0, &out, 1, &bell), 1);
	((struct nring_header *)(void *)memory)->offer.magic = 0;
	assert_int_equal(netherchan_receive(host, 0, &in, 1, &bell), 0);
	assert_false(host_channel_left(c));
	channel.state = CHANNEL_LEFT;
	assert_true(host_channel_left(c));
	netherchan_close(host);
	netherchan_close(guest);
	host_channel_close(c, CHANNEL_REASON_CLOSED);
	assert_int_equal(handles + mapped + accepted, 0);
	assert_int_equal(closed, 1);
}

/* Nothing is left open, accepted or mapped. */
static void fails(unsigned int closes)
{
	const char *why = NULL;
	void *pages;
	uint32_t n;

	assert_null(host_channel_accept(DOMAIN, ID, &pages, &n, &why));
	assert_non_null(why);
	assert_int_equal(handles + mapped + accepted, 0);
	assert_int_equal(closed, closes);
}

static void no_monitor(void **state)
{
	version = ASK_NO_MONITOR;
	fails(0);
}

static void no_such_channel(void **state)
{
	channel.id = ID + 2;
	fails(0);
}

static void not_for_the_host(void **state)
{
	channel.peer = CHANNEL_PEER_DIGEST;
	fails(0);
}

static void sizes_that_cannot_be(void **state)
{
	static const uint32_t sizes[] = {0, 15, 2049, UINT32_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		channel.pages = sizes[i];
		fails(0);
	}
}

static void no_xen(void **state)
{
	xen_opens = false;
	fails(0);
}

static void no_places(void **state)
{
	page_error = ERR_NOENT;
	fails(0);
	page_error = 0;
	run_is_zero = true;
	fails(0);
}

static void not_accepted(void **state)
{
	static const int errors[] = {ERR_NOENT, ERR_BUSY, ERR_PERM};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		accept_error = errors[i];
		fails(0);
	}
}

static void not_mapped(void **state)
{
	xen_maps = false;
	fails(0);
}

static void mapped_in_part(void **state)
{
	one_page_fails = true;
	fails(0);
}

static void another_guests(void **state)
{
	other_page = PAGES - 1;
	fails(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_used_and_closed),
		TEST(no_monitor),
		TEST(no_such_channel),
		TEST(not_for_the_host),
		TEST(sizes_that_cannot_be),
		TEST(no_xen),
		TEST(no_places),
		TEST(not_accepted),
		TEST(not_mapped),
		TEST(mapped_in_part),
		TEST(another_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
