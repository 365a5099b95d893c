/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/disks.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "attest/netherd/files.h"
#include "attest/netherd/process.h"
#include "attest/netherd/receipt.h"
#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "monitor/ctl/domain.h"
#include "monitor/hypercall.h"

/* The monitor says that the mailbox has something to do, so often in turn without that it has. */
#define IDLE_MAX 16u

static const char *meaning(int err)
{
	switch (err) {
	case ERR_INVAL:
		return "not an image, or the monitor does not take these arguments";
	case ERR_NOSYS:
		return "the monitor knows no such images, or takes no keys from dom0";
	case ERR_NODEV:
		return "another image than the receipt's, or the release's";
	case ERR_KEY:
		return "encrypted with another key";
	case ERR_TAG:
		return "damaged, or the key is wrong";
	case ERR_STALE:
		return "older than the receipt";
	case ERR_UNCLEAN:
		return "newer than the receipt, or not closed: 'consent' would open it";
	case ERR_IO:
		return "a request failed, or the tree does not verify";
	case ERR_NOMEM:
		return "the monitor has no room for it";
	case ERR_BUSY:
		return "in use by another guest";
	case ERR_PERM:
		return "the guest is launched already; 'xl create -p' stops before that";
	case ERR_FAULT:
		return "no page of the domain was taken for one";
	case ERR_AGAIN:
		return "the monitor waits for something that it does not ask for";
	default:
		return "refused by the monitor";
	}
}

static int say(const struct disk *d, const char *what, const char *why, int err)
{
	process_say("%s: %s: %s (%d)", d->serve.name, what, why, err);
	return err;
}

static int failed(const struct disk *d, const char *what, int err)
{
	return say(d, what, meaning(err), err);
}

/* Of a release that the monitor refuses. */
static const char *release_meaning(int err)
{
	switch (err) {
	case ERR_KEY:
		return "released to another monitor, or before its last boot, or changed since";
	case ERR_STALE:
		return "the release has expired, or was used already";
	case ERR_INVAL:
		return "not a release, or it expires too far away";
	case ERR_NODEV:
		return "no TPM vouches for this monitor: no keys can be released to it";
	case ERR_NOSYS:
		return "the monitor has no clock to take releases by";
	default:
		return meaning(err);
	}
}

int disk_files(struct disk *d, const struct disk_option *option, unsigned int drive)
{
	int err;

	*d = (struct disk){.option = option, .drive = (uint8_t)drive};
	d->serve.name = options_drive[drive];
	err = files_open(&d->serve, option);
	return err ? err : files_names(&d->serve, d->uuid, d->key_id);
}

/* --- the monitor's list of disks ---------------------------------------------------------------- */

/* ERR_NOENT: the monitor has no such image. */
static int find(struct disk *d, struct monitor_disk *out)
{
	int err;

	for (uint64_t i = 0; (err = ask_disk(i, 0, out)) == 0 || err == ERR_NOENT; i++) {
		if (err || memcmp(out->uuid, d->uuid, sizeof(d->uuid)) != 0)
			continue;
		d->number = out->number;
		return 0;
	}
	return err == ERR_INVAL ? ERR_NOENT : err;
}

static int page_launch(const void *page, void *launch)
{
	return ask_launch_of(page, launch);
}

/* The monitor's number of a guest that is launched; 0: not launched, or not to be told. */
static uint64_t guest_of(uint16_t domid)
{
	struct monitor_launch launch;
	int fd = domain_open(), result = ERR_NOENT;

	if (fd >= 0) {
		domain_ask(fd, domid, page_launch, &launch, &result);
		close(fd);
	}
	return result ? 0 : launch.id;
}

/* --- opening ------------------------------------------------------------------------------------ */

/* What the monitor has to say in the end, other than ERR_AGAIN. */
static int run(struct disk *d, struct monitor_receipt *receipt)
{
	unsigned int idle = 0;
	int err;

	do {
		/* One that a netherd before us has left undone comes first. */
		idle = serve_list(&d->serve) ? 0 : idle + 1;
		err = ask_disk_serve(d->number, d->serve.mailbox, receipt);
	} while (err == ERR_AGAIN && idle < IDLE_MAX);
	return err;
}

static int expect_receipt(const struct disk *d, struct mailbox_attach *a)
{
	struct receipt r;
	int err = d->option->receipt ? receipt_read(d->option->receipt, &r) : -ENOENT;

	if (err == -ENOENT)
		return 0;
	if (!err && memcmp(r.uuid, d->uuid, sizeof(r.uuid)) != 0)
		err = -EINVAL;
	if (err) {
		process_say("%s: %s is no receipt of this image: %s", d->serve.name,
			    d->option->receipt, strerror(-err));
		return err;
	}
	a->generation = r.generation;
	a->root_known = 1;
	memcpy(a->root, r.root, sizeof(a->root));
	return 0;
}

/* In one page, as the monitor wants it. */
struct secrets {
	struct mailbox_attach attach;
	struct release_message message;
	struct disk_keys keys;
	uint8_t master[DISK_MASTER_BYTES];
	uint64_t number;
};
_Static_assert(sizeof(struct secrets) <= 4096, "a page");

static int derive(const struct disk *d, struct secrets *s)
{
	int err;

	if (!d->option->key) {
		process_say("%s: not attached, and there is no release= or key= to attach it with",
			    d->serve.name);
		return -EINVAL;
	}
	err = files_key(d->option->key, s->master);
	if (err)
		return err;
	disk_keys_derive(&s->keys, s->master, d->uuid);
	if (memcmp(s->keys.id, d->key_id, sizeof(d->key_id)) != 0)
		return failed(d, d->option->key, ERR_KEY);
	memcpy(s->attach.key_id, s->keys.id, sizeof(s->attach.key_id));
	memcpy(s->attach.xts, s->keys.xts, sizeof(s->attach.xts));
	memcpy(s->attach.tag, s->keys.tag, sizeof(s->attach.tag));
	return 0;
}

