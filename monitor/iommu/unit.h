/* SPDX-License-Identifier: Apache-2.0 */
/* For monitor/iommu: what ACPI says of the IOMMUs, and what the two kinds of them do. */
#ifndef MONITOR_IOMMU_UNIT_H
#define MONITOR_IOMMU_UNIT_H

#include "ept/io.h"
#include "monitor/boot/acpi.h"

#define IOMMU_UNITS_MAX 64
#define IOMMU_RESERVED_MAX 64
#define IOMMU_TICKS 2000000000u /* TSC ticks until one that does not answer is given up */
#define IOMMU_DOMAIN 1u         /* all devices are in it */

/* One of them. The queue is a page of commands, of 16 bytes in both kinds, filled round and round. */
struct iommu_unit {
	uint64_t base;  /* of its registers, hpa */
	uint64_t bytes; /* of its registers, whole pages */
	uint8_t flags;  /* AMD-Vi: of its IVHD block */
	uint64_t *queue;
	unsigned int tail;       /* where the next command goes */
	volatile uint64_t *done; /* it writes there what it was told to, behind earlier commands */
	uint64_t ticket;         /* what it was last told to write */
};

/* What ACPI says: all units of one machine are of one kind. */
struct iommu_list {
	unsigned int count;
	struct iommu_unit unit[IOMMU_UNITS_MAX];
	bool remaps; /* AMD-Vi: interrupts can be filtered */
	/* What devices reach by the firmware's wish: RMRR, IVMD. Whole pages. */
	unsigned int reserved_count;
	struct range reserved[IOMMU_RESERVED_MAX];
};

/*
 * Read ACPI's DMAR (VT-d specification, chapter 8) or IVRS (AMD I/O virtualization specification,
 * chapter 5). 0; or an error with *why: what is malformed or not understood is refused.
 */
int dmar_parse(struct iommu_list *list, const struct acpi_table *table, const char **why);
int ivrs_parse(struct iommu_list *list, const struct acpi_table *table, const char **why);

/* For both: adds a unit, unless it is there, or a reserved range. ERR_INVAL, ERR_2BIG. */
int iommu_add_unit(struct iommu_list *list, uint64_t base, uint8_t flags, const char **why);
int iommu_add_reserved(struct iommu_list *list, uint64_t start, uint64_t end, const char **why);

/*
 * A kind. check: looks at every unit's capabilities, sets its `bytes`, and says how it wants the IO
 * table; ERR_NOSYS if one of them can not be driven; changes nothing. enable: with the IO table made,
 * every unit translates; remap: and filters interrupts. ERR_IO: one does not answer. submit: hands the
 * unit an IOTLB flush, and a wait for it and for the DMA that it overtook; its `ticket` says what comes
 * to `done`.
 */
struct iommu_kind {
	const char *name;
	int (*check)(struct iommu_list *list, struct io_format *format, const char **why);
	int (*enable)(struct iommu_list *list);
	void (*submit)(struct iommu_unit *unit);
};
extern const struct iommu_kind vtd_kind, amdvi_kind;

/* From now on iommu_flush() and the like are about these, which stay the caller's. */
void iommu_drive(const struct iommu_kind *kind, struct iommu_list *list);

/* For both: an empty queue, in the monitor's memory. */
void iommu_make_queue(struct iommu_unit *unit);

/* For both: puts a command at the tail. There is room: the one before was waited for. */
void iommu_command(struct iommu_unit *unit, uint64_t lo, uint64_t hi);

/* For both: waits until done is what the ticket says. ERR_IO: it took too long. */
int iommu_wait(const struct iommu_unit *unit);

/* The registers, at base + offset. A test has its own. */
uint32_t mmio_read32(uint64_t hpa);
uint64_t mmio_read64(uint64_t hpa);
void mmio_write32(uint64_t hpa, uint32_t value);
void mmio_write64(uint64_t hpa, uint64_t value);

#endif
