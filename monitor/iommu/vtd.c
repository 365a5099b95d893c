/* SPDX-License-Identifier: Apache-2.0 */
/* Intel VT-d (specification, revision 3.3), in legacy mode with queued invalidation. */
#include "ept/format.h"
#include "monitor/arch.h"
#include "monitor/iommu/unit.h"
#include "monitor/mem.h"

/* Chapter 11: registers. */
enum vtd_register {
	REG_CAP = 0x08,
	REG_ECAP = 0x10,
	REG_GCMD = 0x18,
	REG_GSTS = 0x1c,
	REG_ROOT = 0x20,
	REG_FECTL = 0x38,
	REG_PMEN = 0x64,
	REG_IQT = 0x88,
	REG_IQA = 0x90,
};

#define CAP_RWBF (1u << 4) /* wants its write buffer flushed: old */
#define CAP_PLMR (1u << 5)
#define CAP_PHMR (1u << 6)
#define CAP_CM (1u << 7) /* caches what is absent: a virtual one */
#define CAP_39_BITS (1u << 9)
#define CAP_48_BITS (1u << 10)
#define CAP_FAULTS(cap) (((cap) >> 24 & 0x3ff) * 16)
#define CAP_2M (1ull << 34)
#define CAP_1G (1ull << 35)
#define CAP_FAULT_COUNT(cap) (((cap) >> 40 & 0xff) + 1)
#define CAP_DRAINS (3ull << 54) /* writes and reads */
#define ECAP_QI (1u << 1)
#define ECAP_IOTLB(ecap) (((ecap) >> 8 & 0x3ff) * 16)
#define ECAP_SC (1u << 7)

/* GCMD and GSTS have the same bits; those of GSTS in STICKY go back into GCMD with each command. */
#define G_TE (1u << 31)
#define G_SRTP (1u << 30)
#define G_QIE (1u << 26)
#define G_IRE (1u << 25)
#define G_STICKY 0x96ffffffu

#define PMEN_EPM (1u << 31)
#define PMEN_PRS (1u << 0)
#define FECTL_IM (1u << 31)

#define SL_R 1u
#define SL_W 2u
#define SL_LARGE (1u << 7)
#define SL_SNOOP (1u << 11)

#define CONTEXT_AW(levels) ((levels)-2) /* 1: 39 bits, 2: 48 */
#define CONTEXT_DOMAIN(d) ((uint64_t)(d) << 8)
#define PRESENT 1u

/* 6.5.2: descriptors. */
#define INV_CONTEXT_ALL 0x11u
#define INV_IOTLB_ALL 0xd2u /* global, draining reads and writes */
#define INV_WAIT 0x65u      /* fence, and write a status */
#define INV_WAIT_DATA 32

/* Registers behind the fixed ones are where the capabilities say. */
static uint64_t register_bytes(uint64_t cap, uint64_t ecap)
{
	uint64_t faults = CAP_FAULTS(cap) + CAP_FAULT_COUNT(cap) * 16;
	uint64_t iotlb = ECAP_IOTLB(ecap) + 16;

	return ALIGN_UP(faults > iotlb ? faults : iotlb, PAGE_SIZE);
}

static int check_unit(struct iommu_unit *unit, uint64_t *cap_all, uint64_t *ecap_all,
		      const char **why)
{
	uint64_t cap = mmio_read64(unit->base + REG_CAP);
	uint64_t ecap = mmio_read64(unit->base + REG_ECAP);

	if (!cap || !~cap || !~ecap)
		return boot_refuse(ERR_NOSYS, why, "a VT-d unit is turned off in the firmware");
	if (!(ecap & ECAP_QI) || (cap & CAP_RWBF))
		return boot_refuse(ERR_NOSYS, why, "a VT-d unit has no queued invalidation");
	if (cap & CAP_CM)
		return boot_refuse(ERR_NOSYS, why, "a VT-d unit is in caching mode");
	if ((cap & CAP_DRAINS) != CAP_DRAINS)
		return boot_refuse(ERR_NOSYS, why, "a VT-d unit does not drain DMA");
	unit->bytes = register_bytes(cap, ecap);
	*cap_all &= cap;
	*ecap_all &= ecap;
	return 0;
}

static int vtd_check(struct iommu_list *list, struct io_format *format, const char **why)
{
	uint64_t cap = UINT64_MAX, ecap = UINT64_MAX, snoop;
	int err = 0;

	for (unsigned int i = 0; !err && i < list->count; i++)
		err = check_unit(&list->unit[i], &cap, &ecap, why);
	if (err)
		return err;
	if (!(cap & (CAP_39_BITS | CAP_48_BITS)))
		return boot_refuse(ERR_NOSYS, why, "VT-d units have no table depth in common");
	/* Without snoop control a device may read past the caches: nothing of a guest's (R4). */
	snoop = ecap & ECAP_SC ? SL_SNOOP : 0;
	*format = (struct io_format){
		.levels = cap & CAP_48_BITS ? 4 : 3,
		.leaf_max = !(cap & CAP_2M) ? 1
			    : cap & CAP_1G  ? 3
					    : 2,
	};
	for (unsigned int level = 1; level <= IO_LEVELS_MAX; level++) {
		format->leaf[level] = SL_R | SL_W | snoop | (level > 1 ? SL_LARGE : 0);
		format->table[level] = SL_R | SL_W;
	}
	return 0;
}

