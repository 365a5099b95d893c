/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the TPM's drivers reach its registers and tell time: implemented by the monitor (monitor/tpm_io.c), and by each test over
 * a model.
 */
#ifndef ATTEST_TPM_IO_H
#define ATTEST_TPM_IO_H

#include "ept/base.h"

/* One access of that size, aligned, at a physical address for which tpm_io_reaches() is true. */
uint8_t tpm_io_read8(uint64_t at);
uint32_t tpm_io_read32(uint64_t at);
void tpm_io_write8(uint64_t at, uint8_t value);
void tpm_io_write32(uint64_t at, uint32_t value);

/* Whether [at, at + bytes) can be a device's: nothing that the monitor or L1 has as memory. */
bool tpm_io_reaches(uint64_t at, uint32_t bytes);

/* Microseconds, which may be shorter than real ones but not longer; wraps around. */
uint32_t tpm_io_now(void);

#endif
