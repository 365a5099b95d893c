/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/ioreq.h: what Xen puts into a slot, and what it finds there afterwards. */
#include "tests/unit/test_netherd.h"

#include <xen/hvm/ioreq.h>

#include "attest/netherd/ioreq.h"
#include "iodecrypt/mailbox.h"

static struct ioreq slot;
static unsigned int rings;
static uint32_t rung;

static void bell(void *context, uint32_t drive)
{
	assert_ptr_equal(context, &slot);
	assert_int_equal(slot.state, STATE_IOREQ_INPROCESS);
	rings++;
	rung = drive;
}

static bool serve(struct ioreq r)
{
	slot = r;
	rings = 0;
	rung = UINT32_MAX;
	return ioreq_serve(&slot, bell, &slot);
}

static struct ioreq doorbell(unsigned int state)
{
	return (struct ioreq){
		.addr = MAILBOX_PORT,
		.data = 2,
		.count = 1,
		.size = 4,
		.vp_eport = 17,
		.state = state & 15,
		.dir = IOREQ_WRITE,
		.type = IOREQ_TYPE_PIO,
	};
}

static void rings_the_bell(void **state)
{
	struct ioreq r = doorbell(STATE_IOREQ_READY);

	assert_true(serve(r));
	assert_int_equal(rings, 1);
	assert_int_equal(rung, 2);
	r.state = STATE_IORESP_READY;
	assert_memory_equal(&slot, &r, sizeof(r)); /* nothing else of it */
	/* What a netherd was at that was killed. */
	assert_true(serve(doorbell(STATE_IOREQ_INPROCESS)));
	assert_int_equal(rings, 1);
	assert_int_equal(slot.state, STATE_IORESP_READY);
}

static void not_a_request(void **state)
{
	for (unsigned int s = 0; s < 16; s++) {
		if (s == STATE_IOREQ_READY || s == STATE_IOREQ_INPROCESS)
			continue;
		assert_false(serve(doorbell(s)));
		assert_int_equal(rings, 0);
		assert_int_equal(slot.state, s);
	}
}

/* All are completed, or the processor would wait for ever. */
static void other_accesses(void **state)
{
	struct ioreq r[7];

	for (int i = 0; i < 7; i++)
		r[i] = doorbell(STATE_IOREQ_READY);
	r[0].dir = IOREQ_READ;
	r[1].size = 1;
	r[2].addr++;
	r[3].data_is_ptr = 1;
	r[4].count = 2;
	r[5].type = IOREQ_TYPE_COPY;
	r[6].type = IOREQ_TYPE_INVALIDATE;
	for (int i = 0; i < 7; i++) {
		assert_true(serve(r[i]));
		assert_int_equal(rings, 0);
		assert_int_equal(slot.state, STATE_IORESP_READY);
		assert_true(slot.data == (i ? 2 : UINT64_MAX));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_the_bell),
		cmocka_unit_test(not_a_request),
		cmocka_unit_test(other_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
