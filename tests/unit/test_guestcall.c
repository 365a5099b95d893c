/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls that are just a structure, and those that are answered; memory_op is elsewhere. */
#include "tests/unit/test_guestcall.h"

#define VERSION 17
#define CONSOLE 18
#define VCPU 24
#define SCHED 29
#define EVENT 32
#define HVM 34

/* [0]: 32-bit guests, [1]: 64-bit ones. */
struct shape {
	const char *name;
	uint8_t number, sub, args;
	uint16_t bytes[2], shown[2], taken_at, taken[2];
};

#define BOTH(n)      \
	{            \
		n, n \
	}

static const struct shape shapes[] = {
	{"version", VERSION, 0, 1, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"extraversion", VERSION, 1, 2, BOTH(16), BOTH(0), 0, BOTH(16)},
	{"compile_info", VERSION, 2, 2, BOTH(144), BOTH(0), 0, BOTH(144)},
	{"capabilities", VERSION, 3, 2, BOTH(1024), BOTH(0), 0, BOTH(1024)},
	{"changeset", VERSION, 4, 2, BOTH(64), BOTH(0), 0, BOTH(64)},
	{"platform_parameters", VERSION, 5, 2, {4, 8}, BOTH(0), 0, {4, 8}},
	{"get_features", VERSION, 6, 2, BOTH(8), BOTH(4), 4, BOTH(4)},
	{"pagesize", VERSION, 7, 1, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"guest_handle", VERSION, 8, 2, BOTH(16), BOTH(0), 0, BOTH(16)},
	{"stop_periodic_timer", VCPU, 7, 2, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"set_singleshot_timer", VCPU, 8, 3, {12, 16}, BOTH(12), 0, BOTH(0)},
	{"stop_singleshot_timer", VCPU, 9, 2, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"yield", SCHED, 0, 1, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"block", SCHED, 1, 1, BOTH(0), BOTH(0), 0, BOTH(0)},
	{"shutdown", SCHED, 2, 2, BOTH(4), BOTH(4), 0, BOTH(0)},
	{"bind_interdomain", EVENT, 0, 2, BOTH(12), BOTH(8), 8, BOTH(4)},
	{"bind_virq", EVENT, 1, 2, BOTH(12), BOTH(8), 8, BOTH(4)},
	{"close", EVENT, 3, 2, BOTH(4), BOTH(4), 0, BOTH(0)},
	{"send", EVENT, 4, 2, BOTH(4), BOTH(4), 0, BOTH(0)},
	{"status", EVENT, 5, 2, BOTH(24), BOTH(8), 8, BOTH(16)},
	{"alloc_unbound", EVENT, 6, 2, BOTH(8), BOTH(4), 4, BOTH(4)},
	{"bind_ipi", EVENT, 7, 2, BOTH(8), BOTH(4), 4, BOTH(4)},
	{"bind_vcpu", EVENT, 8, 2, BOTH(8), BOTH(8), 0, BOTH(0)},
	{"unmask", EVENT, 9, 2, BOTH(4), BOTH(4), 0, BOTH(0)},
	{"set_evtchn_upcall_vector", HVM, 23, 2, BOTH(8), BOTH(5), 0, BOTH(0)},
};

/* Known, and more than a structure. */
static const uint8_t others[][2] = {
	{12, 1},   {12, 6},    {12, 7},    {12, 9},  {CONSOLE, 0},
	{VCPU, 5}, {VCPU, 10}, {SCHED, 3}, {HVM, 0}, {HVM, 1},
};

static uint8_t pattern[2048];

static const struct guestcall *make_shape(const struct shape *s, bool wide)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + 1);
	put(AT, pattern, sizeof(pattern));
	return s->args == 3 ? make(wide, s->number, s->sub, 2, AT)
			    : make(wide, s->number, s->sub, AT, 0x2222);
}

/* Two of them have a result that is not 0. */
static void expect_result(const struct shape *s)
{
	uint8_t taken[1024] = {0};
	uint64_t rax = 1;
	bool good = s->number == VERSION && (s->sub == 0 || s->sub == 7);

	assert_int_equal(guestcall_accept(&call, &rax, taken), good);
	rax = 0;
	assert_true(guestcall_accept(&call, &rax, taken));
}

