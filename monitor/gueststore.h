/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed guest's xenstore (R24). hvmloader takes settings there, among them the address of ACPI tables, whose code a kernel
 * runs: L1's are none. The guest is told of a ring in a page of its own, and of an event channel; when it notifies that, the
 * monitor answers what is in the ring: the settings of Xen's machine with SeaBIOS, and that there is nothing else.
 */
#ifndef MONITOR_GUESTSTORE_H
#define MONITOR_GUESTSTORE_H

#include "ept/walk.h"

/* Between hvmloader's scratch memory and its hypercall page (tools/firmware/hvmloader/config.h in Xen's tree). */
#define GUESTSTORE_GFN 0x70u
/* The last that a 32-bit guest can name; Xen gives them out from the first on. */
#define GUESTSTORE_PORT 1023u

/* The ring is empty. Nothing, if the page is not the guest's. */
void gueststore_clear(const struct walk_space *space);

/* Answers the requests that are in the ring. */
void gueststore_serve(const struct walk_space *space);

#endif
