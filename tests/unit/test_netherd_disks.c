/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/disks.h over a monitor of this file: what it is asked, in what order, and with what. */
#include "tests/unit/test_netherd.h"

#include "attest/netherd/disks.h"
#include "attest/netherd/files.h"
#include "attest/netherd/receipt.h"
#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "monitor/ctl/domain.h"
#include "monitor/hypercall.h"

#define DOMID 3
#define GUEST 77

static const uint8_t master[33] = "defghijklmnopqrstuvwxyz{|}~\x7f\x80\x81\x82\x83";
static const uint8_t image_uuid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
/* By another program, from what docs/image-format.md says. */
static const uint8_t want_id[] = {0xd5, 0x93, 0xa0, 0xaa, 0x36, 0x4a, 0xbc, 0x42,
				  0xa8, 0x09, 0x3f, 0xd4, 0x70, 0xbc, 0x11, 0x3e};
static const uint8_t want_xts[] = {0xc2, 0x18, 0x95, 0x61, 0xe7, 0x5b, 0xae, 0xeb, 0x3b, 0xda, 0xd6,
				   0xf5, 0x52, 0x9a, 0x13, 0xd9, 0x1f, 0x0a, 0xc0, 0xea, 0xa3, 0x54,
				   0x6b, 0x79, 0xc6, 0x30, 0x69, 0x40, 0xfa, 0xf4, 0x24, 0xb4, 0x0c,
				   0xe7, 0x4b, 0x2d, 0x6b, 0x28, 0x02, 0x72, 0x42, 0x75, 0xe6, 0x7d,
				   0xec, 0xba, 0x69, 0xb5, 0xf4, 0xee, 0xac, 0xeb, 0xbc, 0xa2, 0x76,
				   0xe1, 0x27, 0x8c, 0x6a, 0x23, 0xd1, 0x24, 0x75, 0x6e};
static const uint8_t want_tag[] = {0x50, 0xde, 0x15, 0x90, 0x1d, 0x35, 0xf1, 0x84, 0xae, 0x5e, 0x87,
				   0x72, 0x17, 0x4e, 0x46, 0x26, 0xbe, 0x0f, 0x64, 0xdb, 0xf0, 0xd5,
				   0xad, 0x53, 0xe2, 0x26, 0x37, 0xc3, 0x32, 0xcf, 0xbc, 0x43};

static struct {
	bool there; /* an image, at index 2 */
	struct monitor_disk disk;
	uint64_t launched; /* guest of the domain's pages, or 0 */
	int disk_error, attach_error, serve_error;
	unsigned int lists; /* that it wants done before it is content */
	bool silent;        /* it wants them, but shows none */
	unsigned int fails; /* times that it gives the disk up, first */
	unsigned int busy;  /* times that it is, first */
	unsigned int attached, served, opened, closed;
	struct mailbox_attach attach;
	unsigned int released;
	struct release_message message;
	uint8_t release_drive;
	int pages; /* of the domain that the monitor does not know, first */
} monitor;

static struct mailbox_page {
	_Alignas(4096) uint8_t byte[MAILBOX_PAGES * 4096];
} the_mailbox;
static struct disk_option option;
static struct disk disk;
static struct disk_guest guest;

/* --- in the place of monitor/ctl ------------------------------------------------------------------ */

int ask_disk(uint64_t index, unsigned int what, struct monitor_disk *d)
{
	memset(d, 0, sizeof(*d));
	if (monitor.disk_error)
		return monitor.disk_error;
	if (index == 0) { /* somebody else's */
		d->number = 1;
		d->uuid[0] = 1;
		return 0;
	}
	if (index > 2)
		return ERR_INVAL;
	if (index == 1 || !monitor.there)
		return ERR_NOENT;
	*d = monitor.disk;
	return 0;
}

static void there_is(unsigned int how, uint64_t owner);

int ask_disk_attach(const struct mailbox_attach *a, const void *page, uint64_t *number)
{
	assert_true(((uintptr_t)a & 4095) + sizeof(*a) <= 4096);
	assert_ptr_equal(page, &the_mailbox);
	if (monitor.pages-- > 0)
		return ERR_NOENT;
	monitor.attached++;
	monitor.attach = *a;
	if (monitor.attach_error)
		return monitor.attach_error;
	monitor.there = true;
	monitor.disk =
		(struct monitor_disk){.number = 9, .state = DISK_STATE_OPENING, .drive = a->drive};
	memcpy(monitor.disk.uuid, a->uuid, 16);
	*number = 9;
	return 0;
}

