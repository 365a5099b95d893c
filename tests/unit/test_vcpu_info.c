/* SPDX-License-Identifier: Apache-2.0 */
/* Events and time, carried between Xen's vcpu_info in the shared page and the guest's own. */
#include "tests/unit/test_isolated.h"

#define SHARED_GPA (SMALL + 100 * PAGE_SIZE)
#define SHARED_HPA SPARE
#define OWN_AT AT(25) /* the guest's page with its own ones */
#define OWN_GPA (SMALL + 25 * PAGE_SIZE)
#define ARGS AT(30)
#define BYTES 64u
/* Offsets in struct vcpu_info */
#define PENDING 0u
#define MASK 1u
#define SELECTOR 8u
#define TIME 32u

static uint8_t was[PAGE_SIZE]; /* the guest's page */

static uint8_t *xens(unsigned int vcpu)
{
	return fake_at(HPA(SHARED_HPA + vcpu * BYTES), BYTES);
}

static uint8_t *own(unsigned int offset)
{
	return fake_at(HPA(hpa_at(OWN_AT) + offset), BYTES);
}

static uint64_t *selector(uint8_t *info)
{
	return (uint64_t *)(void *)(info + SELECTOR);
}

static uint32_t *version(uint8_t *info)
{
	return (uint32_t *)(void *)(info + TIME);
}

static uint64_t calls(uint64_t number, uint64_t first, uint64_t second, uint64_t third,
		      enum disclose_result want)
{
	const struct guest_exit x = {.reason = EXIT_HYPERCALL};
	uint64_t *r = cpu->regs.r;

	cpu->hw->guest_insn_len = 3;
	cpu->regs.rip = GUEST_CODE;
	r[RAX] = number;
	r[RDI] = first;
	r[RSI] = second;
	r[RDX] = third;
	assert_int_equal(leave_guest(&x), want);
	return r[RAX];
}

/* VCPUOP_register_vcpu_info */
static int64_t registers(uint64_t vcpu, uint64_t gpa)
{
	const struct {
		uint64_t gfn;
		uint32_t offset, pad;
	} args = {gpa >> PAGE_SHIFT, (uint32_t)page_offset(gpa), 0};
	uint64_t answer;

	memcpy(fake_at(HPA(hpa_at(ARGS)), sizeof(args)), &args, sizeof(args));
	answer = calls(24, 10, vcpu, ARGS, DISCLOSE_AGAIN);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	return (int64_t)answer;
}

/* XENMAPSPACE_shared_info */
static void gets_shared_info(void)
{
	const struct {
		uint16_t domain, size;
		uint32_t space;
		uint64_t index, gfn;
	} args = {0x7ff0, 0, 0, 0, SHARED_GPA >> PAGE_SHIFT};

	memcpy(fake_at(HPA(hpa_at(ARGS)), sizeof(args)), &args, sizeof(args));
	calls(12, 7, ARGS, 0, DISCLOSE_TELL);
	assert_true(l1_maps(SHARED_GPA, 1, leaf(SHARED_HPA, 1)));
	cpu->regs.rip = 3;
	cpu->regs.r[RAX] = 0;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
}

static void keep(void)
{
	memcpy(was, own(0), PAGE_SIZE);
}

static void expect_unchanged(void)
{
	assert_memory_equal(own(0), was, PAGE_SIZE);
}

/* A PVH guest with two vCPUs' infos, of which this is the second. */
static void begin(void)
{
	launch_on(2, false);
	gets_shared_info();
	assert_int_equal(registers(0, OWN_GPA), 0);
	assert_int_equal(registers(1, OWN_GPA + 0x100), 0);
	v->xen_id = 1;
	memset(xens(0), 0, PAGE_SIZE);
	memset(own(0), 0, PAGE_SIZE);
	keep();
}

static void comes_out(void)
{
	const struct guest_exit x = {.reason = EXIT_HLT};

	cpu->hw->guest_insn_len = 1;
	assert_int_equal(leave_guest(&x), DISCLOSE_TELL);
}

static void an_event_comes(void **state)
{
	begin();
	xens(1)[PENDING] = 1;
	xens(1)[MASK] = 1;
	*selector(xens(1)) = 0x8000000000000001u;
	*selector(own(0x100)) = 4;
	memset(xens(1) + 16, 0xee, 16); /* what means nothing here */
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(own(0x100)[PENDING], 1);
	assert_int_equal(*selector(own(0x100)), 0x8000000000000005u);
	assert_int_equal(xens(1)[PENDING], 0);
	assert_int_equal(*selector(xens(1)), 0);
	was[0x100] = 1;
	*selector(&was[0x100]) = 0x8000000000000005u;
	expect_unchanged();
}

/* Until the guest has seen it Xen knows that it is pending, and says so once. */
static void and_stays_until_it_is_seen(void **state)
{
	begin();
	xens(1)[PENDING] = 1;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	comes_out();
	assert_int_equal(xens(1)[PENDING], 1);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	own(0x100)[PENDING] = 0;
	comes_out();
	assert_int_equal(xens(1)[PENDING], 0);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
}

static void of_its_own_vcpu(void **state)
{
	begin();
	xens(0)[PENDING] = 1;
	xens(2)[PENDING] = 1;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
	v->xen_id = UINT8_MAX; /* it has not asked who it is */
	xens(1)[PENDING] = 1;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
	v->xen_id = 32;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	v->xen_id = 2; /* who has not said where */
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
	v->xen_id = 0;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(own(0)[PENDING], 1);
	assert_int_equal(xens(1)[PENDING], 1);
}

