/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence: what is in it, that it is signed, and where it may be written. */
#include "tests/unit/test_released.h"

#include "attest/evidence.h"
#include "monitor/iommu/iommu.h"
#include "monitor/channel_record.h"
#include "monitor/report.h"
#include "tests/unit/test_p256.h"
#include "version.h"

#define BUF (SPARE + 2 * MIB - 40) /* over the end of a page */
#define TABLES (SPARE + 4 * MIB)

static struct evidence head;
static const uint8_t *bytes;
static uint64_t size;

static int ask_at(uint64_t gva, uint64_t n)
{
	return report_give(&cpu->hw->space, GVA(gva), n, &size);
}

static void put_nonce(uint8_t fill)
{
	memset(fake_at(HPA(BUF), EVIDENCE_MAX), 0xee, EVIDENCE_MAX);
	memset(fake_at(HPA(BUF), EVIDENCE_NONCE), fill, EVIDENCE_NONCE);
}

/* Signed by the key that it names, over all of it. */
static void ask(uint8_t fill)
{
	uint8_t digest[32], changed[EVIDENCE_MAX];

	as_l1();
	put_nonce(fill);
	assert_int_equal(ask_at(BUF, EVIDENCE_MAX), 0);
	bytes = fake_at(HPA(BUF), size);
	memcpy(&head, bytes, sizeof(head));
	assert_int_equal(head.bytes, size);
	EVP_Digest(bytes, size - EVIDENCE_SIGNATURE, digest, NULL, EVP_sha256(), NULL);
	assert_true(evp_verify(head.sign, bytes + size - EVIDENCE_SIGNATURE, digest));
	memcpy(changed, bytes, size);
	changed[random() % (long)(size - EVIDENCE_SIGNATURE)] ^= 1;
	EVP_Digest(changed, size - EVIDENCE_SIGNATURE, digest, NULL, EVP_sha256(), NULL);
	assert_false(evp_verify(head.sign, bytes + size - EVIDENCE_SIGNATURE, digest));
}

static struct evidence_guest guest_at(unsigned int i)
{
	struct evidence_guest g;

	assert_true(i < head.guests);
	memcpy(&g, bytes + sizeof(head) + i * sizeof(g), sizeof(g));
	return g;
}

static struct evidence_disk disk_at(unsigned int i)
{
	struct evidence_disk d;

	assert_true(i < head.disks);
	memcpy(&d,
	       bytes + sizeof(head) + head.guests * sizeof(struct evidence_guest) + i * sizeof(d),
	       sizeof(d));
	return d;
}

static void of_the_monitor(void **state)
{
	struct measured_keys keys;
	char version[33] = {0};

	prepare();
	identity_public(&keys);
	ask(0x5c);
	assert_memory_equal(head.magic, EVIDENCE_MAGIC, 8);
	assert_int_equal(head.version, EVIDENCE_VERSION);
	for (unsigned int i = 0; i < EVIDENCE_NONCE; i++)
		assert_int_equal(head.nonce[i], 0x5c);
	memcpy(version, head.monitor, sizeof(head.monitor));
	assert_string_equal(version, NETHERVISOR_VERSION " DEV_KEYS");
	assert_string_equal(head.backend, "fake");
	assert_memory_equal(head.receive, keys.receive, 32);
	assert_memory_equal(head.sign, keys.sign, 64);
	assert_int_equal(head.uptime, uptime_ms());
	assert_true(head.uptime > 0);
	assert_int_equal(head.iommus, 0);
	assert_int_equal(head.dma, DMA_OPEN);
	assert_int_equal(head.open, 0);
	assert_int_equal(head.tboot, 0);
	assert_int_equal(head.flags, EVIDENCE_DEV_KEYS);
	assert_int_equal(head.guests + head.disks + head.channels, 0);
	assert_int_equal(size, sizeof(head) + EVIDENCE_SIGNATURE);
	measured = false;
	protect_off = true;
	ask(0x5d);
	assert_int_equal(head.flags, EVIDENCE_DEV_KEYS | EVIDENCE_NO_TPM | EVIDENCE_NO_ISOLATION);
	assert_int_equal(head.nonce[31], 0x5d);
	assert_int_equal(identity_init(&why), 0); /* another boot */
	ask(0x5d);
	assert_memory_not_equal(head.receive, keys.receive, 32);
	assert_memory_not_equal(head.sign, keys.sign, 64);
}

/* The one channel that the evidence lists. */
static struct evidence_channel the_channel(uint8_t nonce)
{
	struct evidence_channel c;