int ask_release(const struct release_message *m, const void *page, uint64_t *number)
{
	assert_true(((uintptr_t)m & 4095) + sizeof(*m) <= 4096);
	assert_ptr_equal(page, &the_mailbox);
	if (monitor.pages-- > 0)
		return ERR_NOENT;
	monitor.released++;
	monitor.message = *m;
	if (monitor.attach_error)
		return monitor.attach_error;
	there_is(DISK_STATE_OPENING, 0);
	monitor.disk.number = 9;
	monitor.disk.drive = monitor.release_drive;
	*number = 9;
	return 0;
}

static void show_list(struct mailbox *box)
{
	box->magic = MAILBOX_MAGIC;
	box->version = MAILBOX_VERSION;
	box->count = 1;
	box->request[0] = (struct mailbox_request){.op = MAILBOX_READ, .bytes = 8};
	box->sequence = box->answered + 1;
}

int ask_disk_serve(uint64_t number, void *mailbox, struct monitor_receipt *r)
{
	struct mailbox *box = mailbox;

	assert_ptr_equal(mailbox, &the_mailbox);
	assert_true(monitor.there && number == monitor.disk.number);
	assert_int_equal(box->sequence, box->answered); /* it was done */
	if (monitor.served++)
		assert_int_equal(box->status, 0);
	memset(r, 0, sizeof(*r));
	if (monitor.busy) {
		monitor.busy--;
		return ERR_BUSY;
	}
	if (monitor.lists) {
		if (!monitor.silent) {
			monitor.lists--;
			show_list(box);
		}
		return ERR_AGAIN;
	}
	if (monitor.fails) {
		monitor.fails--;
		monitor.there = false;
		return ERR_UNCLEAN;
	}
	if (monitor.serve_error)
		return monitor.serve_error;
	if (monitor.disk.state == DISK_STATE_OPENING) {
		monitor.opened++;
		monitor.disk.state = DISK_STATE_READY;
		return 0;
	}
	monitor.closed++;
	monitor.there = false;
	*r = (struct monitor_receipt){.generation = 1000, .root = {0xaa, 0xbb}};
	return 0;
}

int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	assert_ptr_equal(page, &the_mailbox);
	launch->id = monitor.launched;
	return monitor.launched ? 0 : ERR_NOENT;
}

int domain_open(void)
{
	return open("/dev/null", O_RDONLY);
}

int domain_ask(int fd, uint16_t domid, domain_fn fn, void *context, int *result)
{
	assert_true(fd >= 0);
	assert_int_equal(domid, DOMID);
	*result = ERR_NOENT;
	for (int i = 0; i < 3 && *result == ERR_NOENT; i++)
		*result = fn(&the_mailbox, context);
	return 0;
}

/* --- the tests ------------------------------------------------------------------------------------ */

static int setup(void **state)
{
	uint8_t sidecar[8192] = "NETHDISK";

	if (make_test_dir(state))
		return -1;
	memcpy(sidecar + 16, image_uuid, 16);
	memcpy(sidecar + 32, want_id, 16);
	put_file("sidecar", sidecar, sizeof(sidecar));
	put_text("data", "data");
	put_file("key", master, 32);
	memset(&monitor, 0, sizeof(monitor));
	memset(&the_mailbox, 0, sizeof(the_mailbox));
	option = (struct disk_option){.data = "data",
				      .sidecar = "sidecar",
				      .key = "key",
				      .receipt = "receipt"};
	guest = (struct disk_guest){DOMID, 4, false};
	if (disk_files(&disk, &option, 1))
		return -1;
	disk.serve.mailbox = &the_mailbox;
	return 0;
}

static int teardown(void **state)
{
	files_close(&disk.serve);
	return remove_test_dir(state);
}

static void there_is(unsigned int how, uint64_t owner)
{
	monitor.there = true;
	monitor.disk = (struct monitor_disk){.number = 5, .state = how, .guest = owner, .drive = 1};
	memcpy(monitor.disk.uuid, image_uuid, 16);
}

static void attached_and_opened(void **state)
{
	const struct mailbox_attach *a = &monitor.attach;

	monitor.lists = 3;
	monitor.pages = 2;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.attached, 1);
	assert_int_equal(monitor.opened, 1);
	assert_int_equal(monitor.served, 4);
	assert_int_equal(disk.number, 9);
	assert_int_equal(a->version, MAILBOX_VERSION);
	assert_int_equal(a->drive, 1);
	assert_int_equal(a->plain, 4);
	assert_int_equal(a->consent, 0);
	assert_int_equal(a->root_known, 0);
	assert_int_equal(a->generation, 0);
	assert_memory_equal(a->uuid, image_uuid, 16);
	assert_memory_equal(a->key_id, want_id, 16);
	assert_memory_equal(a->xts, want_xts, 64);
	assert_memory_equal(a->tag, want_tag, 32);
}

