/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's evidence: where it writes it, and its clock, which L1 must not be able to set. */
#include "attest/evidence.h"
#include "iodecrypt/mailbox.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

#define MSR_TSC 0x10u
#define MSR_TSC_ADJUST 0x3bu
#define Q35 0x29c08086u
#define LPC_PMBASE (0x80000000u | 0x1f << 11 | 0x40)
#define PIIX_PMBASE (0x80000000u | 1 << 11 | 3 << 8 | 0x40)
#define PM_TIMER 8u   /* behind PMBASE */
#define PM_RATE 3580u /* in a millisecond */
#define ERR_2BIG (-7)
#define ERR_FAULT (-14)

/* RBX, in *bytes. */
static int64_t ask(const void *buf, uint64_t n, uint64_t *bytes)
{
	uint64_t out[8];
	int64_t rax = -1;

	CHECK(hypercall(HYPERCALL_EVIDENCE, (uint64_t)buf, n, &rax, out), "it faults");
	*bytes = out[0];
	return rax;
}

static uint64_t uptime(void)
{
	struct evidence *e = pages_alloc(3, PAGE_SIZE);
	uint64_t bytes;

	CHECK_EQ(ask(e, EVIDENCE_MAX, &bytes), 0);
	return e->uptime;
}

static void contents(void)
{
	uint8_t *buf = (uint8_t *)pages_alloc(4, PAGE_SIZE) + PAGE_SIZE - 50, again[64];
	const struct evidence *e = (const void *)buf;
	uint64_t bytes, other;

	memset(buf, 0x33, EVIDENCE_MAX);
	CHECK_EQ(ask(buf, EVIDENCE_MAX, &bytes), 0);
	CHECK(!memcmp(buf, EVIDENCE_MAGIC, 8), "no magic");
	CHECK_EQ(e->version, EVIDENCE_VERSION);
	CHECK_EQ(e->bytes, bytes);
	CHECK_EQ(bytes, sizeof(*e) + EVIDENCE_SIGNATURE);
	CHECK_EQ(e->nonce[31], 0x33);
	CHECK_EQ(buf[bytes], 0x33);
	CHECK_EQ(e->guests, 0);
	memcpy(again, buf + bytes - EVIDENCE_SIGNATURE, EVIDENCE_SIGNATURE);
	memset(buf, 0x34, EVIDENCE_MAX);
	CHECK_EQ(ask(buf, bytes - 1, &other), ERR_2BIG);
	CHECK_EQ(other, bytes);
	CHECK_EQ(buf[0], 0x34);
	CHECK_EQ(ask(buf, bytes, &other), 0);
	CHECK(memcmp(again, buf + bytes - EVIDENCE_SIGNATURE, EVIDENCE_SIGNATURE),
	      "the same signature for another nonce");
}

/* The monitor's own memory: it does not do for L1 what L1 cannot. */
static void monitors_memory(void)
{
	uint64_t out[8], bytes;
	int64_t rax;

	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &rax, out) && !rax, "no answer");
	for (uint64_t at = 0; at < out[1]; at += out[1] / 16)
		CHECK_EQ(ask((void *)(out[2] + at), EVIDENCE_MAX, &bytes), ERR_FAULT);
	CHECK_EQ(ask((void *)(out[2] - 100), EVIDENCE_MAX, &bytes), ERR_FAULT); /* into it */
}

/* No keys for who has no TPM; and the message must be L1's memory. */
static void no_release(void)
{
	uint8_t *page = pages_alloc(1, PAGE_SIZE);
	uint64_t out[8];
	int64_t rax = 0;

	CHECK(hypercall(HYPERCALL_RELEASE, (uint64_t)page, (uint64_t)page, &rax, out) && rax < 0,
	      "taken");
}

/*
 * Keys that L1 knows are for an image for development, which its evidence says. This is the released one: it takes none, however
 * well they are formed.
 */
