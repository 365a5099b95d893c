/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with an isolated guest to come, a tenant with an image, and an honest agent: what releases of keys are tried with. The TPM and
 * the time are the test's.
 */
#ifndef TESTS_TEST_RELEASED_H
#define TESTS_TEST_RELEASED_H

// clang-format off: arch.h has locals of names that test_disk.h gives to the world
#include "tests/unit/test_isolated.h"
#include "tests/unit/test_disk.h"
// clang-format on

#include <sys/mman.h>

#include "attest/tenant/release_seal.h"
#include "crypto/x25519.h"
#include "monitor/disks.h"
#include "monitor/fake/port.h"
#include "monitor/identity.h"
#include "monitor/measure.h"
#include "monitor/release.h"
#include "monitor/uptime.h"

#define TIMER 0x608u
#define MESSAGE (SPARE + MIB) /* in L1's memory, as the mailbox */
#define MAILBOX SPARE
#define GUEST_PAGE (PAGES + 3 * PAGE_SIZE)

static bool measured = true;
static uint8_t tenant_key[32] = {7, 1}, tenant_public[32];

bool __wrap_measure_done(void);
bool __wrap_measure_done(void)
{
	return measured;
}

/* --- time -------------------------------------------------------------------------------------- */

#define STANDS (1ull << 50)
static uint64_t origin; /* the counter when the clock began */

/* Behind what was read last, the clock stands. It goes on only by this. */
static inline void time_goes(uint64_t ms)
{
	const uint64_t to = uptime_ticks() + ms * uptime_rate();

	cpu->tsc_moved = arch_rdtsc() - origin - to;
	uptime_ticks();
	cpu->tsc_moved += STANDS;
}

static inline void start_clock(void)
{
	const struct fadt fadt = {.timer = {ACPI_PORT, 4, TIMER}};

	fake_ports_reset();
	fake_port_timer(TIMER, 100);
	cpu->tsc_moved = 0;
	uptime_init(&fadt);
	assert_true(uptime_rate() > 0);
	origin = arch_rdtsc() - uptime_ticks();
	time_goes(10 * RELEASE_EXPIRY_MAX);
}

/* --- the tenant -------------------------------------------------------------------------------- */

/* For the guest's drive 1; in time, without a lease; the guest's digest is to be filled in. */
static inline struct release a_release(void)
{
	static uint8_t serial;
	struct release r = {.id = {0xa1, ++serial},
			    .expires = uptime_ms() + 1000,
			    .drive = 1,
			    .plain = 8,
			    .generation = w.receipt.generation,
			    .root_known = 1};

	memcpy(r.root, w.receipt.root, sizeof(r.root));
	memcpy(r.uuid, w.made.uuid, sizeof(r.uuid));
	memcpy(r.key_id, w.keys.id, sizeof(r.key_id));
	memcpy(r.xts, w.keys.xts, sizeof(r.xts));
	memcpy(r.tag, w.keys.tag, sizeof(r.tag));
	return r;
}

static inline struct release_message sealed_by(const struct release *r, const uint8_t key[32])
{
	struct release_message m;
	struct measured_keys keys;
	uint8_t ephemeral[32];

	identity_public(&keys);
	assert_int_equal(crypto_random(ephemeral, sizeof(ephemeral)), 0);
	assert_int_equal(release_seal(&m, r, keys.receive, key, ephemeral), 0);
	return m;
}

/* --- L1 ---------------------------------------------------------------------------------------- */

static uint64_t disk_number;

static inline int give_message(const struct release_message *m, uint64_t page)
{
	memcpy(fake_at(HPA(MESSAGE), sizeof(*m)), m, sizeof(*m));
	as_l1();
	return release_take(&cpu->hw->space, GVA(MESSAGE), HPA(page), &disk_number);
}

static inline int give(const struct release *r)
{
	struct release_message m = sealed_by(r, tenant_key);

	return give_message(&m, GUEST_PAGE);
}

static inline void agent(void)
{
	struct mailbox *box = fake_at(HPA(MAILBOX), MAILBOX_PAGES * PAGE_SIZE);
	uint8_t *data = (uint8_t *)box + PAGE_SIZE;

	for (uint32_t i = 0; i < box->count; i++) {
		const struct mailbox_request *q = &box->request[i];

		if (q->op == MAILBOX_READ)
			store_read(&w.store, q->file, q->offset, data + q->at, q->bytes);
		if (q->op == MAILBOX_WRITE)
			store_write(&w.store, q->file, q->offset, data + q->at, q->bytes);
	}
	box->status = 0;
	box->answered = box->sequence;
}

/* Opens the disk, or closes it. */
static inline int serve_disk(uint64_t number)
{
	struct mailbox_at m = {.space = &cpu->hw->space, .linear = true, .address = MAILBOX};
	struct disk_receipt receipt;
	int err;

	as_l1();
	while ((err = disks_serve(number, &m, &receipt)) == ERR_AGAIN)
		agent();
	if (!err && receipt.generation)
		w.receipt = receipt;
	return err;
}

/* The digest that the guest will have, by a launch in another process. */
static inline void guest_digest(uint8_t out[DIGEST_BYTES])
{
	uint8_t *shared =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		assert_int_equal(launch_declare(HPA(GUEST_PAGE), true), 0);
		take();
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		memcpy(shared, launch_of(guest_number(guest)).digest, DIGEST_BYTES);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	memcpy(out, shared, DIGEST_BYTES);
	munmap(shared, PAGE_SIZE);
}

/* Before the guest's launch. */
static inline void prepare(void)
{
	build(2, true);
	disks_init();
	assert_int_equal(identity_init(&why), 0);
	crypto_x25519_public(tenant_public, tenant_key);
	make_image(4096, 65536);
	start_clock();
}

/* How many disks the monitor has, and (if there is one) the last of them. */
static inline unsigned int disks_now(struct disk_summary *last)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < DISKS_MAX; i++)
		n += !disks_summary(i, last);
	return n;
}

#endif
