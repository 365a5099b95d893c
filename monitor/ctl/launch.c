/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What netherctl does about one guest's launch. The monitor does not know Xen's domain numbers: it
 * is shown a page of the domain's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ept/base.h"
#include "monitor/ctl/command.h"
#include "monitor/ctl/domain.h"
#include "monitor/hypercall.h"

const char *launch_kind(const struct monitor_launch *launch)
{
	if (!(launch->flags & LAUNCH_PROTECTED))
		return "unprotected";
	return launch->flags & LAUNCH_SEALED ? "sealed" : "protected";
}

void launch_digest(const struct monitor_launch *launch, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes && i < sizeof(launch->digest); i++)
		printf("%02x", launch->digest[i]);
}

static int complain(unsigned long domid, int error)
{
	if (error == ESRCH)
		fprintf(stderr, "netherctl: Xen has no domain %lu\n", domid);
	else
		fprintf(stderr, "netherctl: no page of domain %lu can be mapped: %s\n", domid,
			strerror(error));
	return STATUS_ERROR;
}

/* domain_ask() for what the user has written. */
static int with_pages(const char *text, domain_fn fn, void *context, int *result)
{
	char *end;
	unsigned long domid = strtoul(text, &end, 10);
	int error, fd;

	if (*text < '0' || *text > '9' || *end || domid == 0 || domid > DOMAIN_MAX) {
		fprintf(stderr, "netherctl: '%s' is no number of a domain (xl list shows them)\n",
			text);
		return STATUS_ERROR;
	}
	fd = domain_open();
	if (fd < 0) {
		fprintf(stderr,
			"netherctl: /dev/xen/privcmd: %s; this has to be root in Xen's dom0\n",
			strerror(errno));
		return STATUS_ERROR;
	}
	error = domain_ask(fd, (uint16_t)domid, fn, context, result);
	close(fd);
	return error ? complain(domid, error) : STATUS_OK;
}

static int ask_page(const void *page, void *launch)
{
	return ask_launch_of(page, launch);
}

int cmd_launch(int argc, char **argv)
{
	struct monitor_launch launch;
	int err, status;

	if (argc != 1) {
		fprintf(stderr, "usage: netherctl launch DOMID\n");
		return STATUS_ERROR;
	}
	status = with_pages(argv[0], ask_page, &launch, &err);
	if (status)
		return status;
	if (err == ERR_NOENT) {
		fprintf(stderr,
			"netherctl: the monitor holds no memory of domain %s: it was not entered yet, "
			"or guests are not protected\n",
			argv[0]);
		return STATUS_ERROR;
	}
	if (err) {
		fprintf(stderr, "netherctl: the monitor refuses: %d\n", err);
		return STATUS_ERROR;
	}
	if (!(launch.flags & LAUNCH_PROTECTED)) {
		fprintf(stderr,
			"netherctl: domain %s has no launch digest yet: its memory is being hashed, or it is not protected\n",
			argv[0]);
		return STATUS_ERROR;
	}
	printf("guest %" PRIu64 ", protected, launched %s\n", launch.id,
	       launch.flags & LAUNCH_SEALED ? "sealed" : "open");
	printf("launch digest (SHA-256) ");
	launch_digest(&launch, sizeof(launch.digest));
	printf("\n");
	return STATUS_OK;
}

static int declare_page(const void *page, void *sealed)
{
	return ask_declare(page, *(const bool *)sealed);
}

int cmd_declare(int argc, char **argv)
{
	bool sealed = argc == 2 && !strcmp(argv[1], "sealed");
	int err, status;

	if (argc != 2 || (!sealed && strcmp(argv[1], "open") != 0)) {
		fprintf(stderr, "usage: netherctl declare DOMID sealed|open\n");
		return STATUS_ERROR;
	}
	status = with_pages(argv[0], declare_page, &sealed, &err);
	if (status)
		return status;
	if (err == ERR_PERM)
		fprintf(stderr,
			"netherctl: domain %s is launched already; 'xl create -p' stops before that\n",
			argv[0]);
	else if (err)
		fprintf(stderr, "netherctl: the monitor refuses: %d\n", err);
	return err ? STATUS_ERROR : STATUS_OK;
}