static void shapes_pass(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *s = &shapes[i];

		for (unsigned int wide = 0; wide < 2; wide++) {
			print_message("%s, %s\n", s->name, wide ? "wide" : "compat");
			make_shape(s, wide);
			expect_pass(s->args, s->bytes[wide] ? 1 : 0);
			assert_int_equal(call.effect, GUESTCALL_NOTHING);
			if (s->bytes[wide])
				expect_operand(0, AT, s->bytes[wide], s->taken_at, s->taken[wide],
					       pattern, s->shown[wide]);
			expect_result(s);
			/* Nothing is read but what is shown. */
			for (size_t n = 0; n < MEMORY; n++)
				assert_int_equal(reads[n], n >= 0x40 && n < 0x40u + s->shown[wide]);
		}
	}
}

static bool known(unsigned int number, unsigned int sub)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (shapes[i].number == number && shapes[i].sub == sub)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i][0] == number && others[i][1] == sub)
			return true;
	return false;
}

/* Among them multicall, grants, FIFO event channels, time areas, vCPU creation, physdev_op. */
static void all_others_are_unknown(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++)
		for (unsigned int number = 0; number < 300; number++)
			for (unsigned int sub = 0; sub < 64; sub++) {
				memset(memory, 0, MEMORY);
				make(wide, number, sub, AT, AT);
				if (known(number, sub))
					assert_true(call.pass || (int32_t)call.answer != ERR_NOSYS);
				else
					expect_answer(ERR_NOSYS);
			}
	/* Bits that do not fit, or that Xen would see. */
	make(true, VERSION, 256, AT, 0);
	expect_answer(ERR_NOSYS);
	make(true, VERSION, (uint64_t)1 << 32, AT, 0);
	expect_answer(ERR_NOSYS);
	make(true, ((uint64_t)1 << 32) + VERSION, 0, AT, 0);
	expect_answer(ERR_NOSYS);
	make(false, 0x80000000u + VERSION, 0, AT, 0);
	expect_answer(ERR_NOSYS);
}

static void only_the_kernel_calls(void **state)
{
	for (request.cpl = 1; request.cpl < 4; request.cpl++)
		for (unsigned int wide = 0; wide < 2; wide++)
			for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
				make_shape(&shapes[i], wide);
				expect_answer(ERR_PERM);
				for (size_t n = 0; n < MEMORY; n++)
					assert_int_equal(reads[n], 0);
			}
	request.cpl = 3;
	make(true, VCPU, 5, 0, AT);
	expect_answer(ERR_PERM);
	make(true, 13, AT, 1, 0);
	expect_answer(ERR_PERM);
	request.cpl = 0;
}

static void structures_that_cannot_be_read(void **state)
{
	make(true, EVENT, 4, BASE + MEMORY - 3, 0);
	expect_answer(ERR_FAULT);
	make(true, EVENT, 4, BASE + MEMORY - 4, 0);
	expect_pass(2, 1);
	make(true, EVENT, 4, 0, 0);
	expect_answer(ERR_FAULT);
	/* The end of the address space, whether anything of it is read or not. */
	make(true, VERSION, 8, UINT64_MAX - 14, 0);
	expect_answer(ERR_FAULT);
	make(true, VERSION, 8, UINT64_MAX - 15, 0);
	expect_pass(2, 1);
	make(false, VERSION, 8, UINT32_MAX - 14, 0);
	expect_answer(ERR_FAULT);
	make(false, VERSION, 8, UINT32_MAX - 15, 0);
	expect_pass(2, 1);
	make(true, VERSION, 8, UINT32_MAX - 14, 0);
	expect_pass(2, 1);
}

static void runstate_areas_are_dropped(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		make(wide, VCPU, 5, 0, AT);
		expect_answer(0);
		for (size_t n = 0; n < MEMORY; n++)
			assert_int_equal(reads[n], 0);
		make(wide, VCPU, 13, 0, AT);
		expect_answer(ERR_NOSYS);
	}
}

static void console_writes_are_bounded(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		uint8_t text[PAGE_SIZE];

		memset(text, 'x', sizeof(text));
		put(AT, text, sizeof(text));
		make(wide, CONSOLE, 0, sizeof(text), AT);
		expect_pass(3, 1);
		expect_operand(0, AT, PAGE_SIZE, 0, 0, text, PAGE_SIZE);
		put(AT, "hello", 5);
		make(wide, CONSOLE, 0, 5, AT);
		expect_pass(3, 1);
		expect_operand(0, AT, 5, 0, 0, "hello", 5);
		make(wide, CONSOLE, 0, 0, AT);
		expect_pass(3, 0);
		make(wide, CONSOLE, 0, PAGE_SIZE + 1, AT);
		expect_answer(ERR_2BIG);
		make(wide, CONSOLE, 0, UINT32_MAX, AT);
		expect_answer(ERR_2BIG);
		make(wide, CONSOLE, 1, 16, AT); /* read */
		expect_answer(ERR_NOSYS);
	}
	make(true, CONSOLE, 0, ((uint64_t)1 << 32) + 1, AT);
	expect_answer(ERR_2BIG);
}

