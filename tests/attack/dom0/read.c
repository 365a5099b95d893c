/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that want to see the victim's memory, by its addresses. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenguest.h>

#include "tests/attack/pattern.h"

#define DUMPED (32 << 20) /* bytes: see dump_core() */

void foreign_read(struct world *w)
{
	void *page = map_page(w, w->victim, PROT_READ, w->secret / PAGE);

	if (!page)
		return untried(w, errno, "mapping its page");
	judge_secret(w, page, PAGE, "the page that was mapped");
}

void old_mapping_read(struct world *w)
{
	char *page = map_page(w, w->victim, PROT_READ, VICTIM_MEMORY / PAGE);

	if (!page || has_secret(w, page, PAGE))
		return untried(w, errno, "mapping it before its start");
	world_start(w);
	judge_secret(w, page, PAGE, "a page mapped before the guest's start");
}

static void judge_file(struct world *w, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	void *bytes;

	if (fd < 0 || fstat(fd, &st) || st.st_size < DUMPED)
		return untried(w, errno, "%s has less than its memory", path);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return untried(w, errno, "%s", path);
	judge_secret(w, bytes, (size_t)st.st_size, path);
	close(fd);
	unlink(path);
}

/* Waits until a file has so many bytes, or the process that writes it ends; false if neither comes. */
static bool wait_for_bytes(const char *path, off_t bytes, pid_t writer)
{
	struct pollfd wait = {.fd = inotify_init1(IN_NONBLOCK), .events = POLLIN};
	struct stat st = {0};
	char events[4096];

	if (wait.fd < 0 || inotify_add_watch(wait.fd, path, IN_MODIFY) < 0)
		return false;
	for (int seconds = 0; seconds < 300;) {
		if (stat(path, &st) || st.st_size >= bytes || waitpid(writer, NULL, WNOHANG))
			break;
		if (poll(&wait, 1, 1000) > 0)
			(void)!read(wait.fd, events, sizeof(events));
		else
			seconds++;
	}
	close(wait.fd);
	return st.st_size >= bytes;
}

/*
 * After the guest's RAM xl tries each of a million gfns that are not there, which takes minutes in an
 * emulator. It writes 16 MiB at a time: when 32 MiB are in the file, the secret is among them.
 */
void dump_core(struct world *w)
{
	static const char path[] = "/tmp/core";
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t xl = fork();

	if (xl == 0) {
		execlp("xl", "xl", "dump-core", "victim", path, NULL);
		_exit(127);
	}
	if (fd < 0 || xl < 0)
		return untried(w, errno, "%s", path);
	close(fd);
	if (!wait_for_bytes(path, DUMPED, xl))
		untried(w, 0, "xl dump-core writes no %d MiB", DUMPED >> 20);
	else
		judge_file(w, path);
	kill(xl, SIGKILL);
	(void)waitpid(xl, NULL, 0);
	unlink(path);
	(void)xc_domain_unpause(w->xc, w->victim); /* if xl did not come to it */
}

static int suspend(void *data)
{
	struct world *w = data;

	return xc_domain_shutdown(w->xc, w->victim, SHUTDOWN_suspend) == 0;
}

static int switch_model(uint32_t domain, unsigned int enable, void *data)
{
	return 0; /* there is none */
}

/* A stream such as migration sends, without the cooperation of the guest. */
void save_stream(struct world *w)
{
	struct save_callbacks how = {.suspend = suspend,
				     .switch_qemu_logdirty = switch_model,
				     .data = w};
	int fd = open("/tmp/stream", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return untried(w, errno, "/tmp/stream");
	if (xc_domain_save(w->xc, fd, w->victim, 0, &how, XC_STREAM_PLAIN, -1))
		return untried(w, errno, "saving");
	close(fd);
	judge_file(w, "/tmp/stream");
	if (xc_domain_resume(w->xc, w->victim, 1))
		untried(w, errno, "resuming");
}

void page_walk(struct world *w)
{
	unsigned long gfn = xc_translate_foreign_address(w->xc, w->victim, 0, w->va);
	void *page;

	if (!gfn)
		return untried(w, errno, "its page tables lead nowhere");
	page = map_page(w, w->victim, PROT_READ, gfn);
	if (!page)
		return untried(w, errno, "mapping gfn %#lx", gfn);
	judge_secret(w, page, PAGE, "the page that its page tables name");
}

void ballooned_out_read(struct world *w)
{
	xen_pfn_t gfn = w->secret / PAGE;
	void *page = map_page(w, w->victim, PROT_READ, gfn);

	if (!page)
		return untried(w, errno, "mapping its page");
	if (xc_domain_decrease_reservation_exact(w->xc, w->victim, 1, 0, &gfn))
		return untried(w, errno, "taking its page");
	judge_secret(w, page, PAGE, "the page taken, by the mapping made before");
}

/* A page taken from a running domain is free with its content, which the next owner finds. */
void freed_page_search(struct world *w)
{
	enum { PAGES = 4096 };
	xen_pfn_t gfn = w->secret / PAGE;
	xen_pfn_t next;

	if (grow_limit(w, w->accomplice, PAGES + 1) ||
	    xc_domain_decrease_reservation_exact(w->xc, w->victim, 1, 0, &gfn))
		return untried(w, errno, "taking its page");
	for (xen_pfn_t i = 0; i < PAGES; i++) {
		void *page;

		next = 0x100000 + i;
		if (xc_domain_populate_physmap_exact(w->xc, w->accomplice, 1, 0, 0, &next))
			return untried(w, errno, "populating page %lu", i);
		page = map_page(w, w->accomplice, PROT_READ, 0x100000 + i);
		if (!page)
			return untried(w, errno, "mapping page %lu", i);
		if (has_secret(w, page, PAGE))
			return succeeded(w, "the secret is in new page %lu of another guest", i);
		unmap_page(w, page);
	}
	failed(w, "not in the %d pages that were given out next", PAGES);
}

/* Which pages a guest writes, and when: Xen's log for migration. */
void write_log(struct world *w)
{
	xen_pfn_t epoch = w->epoch / PAGE;
	xen_pfn_t quiet = data_gfn(w, 0);
	DECLARE_HYPERCALL_BUFFER(unsigned long, dirty);

	dirty = xc_hypercall_buffer_alloc_pages(w->xc, dirty, 1);
	if (!dirty)
		return untried(w, errno, "a buffer");
	if (xc_shadow_control(w->xc, w->victim, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0) <
		    0 ||
	    xc_logdirty_control(w->xc, w->victim, XEN_DOMCTL_SHADOW_OP_CLEAN,
				HYPERCALL_BUFFER(dirty), RAM_PAGES, 0, NULL) < 0)
		return untried(w, errno, "starting the log");
	/* More than may have been on their way when the log began. */
	if (world_watch(w, 6) != LIFE_INTACT)
		return untried(w, 0, "the victim does not go on");
	if (xc_logdirty_control(w->xc, w->victim, XEN_DOMCTL_SHADOW_OP_CLEAN,
				HYPERCALL_BUFFER(dirty), RAM_PAGES, 0, NULL) < 0)
		return untried(w, errno, "reading the log");
	if ((dirty[epoch / 64] >> epoch % 64 & 1) && !(dirty[quiet / 64] >> quiet % 64 & 1))
		succeeded(w, "the log tells the page that was written from one that was not");
	else
		failed(w, "the log does not tell which page was written");
	xc_hypercall_buffer_free_pages(w->xc, dirty, 1);
}