static void with_receipt_and_consent(void **state)
{
	struct receipt r = {.generation = 6, .root = {1, 2, 3}};

	memcpy(r.uuid, image_uuid, 16);
	assert_int_equal(receipt_write("receipt", &r), 0);
	option.consent = true;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.attach.generation, 6);
	assert_int_equal(monitor.attach.root_known, 1);
	assert_memory_equal(monitor.attach.root, r.root, 16);
	assert_int_equal(monitor.attach.consent, 1);
}

static void not_attached(void **state)
{
	struct receipt r = {.generation = 6};

	assert_int_equal(receipt_write("receipt", &r), 0); /* of another image */
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	put_text("receipt", "no receipt");
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	option.receipt = NULL;
	option.key = NULL;
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	option.key = "sidecar";
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	put_file("other", master + 1, 32);
	option.key = "other";
	assert_int_equal(disk_start(&disk, &guest), ERR_KEY);
	option.key = "key";
	monitor.disk_error = ERR_NOSYS;
	assert_int_equal(disk_start(&disk, &guest), ERR_NOSYS);
	monitor.disk_error = 0;
	assert_int_equal(monitor.attached, 0);
	monitor.attach_error = ERR_PERM;
	assert_int_equal(disk_start(&disk, &guest), ERR_PERM);
	assert_int_equal(monitor.served, 0);
	monitor.pages = 9;
	assert_int_equal(disk_start(&disk, &guest), ERR_NOENT);
}

static void released(void **state)
{
	struct release_message m;

	memset(&m, 0x7e, sizeof(m));
	put_file("release", &m, sizeof(m));
	option.key = NULL;
	option.release = "release";
	monitor.release_drive = 1;
	monitor.lists = 2;
	monitor.pages = 1;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.released, 1);
	assert_memory_equal(&monitor.message, &m, sizeof(m));
	assert_int_equal(monitor.opened, 1);
	assert_int_equal(disk.number, 9);
	assert_int_equal(monitor.attached, 0);
}

static void not_released(void **state)
{
	const int errors[] = {ERR_KEY,   ERR_STALE, ERR_INVAL, ERR_NODEV,
			      ERR_NOSYS, ERR_BUSY,  ERR_PERM,  ERR_NOMEM};
	uint8_t bytes[321] = {0};

	option.key = NULL;
	option.release = "release";
	assert_int_equal(disk_start(&disk, &guest), -ENOENT);
	put_file("release", bytes, 319);
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	put_file("release", bytes, 321);
	assert_int_equal(disk_start(&disk, &guest), -EINVAL);
	assert_int_equal(monitor.released, 0);
	put_file("release", bytes, 320);
	for (unsigned int i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		monitor.attach_error = errors[i];
		assert_int_equal(disk_start(&disk, &guest), errors[i]);
	}
	assert_int_equal(monitor.served, 0);
	/* For another drive than the files are to be: given up again. */
	monitor.attach_error = 0;
	monitor.release_drive = 2;
	assert_int_equal(disk_start(&disk, &guest), ERR_INVAL);
	assert_int_equal(monitor.opened, 1);
	assert_int_equal(monitor.closed, 1);
	assert_false(monitor.there);
}

/* The launch was another than the one that it was released for. */
static void not_given(void **state)
{
	monitor.serve_error = ERR_NOENT;
	there_is(DISK_STATE_READY, 0);
	disk.number = 5;
	assert_int_equal(disk_close(&disk), ERR_NOENT);
}

static void not_opened(void **state)
{
	monitor.serve_error = ERR_UNCLEAN;
	assert_int_equal(disk_start(&disk, &guest), ERR_UNCLEAN);
	assert_int_equal(monitor.attached, 1);
}

/* One that the monitor gives up when it is opened for the netherd before is attached again. */
static void not_opened_for_another(void **state)
{
	there_is(DISK_STATE_OPENING, 0);
	guest.known = true;
	monitor.fails = 1;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.attached, 1);
	assert_int_equal(monitor.opened, 1);
}

/* A monitor that waits for nothing does not keep this program busy for ever. */
static void endless(void **state)
{
	monitor.lists = 1;
	monitor.silent = true;
	assert_int_equal(disk_start(&disk, &guest), ERR_AGAIN);
	assert_true(monitor.served < 100);
}

/* Of a netherd that was killed. */
static void taken_over(void **state)
{
	guest.known = true;
	there_is(DISK_STATE_READY, 0);
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.served, 0);
	assert_int_equal(disk.number, 5);
	there_is(DISK_STATE_OPENING, 0);
	monitor.lists = 1;
	show_list((struct mailbox *)&the_mailbox); /* not done yet */
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.opened, 1);
	there_is(DISK_STATE_LIVE, GUEST);
	monitor.launched = GUEST;
	assert_int_equal(disk_start(&disk, &guest), 0);
	guest.known = false; /* its state is lost */
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.attached + monitor.closed, 0);
}

