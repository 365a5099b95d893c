/* SPDX-License-Identifier: Apache-2.0 */
/* Releases of keys, from the message to the guest's disk: what the monitor takes, once, for whom, and until when. */
#include "tests/unit/test_released.h"

static struct disk_summary last;

static int drive_kind(unsigned int drive)
{
	return guest->protection.disks.ide.channel[drive / 2].drive[drive % 2].kind;
}

/* The guest's launch with a disk that is open, released as given but for the digest, which is the guest's. */
static void launch_with(struct release *r)
{
	guest_digest(r->digest);
	assert_int_equal(give(r), 0);
	assert_int_equal(serve_disk(disk_number), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
}

/* --- what is left of keys in the monitor's memory ------------------------------------------------ */

extern char __bss_start[], _end[];

static uint8_t hidden_key[16];

static void hide_key(const struct release *r)
{
	for (unsigned int i = 0; i < sizeof(hidden_key); i++)
		hidden_key[i] = r->xts[i] ^ 0x5a;
}

/* Without the sanitizer, which keeps gaps between variables. */
static __attribute__((no_sanitize("address"))) bool in_memory(const char *from, const char *to)
{
	for (const char *at = from; at + sizeof(hidden_key) <= to; at++) {
		unsigned int same = 0;

		while (same < sizeof(hidden_key) && (uint8_t)at[same] == (hidden_key[same] ^ 0x5a))
			same++;
		if (same == sizeof(hidden_key))
			return true;
	}
	return false;
}

/* The test's own copies are wiped first. */
static bool key_is_there(void)
{
	const char *block = mem_at(HPA(BLOCK));

	crypto_wipe(&w.keys, sizeof(w.keys));
	return in_memory(__bss_start, _end) || in_memory(block, block + BLOCK_SIZE);
}

/* --- tests --------------------------------------------------------------------------------------- */

static void given(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	hide_key(&r);
	launch_with(&r);
	assert_int_equal(disks_now(&last), 1);
	assert_int_equal(last.state, DISK_STATE_LIVE);
	assert_int_equal(last.number, disk_number);
	assert_int_equal(last.guest, guest->id);
	assert_int_equal(last.drive, 1);
	assert_memory_equal(last.tenant, tenant_public, 32);
	assert_memory_equal(last.release, r.id, 16);
	assert_memory_equal(last.uuid, r.uuid, 16);
	assert_true(guest->protection.disks.boot.sealed);
	assert_int_equal(drive_kind(0), IDE_REFUSED);
	assert_int_equal(drive_kind(1), IDE_ENCRYPTED);
	assert_int_equal(drive_kind(3), IDE_PLAIN);
	assert_true(key_is_there()); /* else its absence would say nothing */
	guest_end(guest, STOP_NONE);
	assert_false(key_is_there());
	assert_int_equal(disks_now(&last), 1);
	assert_int_equal(last.state, DISK_STATE_OVER);
	assert_int_equal(serve_disk(disk_number), 0);
	assert_int_equal(disks_now(&last), 0);
}

/* A guest that is not the one: no disk, no keys left, and the drive is not a plain one. */
static void another_digest(void **state)
{
	for (unsigned int bit = 0; bit < 256; bit += 51) {
		struct release r;

		prepare();
		r = a_release();
		hide_key(&r);
		guest_digest(r.digest);
		r.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(give(&r), 0);
		assert_int_equal(serve_disk(disk_number), 0);
		assert_true(key_is_there());
		take();
		assert_int_equal(enter(), GUEST_ENTRY_OK);
		assert_int_equal(disks_now(&last), 0);
		assert_int_equal(drive_kind(1), IDE_REFUSED);
		assert_int_equal(drive_kind(0), IDE_REFUSED);
		assert_true(guest->protection.disks.boot.sealed);
		assert_false(key_is_there());
	}
}

/* Not open when the guest starts: as if it were not there. */
static void not_open(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	hide_key(&r);
	guest_digest(r.digest);
	assert_int_equal(give(&r), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(disks_now(&last), 0);
	assert_int_equal(drive_kind(1), IDE_REFUSED);
	assert_false(key_is_there());
}

/* With a disk of the host's own making besides, which the guest could be booted from. */
static void two_tenants(void **state)
{
	const uint8_t other[32] = {9};
	struct release r, own;
	struct release_message m;
	uint64_t first;

	prepare();
	r = a_release();
	hide_key(&r);
	guest_digest(r.digest);
	assert_int_equal(give(&r), 0);
	assert_int_equal(serve_disk(disk_number), 0);
	first = disk_number;
	own = r;
	own.id[2] = own.uuid[0] = 0x77;
	own.drive = 0;
	m = sealed_by(&own, other);
	assert_int_equal(give_message(&m, GUEST_PAGE + PAGE_SIZE), 0);
	assert_int_not_equal(first, disk_number);
	crypto_wipe(&own, sizeof(own));
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(drive_kind(0), IDE_REFUSED);
	assert_int_equal(drive_kind(1), IDE_REFUSED);
	assert_int_equal(disks_now(&last), 0);
	crypto_wipe(&r, sizeof(r));
	assert_false(key_is_there());
}

/* The same, with one that nobody released (an image for development). */
static void released_and_not(void **state)
{
	struct mailbox_attach a = {.version = MAILBOX_VERSION, .uuid = {0x77}};
	struct release r;

	prepare();
	r = a_release();
	guest_digest(r.digest);
	assert_int_equal(give(&r), 0);
	assert_int_equal(serve_disk(disk_number), 0);
	assert_int_equal(disks_attach(HPA(GUEST_PAGE + PAGE_SIZE), &a, NULL, &disk_number), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(drive_kind(1), IDE_REFUSED);
	assert_int_equal(disks_now(&last), 0);
}

/* A message has an effect once, whatever came of it, and by whatever bytes it comes. */
static void taken_once(void **state)
{
	struct release_message m, again;
	struct release r;

	prepare();
	r = a_release();
	m = sealed_by(&r, tenant_key);
	again = sealed_by(&r, tenant_key);
	assert_int_equal(give_message(&m, GUEST_PAGE), 0);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
	assert_int_equal(give_message(&m, SPARE), ERR_STALE);
	assert_int_equal(give_message(&again, SPARE), ERR_STALE);
	assert_int_equal(serve_disk(disk_number), 0); /* opened, and closed unused */
	assert_int_equal(serve_disk(disk_number), 0);
	assert_int_equal(disks_now(&last), 0);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
	time_goes(1000);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
	time_goes(1);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
	time_goes(1000000);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
}

/* The image is in use, so it had no effect: it may come again. */
static void refused_and_again(void **state)
{
	struct release_message m, other;
	struct release r;

	prepare();
	r = a_release();
	m = sealed_by(&r, tenant_key);
	r.id[2]++;
	other = sealed_by(&r, tenant_key);
	assert_int_equal(give_message(&m, GUEST_PAGE), 0);
	assert_int_equal(give_message(&other, GUEST_PAGE + PAGE_SIZE), ERR_BUSY);
	assert_int_equal(serve_disk(disk_number), 0);
	assert_int_equal(give_message(&other, GUEST_PAGE), ERR_BUSY);
	assert_int_equal(serve_disk(disk_number), 0);
	assert_int_equal(give_message(&other, GUEST_PAGE), 0);
	assert_int_equal(give_message(&other, GUEST_PAGE), ERR_STALE);
}

static void expiry(void **state)
{
	struct release_message m;
	struct release r;

	prepare();
	r = a_release();
	r.expires = uptime_ms() - 1;
	assert_int_equal(give(&r), ERR_STALE);
	r.expires = uptime_ms() + RELEASE_EXPIRY_MAX + 1;
	assert_int_equal(give(&r), ERR_INVAL);
	r.expires = UINT64_MAX;
	assert_int_equal(give(&r), ERR_INVAL);
	r.expires = 0;
	assert_int_equal(give(&r), ERR_STALE);
	assert_int_equal(disks_now(&last), 0);
	r.expires = uptime_ms() + RELEASE_EXPIRY_MAX;
	m = sealed_by(&r, tenant_key);
	time_goes(RELEASE_EXPIRY_MAX + 1);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_STALE);
	r.expires = uptime_ms();
	assert_int_equal(give(&r), 0); /* at the last moment */
	assert_int_equal(give(&r), ERR_STALE);
	assert_int_equal(disks_now(&last), 1);
}

static void furthest_expiry(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	r.expires = uptime_ms() + RELEASE_EXPIRY_MAX;
	assert_int_equal(give(&r), 0);
}

static void changed(void **state)
{
	const size_t head = offsetof(struct release_message, enc);
	struct release_message m, bad;
	struct release r;

	prepare();
	r = a_release();
	m = sealed_by(&r, tenant_key);
	for (size_t i = 0; i < sizeof(m); i++) {
		bad = m;
		((uint8_t *)&bad)[i] ^= 0x10;
		assert_int_equal(give_message(&bad, GUEST_PAGE), i < head ? ERR_INVAL : ERR_KEY);
	}
	assert_int_equal(disks_now(&last), 0);
	assert_int_equal(give_message(&m, GUEST_PAGE), 0); /* all that was no use of it */
}

/* Sealed before the machine was started again. */
static void another_boot(void **state)
{
	struct release_message m;
	struct release r;

	prepare();
	r = a_release();
	m = sealed_by(&r, tenant_key);
	assert_int_equal(identity_init(&why), 0);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_KEY);
	assert_int_equal(give(&r), 0);
}

static void nobody_vouches(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	measured = false;
	assert_int_equal(give(&r), ERR_NODEV);
	measured = true;
	uptime_init(&(struct fadt){.timer.space = ACPI_NONE});
	assert_int_equal(give(&r), ERR_NOSYS);
	assert_int_equal(disks_now(&last), 0);
}

static void bad_addresses(void **state)
{
	const uint64_t at[] = {BLOCK, RAM_SIZE, MESSAGE + PAGE_SIZE - 319, GUEST_PAGE, UINT64_MAX};
	struct release_message m;
	struct release r;

	prepare();
	r = a_release();
	m = sealed_by(&r, tenant_key);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(give_message(&m, GUEST_PAGE), ERR_PERM);
	assert_int_equal(give_message(&m, BLOCK), ERR_PERM);
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++)
		assert_int_equal(release_take(&cpu->hw->space, GVA(at[i]), HPA(SPARE),
					      &disk_number),
				 ERR_FAULT);
	assert_int_equal(give_message(&m, SPARE), 0);
}