	ask(nonce);
	assert_int_equal(head.channels, 1);
	memcpy(&c,
	       bytes + sizeof(head) + head.guests * sizeof(struct evidence_guest) +
		       head.disks * sizeof(struct evidence_disk),
	       sizeof(c));
	return c;
}

/* The guest is known by who has released its disk's keys, and what it has offered is listed. */
static void expect_channel(void)
{
	const struct channel_offer o = {.service = "up",
					.peer = CHANNEL_PEER_HOST,
					.extents = 1,
					.extent = {{(SMALL >> PAGE_SHIFT) + 30, 2, 0}}};
	uint8_t identity[CHANNEL_IDENTITY];
	struct evidence_channel c;
	uint64_t id;

	assert_true(channel_identity(guest, CHANNEL_PEER_TENANT, identity));
	assert_memory_equal(identity, tenant_public, sizeof(identity));
	assert_int_equal(channel_offer(guest, &o, &id), 0);
	assert_int_equal(channel_host_accept(id, guest_number(guest)), 0);
	c = the_channel(9);
	assert_int_equal(c.id, id);
	assert_memory_equal(c.service, o.service, sizeof(c.service));
	assert_int_equal(c.offerer, guest->id);
	assert_int_equal(c.acceptor, EVIDENCE_CHANNEL_HOST);
	assert_int_equal(c.peer, CHANNEL_PEER_HOST);
	assert_int_equal(c.state, CHANNEL_OPEN);
	assert_int_equal(c.accepts, 1);
	assert_int_equal(c.pages, 2);
	assert_int_equal(c.reason, CHANNEL_REASON_NONE);
	/* Dom0's program has had enough of the guest. */
	assert_int_equal(channel_host_close(id, guest_number(guest), CHANNEL_REASON_VIOLATION), 0);
	c = the_channel(10);
	assert_int_equal(c.id, id);
	assert_int_equal(c.acceptor, 0);
	assert_int_equal(c.state, CHANNEL_OFFERED);
	assert_int_equal(c.reason, CHANNEL_REASON_VIOLATION);
	assert_int_equal(channel_host_accept(id, guest_number(guest)), 0);
	assert_int_equal(the_channel(11).reason, CHANNEL_REASON_VIOLATION);
	assert_int_equal(channel_close(guest, id, CHANNEL_REASON_CLOSED), 0);
	assert_int_equal(channel_host_close(id, guest_number(guest), CHANNEL_REASON_CLOSED), 0);
	c = the_channel(12); /* what is left of it */
	assert_int_equal(c.id, id);
	assert_int_equal(c.acceptor, 0);
	assert_int_equal(c.state, CHANNEL_ENDED);
	assert_int_equal(c.pages, 0);
	assert_int_equal(c.reason, CHANNEL_REASON_CLOSED);
}

