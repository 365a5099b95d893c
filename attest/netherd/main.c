/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netherd: carries out I/O on sidecars and data files of one guest's encrypted disks, in dom0, for the monitor. It is not
 * trusted: docs/netherd.md.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attest/netherd/disks.h"
#include "attest/netherd/options.h"
#include "attest/netherd/process.h"
#include "attest/netherd/server.h"
#include "attest/netherd/state.h"
#include "attest/netherd/vm.h"
#include "monitor/ctl/ask.h"

enum status { STATUS_OK, STATUS_ERROR, STATUS_NO_MONITOR };

#define CHECK_MS 10000  /* whether the domain is there, although nothing has happened */
#define RETRY_MS 100    /* whether the monitor has seen that the guest is over */
#define RETRIES_TOLD 50 /* after so many, once, that it has not */

struct netherd {
	struct options options;
	struct disk disk[MAILBOX_DRIVES];
	bool has[MAILBOX_DRIVES];
	struct vm vm;
	struct server server;
	int state;   /* descriptor of the state file */
	int signals; /* readable: to end */
	int watch;
	bool resumed; /* the server is one that a netherd before us has made */
};

static int failed(const char *what, int err)
{
	process_say("%s: %s", what, strerror(-err));
	return STATUS_ERROR;
}

/* For each disk: 0, or the first error. */
static int each(struct netherd *n, int (*fn)(struct netherd *n, struct disk *d))
{
	int err = 0;

	for (unsigned int i = 0; i < MAILBOX_DRIVES && !err; i++) {
		if (n->has[i])
			err = fn(n, &n->disk[i]);
	}
	return err;
}

static int open_files(struct netherd *n)
{
	for (unsigned int i = 0; i < MAILBOX_DRIVES; i++) {
		if (!n->options.disk[i].data)
			continue;
		if (disk_files(&n->disk[i], &n->options.disk[i], i))
			return STATUS_ERROR;
		n->has[i] = true;
	}
	return STATUS_OK;
}

