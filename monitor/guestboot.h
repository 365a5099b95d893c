/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the firmware of a sealed guest (R24) finds by ports of all that it takes code, boot media and their order from:
 * the monitor's answers in place of the device model's. It is Xen's machine with PIIX3, with an IDE and at most one
 * AHCI controller, whose drives iodecrypt follows, and no option ROM, no floppy drive, no fw_cfg. Whatever else the device
 * model has is not there.
 */
#ifndef MONITOR_GUESTBOOT_H
#define MONITOR_GUESTBOOT_H

#include "iodecrypt/ide.h"
#include "monitor/guestcall.h"

#define GUESTBOOT_SLOTS 32u

/* Of a guest; zeros: open, all is the device model's. The latches are what the guest wrote last. */
struct guest_boot {
	bool sealed;
	enum guestcall_store store;
	uint8_t cmos;                  /* index */
	uint32_t config;               /* address of PCI configuration space */
	uint8_t slot[GUESTBOOT_SLOTS]; /* what was found there; 0: not asked yet */
	uint32_t base[2];              /* addresses of the controllers' registers */
};

/* Whether the guest's accesses to this port are to be begun here. */
bool guestboot_has(const struct guest_boot *b, uint16_t port, uint8_t bytes);

/*
 * An access, before anything else is done with it. PASS: that is to go on as in an open guest, and once it was made (if
 * it is to configuration space) guestboot_answer() says what the guest reads; ASK: guestboot_resume(); DONE: a->value.
 */
enum ide_next guestboot_begin(struct guest_boot *b, struct ide_access *a, uint8_t *step,
			      struct ide_access *ask);

/* *ask was made. ASK: one more. PASS: the guest's access is to be begun again. */
enum ide_next guestboot_resume(struct guest_boot *b, uint8_t *step, struct ide_access *ask);

void guestboot_answer(const struct guest_boot *b, struct ide_access *a);

#endif
