/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's TPM2 table (TCG ACPI Specification 1.2, 8): where the TPM and the firmware's event log are. Only reads. */
#ifndef MONITOR_BOOT_TPM2_H
#define MONITOR_BOOT_TPM2_H

#include "monitor/boot/boot.h"

struct tpm2 {
	uint64_t control; /* CRB's control area; 0: FIFO, at its place. Set with ERR_NOSYS, too */
	struct range event_log; /* the memory that the firmware has for it; 0,0: none named */
};

/*
 * Returns 0; ERR_NOENT if there is none, with *why NULL if ACPI itself is there; ERR_NOSYS if it is started in a way that the monitor
 * does not know; another error, with *why set, if it is malformed.
 */
int tpm2_parse(struct tpm2 *tpm2, const struct boot_info *info, const char **why);

#endif
