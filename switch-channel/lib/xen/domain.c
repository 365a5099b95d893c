/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "switch-channel/lib/xen/claim.h"

#define DOMAIN_MAX 0x7fefu /* Xen's own numbers begin behind it */

static int number(const char *text, uint16_t *domid)
{
	unsigned long n = strlen(text) < 6 ? strtoul(text, NULL, 10) : 0;

	if (n == 0 || n > DOMAIN_MAX)
		return -ESRCH;
	*domid = (uint16_t)n;
	return 0;
}

/* xl has no two domains of one name. */
static int search(struct xs_handle *store, const char *name, uint16_t *domid)
{
	unsigned int count = 0, length;
	char **domains = xs_directory(store, XBT_NULL, "/local/domain", &count);
	int err = domains ? -ESRCH : -errno;

	for (unsigned int i = 0; domains && i < count && err == -ESRCH; i++) {
		char path[64], *it;

		snprintf(path, sizeof(path), "/local/domain/%.16s/name", domains[i]);
		it = xs_read(store, XBT_NULL, path, &length);
		if (it && !strcmp(it, name))
			err = number(domains[i], domid);
		free(it);
	}
	free(domains);
	return err;
}

int host_domain(const char *text, uint16_t *domid)
{
	struct xs_handle *store;
	int err;

	if (*text && strspn(text, "0123456789") == strlen(text))
		return number(text, domid);
	store = xs_open(0);
	if (!store)
		return -errno;
	err = search(store, text, domid);
	xs_close(store);
	return err;
}