static void no_dev_keys(void)
{
	struct mailbox_attach *a = pages_alloc(1, PAGE_SIZE);
	const struct evidence *e = pages_alloc(3, PAGE_SIZE);
	const void *guest = pages_alloc(1, PAGE_SIZE);
	uint64_t out[8], bytes;
	int64_t rax = 0;

	*a = (struct mailbox_attach){
		.version = MAILBOX_VERSION, .uuid = {1}, .key_id = {2}, .xts = {3}, .tag = {4}};
	CHECK(hypercall(HYPERCALL_DISK_ATTACH, (uint64_t)a, (uint64_t)guest, &rax, out),
	      "it faults");
	CHECK_EQ(rax, ERR_NOSYS);
	CHECK(hypercall(HYPERCALL_DISK, 0, 0, &rax, out), "it faults");
	CHECK_EQ(rax, ERR_NOENT);
	CHECK_EQ(ask(e, EVIDENCE_MAX, &bytes), 0);
	CHECK_EQ(e->disks, 0);
	CHECK_EQ(e->flags & EVIDENCE_DEV_KEYS, 0);
}

/* --- the clock --------------------------------------------------------------------------------- */

static uint32_t config(uint32_t address)
{
	uint32_t v;

	__asm__ volatile("outl %0, %1" : : "a"(address), "d"((uint16_t)0xcf8) : "memory");
	__asm__ volatile("inl %1, %0" : "=a"(v) : "d"((uint16_t)0xcfc) : "memory");
	return v;
}

/* 24 bits, at 3.58 MHz: ACPI's, which nobody can set. */
static uint32_t timer(void)
{
	static uint16_t port;
	uint32_t v;

	if (!port)
		port = (uint16_t)((config(config(0x80000000u) == Q35 ? LPC_PMBASE : PIIX_PMBASE) &
				   0xffc0) +
				  PM_TIMER);
	__asm__ volatile("inl %1, %0" : "=a"(v) : "d"(port) : "memory");
	return v & 0xffffff;
}

static void wait_ms(uint32_t ms)
{
	uint32_t from = timer();

	while (((timer() - from) & 0xffffff) < ms * PM_RATE)
		;
}

static void do_wrmsr(void *arg)
{
	const uint64_t *a = arg;

	wrmsr((uint32_t)a[0], a[1]);
}

/*
 * A clock that was stopped, or set, would be far from ACPI's. Both are read before the monitor signs, which takes some of
 * these milliseconds on an emulated machine, as does an emulator that has to wait for its turn.
 */
static bool runs(uint64_t *ms, uint64_t *passed)
{
	uint32_t start = timer();
	uint64_t from = uptime();

	CHECK(from, "there is no clock");
	wait_ms(100);
	*passed = ((timer() - start) & 0xffffff) / PM_RATE;
	*ms = uptime() - from;
	return *ms + 20 >= *passed && *ms <= *passed + 20;
}

static void expect_runs(const char *when)
{
	uint64_t ms = 0, passed = 0;

	for (unsigned i = 0; i < 20; i++)
		if (runs(&ms, &passed))
			return;
	test_fail("%s: %u ms by the monitor, %u by ACPI's timer", when, ms, passed);
}

static void clock(void)
{
	expect_runs("at first");
}

static void clock_set(void)
{
	static const uint64_t value[] = {0, 1ull << 40, ~0ull, 1ull << 63};
	uint64_t before = uptime(), write[2] = {MSR_TSC}, now;

	for (size_t i = 0; i < ARRAY_SIZE(value); i++) {
		uint64_t real = rdtsc();

		write[0] = i % 2 ? MSR_TSC_ADJUST : MSR_TSC;
		write[1] = value[i];
		expect_fault(do_wrmsr, write);
		now = uptime();
		CHECK(now >= before, "back from %u to %u ms", before, now);
		CHECK(now < before + 60000, "from %u to %u ms", before, now);
		expect_runs("after a write");
		before = uptime();
		if (i % 2 == 0)
			write[1] = real + 1000000;
		else
			write[1] = 0;
		expect_fault(do_wrmsr, write);
	}
	expect_runs("in the end");
}

static void above_monitor(const void *arg)
{
	void (*const fn)(void) = arg;

	if (!monitor_present())
		test_skip("there is no monitor");
	fn();
}

void l1_main(void)
{
	vendor_start();
	test("contents", above_monitor, contents);
	test("monitors-memory", above_monitor, monitors_memory);
	test("no-release", above_monitor, no_release);
	test("no-dev-keys", above_monitor, no_dev_keys);
	test("clock", above_monitor, clock);
	test("clock-set", above_monitor, clock_set);
}