static void the_time(void **state)
{
	begin();
	memset(xens(1) + TIME, 0x11, 32);
	*version(xens(1)) = 7; /* Xen is writing */
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
	*version(xens(1)) = 8;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_memory_equal(own(0x100) + TIME, xens(1) + TIME, 32);
	keep();
	memset(xens(1) + TIME + 4, 0x22, 28);
	assert_int_equal(enter(), GUEST_ENTRY_OK); /* the same version: nothing is new */
	expect_unchanged();
	*version(xens(1)) = 10;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_memory_equal(own(0x100) + TIME, xens(1) + TIME, 32);
	comes_out();
	assert_int_equal(*version(xens(1)), 10);
}

static void places_that_are_refused(void **state)
{
	struct vcpu_infos infos = {0};

	assert_int_equal(vcpu_info_register(&infos, 32, GPA(OWN_GPA)), ERR_INVAL);
	assert_int_equal(vcpu_info_register(&infos, UINT32_MAX, GPA(OWN_GPA)), ERR_INVAL);
	assert_int_equal(vcpu_info_register(&infos, 31, GPA(OWN_GPA + PAGE_SIZE - 63)), ERR_INVAL);
	assert_int_equal(infos.at[31].gpa.a, 0);
	assert_int_equal(vcpu_info_register(&infos, 31, GPA(OWN_GPA + PAGE_SIZE - 64)), 0);
	assert_int_equal(infos.at[31].gpa.a, OWN_GPA + PAGE_SIZE - 64);
	begin();
	assert_int_equal(registers(32, OWN_GPA), ERR_INVAL);
	assert_int_equal(registers(31, OWN_GPA + PAGE_SIZE - 64), 0);
	v->xen_id = 31;
	xens(31)[PENDING] = 1;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(own(PAGE_SIZE - 64)[PENDING], 1);
}

/* Where the guest has no page of its own, or Xen none of Xen's. */
static void places_that_are_not_there(void **state)
{
	const uint64_t bad[] = {SHARED_GPA + 0x800, SMALL + 200 * PAGE_SIZE, SHARED_PVH,
				(uint64_t)1 << 48, DEVICE};
	uint64_t hpa;

	begin();
	xens(1)[PENDING] = 1;
	*selector(xens(1)) = 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t shared[PAGE_SIZE], ring[PAGE_SIZE];

		memcpy(shared, fake_at(HPA(SHARED_HPA), PAGE_SIZE), PAGE_SIZE);
		memcpy(ring, fake_at(HPA(shared_page()), PAGE_SIZE), PAGE_SIZE);
		assert_int_equal(registers(1, bad[i]), 0);
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		comes_out();
		assert_memory_equal(fake_at(HPA(SHARED_HPA), PAGE_SIZE), shared, PAGE_SIZE);
		assert_memory_equal(fake_at(HPA(shared_page()), PAGE_SIZE), ring, PAGE_SIZE);
		disclose_forget(v);
	}
	assert_int_equal(registers(1, OWN_GPA + 0x100), 0);
	keep(); /* that was an entry, too */
	own(0x100)[PENDING] = 0;
	keep();
	/* A private page in shared_info's place: it is the guest's, and not what L1 says */
	assert_true(l1_maps(SHARED_GPA, 1, leaf(SPARE + MIB, 1)));
	memset(fake_at(HPA(SPARE + MIB), PAGE_SIZE), 1, PAGE_SIZE);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	expect_unchanged();
	assert_int_equal(*(uint8_t *)fake_at(HPA(SPARE + MIB + BYTES), 1), 1);
	/* L1 takes the guest's page away */
	hpa = hpa_at(OWN_AT);
	assert_true(l1_maps(OWN_GPA, 1, 0));
	memcpy(was, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	comes_out();
	assert_memory_equal(fake_at(HPA(hpa), PAGE_SIZE), was, PAGE_SIZE);
}

/* L1 gives the guest's page back in other memory, as it was; the old one is L1's. */
static void a_page_that_moves(void **state)
{
	uint64_t hpa;

	begin();
	hpa = hpa_at(OWN_AT);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_true(l1_maps(OWN_GPA, 1, 0));
	memcpy(fake_at(HPA(SPARE + MIB), PAGE_SIZE), fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	assert_true(l1_maps(OWN_GPA, 1, leaf(SPARE + MIB, 1)));
	memset(fake_at(HPA(hpa), PAGE_SIZE), 0, PAGE_SIZE);
	xens(1)[PENDING] = 1;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(own(0x100)[PENDING], 1);
	assert_true(is_zero(fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE));
}

/* The guest has not asked for the page. */
static void without_shared_info(void **state)
{
	launch_on(2, false);
	assert_int_equal(registers(0, OWN_GPA), 0);
	v->xen_id = 0;
	keep();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	comes_out();
	expect_unchanged();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_comes),
		cmocka_unit_test(and_stays_until_it_is_seen),
		cmocka_unit_test(of_its_own_vcpu),
		cmocka_unit_test(the_time),
		cmocka_unit_test(places_that_are_refused),
		cmocka_unit_test(places_that_are_not_there),
		cmocka_unit_test(a_page_that_moves),
		cmocka_unit_test(without_shared_info),
	};

	return RUN_APART(tests);
}
