/* SPDX-License-Identifier: Apache-2.0 */
/* switch-channel/lib/xen/claim.c over a pretended monitor and a pretended Xen; the locks are the kernel's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenforeignmemory.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "switch-channel/call.h"
#include "switch-channel/lib/xen/claim.h"
#include "switch-channel/ring.h"

#define DOMAIN 3u
#define GUEST 5u
#define OTHER 6u /* another guest, of another domain */
#define PLACES 6u

static struct monitor_channel table[PLACES];
static int version;
static bool xen_opens, domain_exists;
static unsigned int handles, mapped, closes;
static uint64_t last_closed;
static uint8_t guests_page[4096], others_page[4096];

/* --- the pretended ones ----------------------------------------------------------------------- */

int ask_version(struct monitor_version *v)
{
	return version;
}

int ask_channel(uint64_t index, struct monitor_channel *c)
{
	if (index >= PLACES)
		return ERR_INVAL;
	*c = table[index];
	return c->id ? 0 : ERR_NOENT;
}

static struct monitor_channel *by_id(uint64_t id)
{
	for (unsigned int i = 0; i < PLACES; i++)
		if (table[i].id == id)
			return &table[i];
	return NULL;
}

/* A guest's own number of it; the domain has nothing at the other guest's. */
int ask_channel_page(uint64_t id, uint64_t n, uint64_t *gfn, uint64_t *run)
{
	const struct monitor_channel *c = by_id(id);

	assert_int_equal(n, 0);
	if (!c || c->state == CHANNEL_LEFT)
		return ERR_NOENT;
	*gfn = c->offerer == GUEST ? 0x500 : 0x600;
	*run = 1;
	return 0;
}

int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	assert_int_equal(mapped, 1);
	*launch = (struct monitor_launch){.id = page == guests_page ? GUEST : GUEST + 100};
	return 0;
}

int ask_channel_accept(uint64_t id, const void *page)
{
	return ERR_PERM;
}

int ask_channel_close(uint64_t id, const void *page, uint64_t reason)
{
	struct monitor_channel *c = by_id(id);

	assert_int_equal(mapped, 1);
	assert_ptr_equal(page, guests_page);
	assert_non_null(c);
	assert_int_equal(c->offerer, GUEST);
	assert_true(c->state == CHANNEL_LEFT || c->acceptor == CHANNEL_HOST);
	if (c->state == CHANNEL_LEFT)
		c->id = 0;
	c->state = CHANNEL_OFFERED;
	c->acceptor = 0;
	closes++;
	last_closed = id;
	return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned flags)
{
	errno = EACCES;
	handles += xen_opens;
	return xen_opens ? (xenforeignmemory_handle *)&handles : NULL;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	handles--;
	return 0;
}

/* The numbers of the other guest's pages mean something else in this domain. */
void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	assert_int_equal(dom, DOMAIN);
	assert_int_equal(pages, 1);
	assert_int_equal(prot & 2, 0);
	mapped++;
	err[0] = domain_exists ? 0 : -ESRCH;
	return arr[0] == 0x500 ? guests_page : others_page;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	mapped--;
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	memset(table, 0, sizeof(table));
	/* For another guest, and the same service of another domain's. */
	table[0] = (struct monitor_channel){.id = 11,
					    .service = "uplink",
					    .peer = CHANNEL_PEER_DIGEST,
					    .state = CHANNEL_OFFERED,
					    .offerer = GUEST};
	table[1] = (struct monitor_channel){.id = 12,
					    .service = "uplink",
					    .peer = CHANNEL_PEER_HOST,
					    .state = CHANNEL_OFFERED,
					    .offerer = OTHER};
	/* Behind a place that has none. */
	table[3] = (struct monitor_channel){.id = 13,
					    .service = "uplink",
					    .peer = CHANNEL_PEER_HOST,
					    .state = CHANNEL_OFFERED,
					    .offerer = GUEST};
	version = 0;
	xen_opens = domain_exists = true;
	handles = mapped = closes = 0;
	return 0;
}

static int claim(const char *service, uint64_t id, uint64_t *got)
{
	int fd;

	*got = id;
	fd = host_channel_claim(DOMAIN, service, got);
	assert_int_equal(handles + mapped, 0);
	return fd;
}

