/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the monitor's for the TPM, which is dom0's. */
#ifndef ATTEST_NETHERD_TPM_H
#define ATTEST_NETHERD_TPM_H

#include <stdint.h>

/* The kernel's resource manager: what others do with the TPM does not disturb. */
#define TPM_DEVICE "/dev/tpmrm0"

/*
 * Gives the TPM the command at message and puts the response there; room is for both. Who else can write the message is not
 * trusted: it is copied first. *fd: -1, or the device as the last command has left it: what a command makes is there for the
 * next one. 0 or a negative errno.
 */
int tpm_relay(int *fd, uint8_t *message, uint32_t room);

/* The device's name instead, for tests. */
extern const char *tpm_device;

#endif