static void of_another(void **state)
{
	there_is(DISK_STATE_LIVE, GUEST + 1);
	monitor.launched = GUEST;
	assert_int_equal(disk_start(&disk, &guest), ERR_BUSY);
	monitor.launched = 0;
	assert_int_equal(disk_start(&disk, &guest), ERR_BUSY);
	there_is(DISK_STATE_READY, 0);
	monitor.disk.drive = 0;
	guest.known = true;
	assert_int_equal(disk_start(&disk, &guest), ERR_BUSY);
	assert_int_equal(monitor.attached + monitor.served, 0);
}

/* Its receipt is the one that the image is attached with. */
static void closed_after_another(void **state)
{
	there_is(DISK_STATE_OVER, GUEST);
	monitor.lists = 2;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.closed, 1);
	assert_int_equal(monitor.attached, 1);
	assert_int_equal(monitor.opened, 1);
	assert_int_equal(monitor.attach.generation, 1000);
	assert_int_equal(monitor.attach.root[1], 0xbb);

	there_is(DISK_STATE_READY, 0);
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.closed, 2);

	there_is(DISK_STATE_OPENING, 0);
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.closed, 3);
	assert_int_equal(monitor.attached, 3);

	there_is(DISK_STATE_OVER, GUEST);
	guest.known = true;
	assert_int_equal(disk_start(&disk, &guest), 0);
	assert_int_equal(monitor.closed, 4);

	there_is(DISK_STATE_OVER, GUEST);
	monitor.busy = 1;
	assert_int_equal(disk_start(&disk, &guest), ERR_BUSY);
	there_is(DISK_STATE_OVER, GUEST);
	monitor.serve_error = ERR_IO;
	assert_int_equal(disk_start(&disk, &guest), ERR_BUSY);
	assert_int_equal(monitor.attached, 4);
}

static void closed(void **state)
{
	struct receipt r;

	there_is(DISK_STATE_LIVE, GUEST);
	monitor.launched = GUEST;
	assert_int_equal(disk_start(&disk, &guest), 0);
	monitor.busy = 1;
	monitor.lists = 2;
	assert_int_equal(disk_close(&disk), 1);
	assert_int_equal(receipt_read("receipt", &r), -ENOENT);
	monitor.disk.state = DISK_STATE_OVER;
	assert_int_equal(disk_close(&disk), 0);
	assert_int_equal(receipt_read("receipt", &r), 0);
	assert_int_equal(r.generation, 1000);
	assert_memory_equal(r.uuid, image_uuid, 16);
	assert_int_equal(r.root[0], 0xaa);
	assert_int_equal(r.root[15], 0);
	/* Nowhere to keep it: told, and an error, but for who wants none. */
	monitor.there = true;
	option.receipt = "none/receipt";
	assert_int_equal(disk_close(&disk), -ENOENT);
	monitor.there = true;
	option.receipt = NULL;
	assert_int_equal(disk_close(&disk), 0);
	monitor.there = true;
	monitor.serve_error = ERR_IO;
	assert_int_equal(disk_close(&disk), ERR_IO);
}

static void orphans(void **state)
{
	assert_false(disk_is_orphan(&disk));
	there_is(DISK_STATE_LIVE, GUEST);
	assert_false(disk_is_orphan(&disk));
	there_is(DISK_STATE_OVER, GUEST);
	assert_true(disk_is_orphan(&disk));
	there_is(DISK_STATE_READY, 0);
	assert_true(disk_is_orphan(&disk));
	assert_int_equal(disk_close(&disk), 0);
}

static void files(void **state)
{
	const struct disk_option bad = {.data = "key", .sidecar = "data"};
	struct disk other;

	assert_memory_equal(disk.uuid, image_uuid, 16);
	assert_memory_equal(disk.key_id, want_id, 16);
	assert_string_equal(disk.serve.name, "hdb");
	assert_int_equal(disk_files(&other, &option, 0), -EBUSY);
	files_close(&disk.serve);
	assert_int_equal(disk_files(&other, &bad, 0), -EINVAL);
	files_close(&other.serve);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attached_and_opened),
		TEST(with_receipt_and_consent),
		TEST(not_attached),
		TEST(released),
		TEST(not_released),
		TEST(not_given),
		TEST(not_opened),
		TEST(endless),
		TEST(taken_over),
		TEST(of_another),
		TEST(closed_after_another),
		TEST(closed),
		TEST(orphans),
		TEST(files),
		TEST(not_opened_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
