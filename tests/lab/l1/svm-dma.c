/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices above IOMMUs that the monitor drives: L1's own memory is in reach, the IOMMUs are not to be
 * found, interrupt messages that are no ordinary interrupts do no harm. Attacks are in
 * tests/attack/l1/dma.c.
 * lab: --iommu vtd --device edu
 */
#include "lib/apic.h"
#include "lib/edu.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/smp_tests.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

#define VECTOR 0x51
#define ROM_START 0xe0000u
#define ROM_END 0x100000u

static void need_device(void)
{
	if (!edu_present())
		test_skip("no device");
}

/* "filtered=1": the IOMMU is expected to filter interrupts. */
static uint64_t dma_flags(void)
{
	uint64_t out[8] = {0};
	int64_t err = 0;

	if (!monitor_present())
		test_skip("needs the monitor");
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &err, out) && !err, "INFO fails");
	if (out[7] & DMA_OPEN)
		test_skip("no IOMMU");
	CHECK_EQ(out[6], 1);
	CHECK_EQ(out[7], DMA_BLOCKED | (option("filtered", 0) ? DMA_INTERRUPTS : 0));
	return out[7];
}

/* Pages all over the pool, both ways. */
static void own_memory(const void *arg)
{
	uint64_t start, end;
	uint8_t *from = page_alloc(), *to = page_alloc();

	(void)arg;
	need_device();
	pages_range(&start, &end);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		from[i] = (uint8_t)(i * 7 + 1);
	for (unsigned i = 1; i < 8; i++) {
		uint8_t *at = (uint8_t *)ALIGN_DOWN(start + (end - start) / 8 * i, PAGE_SIZE);

		memset(at, 0, PAGE_SIZE);
		CHECK(edu_write((uint64_t)at, from, EDU_MAX), "no end");
		CHECK(!memcmp(at, from, EDU_MAX), "not written: 0x%x", (uint64_t)at);
		memset(to, 0, EDU_MAX);
		CHECK(edu_read(to, (uint64_t)at, EDU_MAX), "no end");
		CHECK(!memcmp(to, from, EDU_MAX), "not read: 0x%x", (uint64_t)at);
	}
}

static void read_word(void *arg)
{
	*(uint64_t *)arg = **(volatile uint32_t **)arg;
}

/* Where QEMU has the registers of both kinds. */
static void registers(const void *arg)
{
	static const uint64_t bases[] = {0xfed80000u, 0xfed90000u};
	unsigned hidden = 0;

	(void)arg;
	dma_flags();
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		uint64_t at = bases[i];
		struct fault f = expect_fault(read_word, &at);

		CHECK(!f.taken || f.vector == VEC_GP, "vector %u", U64(f.vector));
		hidden += f.taken;
	}
	CHECK_EQ(hidden, 1);
	CHECK(monitor_answers(), "the monitor does not answer any more");
}

static const uint8_t *rsdp(void)
{
	for (uint64_t at = ROM_START; at < ROM_END; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8))
			return (const void *)at;
	return NULL;
}

static bool good_sum(const uint8_t *table)
{
	uint32_t length = *(const uint32_t *)(table + 4);
	uint8_t sum = 0;

	while (length--)
		sum = (uint8_t)(sum + *table++);
	return !sum;
}

/* The root lists as many tables as before, all with a right sum, and none is of IOMMUs. */
static void tables(const void *arg)
{
	const uint8_t *root;
	unsigned hidden = 0;

	(void)arg;
	dma_flags();
	CHECK(rsdp(), "no RSDP");
	root = (const uint8_t *)(uint64_t) * (const uint32_t *)(rsdp() + 16);
	for (uint32_t at = 36; at < *(const uint32_t *)(root + 4); at += 4) {
		const uint8_t *table = (const uint8_t *)(uint64_t) * (const uint32_t *)(root + at);

		CHECK(memcmp(table, "DMAR", 4) && memcmp(table, "IVRS", 4), "a table of IOMMUs");
		CHECK(good_sum(table), "a wrong sum");
		hidden += !memcmp(table, "XMAR", 4) || !memcmp(table, "XVRS", 4);
	}
	CHECK_EQ(hidden, 1);
}

static void message(uint32_t cpu, uint32_t data)
{
	uint32_t *word = page_alloc();

	*word = data;
	CHECK(edu_write(APIC_BASE | cpu << 12, word, sizeof(*word)), "no end");
}

/* The ordinary kind arrives, whatever filters. */
static void an_interrupt(const void *arg)
{
	(void)arg;
	need_device();
	if (monitor_present() && option("filtered", 0))
		test_skip("QEMU's AMD-Vi delivers vector 0 instead");
	message(0, VECTOR);
	CHECK(WAIT_FOR(apic_pending(VECTOR)), "it does not arrive");
	interrupt_take(VECTOR);
}

static void an_nmi(const void *arg)
{
	bool filtered = monitor_present() && (dma_flags() & DMA_INTERRUPTS);
	unsigned before = nmis_taken(0);

	(void)arg;
	need_device();
	message(0, ICR_NMI | ICR_ASSERT);
	cpu_idle(1000000);
	CHECK_EQ(nmis_taken(0) - before, filtered ? 0 : 1);
	CHECK(!monitor_present() || monitor_answers(), "the monitor does not answer any more");
}

static volatile uint32_t turns;

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		turns++;
}

static void ask(void *arg)
{
	*(volatile bool *)arg = monitor_answers();
}

/* Where nothing filters, TCG's CPUs cannot do what the monitor wants of them (svm/known.h). */
static void an_init(const void *arg)
{
	bool filtered = monitor_present() && (dma_flags() & DMA_INTERRUPTS);
	volatile bool answered = false;
	uint32_t before;

	(void)arg;
	need_device();
	smp_need_two();
	if (monitor_present() && !filtered)
		test_skip("TCG: an INIT from a device cannot be turned into an exception");
	CHECK(cpu_start(1, spin, NULL), "CPU 1 does not start");
	CHECK(WAIT_FOR(turns > 1000), "CPU 1 does not run");
	message(1, ICR_INIT | ICR_ASSERT);
	cpu_idle(100000000);
	before = turns;
	cpu_idle(100000000);
	CHECK_EQ(turns != before, filtered);
	CHECK(cpu_start(1, ask, (void *)&answered), "CPU 1 does not start again");
	CHECK(WAIT_FOR(cpu_finished(1)) && answered == monitor_present(),
	      "CPU 1 is the monitor's no more");
}

void l1_main(void)
{
	vendor_start();
	apic_init();
	test("own-memory", own_memory, NULL);
	test("registers", registers, NULL);
	test("tables", tables, NULL);
	test("interrupt", an_interrupt, NULL);
	test("nmi", an_nmi, NULL);
	test("init", an_init, NULL);
}