static void by_its_service(void **state)
{
	uint64_t id;
	int fd = claim("uplink", 0, &id);

	assert_true(fd >= 0);
	assert_int_equal(id, 13);
	assert_int_equal(closes, 0);
	close(fd);
}

static void by_its_number(void **state)
{
	uint64_t id;
	int fd = claim(NULL, 13, &id);

	assert_true(fd >= 0);
	assert_int_equal(id, 13);
	close(fd);
	assert_int_equal(claim(NULL, 11, &id), -EAGAIN); /* not for the host */
	assert_int_equal(claim(NULL, 12, &id), -EAGAIN); /* another domain's */
	assert_int_equal(claim(NULL, 14, &id), -EAGAIN); /* none */
}

static void of_another_name(void **state)
{
	uint64_t id;

	assert_int_equal(claim("uplin", 0, &id), -EAGAIN);
	assert_int_equal(claim("uplink2", 0, &id), -EAGAIN);
}

/* The lock is of the other one's file, as it would be in another program. */
static void another_program_has_it(void **state)
{
	uint64_t id;
	int fd = claim("uplink", 0, &id), again;

	assert_true(fd >= 0);
	table[3].state = CHANNEL_OPEN;
	table[3].acceptor = CHANNEL_HOST;
	assert_int_equal(claim("uplink", 0, &id), -EBUSY);
	assert_int_equal(claim(NULL, 13, &id), -EBUSY);
	assert_int_equal(closes, 0);

	/* Another one of that name is free. */
	table[4] = table[3];
	table[4].id = 15;
	table[4].state = CHANNEL_OFFERED;
	table[4].acceptor = 0;
	again = claim("uplink", 0, &id);
	assert_true(again >= 0);
	assert_int_equal(id, 15);
	close(again);
	close(fd);
}

static void of_a_program_that_is_no_more(void **state)
{
	uint64_t id;
	int fd;

	table[3].state = CHANNEL_OPEN;
	table[3].acceptor = CHANNEL_HOST;
	fd = claim("uplink", 0, &id);
	assert_true(fd >= 0);
	assert_int_equal(id, 13);
	assert_int_equal(closes, 1);
	assert_int_equal(table[3].state, CHANNEL_OFFERED);
	close(fd);
}

/* The guest has closed one, and offered another: which cannot be accepted before the first is closed here, too. */
static void what_was_left_is_closed(void **state)
{
	uint64_t id;
	int fd;

	table[5] = table[3];
	table[5].id = 9;
	table[5].state = CHANNEL_LEFT;
	table[5].acceptor = CHANNEL_HOST;
	table[4] = table[5];
	table[4].id = 10;
	table[4].offerer = OTHER;
	fd = claim("uplink", 0, &id);
	assert_true(fd >= 0);
	assert_int_equal(id, 13);
	assert_int_equal(closes, 1);
	assert_int_equal(last_closed, 9);
	assert_int_equal(table[4].id, 10);
	close(fd);
}

static void what_a_program_is_just_leaving_is_not_closed(void **state)
{
	uint64_t id;
	int fd = claim("uplink", 0, &id), next;

	assert_true(fd >= 0);
	table[3].state = CHANNEL_LEFT;
	table[3].acceptor = CHANNEL_HOST;
	table[4] = table[3];
	table[4].id = 15;
	table[4].state = CHANNEL_OFFERED;
	table[4].acceptor = 0;
	next = claim("uplink", 0, &id);
	assert_true(next >= 0);
	assert_int_equal(id, 15);
	assert_int_equal(closes, 0);
	close(next);
	close(fd);
}

static void no_such_domain(void **state)
{
	uint64_t id;

	domain_exists = false;
	assert_int_equal(claim("uplink", 0, &id), -ESRCH);
	assert_int_equal(claim("other", 0, &id), -ESRCH);
}

static void no_monitor_or_xen(void **state)
{
	uint64_t id;

	xen_opens = false;
	assert_int_equal(claim("uplink", 0, &id), -EACCES);
	version = ASK_NO_MONITOR;
	assert_int_equal(claim("uplink", 0, &id), -ENODEV);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_its_service),
		TEST(by_its_number),
		TEST(of_another_name),
		TEST(another_program_has_it),
		TEST(of_a_program_that_is_no_more),
		TEST(what_was_left_is_closed),
		TEST(what_a_program_is_just_leaving_is_not_closed),
		TEST(no_such_domain),
		TEST(no_monitor_or_xen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
