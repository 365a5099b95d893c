/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor with one disk, to try netherd on a Xen that has no monitor below. What it would remember is in a file,
 * $FAKE_MONITOR, so that it outlives netherd. $FAKE_MONITOR.live and .over are made by the test: the guest is
 * launched, is over.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ept/base.h"
#include "iodecrypt/mailbox.h"
#include "monitor/ctl/ask.h"
#include "monitor/hypercall.h"

#define GUEST 7

static struct memory {
	struct monitor_disk disk;
	uint32_t step;
} memory;

static const char *path(const char *suffix)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s%s", getenv("FAKE_MONITOR"), suffix);
	return text;
}

static bool is(const char *suffix)
{
	return access(path(suffix), F_OK) == 0;
}

static int recall(void)
{
	FILE *f = fopen(path(""), "r");
	bool ok = f && fread(&memory, sizeof(memory), 1, f) == 1;

	if (f)
		fclose(f);
	if (!ok)
		return ERR_NOENT;
	if (is(".over"))
		memory.disk.state = DISK_STATE_OVER;
	else if (is(".live"))
		memory.disk.state = DISK_STATE_LIVE;
	memory.disk.guest = is(".live") ? GUEST : 0;
	return 0;
}

static void remember(void)
{
	FILE *f = fopen(path(""), "w");

	fwrite(&memory, sizeof(memory), 1, f);
	fclose(f);
}

int ask_version(struct monitor_version *v)
{
	*v = (struct monitor_version){.abi = HYPERCALL_ABI, .backend = "fake"};
	return getenv("FAKE_MONITOR") ? 0 : ASK_NO_MONITOR;
}

int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	*launch = (struct monitor_launch){.id = GUEST};
	return is(".live") ? 0 : ERR_NOENT;
}

int ask_disk(uint64_t index, unsigned int what, struct monitor_disk *d)
{
	if (index > 1 || what)
		return ERR_INVAL;
	if (index == 0 || recall())
		return ERR_NOENT;
	*d = memory.disk;
	return 0;
}

/* The keys' first bytes, for the test to compare. */
/* It has no TPM. */
int ask_release(const struct release_message *m, const void *page, uint64_t *number)
{
	return ERR_NODEV;
}

int ask_disk_attach(const struct mailbox_attach *a, const void *page, uint64_t *number)
{
	if (is(".live"))
		return ERR_PERM;
	if (recall() == 0)
		return ERR_BUSY;
	fprintf(stderr,
		"fake: attach drive %u plain %u consent %u root %u generation %llu xts %02x%02x tag %02x%02x\n",
		a->drive, a->plain, a->consent, a->root_known, (unsigned long long)a->generation,
		a->xts[0], a->xts[63], a->tag[0], a->tag[31]);
	fprintf(stderr, "fake: the page has %02x\n", *(const volatile uint8_t *)page);
	memory = (struct memory){.disk = {.number = 5, .state = DISK_STATE_OPENING}};
	memory.disk.drive = a->drive;
	memcpy(memory.disk.uuid, a->uuid, sizeof(a->uuid));
	remember();
	*number = 5;
	return 0;
}

/* A list of one or two: whether to go on. */
static void ask(struct mailbox *box, struct mailbox_request first, unsigned int count)
{
	box->magic = MAILBOX_MAGIC;
	box->version = MAILBOX_VERSION;
	box->count = count;
	box->request[0] = first;
	box->request[1] = (struct mailbox_request){.op = MAILBOX_SYNC};
	box->sequence = box->answered + 1;
	memory.step++;
	remember();
}

static int open_step(struct mailbox *box, const char *data)
{
	if (memory.step == 0) {
		ask(box, (struct mailbox_request){.op = MAILBOX_READ, .bytes = 8, .at = 16}, 1);
		return ERR_AGAIN;
	}
	memory.disk.state = DISK_STATE_READY;
	memory.step = 0;
	remember();
	return box->answered == box->sequence && !box->status && !memcmp(data + 16, "NETHDISK", 8)
		       ? 0
		       : ERR_IO;
}

int ask_disk_serve(uint64_t number, void *mailbox, struct monitor_receipt *r)
{
	struct mailbox *box = mailbox;
	char *data = (char *)mailbox + 4096;

	if (recall() || number != 5)
		return ERR_NOENT;
	if (memory.disk.state == DISK_STATE_OPENING)
		return open_step(box, data);
	if (memory.disk.state == DISK_STATE_LIVE)
		return ERR_BUSY;
	if (memory.step == 0) {
		memcpy(data, (const char[6]){'c', 'l', 'o', 's', 'e', 'd'}, 6);
		ask(box, (struct mailbox_request){.op = MAILBOX_WRITE, .bytes = 6, .offset = 1000},
		    2);
		return ERR_AGAIN;
	}
	unlink(path(""));
	*r = (struct monitor_receipt){.generation = 42, .root = {0xab, 0xcd}};
	return box->answered == box->sequence && !box->status ? 0 : ERR_IO;
}
