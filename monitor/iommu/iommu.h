/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IOMMUs (rules R1, R4, R22): all of them are the monitor's, translate through the IO table
 * (ept/io.h), and are hidden from L1. Or none is driven, and DMA is open: boot says so, and so does
 * iommu_flags() for ever.
 */
#ifndef MONITOR_IOMMU_IOMMU_H
#define MONITOR_IOMMU_IOMMU_H

#include "monitor/boot/boot.h"

/* Whether ACPI has a table of IOMMUs, which need memory then. */
bool iommu_listed(const struct boot_info *info);

/*
 * Finds the IOMMUs in ACPI's tables and makes them refuse all DMA, but to memory that the
 * firmware keeps. After host_init(), and before what was loaded is looked at. If there is none, or
 * one that can not be driven, says why in the log; one that stops answering half-way stops the
 * machine.
 */
void iommu_block(const struct boot_info *info);

/* After mem_seal(), before L1 is entered: devices reach what is the host's. */
void iommu_open(void);

/*
 * No device reaches any more what left the IO table before the call, and what was on its way has
 * arrived. Stops the machine if an IOMMU does not answer.
 */
void iommu_flush(void);

/* How many are driven. */
unsigned int iommu_count(void);

/* DMA_ flags of monitor/hypercall.h. */
uint64_t iommu_flags(void);

#endif