static bool told_to_end(struct netherd *n, int wait_ms)
{
	struct pollfd fd = {.fd = n->signals, .events = POLLIN};

	return poll(&fd, 1, wait_ms) > 0;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* Until the monitor has closed all disks. One that cannot be does not keep the others from it. */
static int close_disks(struct netherd *n)
{
	int status = STATUS_OK;

	for (unsigned int i = 0; i < MAILBOX_DRIVES; i++) {
		int err = n->has[i] ? disk_close(&n->disk[i]) : 0;

		for (unsigned int tries = 0; err == 1; tries++) {
			if (tries == RETRIES_TOLD)
				process_say("%s: the guest is not over to the monitor; waiting",
					    n->disk[i].serve.name);
			if (told_to_end(n, RETRY_MS))
				return STATUS_ERROR;
			err = disk_close(&n->disk[i]);
		}
		if (err)
			status = STATUS_ERROR;
	}
	return status;
}

/* A mailbox that no guest has: pages of this process. */
static int own_mailbox(struct netherd *n, struct disk *d)
{
	size_t bytes = (size_t)MAILBOX_PAGES * 4096;
	void *box = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (box == MAP_FAILED || mlock(box, bytes)) {
		process_say("no mailbox: %s", strerror(errno));
		return STATUS_ERROR;
	}
	d->serve.mailbox = box;
	return STATUS_OK;
}

/* The domain is no more, but a netherd that was killed has left disks of it open. */
static int adopt(struct netherd *n)
{
	bool any = false;

	for (unsigned int i = 0; i < MAILBOX_DRIVES; i++) {
		n->has[i] = n->has[i] && disk_is_orphan(&n->disk[i]);
		any |= n->has[i];
	}
	if (!any) {
		process_say("Xen has no domain '%s'", n->options.domain);
		return STATUS_ERROR;
	}
	process_say("Xen has no domain '%s' any more: closing its disks", n->options.domain);
	return each(n, own_mailbox) || close_disks(n) ? STATUS_ERROR : STATUS_OK;
}

/* --- the beginning ------------------------------------------------------------------------------ */

static int map_mailbox(struct netherd *n, struct disk *d)
{
	d->serve.mailbox = vm_mailbox(&n->vm, d->drive);
	return d->serve.mailbox ? STATUS_OK : STATUS_ERROR;
}

/* The server's number is on file before the server gets its first request. */
static int take_server(struct netherd *n)
{
	uint16_t id;
	int err = server_init(&n->server, &n->vm);

	if (err)
		return failed("Xen's device model interface", err);
	n->resumed = !state_read(n->state, n->vm.identity, &id) && server_find(&n->server, id);
	if (n->resumed)
		return STATUS_OK;
	err = server_create(&n->server);
	if (err)
		return failed("no I/O request server", err);
	err = state_write(n->state, n->vm.identity, n->server.id);
	return err ? failed(n->options.state_dir, err) : STATUS_OK;
}

static int start_disk(struct netherd *n, struct disk *d)
{
	const struct disk_guest g = {n->vm.domid, n->options.plain, n->resumed};

	return disk_start(d, &g);
}

/* Whoever writes another number gets no more than a completed port access. */
static void on_doorbell(void *netherd, uint32_t drive)
{
	struct netherd *n = netherd;

	if (drive < MAILBOX_DRIVES && n->has[drive])
		serve_list(&n->disk[drive].serve);
}

static int begin(struct netherd *n)
{
	int err;

	n->state = state_open(n->options.state_dir, n->vm.domid);
	if (n->state == -EWOULDBLOCK) {
		process_say("a netherd for domain %u is running", n->vm.domid);
		return STATUS_ERROR;
	}
	if (n->state < 0)
		return failed(n->options.state_dir, n->state);
	n->watch = vm_watch(&n->vm);
	if (n->watch < 0)
		return failed("no watch for domains that end", n->watch);
	if (each(n, map_mailbox) || take_server(n))
		return STATUS_ERROR;
	err = server_enable(&n->server);
	if (err)
		return failed("the I/O request server cannot be used", err);
	return each(n, start_disk) ? STATUS_ERROR : STATUS_OK;
}

static void say_ready(struct netherd *n)
{
	char text[64];

	snprintf(text, sizeof(text), "domain %u: ready%s", n->vm.domid, n->resumed ? " again" : "");
	process_ready(text, n->options.ready_fd);
}

/* --- between them ------------------------------------------------------------------------------- */

/* Until the domain is over: true; or this process is told to end. */
static bool live(struct netherd *n)
{
	struct pollfd fd[] = {
		{.fd = server_fd(&n->server), .events = POLLIN},
		{.fd = n->watch, .events = POLLIN},
		{.fd = n->signals, .events = POLLIN},
	};

	for (;;) {
		int ready = poll(fd, 3, CHECK_MS);

		if (ready < 0)
			continue;
		if (fd[2].revents)
			return false;
		if (fd[0].revents)
			server_event(&n->server, on_doorbell, n);
		if (fd[1].revents)
			vm_watched(&n->vm);
		if ((ready == 0 || fd[1].revents) && server_gone(&n->server))
			return true;
	}
}

static int serve(struct netherd *n)
{
	int err = vm_find(&n->vm, n->options.domain);
	int status;

	if (err == -ENOENT)
		return adopt(n);
	if (err)
		return failed("xenstore, or Xen's devices (this has to be root in dom0)", err);
	if (begin(n))
		return STATUS_ERROR;
	say_ready(n);
	if (!live(n))
		return STATUS_OK;
	status = close_disks(n);
	state_remove(n->options.state_dir, n->vm.domid);
	return status;
}

int main(int argc, char **argv)
{
	static struct netherd n;
	struct monitor_version version;

	if (options_parse(&n.options, argc, argv)) {
		fputs(options_usage, stderr);
		return STATUS_ERROR;
	}
	if (n.options.help) {
		fputs(options_usage, stdout);
		return STATUS_OK;
	}
	process_harden();
	if (!n.options.foreground)
		process_background();
	n.signals = process_signals();
	if (n.signals < 0)
		return failed("signals", -errno);
	switch (ask_version(&version)) {
	case 0:
		break;
	case ASK_ABI:
		process_say("the monitor %s is of another version", version.text);
		return STATUS_NO_MONITOR;
	default:
		process_say("no monitor answers");
		return STATUS_NO_MONITOR;
	}
	if (open_files(&n))
		return STATUS_ERROR;
	process_drop(); /* before the first thread, which would keep them */
	return serve(&n);
}
