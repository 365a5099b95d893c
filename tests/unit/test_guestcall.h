/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that calls Xen, and Xen's structures as compilers lay them out for 32-bit and for 64-bit
 * guests. Guest memory is MEMORY bytes from BASE on; each byte may be read once a call.
 */
#ifndef TESTS_TEST_GUESTCALL_H
#define TESTS_TEST_GUESTCALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/guestcall.h"

#define BASE 0x7000u
#define MEMORY (4 * PAGE_SIZE)
#define AT (BASE + 0x40u)    /* where tests put structures */
#define LIST (BASE + 0x200u) /* and lists */
#define SELF 0x7ff0
#define JUNK 0xdeadbeef00000000u

struct reservation_wide {
	uint64_t extents, count;
	uint32_t order, flags;
	uint16_t domid;
};

struct reservation_compat {
	uint32_t extents, count, order, flags;
	uint16_t domid;
};

struct physmap_wide {
	uint16_t domid, size;
	uint32_t space;
	uint64_t idx, gpfn;
};

struct physmap_compat {
	uint16_t domid, size;
	uint32_t space, idx, gpfn;
};

struct map_wide {
	uint32_t entries;
	uint64_t buffer;
};

struct map_compat {
	uint32_t entries, buffer;
};

struct param {
	uint16_t domid;
	uint32_t index;
	uint64_t value;
};

struct vcpu_place {
	uint64_t gfn;
	uint32_t offset, reserved;
};

_Static_assert(sizeof(struct reservation_wide) == 32, "layout");
_Static_assert(sizeof(struct reservation_compat) == 20, "layout");
_Static_assert(sizeof(struct physmap_wide) == 24, "layout");
_Static_assert(sizeof(struct physmap_compat) == 16, "layout");
_Static_assert(sizeof(struct map_wide) == 16, "layout");
_Static_assert(sizeof(struct param) == 16, "layout");

static uint8_t memory[MEMORY];
static uint8_t reads[MEMORY]; /* of each byte, in this call */
static struct guestcall_request request;
static struct guestcall call;

static int read_memory(void *context, gva_t gva, void *buf, size_t n)
{
	assert_ptr_equal(context, memory);
	assert_in_range(n, 1, PAGE_SIZE);
	if (gva.a < BASE || gva.a > BASE + MEMORY - n)
		return ERR_FAULT;
	memcpy(buf, memory + (gva.a - BASE), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(reads[gva.a - BASE + i]++, 0);
	/* Another vCPU changes them at once. */
	memset(memory + (gva.a - BASE), 0x5a, n);
	return 0;
}

static inline void put(uint64_t gva, const void *from, size_t n)
{
	assert_in_range(gva, BASE, BASE + MEMORY - n);
	memcpy(memory + (gva - BASE), from, n);
}

/* A call with its first three arguments; in the others there is something of the guest's own. */
static inline const struct guestcall *make(bool wide, uint64_t number, uint64_t a, uint64_t b,
					   uint64_t c)
{
	uint64_t junk = wide ? 0 : JUNK;

	request.number = number | junk;
	request.arg[0] = a | junk;
	request.arg[1] = b | junk;
	request.arg[2] = c | junk;
	request.arg[3] = 0x3333;
	request.arg[4] = 0x4444;
	request.wide = wide;
	request.read = read_memory;
	request.context = memory;
	memset(reads, 0, sizeof(reads));
	memset(&call, 0xee, sizeof(call));
	guestcall_decide(&request, &call);
	return &call;
}

static inline void expect_answer(int64_t value)
{
	assert_false(call.pass);
	assert_int_equal(call.answer, request.wide ? (uint64_t)value : (uint32_t)value);
	assert_int_equal(call.operands, 0);
	assert_int_equal(call.effect, GUESTCALL_NOTHING);
}

/* It passes, Xen sees the first `args` argument registers, and there are so many operands. */
static inline void expect_pass(unsigned int args, unsigned int operands)
{
	assert_true(call.pass);
	assert_int_equal(call.operands, operands);
	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
		assert_int_equal(call.arg[i], i >= args      ? 0
					      : request.wide ? request.arg[i]
							     : (uint32_t)request.arg[i]);
}

/* Xen sees the first shown_bytes, and zeros in what the guest holds behind. */
static inline void expect_operand(unsigned int i, uint64_t gva, unsigned int bytes,
				  unsigned int taken_at, unsigned int taken, const void *shown,
				  unsigned int shown_bytes)
{
	const struct guestcall_operand *o = &call.operand[i];

	assert_int_equal(o->gva.a, gva);
	assert_int_equal(o->bytes, bytes);
	assert_int_equal(o->taken_at, taken_at);
	assert_int_equal(o->taken, taken);
	assert_int_equal(o->shown, shown_bytes > 0);
	if (!shown_bytes)
		return;
	assert_memory_equal(call.data + o->data, shown, shown_bytes);
	for (unsigned int n = shown_bytes; n < bytes; n++)
		assert_int_equal(call.data[o->data + n], 0);
}

#endif
