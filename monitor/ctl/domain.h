/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of Xen's domains in this process's address space, by the kernel's privcmd device: no
 * library of Xen's is needed. Mapping a page reads nothing of it.
 */
#ifndef MONITOR_CTL_DOMAIN_H
#define MONITOR_CTL_DOMAIN_H

#include <stdint.h>

#define DOMAIN_MAX 0x7fefu /* Xen's own numbers begin behind it */

/* A descriptor to be closed, or -1 with errno set: this is not dom0, or not root. */
int domain_open(void);

/*
 * One page, read-only, by its guest frame number, or NULL with errno set: ESRCH if Xen has no such
 * domain, EINVAL if nothing is there.
 */
void *domain_map(int fd, uint16_t domid, uint64_t gfn);
void domain_unmap(void *page);

/*
 * Shows fn pages of the domain's RAM, one after the other, until it returns other than ERR_NOENT (ept/base.h). The monitor does
 * not know Xen's numbers of domains, but whose a page is. 0, with what fn returned last in *result, or a positive errno: no page
 * can be mapped.
 */
typedef int (*domain_fn)(const void *page, void *context);
int domain_ask(int fd, uint16_t domid, domain_fn fn, void *context, int *result);

#endif
