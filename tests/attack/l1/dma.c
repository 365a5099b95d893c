/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by a device that L1 owns: what its CPUs may not touch, DMA may not either. */
#include "lib/apic.h"
#include "lib/edu.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"

/* That the device works is shown each time, by memory of L1's. */
static uint8_t *need_device(void)
{
	uint8_t *junk = junk_page(), *seen = page_alloc();

	if (!edu_present())
		test_skip("no device");
	CHECK(edu_read(seen, (uint64_t)junk, EDU_MAX), "the device does not end");
	CHECK(!memcmp(seen, junk, EDU_MAX), "the device does not reach L1's own memory");
	return junk;
}

static void dma_read(void)
{
	struct vm *v;
	uint8_t *seen = need_device();

	v = victim_new();
	CHECK(edu_read(seen, (uint64_t)v->data[0], EDU_MAX), "the device does not end");
	judge_secret(v, seen, EDU_MAX, "what a device has read");
}

static void dma_write(void)
{
	uint8_t *junk = need_device();
	struct vm *v = victim_new();

	CHECK(edu_write((uint64_t)v->data[3], junk, EDU_MAX), "the device does not end");
	judge_change(v, "a device has written");
}

/* The IOMMU has translated it just before, while it was L1's, and may remember. */
static void dma_cached(void)
{
	uint8_t *seen = need_device();
	struct vm *v = vm_new();

	victim_is(v);
	CHECK(edu_read(seen, (uint64_t)v->data[0], EDU_MAX), "the device does not end");
	CHECK(edu_write((uint64_t)v->data[0], seen, EDU_MAX), "the device does not end");
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	CHECK(edu_read(seen, (uint64_t)v->data[0], EDU_MAX), "the device does not end");
	judge_secret(v, seen, EDU_MAX, "what a device has read again");
}

/* L1 may read the table, so it sees for itself. */
static void dma_table(void)
{
	uint64_t *junk = (uint64_t *)need_device();
	struct vm *v = victim_new();
	uint64_t *entry = data_entry(v, 3), before = *entry;

	*junk = hv_leaf((uint64_t)junk);
	CHECK(edu_write((uint64_t)entry, junk, sizeof(*junk)), "the device does not end");
	if (*(volatile uint64_t *)entry != before)
		succeeded("a device has changed a leaf");
	else
		failed("the leaf is what it was");
}

/* On its way when the launch begins; it arrives in its middle, or after it. */
static void dma_late(void)
{
	uint8_t *junk = need_device();
	struct vm *v = vm_new();

	victim_is(v);
	CHECK(edu_write_later((uint64_t)v->data[3], junk, EDU_MAX), "the device does not end");
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	CHECK(edu_wait(), "the device does not end");
	judge_change(v, "a device has written during or after the launch");
}

/* A page that L1 takes away is L1's again: the ciphertext may be read, and comes back no more if written. */
static void dma_taken(void)
{
	uint8_t *seen = need_device();
	struct vm *v = victim_new();

	set_entry(data_entry(v, 0), 0);
	nested_flush(&v->g);
	CHECK(edu_read(seen, (uint64_t)v->data[0], EDU_MAX), "the device does not end");
	CHECK(!monitor_present() || !memcmp(seen, v->data[0], EDU_MAX),
	      "the device does not read what L1 reads");
	judge_secret(v, seen, EDU_MAX, "what a device has read of a page that was taken away");
	set_entry(data_entry(v, 0), hv_leaf((uint64_t)v->data[0]));
	nested_flush(&v->g);
}

/* Where the monitor is; on the bare machine, a page with words in it. */
static uint64_t below(uint64_t *size)
{
	uint64_t out[8];
	int64_t err = 0;

	*size = PAGE_SIZE;
	if (!monitor_present())
		return (uint64_t)junk_page();
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &err, out) && !err, "INFO fails");
	*size = out[1];
	return out[2];
}

static void dma_read_below(void)
{
	uint8_t *seen = need_device();
	uint64_t size, at = below(&size);

	memset(seen, 0, EDU_MAX);
	CHECK(edu_read(seen, at, EDU_MAX), "the device does not end");
	for (unsigned i = 0; i < EDU_MAX; i++)
		if (seen[i] && seen[i] != 0xff) {
			succeeded("a device has read what is there");
			return;
		}
	failed("a device has read nothing");
}

/* Its code, its tables, its end. */
static void dma_write_below(void)
{
	uint8_t *junk = need_device();
	uint64_t size, at = below(&size);
	const uint64_t where[] = {0, 0x8000, 2 * MIB, size / 2, size - PAGE_SIZE};
	struct vm *v = victim_new();

	memset(junk, 0xf4, EDU_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(where); i++)
		if (where[i] < size)
			CHECK(edu_write(at + where[i], junk, EDU_MAX), "the device does not end");
	if (monitor_present())
		CHECK(monitor_answers() && vm_intact(v), "the monitor or the victim is gone");
	else if (*(volatile uint8_t *)at == 0xf4)
		succeeded("a device has written there");
	failed("the monitor goes on");
}

/* A message that is no ordinary interrupt: nothing filters those on VT-d. */
static void dma_nmi(void)
{
	uint32_t *word = (uint32_t *)need_device();
	unsigned before;
	struct vm *v = victim_new();

	*word = ICR_NMI | ICR_ASSERT;
	before = nmis_taken(0);
	CHECK(edu_write(APIC_BASE, word, sizeof(*word)), "the device does not end");
	cpu_idle(1000000);
	if (nmis_taken(0) > before)
		succeeded("an NMI has come");
	else
		failed("no NMI has come");
	CHECK(vm_intact(v), "the victim is gone");
}

const struct attack dma_attacks[] = {
	{"dma-read", dma_read},
	{"dma-write", dma_write},
	{"dma-cached", dma_cached},
	{"dma-table", dma_table},
	{"dma-late", dma_late},
	{"dma-taken", dma_taken},
	{"dma-read-below", dma_read_below},
	{"dma-write-below", dma_write_below},
	{"dma-nmi", dma_nmi},
	{NULL, NULL},
};
