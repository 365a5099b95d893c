/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a release costs the monitor in all: release_take(), from the message in L1's memory to a disk that is attached, on the software
 * machine, built without sanitizers. A line, of all rounds sorted: take BEST MEDIAN, in operations a second of the thread's CPU time. The
 * tenant's seal and the agent that then gives up the disk are not in it.
 */
#include "tests/unit/test_released.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 40u
#define TIMES 50u /* a round */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The agent fails, and the place of the disk is free again. */
static void give_up(void)
{
	struct mailbox_at m = {.space = &cpu->hw->space, .linear = true, .address = MAILBOX};
	struct mailbox *box = fake_at(HPA(MAILBOX), PAGE_SIZE);
	struct disk_receipt none;

	assert_int_equal(disks_serve(disk_number, &m, &none), ERR_AGAIN);
	box->status = ERR_IO;
	box->answered = box->sequence;
	assert_int_equal(disks_serve(disk_number, &m, &none), ERR_IO);
}

/* Seconds of one, whose id is like no other's. */
static double take_one(void)
{
	static uint32_t serial;
	struct release_message m;
	struct release r = a_release();
	double start;

	serial++;
	memcpy(r.id + 4, &serial, sizeof(serial));
	m = sealed_by(&r, tenant_key);
	memcpy(fake_at(HPA(MESSAGE), sizeof(m)), &m, sizeof(m));
	as_l1();
	start = seconds();
	assert_int_equal(release_take(&cpu->hw->space, GVA(MESSAGE), HPA(GUEST_PAGE), &disk_number),
			 0);
	start = seconds() - start;
	give_up();
	return start;
}

static void measure(void)
{
	double rate[ROUNDS];

	prepare();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		double sum = 0;

		for (unsigned int i = 0; i < TIMES; i++)
			sum += take_one();
		rate[round] = TIMES / sum;
		time_goes(RELEASE_EXPIRY_MAX); /* what was taken in the round is over */
	}
	qsort(rate, ROUNDS, sizeof(rate[0]), descending);
	printf("take %.0f %.0f\n", rate[0], rate[ROUNDS / 2]);
}

int main(void)
{
	measure();
	return 0;
}