/* The place of a message that is in time is nobody else's; that of one that has expired is. */
static void too_many(void **state)
{
	struct mailbox *box;
	struct release_message first;
	struct release r;

	prepare();
	box = fake_at(HPA(MAILBOX), PAGE_SIZE);
	for (unsigned int i = 0; i < 256; i++) {
		struct mailbox_at m = {.space = &cpu->hw->space,
				       .linear = true,
				       .address = MAILBOX};
		struct disk_receipt none;
		struct release_message sealed;

		r = a_release();
		r.id[5] = (uint8_t)(i >> 7);
		r.expires += i == 0 ? 0 : 1;
		sealed = sealed_by(&r, tenant_key);
		if (!i)
			first = sealed;
		assert_int_equal(give_message(&sealed, GUEST_PAGE), 0);
		/* The agent fails, and the disk is given up. */
		assert_int_equal(disks_serve(disk_number, &m, &none), ERR_AGAIN);
		box->status = ERR_IO;
		box->answered = box->sequence;
		assert_int_equal(disks_serve(disk_number, &m, &none), ERR_IO);
	}
	r = a_release();
	r.id[6] = 1;
	r.expires += 2;
	assert_int_equal(give(&r), ERR_NOMEM);
	assert_int_equal(give_message(&first, GUEST_PAGE), ERR_STALE);
	time_goes(1000);
	assert_int_equal(give(&r), ERR_NOMEM);
	time_goes(1);
	assert_int_equal(give_message(&first, GUEST_PAGE), ERR_STALE);
	assert_int_equal(give(&r), 0);
	assert_int_equal(give_message(&first, GUEST_PAGE), ERR_STALE);
}