/* Until the status has this bit, or has lost it. */
static int wait_status(const struct iommu_unit *unit, uint32_t bit, bool set)
{
	uint64_t start = arch_rdtsc();

	while (!(mmio_read32(unit->base + REG_GSTS) & bit) == set)
		if (arch_rdtsc() - start > IOMMU_TICKS)
			return ERR_IO;
	return 0;
}

static int command(const struct iommu_unit *unit, uint32_t bit, bool set)
{
	uint32_t status = mmio_read32(unit->base + REG_GSTS) & G_STICKY;

	mmio_write32(unit->base + REG_GCMD, set ? status | bit : status & ~bit);
	return wait_status(unit, bit, set);
}

/* The firmware may have used the unit: what it translates goes on until the root is ours. */
static int start_queue(struct iommu_unit *unit)
{
	uint32_t status = mmio_read32(unit->base + REG_GSTS);
	int err = status & G_QIE ? command(unit, G_QIE, false) : 0;

	/*
	 * L1 does not know of interrupt remapping: its devices' interrupts would all be refused. What
	 * one of them can do to a CPU, L1's local APICs can, and the monitor is ready for (docs/dma.md).
	 */
	if (!err && (status & G_IRE))
		err = command(unit, G_IRE, false);
	if (err)
		return err;
	iommu_make_queue(unit);
	mmio_write64(unit->base + REG_IQT, 0);
	mmio_write64(unit->base + REG_IQA, mem_hpa(unit->queue).a); /* 256 entries of 16 bytes */
	return command(unit, G_QIE, true);
}

static void submit(struct iommu_unit *unit)
{
	unit->ticket = (uint32_t)(unit->ticket + 1);
	iommu_command(unit, INV_IOTLB_ALL, 0);
	iommu_command(unit, INV_WAIT | unit->ticket << INV_WAIT_DATA,
		      mem_hpa((const void *)unit->done).a);
	mmio_write64(unit->base + REG_IQT, unit->tail * 16);
}

/* Blocks as long as it is on, whatever the tables say; a launch by TXT leaves it on. */
static int drop_protected_regions(const struct iommu_unit *unit)
{
	uint64_t start = arch_rdtsc();

	if (!(mmio_read64(unit->base + REG_CAP) & (CAP_PLMR | CAP_PHMR)))
		return 0;
	mmio_write32(unit->base + REG_PMEN, mmio_read32(unit->base + REG_PMEN) & ~PMEN_EPM);
	while (mmio_read32(unit->base + REG_PMEN) & PMEN_PRS)
		if (arch_rdtsc() - start > IOMMU_TICKS)
			return ERR_IO;
	return 0;
}

static int enable_unit(struct iommu_unit *unit, hpa_t root)
{
	int err = start_queue(unit);

	mmio_write32(unit->base + REG_FECTL, FECTL_IM); /* faults are nobody's business */
	if (err)
		return err;
	mmio_write64(unit->base + REG_ROOT, root.a);
	err = command(unit, G_SRTP, true);
	if (err)
		return err;
	iommu_command(unit, INV_CONTEXT_ALL, 0);
	submit(unit);
	err = iommu_wait(unit);
	if (!err)
		err = command(unit, G_TE, true);
	return err ? err : drop_protected_regions(unit);
}

/*
 * A root table all of whose entries point at one context table, all of whose entries say the same:
 * translate through the IO table, and only requests that are not translated yet (ATS off).
 */
static hpa_t make_root(void)
{
	uint64_t *root = mem_pages(2);
	uint64_t *context = root + TABLE_ENTRIES;

	for (unsigned int i = 0; i < TABLE_ENTRIES; i += 2) {
		root[i] = mem_hpa(context).a | PRESENT;
		context[i] = io_root().a | PRESENT;
		context[i + 1] = CONTEXT_AW(io_levels()) | CONTEXT_DOMAIN(IOMMU_DOMAIN);
	}
	io_write_back(root, 2 * PAGE_SIZE);
	return mem_hpa(root);
}

static int vtd_enable(struct iommu_list *list)
{
	hpa_t root = make_root();
	int err = 0;

	for (unsigned int i = 0; !err && i < list->count; i++)
		err = enable_unit(&list->unit[i], root);
	return err;
}

const struct iommu_kind vtd_kind = {"VT-d", vtd_check, vtd_enable, submit};