static void of_a_guest_and_its_disk(void **state)
{
	struct evidence_guest g;
	struct evidence_disk d;
	struct release r;

	prepare();
	r = a_release();
	guest_digest(r.digest);
	assert_int_equal(give(&r), 0);
	assert_int_equal(serve_disk(disk_number), 0);
	ask(1);
	assert_int_equal(head.guests, 0);
	assert_int_equal(head.disks, 1);
	d = disk_at(0);
	assert_int_equal(d.state, DISK_STATE_READY);
	assert_int_equal(d.guest, 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	ask(2);
	assert_int_equal(head.guests, 1);
	g = guest_at(0);
	assert_int_equal(g.id, guest->id);
	assert_memory_equal(g.digest, r.digest, 32);
	assert_int_equal(g.flags, LAUNCH_PROTECTED | LAUNCH_SEALED);
	assert_int_equal(g.vcpus, 1);
	assert_int_equal(g.stop_reason, STOP_NONE);
	d = disk_at(0);
	assert_int_equal(d.state, DISK_STATE_LIVE);
	assert_int_equal(d.guest, guest->id);
	assert_int_equal(d.drive, 1);
	assert_memory_equal(d.uuid, r.uuid, 16);
	assert_memory_equal(d.tenant, tenant_public, 32);
	assert_memory_equal(d.release, r.id, 16);
	expect_channel();
	guest_end(guest, STOP_HOST_WRITE);
	ask(3);
	g = guest_at(0);
	assert_int_equal(g.flags, LAUNCH_PROTECTED | LAUNCH_SEALED | EVIDENCE_GUEST_STOPPED);
	assert_int_equal(g.stop_reason, STOP_HOST_WRITE);
	assert_memory_equal(g.digest, r.digest, 32);
}

/* A disk whose keys came otherwise says of nobody that he released them. */
static void of_nobodys_disk(void **state)
{
	const struct mailbox_attach a = {.version = MAILBOX_VERSION, .uuid = {0x77}};
	const uint8_t none[32] = {0};
	struct evidence_disk d;

	prepare();
	assert_int_equal(disks_attach(HPA(GUEST_PAGE), &a, NULL, &disk_number), 0);
	ask(4);
	d = disk_at(0);
	assert_memory_equal(d.tenant, none, 32);
	assert_memory_equal(d.release, none, 16);
}

static void too_small(void **state)
{
	prepare();
	ask(6);
	put_nonce(6);
	assert_int_equal(ask_at(BUF, size - 1), ERR_2BIG);
	assert_int_equal(size, sizeof(head) + EVIDENCE_SIGNATURE);
	assert_int_equal(((uint8_t *)fake_at(HPA(BUF), 64))[40], 0xee);
	assert_int_equal(ask_at(BUF, 0), ERR_2BIG);
	assert_int_equal(ask_at(BUF, size), 0);
	assert_int_equal(((uint8_t *)fake_at(HPA(BUF), size + 1))[size], 0xee);
}

/* --- where L1's program may not write ------------------------------------------------------------ */

#define PRESENT 1u
#define WRITE 2u
#define USER 4u

/* Page n of the program's at 0x400000, by tables of four levels. */
static void map_page(unsigned int n, uint64_t hpa, unsigned int rights)
{
	const uint64_t va = 0x400000 + n * PAGE_SIZE;

	for (unsigned int level = 4; level; level--) {
		uint64_t at = TABLES + (4 - level) * PAGE_SIZE;
		uint64_t next = level > 1 ? (at + PAGE_SIZE) | 7 : hpa | rights;

		*(uint64_t *)fake_at(HPA(at + (va >> (9 * level) & 0xff8)), 8) = next;
	}
	cpu->hw->space = (struct walk_space){.cr0 = CR0_PG | CR0_PE | CR0_WP,
					     .cr3 = TABLES,
					     .cr4 = CR4_PAE,
					     .efer = EFER_LMA | EFER_LME | EFER_NXE,
					     .phys_bits = 40,
					     .cpl = 3};
}

static void where_it_may(void **state)
{
	const struct {
		uint64_t hpa;
		unsigned int rights;
	} bad[] = {
		{SPARE, 0},
		{SPARE, PRESENT | WRITE}, /* its kernel's */
		{SPARE, PRESENT | USER},  /* to be read only */
		{BLOCK, PRESENT | WRITE | USER},
		{PAGES + 3 * PAGE_SIZE, PRESENT | WRITE | USER}, /* the guest's */
		{RAM_SIZE, PRESENT | WRITE | USER},
	};
	const uint64_t gva = 0x401000 - 100;
	uint8_t before[100];

	prepare();
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	map_page(0, SPARE, PRESENT | WRITE | USER);
	map_page(1, SPARE + 8 * PAGE_SIZE, PRESENT | WRITE | USER);
	assert_int_equal(ask_at(gva, EVIDENCE_MAX), 0);
	memcpy(&head, fake_at(HPA(SPARE + PAGE_SIZE - 100), 100), 100); /* in two pieces */
	memcpy((uint8_t *)&head + 100, fake_at(HPA(SPARE + 8 * PAGE_SIZE), 124), 124);
	assert_memory_equal(head.magic, EVIDENCE_MAGIC, 8);
	assert_int_equal(head.bytes, size);
	memcpy(before, mem_at(HPA(BLOCK)), sizeof(before));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		map_page(1, bad[i].hpa, bad[i].rights);
		assert_int_equal(ask_at(gva, EVIDENCE_MAX), ERR_FAULT);
		map_page(0, bad[i].hpa, bad[i].rights);
		assert_int_equal(ask_at(gva, EVIDENCE_MAX), ERR_FAULT);
		map_page(0, SPARE, PRESENT | WRITE | USER);
	}
	assert_memory_equal(before, mem_at(HPA(BLOCK)), sizeof(before));
	assert_int_equal(ask_at(1ull << 63, EVIDENCE_MAX), ERR_FAULT);
	assert_int_equal(ask_at(UINT64_MAX - 40, UINT64_MAX), ERR_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_monitor),  cmocka_unit_test(of_a_guest_and_its_disk),
		cmocka_unit_test(of_nobodys_disk), cmocka_unit_test(too_small),
		cmocka_unit_test(where_it_may),
	};

	return RUN_APART(tests);
}
