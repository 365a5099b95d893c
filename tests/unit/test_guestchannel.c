/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's hypercalls about channels: registers, what they point to, and who may make them. */
#include "tests/unit/test_disclose.h"

#include "monitor/channel.h"

#define ARGS AT(40) /* where the guest has its structures */
#define PAGE_GPA (SMALL + 30 * PAGE_SIZE)

/* The call is answered without L1. */
static int64_t calls(uint64_t call, uint64_t rdx, uint64_t rsi)
{
	struct guest_exit x = {.reason = EXIT_HYPERCALL};

	for (unsigned int i = RBX; i <= R15; i++)
		cpu->regs.r[i] = 0x77 + i;
	cpu->regs.r[RAX] = CHANNEL_MAGIC;
	cpu->regs.r[RCX] = call;
	cpu->regs.r[RDX] = rdx;
	cpu->regs.r[RSI] = rsi;
	cpu->hw->guest_insn_len = 3;
	assert_int_equal(leave_guest(&x), DISCLOSE_AGAIN);
	return (int64_t)cpu->regs.r[RAX];
}

static void put(uint64_t gva, const void *bytes, size_t n)
{
	memcpy(fake_at(HPA(hpa_at(gva)), n), bytes, n);
}

static struct channel_offer an_offer(void)
{
	struct channel_offer o = {.service = "up",
				  .peer = CHANNEL_PEER_HOST,
				  .extents = 1,
				  .extent = {{PAGE_GPA >> PAGE_SHIFT, 2, 0}}};

	return o;
}

static void version(void **state)
{
	launch();
	assert_int_equal(calls(CHANNEL_VERSION, 0, 0), 0);
	assert_int_equal(cpu->regs.r[RBX], CHANNEL_ABI);
	assert_int_equal(cpu->regs.r[R8], CHANNEL_APERTURE);
	assert_int_equal(cpu->regs.r[R9], CHANNEL_APERTURE_BYTES);
	assert_int_equal(cpu->regs.r[R10], guest->id);
	assert_int_equal(cpu->regs.r[R11], 0x77 + R11);
	assert_int_equal(calls(6, 0, 0), CHANNEL_ENOSYS);
	assert_int_equal(calls(UINT64_MAX, 0, 0), CHANNEL_ENOSYS);
}

static void an_offer_and_its_end(void **state)
{
	struct channel_offer o = an_offer();
	uint64_t id;

	launch();
	put(ARGS, &o, sizeof(o));
	assert_int_equal(calls(CHANNEL_OFFER, ARGS, 0), 0);
	id = cpu->regs.r[RBX];
	assert_int_equal(owner_kind(owner_of(HPA(hpa_of(PAGE_GPA)))), OWNER_CHANNEL);
	assert_int_equal(calls(CHANNEL_STATUS, id, 0), 0);
	assert_int_equal(cpu->regs.r[RBX], CHANNEL_OFFERED);
	assert_int_equal(cpu->regs.r[R8], 0);
	assert_int_equal(cpu->regs.r[R9], 0);
	assert_int_equal(cpu->regs.r[R10], 2);
	assert_int_equal(cpu->regs.r[R11], CHANNEL_REASON_NONE);
	assert_int_equal(calls(CHANNEL_PENDING, 0, 0), CHANNEL_ENOENT);
	assert_int_equal(calls(CHANNEL_PENDING, id, 3), CHANNEL_EINVAL);
	assert_int_equal(calls(CHANNEL_CLOSE, id, CHANNEL_REASON_CLOSED), 0);
	assert_int_equal(calls(CHANNEL_STATUS, id, 0), CHANNEL_ENOENT);
	assert_int_equal(owner_kind(owner_of(HPA(hpa_of(PAGE_GPA)))), OWNER_GUEST);
}

/* The structure is the guest's own memory, in one page, whole. */
static void arguments(void **state)
{
	struct channel_offer o = an_offer();
	const size_t used = offsetof(struct channel_offer, extent) + sizeof(o.extent[0]);

	launch();
	put(AT(41) - used, &o, used);
	assert_int_equal(calls(CHANNEL_OFFER, AT(41) - used, 0), 0); /* up to the page's end */
	o.extents = 2;
	put(AT(41) - used, &o, used);
	assert_int_equal(calls(CHANNEL_OFFER, AT(41) - used, 0), CHANNEL_EFAULT);
	assert_int_equal(calls(CHANNEL_OFFER, AT(41) - 8, 0), CHANNEL_EFAULT);
	assert_int_equal(calls(CHANNEL_OFFER, AT_DEVICE, 0), CHANNEL_EFAULT);
	assert_int_equal(calls(CHANNEL_OFFER, AT_SHARED, 0), CHANNEL_EFAULT); /* L1's */
	assert_int_equal(calls(CHANNEL_OFFER, 0, 0), CHANNEL_EFAULT);
	assert_int_equal(calls(CHANNEL_ACCEPT, AT(41) - 8, 0), CHANNEL_EFAULT);
	o = an_offer();
	o.extents = CHANNEL_EXTENTS_MAX + 1;
	put(ARGS, &o, sizeof(o));
	assert_int_equal(calls(CHANNEL_OFFER, ARGS, 0), CHANNEL_EINVAL);
	/* A page that is a channel's already holds no arguments. */
	assert_int_equal(calls(CHANNEL_OFFER, AT(30), 0), CHANNEL_EFAULT);
}

static int64_t calls_as(enum decode_mode mode, uint8_t cpl)
{
	struct guest_exit x = {.reason = EXIT_HYPERCALL};

	cpu->regs.r[RAX] = CHANNEL_MAGIC;
	cpu->regs.r[RCX] = CHANNEL_VERSION;
	as_guest();
	cpu->hw->mode = mode;
	cpu->hw->space.cpl = cpl;
	assert_int_equal(disclose(cpu, v, &x), DISCLOSE_AGAIN);
	return (int64_t)cpu->regs.r[RAX];
}

static void who_may(void **state)
{
	launch();
	cpu->hw->guest_insn_len = 3;
	assert_int_equal(calls_as(DECODE_64, 0), 0);
	assert_int_equal(calls_as(DECODE_64, 3), CHANNEL_EPERM);
	assert_int_equal(calls_as(DECODE_32, 0), (uint32_t)CHANNEL_EPERM);
	assert_int_equal(calls_as(DECODE_16, 0), (uint32_t)CHANNEL_EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version),
		cmocka_unit_test(an_offer_and_its_end),
		cmocka_unit_test(arguments),
		cmocka_unit_test(who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
