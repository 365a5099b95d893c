/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways out of the monitor's hold of a CPU: interrupt messages made by stores around the local APIC's
 * registers, an APIC that is renamed or moved, control registers that the CPU refuses. On a bare
 * machine most of them reset it, so they are tried above the monitor only.
 */
#include "lib/apic.h"
#include "lib/monitor.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "vendor.h"

#define MESSAGE_INIT 0x4500u /* as data of an interrupt message: INIT, asserted */
#define MESSAGE_SIPI 0x4608u
#define WINDOW_END 0xfef00000u

struct store {
	uint64_t address;
	uint32_t value;
};

static void do_store(void *arg)
{
	const struct store *s = arg;

	*(volatile uint32_t *)s->address = s->value;
}

static void need_monitor(void)
{
	if (!monitor_present())
		test_skip("needs the monitor");
}

/* Both CPUs go on, and the APIC still works: an IPI to this CPU arrives. */
static void unharmed(uint32_t id)
{
	CHECK(monitor_answers(), "the monitor does not answer any more");
	CHECK_EQ(apic_read(APIC_ID), id);
}

static void store(uint64_t address, uint32_t value, bool may_fault)
{
	struct store s = {address, value};
	struct fault f = expect_fault(do_store, &s);

	CHECK(!f.taken || (may_fault && f.vector == VEC_GP), "a store to 0x%x raises vector %u",
	      address, U64(f.vector));
}

/* Offsets below the first register, and inside the 16 bytes of one behind its first 4. */
static void register_page(const void *arg)
{
	uint32_t id;

	(void)arg;
	need_monitor();
	id = apic_read(APIC_ID);
	for (uint64_t at = 0; at < APIC_TPR; at += 4)
		store(APIC_BASE + at, MESSAGE_INIT, false);
	for (uint64_t at = 4; at < 16; at += 4) {
		store(APIC_BASE + APIC_ICR_LOW + at, MESSAGE_INIT, false);
		store(APIC_BASE + APIC_ICR_LOW + at, MESSAGE_SIPI, false);
	}
	unharmed(id);
}

/* The megabyte around the page is the window of interrupt messages. */
static void message_window(const void *arg)
{
	uint32_t id;

	(void)arg;
	need_monitor();
	id = apic_read(APIC_ID);
	for (uint64_t at = APIC_BASE + PAGE_SIZE; at < WINDOW_END; at += 0x7000)
		store(at, MESSAGE_INIT, true);
	store(WINDOW_END - 4, MESSAGE_INIT, true);
	unharmed(id);
}

static void write_base(void *arg)
{
	wrmsr(0x1b, *(const uint64_t *)arg);
}

static void moved(const void *arg)
{
	static const uint64_t bits[] = {1ull << 12, 1ull << 35, 1ull << 36, 1ull << 39, 1ull << 51};
	uint64_t base;

	(void)arg;
	need_monitor();
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct fault f;

		base = rdmsr(0x1b) ^ bits[i];
		f = expect_fault(write_base, &base);
		CHECK(f.taken && f.vector == VEC_GP, "the APIC can be moved to 0x%x", base);
	}
	base = rdmsr(0x1b) & ~(uint64_t)0x800;
	CHECK(expect_fault(write_base, &base).taken, "the APIC can be switched off");
	CHECK(monitor_answers(), "the monitor does not answer any more");
}

static void write_bad_cr4(void *arg)
{
	uint64_t cr4;

	(void)arg;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | 1ull << 31));
}

static void write_bad_cr3(void *arg)
{
	uint64_t cr3;

	(void)arg;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	__asm__ volatile("mov %0, %%cr3" ::"r"(cr3 | 1ull << 62));
}

static void bad_control_registers(const void *arg)
{
	(void)arg;
	need_monitor();
	CHECK_EQ(expect_fault(write_bad_cr4, NULL).vector, VEC_GP);
	CHECK_EQ(expect_fault(write_bad_cr3, NULL).vector, VEC_GP);
	CHECK(monitor_answers(), "the monitor does not answer any more");
}

void l1_main(void)
{
	vendor_start();
	apic_init();
	test("register-page", register_page, NULL);
	test("message-window", message_window, NULL);
	test("apic-moved", moved, NULL);
	test("bad-control-registers", bad_control_registers, NULL);
}