static int page_attach(const void *page, void *secrets)
{
	struct secrets *s = secrets;

	return ask_disk_attach(&s->attach, page, &s->number);
}

static int page_release(const void *page, void *secrets)
{
	struct secrets *s = secrets;

	return ask_release(&s->message, page, &s->number);
}

static int attach_by_page(struct disk *d, uint16_t domid, struct secrets *s)
{
	bool release = d->option->release != NULL;
	int fd = domain_open(), result = ERR_NOENT, err;

	if (fd < 0) {
		process_say("/dev/xen/privcmd: %s", strerror(errno));
		return -1;
	}
	err = domain_ask(fd, domid, release ? page_release : page_attach, s, &result);
	close(fd);
	if (err) {
		process_say("domain %u: no page can be mapped: %s", domid, strerror(err));
		return -err;
	}
	if (!result)
		return 0;
	return say(d, "not attached", (release ? release_meaning : meaning)(result), result);
}

/* What the monitor is told, in an image for development. */
static int prepare(const struct disk *d, const struct disk_guest *g, struct secrets *s)
{
	int err;

	s->attach.version = MAILBOX_VERSION;
	s->attach.drive = d->drive;
	s->attach.plain = g->plain;
	s->attach.consent = d->option->consent;
	memcpy(s->attach.uuid, d->uuid, sizeof(s->attach.uuid));
	err = expect_receipt(d, &s->attach);
	return err ? err : derive(d, s);
}

static int attach(struct disk *d, const struct disk_guest *g)
{
	struct secrets *s = process_secret();
	int err;

	if (!s) {
		process_say("no page for keys: %s", strerror(errno));
		return -ENOMEM;
	}
	err = d->option->release ? files_release(d->option->release, &s->message)
				 : prepare(d, g, s);
	if (!err)
		err = attach_by_page(d, g->domid, s);
	d->number = s->number;
	process_forget(s);
	return err;
}

static int open_image(struct disk *d)
{
	struct monitor_receipt none;
	int err = run(d, &none);

	return err ? failed(d, "not opened", err) : 0;
}

/*
 * An image that the monitor has: 0, or 1: it is to be attached after all. One that is attached, but not to a launched guest, is
 * this domain's if a netherd before us has begun with it.
 */
static int take_over(struct disk *d, const struct disk_guest *g, const struct monitor_disk *there)
{
	if (there->drive != d->drive) {
		process_say("%s: the monitor has this image for another drive", d->serve.name);
		return ERR_BUSY;
	}
	if (there->state == DISK_STATE_LIVE)
		return there->guest == guest_of(g->domid) ? 0 : failed(d, "not attached", ERR_BUSY);
	if (there->state == DISK_STATE_OPENING && open_image(d))
		return 1; /* the monitor has given it up */
	if (there->state != DISK_STATE_OVER && g->known)
		return 0;
	return disk_close(d) ? failed(d, "not closed after another guest", ERR_BUSY) : 1;
}

/* Which drive the image is to be, a release says, which only the monitor can read. */
static int expect_drive(struct disk *d)
{
	struct monitor_disk there;
	int err = find(d, &there);

	if (err)
		return failed(d, "not found", err);
	if (there.drive == d->drive)
		return 0;
	process_say("%s: released for another drive, %s", d->serve.name,
		    there.drive < MAILBOX_DRIVES ? options_drive[there.drive] : "?");
	disk_close(d);
	return ERR_INVAL;
}

int disk_start(struct disk *d, const struct disk_guest *g)
{
	struct monitor_disk there;
	int err = find(d, &there);

	if (!err)
		err = take_over(d, g, &there);
	else if (err == ERR_NOENT)
		err = 1;
	else
		failed(d, "not found", err);
	if (err == 1) {
		err = attach(d, g);
		if (!err)
			err = open_image(d);
		if (!err)
			err = expect_drive(d);
	}
	return err;
}

/* --- closing ------------------------------------------------------------------------------------ */

bool disk_is_orphan(struct disk *d)
{
	struct monitor_disk there;

	return find(d, &there) == 0 && there.state != DISK_STATE_LIVE;
}

static int keep(const struct disk *d, const struct monitor_receipt *said)
{
	struct receipt r = {.generation = said->generation};
	char root[33];
	int err;

	memcpy(r.uuid, d->uuid, sizeof(r.uuid));
	memcpy(r.root, said->root, sizeof(r.root));
	receipt_hex(r.root, root);
	process_say("%s: closed, generation %" PRIu64 ", root %s", d->serve.name, r.generation,
		    root);
	if (!d->option->receipt)
		return 0;
	err = receipt_write(d->option->receipt, &r);
	if (err)
		process_say("%s: receipt %s not written: %s", d->serve.name, d->option->receipt,
			    strerror(-err));
	return err;
}

int disk_close(struct disk *d)
{
	struct monitor_receipt receipt;
	int err = run(d, &receipt);

	if (err == ERR_BUSY)
		return 1;
	if (err == ERR_NOENT)
		return say(
			d, "not closed",
			"the guest did not get it: not open at its launch, or released for another "
			"launch digest, or for a time that was over; or given up since",
			err);
	return err ? failed(d, "not closed", err) : keep(d, &receipt);
}
