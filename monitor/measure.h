/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured into the TPM before L1 is entered, and the log of it: attest/measured.h has the events, docs/attestation.md what
 * they are worth. At boot, on the boot CPU, all others held and DMA blocked (R22, R23).
 */
#ifndef MONITOR_MEASURE_H
#define MONITOR_MEASURE_H

#include "attest/measured.h"
#include "monitor/boot/boot.h"

struct eventlog; /* attest/eventlog.h */

/*
 * Finds the TPM and continues the firmware's event log, before l1_load(): that may put something where the log is. Without a TPM the
 * functions below do nothing, and the log says why. After a TXT launch, takes its log out of the TXT heap, too.
 */
void measure_start(const struct boot_info *info);

/*
 * After l1_load(): the monitor, its options, the platform, L1's kernel, all modules and command lines; then the end of PCR 11. What is
 * hashed is what is entered: the modules where L1 finds them, and the kernel's file, out of which l1_load() has just placed the kernel, and
 * nobody but this CPU has been able to write to either since.
 */
void measure_loaded(const struct boot_info *info);

/* The monitor's public keys. */
void measure_keys(const struct measured_keys *keys);

/* The end of PCR 12; the TPM is L1's. To be called in any case. */
void measure_end(void);

/* Whether all of that is in the PCRs and in the log, the keys and both ends included. */
bool measure_done(void);

/*
 * The event log's bytes from offset on, up to n of them; *size is that of all. Returns how many, or ERR_NOENT if there is no log, ERR_INVAL
 * if offset is behind its end. offset | EVENTLOG_TXT (monitor/hypercall.h): the log of the TXT launch.
 */
int64_t measure_log(void *to, uint64_t offset, uint32_t n, uint64_t *size);

/* For measure.c: the logs that it fills; and all was measured. */
struct eventlog *measure_events(void);
struct eventlog *measure_txt_events(void);
void measure_complete(void);

#endif
