/* SPDX-License-Identifier: Apache-2.0 */
/* How attest/ reaches the TPM (attest/tpm_io.h), before L1 runs. */
#ifndef MONITOR_TPM_IO_H
#define MONITOR_TPM_IO_H

#include "monitor/boot/memmap.h"

/* RAM of this map, which is kept, is no device's. */
void tpm_io_init(const struct memmap *map);

#endif