/* --- leases ------------------------------------------------------------------------------------- */

static void lease(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	hide_key(&r);
	r.lease = uptime_ms() + 5000;
	launch_with(&r);
	crypto_wipe(&r, sizeof(r));
	time_goes(4999);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_true(key_is_there());
	time_goes(2);
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(guest->stop_reason, STOP_LEASE);
	assert_int_equal(disks_now(&last), 1);
	assert_int_equal(last.state, DISK_STATE_OVER);
	assert_false(key_is_there());
}

static void no_lease(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	launch_with(&r);
	time_goes(1ull << 32);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
}

/* So far away that it does not count in ticks. */
static void a_long_lease(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	r.lease = UINT64_MAX;
	launch_with(&r);
	time_goes(1ull << 32);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
}

static void lease_over_before(void **state)
{
	struct release r;

	prepare();
	r = a_release();
	r.lease = uptime_ms();
	assert_int_equal(give(&r), ERR_STALE);
	r.lease = 1;
	assert_int_equal(give(&r), ERR_STALE);
	r.lease = uptime_ms() + 10;
	guest_digest(r.digest);
	assert_int_equal(give(&r), 0);
	assert_int_equal(serve_disk(disk_number), 0);
	time_goes(11);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(drive_kind(1), IDE_REFUSED);
	assert_int_equal(disks_now(&last), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given),
		cmocka_unit_test(another_digest),
		cmocka_unit_test(not_open),
		cmocka_unit_test(two_tenants),
		cmocka_unit_test(released_and_not),
		cmocka_unit_test(taken_once),
		cmocka_unit_test(refused_and_again),
		cmocka_unit_test(expiry),
		cmocka_unit_test(furthest_expiry),
		cmocka_unit_test(changed),
		cmocka_unit_test(another_boot),
		cmocka_unit_test(nobody_vouches),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(too_many),
		cmocka_unit_test(lease),
		cmocka_unit_test(no_lease),
		cmocka_unit_test(a_long_lease),
		cmocka_unit_test(lease_over_before),
	};

	return RUN_APART(tests);
}
