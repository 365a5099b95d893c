/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU makes one hypercall after the other, while another CPU asks what the call lets L1 do, as it does
 * for L1's stores into the guest's table.
 */
#include <pthread.h>

#include "tests/unit/test_machine.h"

#define LIST 0x2000u
#define GIVEN 0x100u /* gfns that the guest gives up */
#define TEXT 0x4141u /* what it prints otherwise, taken for a gfn */
#define ROUNDS 3000000u

static uint64_t gfns[512], text[512];
static struct guest_vcpu vcpu;
static struct disclosure disclosure;
static struct guest guest;
static bool stop;

static int read_guest(void *context, gva_t gva, void *buf, size_t n)
{
	const struct {
		uint64_t list, count;
		uint32_t order, flags;
		uint16_t domid;
	} release = {.list = LIST, .count = 512, .domid = 0x7ff0};

	if (gva.a == 0x1000)
		memcpy(buf, &release, n);
	else
		memcpy(buf, gva.a == LIST ? gfns : text, n);
	return 0;
}

/* What disclose() and disclose_accept() do about calls. */
static void *guest_calls(void *unused)
{
	static const struct guestcall_request request[] = {
		{.number = 12, .arg = {1, 0x1000}, .wide = true, .read = read_guest},
		{.number = 18, .arg = {0, PAGE_SIZE, 0x3000}, .wide = true, .read = read_guest},
	};

	for (unsigned int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		guestcall_decide(&request[i % 2], &disclosure.call);
		assert_true(disclosure.call.pass);
		__atomic_add_fetch(&guest.calls, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&disclosure.accept, ACCEPT_CALL, __ATOMIC_RELEASE);
		for (volatile unsigned int j = 0; j < 300; j++)
			;
		disclose_forget(&vcpu);
		for (volatile unsigned int j = 0; j < 300; j++)
			;
	}
	return NULL;
}

static void effects_of_one_call(void **state)
{
	unsigned int given = 0;
	pthread_t thread;

	vcpu = (struct guest_vcpu){.guest = &guest, .disclosure = &disclosure};
	for (unsigned int i = 0; i < 512; i++) {
		gfns[i] = GIVEN + i;
		text[i] = TEXT;
	}
	assert_int_equal(pthread_create(&thread, NULL, guest_calls, NULL), 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		assert_false(disclose_effect(&vcpu, &guest, GUESTCALL_RELEASE,
					     GPA((uint64_t)TEXT << PAGE_SHIFT), NULL));
		given += disclose_effect(&vcpu, &guest, GUESTCALL_RELEASE,
					 GPA((GIVEN + 511) << PAGE_SHIFT), NULL);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(given); /* both sides did something */
}

static void of_another_guest(void **state)
{
	static struct guest other;

	vcpu = (struct guest_vcpu){.guest = &guest, .disclosure = &disclosure};
	disclosure.accept = ACCEPT_CALL;
	disclosure.call = (struct guestcall){.effect = GUESTCALL_SHARE, .count = 1, .to = GIVEN};
	assert_true(
		disclose_effect(&vcpu, &guest, GUESTCALL_SHARE, GPA(GIVEN << PAGE_SHIFT), NULL));
	assert_false(
		disclose_effect(&vcpu, &other, GUESTCALL_SHARE, GPA(GIVEN << PAGE_SHIFT), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(effects_of_one_call),
		cmocka_unit_test(of_another_guest),
	};

	return RUN_APART(tests);
}
