/* SPDX-License-Identifier: Apache-2.0 */
#define __XEN_TOOLS__ 1
#include "attest/netherd/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/memory.h>

#include "attest/netherd/process.h"
#include "iodecrypt/mailbox.h"
#include "monitor/ctl/domain.h"

#define TOKEN "netherd"
#define PAGE_BYTES 4096u

/* --- which domain ------------------------------------------------------------------------------- */

static char *read_store(struct vm *vm, const char *domain, const char *what)
{
	char path[64];
	unsigned int len;

	snprintf(path, sizeof(path), "/local/domain/%.16s/%s", domain, what);
	return xs_read(vm->store, XBT_NULL, path, &len);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static int number(const char *text, uint16_t *domid)
{
	unsigned long n = strlen(text) < 6 ? strtoul(text, NULL, 10) : 0;

	if (n == 0 || n > DOMAIN_MAX)
		return -ENOENT;
	*domid = (uint16_t)n;
	return 0;
}

/* xl has no two domains of one name. */
static int search(struct vm *vm, const char *name)
{
	unsigned int count = 0;
	char **domains = xs_directory(vm->store, XBT_NULL, "/local/domain", &count);
	int err = domains ? -ENOENT : -errno;

	for (unsigned int i = 0; domains && i < count && err == -ENOENT; i++) {
		char *it = read_store(vm, domains[i], "name");

		if (it && !strcmp(it, name))
			err = number(domains[i], &vm->domid);
		free(it);
	}
	free(domains);
	return err;
}

static int read_boot_id(char *text, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* A domain's number comes again only after all others; until then boot and number say which one it is. */
static int identify(struct vm *vm)
{
	char boot[40], domid[8];
	char *path;
	int n;

	snprintf(domid, sizeof(domid), "%u", vm->domid);
	path = read_store(vm, domid, "vm");
	if (!path)
		return errno == ENOENT ? -ENOENT : -EIO;
	n = read_boot_id(boot, sizeof(boot));
	if (!n && snprintf(vm->identity, sizeof(vm->identity), "%s/%u%s", boot, vm->domid, path) >=
			  (int)sizeof(vm->identity))
		n = -ENAMETOOLONG;
	free(path);
	return n;
}

int vm_find(struct vm *vm, const char *name)
{
	int err;

	*vm = (struct vm){.store = xs_open(0)};
	if (!vm->store)
		return -errno;
	err = is_number(name) ? number(name, &vm->domid) : search(vm, name);
	if (!err)
		err = identify(vm);
	if (err)
		return err;
	vm->call = xencall_open(NULL, 0);
	vm->memory = vm->call ? xenforeignmemory_open(NULL, 0) : NULL;
	return vm->memory ? 0 : -errno;
}

int vm_watch(struct vm *vm)
{
	if (!xs_watch(vm->store, "@releaseDomain", TOKEN))
		return -errno;
	return xs_fileno(vm->store);
}

void vm_watched(struct vm *vm)
{
	for (char **event; (event = xs_check_watch(vm->store)) != NULL;)
		free(event);
}

/* --- the mailbox -------------------------------------------------------------------------------- */

static int populate(struct vm *vm, const xen_pfn_t *frames, unsigned int count)
{
	struct {
		struct xen_memory_reservation reservation;
		xen_pfn_t frame[MAILBOX_PAGES];
	} *arg = xencall_alloc_buffer(vm->call, sizeof(*arg));
	long done;

	if (!arg)
		return -ENOMEM;
	memset(arg, 0, sizeof(*arg));
	memcpy(arg->frame, frames, count * sizeof(*frames));
	arg->reservation.nr_extents = count;
	arg->reservation.domid = vm->domid;
	set_xen_guest_handle(arg->reservation.extent_start, arg->frame);
	done = xencall2(vm->call, __HYPERVISOR_memory_op, XENMEM_populate_physmap,
			(uintptr_t)&arg->reservation);
	xencall_free_buffer(vm->call, arg);
	if (done < 0)
		return -errno;
	return done == count ? 0 : -ENOMEM;
}

/* Makes pages for those that could not be mapped. */
static int populate_missing(struct vm *vm, const xen_pfn_t *frames, const int *missing)
{
	xen_pfn_t wanted[MAILBOX_PAGES];
	unsigned int count = 0;

	for (unsigned int i = 0; i < MAILBOX_PAGES; i++) {
		if (missing[i])
			wanted[count++] = frames[i];
	}
	return count ? populate(vm, wanted, count) : 0;
}

static void *map(struct vm *vm, const xen_pfn_t *frames, int *missing)
{
	return xenforeignmemory_map(vm->memory, vm->domid, PROT_READ | PROT_WRITE, MAILBOX_PAGES,
				    frames, missing);
}

void *vm_mailbox(struct vm *vm, unsigned int drive)
{
	xen_pfn_t frames[MAILBOX_PAGES];
	int missing[MAILBOX_PAGES];
	bool whole = true;
	void *box;
	int err;

	for (unsigned int i = 0; i < MAILBOX_PAGES; i++) {
		frames[i] = MAILBOX_GPA(drive) / PAGE_BYTES + i;
		missing[i] = 1;
	}
	box = map(vm, frames, missing);
	for (unsigned int i = 0; i < MAILBOX_PAGES; i++)
		whole &= !missing[i];
	if (box && whole)
		return box;
	if (box)
		xenforeignmemory_unmap(vm->memory, box, MAILBOX_PAGES);
	err = populate_missing(vm, frames, missing);
	box = err ? NULL : map(vm, frames, NULL);
	if (!box)
		process_say("domain %u: no mailbox of %u pages: %s%s", vm->domid, MAILBOX_PAGES,
			    strerror(err ? -err : errno),
			    err == -ENOMEM ? "; 'xl mem-max' may allow the domain more" : "");
	return box;
}