static void vcpu_info(void **state)
{
	static const struct {
		struct vcpu_place place;
		uint64_t vcpu;
		bool good;
	} rows[] = {
		{{0x1234, 0, 0}, 0, true},
		{{0x1234, 0xfc0, 0}, 3, true},
		{{GUESTCALL_GFN_END - 1, 0x88, 1}, UINT32_MAX, true},
		{{GUESTCALL_GFN_END, 0, 0}, 0, false},
		{{UINT64_MAX, 0, 0}, 0, false},
		{{0x1234, 0xfc8, 0}, 0, false},
		{{0x1234, 0x1000, 0}, 0, false},
		{{0x1234, UINT32_MAX - 7, 0}, 0, false},
		{{0x1234, 4, 0}, 0, false},
	};

	for (unsigned int wide = 0; wide < 2; wide++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			put(AT, &rows[i].place, sizeof(rows[i].place));
			make(wide, VCPU, 10, rows[i].vcpu, AT);
			if (!rows[i].good) {
				expect_answer(ERR_INVAL);
				continue;
			}
			expect_pass(3, 1);
			expect_operand(0, AT, 16, 0, 0, &rows[i].place, 16);
			assert_int_equal(call.effect, GUESTCALL_VCPU_INFO);
			assert_int_equal(call.to, rows[i].place.gfn);
			assert_int_equal(call.offset, rows[i].place.offset);
			assert_int_equal(call.vcpu, rows[i].vcpu);
			assert_int_equal(call.count, 1);
		}
	put(AT, &rows[0].place, sizeof(rows[0].place));
	make(true, VCPU, 10, (uint64_t)1 << 32, AT);
	expect_answer(ERR_INVAL);
}

/* Whoever waits for ever would keep windows open for ever. */
static void a_poll_is_a_yield(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		make(wide, SCHED, 3, 0, 0); /* nothing is read */
		assert_true(call.pass);
		assert_int_equal(call.operands, 0);
		for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
			assert_int_equal(call.arg[i], 0);
	}
}

static void params(void **state)
{
	static const uint64_t set = 1 | 1 << 19 | (uint64_t)1 << 34 | (uint64_t)1 << 37;
	static const uint64_t get = 1 << 1 | 1 << 2 | 1 << 17 | 1 << 18;

	for (unsigned int wide = 0; wide < 2; wide++)
		for (unsigned int index = 0; index < 130; index++) {
			struct param p = {SELF, index, 0x1111};
			bool may_set = index < 64 && set >> index & 1;
			bool may_get = index < 64 && get >> index & 1;

			memset((uint8_t *)&p + 2, 0, 2);
			put(AT, &p, sizeof(p));
			make(wide, HVM, 0, AT, 0);
			if (may_set) {
				expect_pass(2, 1);
				expect_operand(0, AT, 16, 0, 0, &p, 16);
			} else {
				expect_answer(ERR_INVAL);
			}
			put(AT, &p, sizeof(p));
			make(wide, HVM, 1, AT, 0);
			if (may_get) {
				expect_pass(2, 1);
				expect_operand(0, AT, 16, 8, 8, &p, 8);
			} else {
				expect_answer(ERR_INVAL);
			}
			p.domid = 0; /* dom0 */
			put(AT, &p, sizeof(p));
			make(wide, HVM, 0, AT, 0);
			expect_answer(ERR_PERM);
			put(AT, &p, sizeof(p));
			make(wide, HVM, 1, AT, 0);
			expect_answer(ERR_PERM);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_pass),
		cmocka_unit_test(all_others_are_unknown),
		cmocka_unit_test(only_the_kernel_calls),
		cmocka_unit_test(structures_that_cannot_be_read),
		cmocka_unit_test(runstate_areas_are_dropped),
		cmocka_unit_test(console_writes_are_bounded),
		cmocka_unit_test(vcpu_info),
		cmocka_unit_test(a_poll_is_a_yield),
		cmocka_unit_test(params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
