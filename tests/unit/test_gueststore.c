/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed guest's firmware asks its xenstore: what it learns, and that L1 has no part in it. */
#include "monitor/gueststore.h"
#include "tests/unit/test_disclose.h"

#define EVENT_CHANNEL_OP 32
#define SEND 4
#define HVM_OP 34
#define GET_PARAM 1
#define STORE_PFN 1
#define STORE_EVTCHN 2
#define SELF 0x7ff0
#define LEN 3
#define PAGE_OF_IT (SPARE + 8 * PAGE_SIZE)
#define RING 1024u
#define XS_READ 2
#define XS_WRITE 11
#define XS_ERROR 16

struct ring {
	uint8_t request[RING], response[RING];
	uint32_t request_consumer, request_producer, response_consumer, response_producer;
};

struct head {
	uint32_t type, request, transaction, bytes;
};

static struct ring *ring(void)
{
	return fake_at(HPA(PAGE_OF_IT), sizeof(struct ring));
}

static void start(bool sealed)
{
	build(2, true);
	map((uint64_t)GUESTSTORE_GFN << PAGE_SHIFT, PAGE_OF_IT, 1);
	randomize(PAGE_OF_IT, PAGE_SIZE);
	if (sealed)
		assert_int_equal(launch_declare(HPA(PAGES + 3 * PAGE_SIZE), true), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_private(PAGE_OF_IT, (uint64_t)GUESTSTORE_GFN << PAGE_SHIFT);
}

static void calls(uint64_t number, uint64_t sub, enum disclose_result want)
{
	fill_registers();
	cpu->hw->guest_insn_len = LEN;
	cpu->regs.r[RAX] = number;
	cpu->regs.r[RDI] = sub;
	cpu->regs.r[RSI] = DATA;
	comes_out((struct guest_exit){.reason = EXIT_HYPERCALL}, want);
}

/* L1 answers with a value of its own. What the guest has then. */
static uint64_t parameter(uint32_t index, uint64_t of_l1, uint64_t want)
{
	uint32_t in[2] = {SELF, index};
	uint64_t out[2] = {0, of_l1};

	memcpy(fake_at(HPA(hpa_at(DATA)), 8), in, 8);
	calls(HVM_OP, GET_PARAM, DISCLOSE_TELL);
	l1_writes(hpa_at(DATA), out, sizeof(out));
	cpu->regs.r[RAX] = 0;
	cpu->regs.rip = LEN;
	goes_in();
	assert_int_equal(cpu->regs.r[RAX], want);
	return *word(hpa_at(DATA + 8));
}

static void asks(uint32_t type, const char *path, size_t bytes)
{
	const uint32_t words[] = {type, 0x77, 0, (uint32_t)bytes};
	uint8_t head[sizeof(words)];
	struct ring *r = ring();

	memcpy(head, words, sizeof(head));
	for (size_t i = 0; i < sizeof(head); i++)
		r->request[r->request_producer++ % RING] = head[i];
	for (size_t i = 0; i < bytes; i++)
		r->request[r->request_producer++ % RING] = (uint8_t)path[i];
}

static void sends(uint32_t port, enum disclose_result want)
{
	memcpy(fake_at(HPA(hpa_at(DATA)), 4), &port, 4);
	calls(EVENT_CHANNEL_OP, SEND, want);
}

static void expect_response(uint32_t type, const char *value)
{
	struct ring *r = ring();
	struct head h;
	char got[32] = "";

	assert_true(r->response_producer - r->response_consumer >= sizeof(h));
	for (size_t i = 0; i < sizeof(h); i++)
		((uint8_t *)&h)[i] = r->response[r->response_consumer++ % RING];
	assert_int_equal(h.type, type);
	assert_int_equal(h.request, 0x77);
	assert_int_equal(h.bytes, strlen(value));
	for (size_t i = 0; i < h.bytes; i++)
		got[i] = (char)r->response[r->response_consumer++ % RING];
	assert_string_equal(got, value);
	assert_int_equal(r->response_consumer, r->response_producer);
	assert_int_equal(r->request_consumer, r->request_producer);
}

static void expect_answer(uint32_t type, const char *path, const char *value)
{
	asks(type, path, strlen(path) + 1);
	sends(GUESTSTORE_PORT, DISCLOSE_AGAIN);
	assert_int_equal(v->windows.count, 0); /* none was opened */
	assert_int_equal(cpu->regs.r[RAX], 0);
	expect_response(strcmp(value, "ENOENT") ? type : XS_ERROR, value);
}

static void where_it_is(void **state)
{
	start(true);
	assert_int_equal(parameter(STORE_PFN, 0xfeffc, 0), GUESTSTORE_GFN);
	assert_true(is_zero(ring(), sizeof(struct ring)));
	assert_int_equal(parameter(STORE_EVTCHN, 3, 0), GUESTSTORE_PORT);
}

static void settings(void **state)
{
	start(true);
	parameter(STORE_PFN, 0xfeffc, 0);
	for (unsigned int i = 0; i < 200; i++) { /* around the ring's end, too */
		expect_answer(XS_READ, "hvmloader/bios", "seabios");
		expect_answer(XS_READ, "hvmloader/acpi/address", "ENOENT");
		expect_answer(XS_READ, "hvmloader/acpi/length", "ENOENT");
		expect_answer(XS_READ, "hvmloader/smbios/address", "ENOENT");
		expect_answer(XS_READ, "platform/device-model", "qemu_xen");
		expect_answer(XS_READ, "hvmloader/allow-memory-relocate", "0");
		expect_answer(XS_WRITE, "hvmloader/bios", "ENOENT");
		expect_answer(XS_READ, "hvmloader/biosx", "ENOENT");
		expect_answer(XS_READ, "", "ENOENT");
	}
}

static void long_paths(void **state)
{
	char path[RING];

	start(true);
	parameter(STORE_PFN, 0xfeffc, 0);
	memset(path, 'a', sizeof(path));
	for (size_t bytes = 0; bytes <= RING - sizeof(struct head); bytes++) {
		asks(XS_READ, path, bytes);
		sends(GUESTSTORE_PORT, DISCLOSE_AGAIN);
		expect_response(XS_ERROR, "ENOENT");
	}
}

/* What a guest may do to its own page: nothing comes of it but in that page. */
static void nonsense(void **state)
{
	struct ring *r;

	start(true);
	parameter(STORE_PFN, 0xfeffc, 0);
	r = ring();
	for (unsigned int i = 0; i < 2000; i++) {
		randomize(PAGE_OF_IT, sizeof(*r));
		if (i % 2)
			r->request_producer = r->request_consumer + i;
		if (i % 4 > 1)
			r->response_consumer = r->response_producer;
		sends(GUESTSTORE_PORT, DISCLOSE_AGAIN);
		memcpy(&image[0], fake_at(HPA(PAGES), PAGE_SIZE), PAGE_SIZE);
		expect_kept();
		assert_int_equal(v->windows.count, 0); /* none was opened */
	}
}

static void told_once(void **state)
{
	uint32_t in[2] = {SELF, STORE_PFN};

	start(true);
	parameter(STORE_PFN, 0xfeffc, 0);
	randomize(PAGE_OF_IT, sizeof(struct ring));
	memcpy(fake_at(HPA(hpa_at(DATA)), 8), in, 8);
	calls(HVM_OP, GET_PARAM, DISCLOSE_AGAIN);
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)ERR_INVAL);
	assert_false(is_zero(ring(), sizeof(struct ring)));
}

/* Other ports of a sealed guest's, and all of an open one's, are L1's. */
static void others(void **state)
{
	start(true);
	sends(GUESTSTORE_PORT - 1, DISCLOSE_TELL);
	start(false);
	assert_int_equal(parameter(STORE_PFN, 0xfeffc, 0), 0xfeffc);
	assert_int_equal(parameter(STORE_EVTCHN, 3, 0), 3);
	assert_false(is_zero(ring(), sizeof(struct ring)));
	sends(GUESTSTORE_PORT, DISCLOSE_TELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_is), cmocka_unit_test(settings),
		cmocka_unit_test(long_paths),  cmocka_unit_test(nonsense),
		cmocka_unit_test(told_once),   cmocka_unit_test(others),
	};

	return RUN_APART(tests);
}
