/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An isolated guest comes out: exactly which bytes of its memory L1 sees then, and which of L1's it gets
 * when it goes back in.
 */
#ifndef TESTS_TEST_DISCLOSE_H
#define TESTS_TEST_DISCLOSE_H

#include "tests/unit/test_isolated.h"

#define DATA AT(20)

/* Parts of the guest's memory that L1 is to see: bytes, or NULL for what the guest has there. */
static struct {
	uint64_t hpa;
	size_t len;
	const uint8_t *bytes;
} allowed[64];
static unsigned int allowed_count;

static inline void allow_bytes(uint64_t gva, size_t len, const void *bytes)
{
	for (size_t i = 0, part; i < len; i += part) {
		part = PAGE_SIZE - page_offset(gva + i);
		part = part < len - i ? part : len - i;
		assert_true(allowed_count < ARRAY_SIZE(allowed));
		allowed[allowed_count].hpa = hpa_at(gva + i);
		allowed[allowed_count].len = part;
		allowed[allowed_count++].bytes = bytes ? (const uint8_t *)bytes + i : NULL;
	}
}

/* The guest's bytes. */
static inline void allow(uint64_t gva, size_t len)
{
	allow_bytes(gva, len, NULL);
}

/* Zeros, where L1 may write. */
static inline void allow_in(uint64_t gva, size_t len)
{
	static const uint8_t zeros[PAGE_SIZE];

	allow_bytes(gva, len, zeros);
}

/* The entry of the guest's own table of this level for gva. */
static inline uint64_t pte_at(uint64_t gva, unsigned int level)
{
	return hpa_at(AT(4 - level)) + table_index(level, gva) * 8;
}

static inline void allow_path(uint64_t gva)
{
	for (unsigned int level = 4; level; level--)
		allow(AT(4 - level) + table_index(level, gva) * 8, 8);
}

static inline bool is_allowed(uint64_t hpa, uint8_t *byte)
{
	for (unsigned int i = 0; i < allowed_count; i++) {
		uint64_t offset = hpa - allowed[i].hpa;

		if (offset >= allowed[i].len)
			continue;
		*byte = allowed[i].bytes ? allowed[i].bytes[offset]
					 : *(uint8_t *)fake_at(HPA(hpa), 1);
		return true;
	}
	return false;
}

/* All of that, and nothing else of what is the guest's, wherever L1 can look. */
static inline void expect_seen(void)
{
	expect_out_of_reach();
	for (unsigned int i = 0; i < allowed_count; i++)
		assert_non_null(seen(allowed[i].hpa));
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE) {
		const uint8_t *frame = seen(hpa);

		if (owner_kind(owner_of(HPA(hpa))) != OWNER_GUEST || !frame)
			continue;
		for (unsigned int i = 0; i < PAGE_SIZE; i++) {
			uint8_t want = 0;

			is_allowed(hpa + i, &want);
			if (frame[i] != want)
				fail_msg("page %lx byte %x: %x, not %x", hpa, i, frame[i], want);
		}
	}
}

static uint8_t image[4 * MIB]; /* of PAGES, before L1 acts */
static struct regs regs;       /* of the guest, when it came out */

static inline void keep(void)
{
	memcpy(image, fake_at(HPA(PAGES), sizeof(image)), sizeof(image));
}

/* The guest's memory gets these bytes. */
static inline void expect_written(uint64_t gva, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		image[hpa_at(gva + i) - PAGES] = ((const uint8_t *)bytes)[i];
}

/* L1's own page may be anything; all else is as it was, but for what was written. */
static inline void expect_kept(void)
{
	for (uint64_t at = 0; at < sizeof(image); at += PAGE_SIZE)
		if (PAGES + at != shared_page() &&
		    memcmp(&image[at], fake_at(HPA(PAGES + at), PAGE_SIZE), PAGE_SIZE))
			fail_msg("page %lx", PAGES + at);
}

static inline void guest_code(const void *bytes, size_t n)
{
	memcpy(fake_at(HPA(hpa_at(GUEST_CODE)), n), bytes, n);
}

#define GUEST_CODE_IS(...)                          \
	do {                                        \
		const uint8_t is[] = {__VA_ARGS__}; \
		guest_code(is, sizeof(is));         \
	} while (0)

/* Registers of the guest's that nobody could guess. */
static inline void fill_registers(void)
{
	for (unsigned int i = 0; i < 16; i++)
		cpu->regs.r[i] = 0x0101010101010101u * (0x20 + i);
	cpu->regs.rip = GUEST_CODE;
	cpu->regs.rflags = RFLAGS_FIXED;
	fake_forget(cpu);
	cpu->hw->guest_insn_len = 2;
	allowed_count = 0;
}

/* It came out, and L1 is told, or whatever is wanted. */
static inline void comes_out(struct guest_exit x, enum disclose_result want)
{
	enum disclose_result got;

	regs = cpu->regs;
	got = leave_guest(&x);
	if (got != want)
		fail_msg("disclosed: %d (stopped for %u)", got, guest->stop_reason);
	keep();
}

static inline void touches_device(bool write, enum disclose_result want)
{
	comes_out((struct guest_exit){.reason = EXIT_NESTED_FAULT,
				      .fault = GPA(DEVICE),
				      .write = write},
		  want);
}

/* L1 is hostile: every register but those of the mask is something else. */
static inline void spoil_registers(unsigned int but)
{
	for (unsigned int i = 0; i < 16; i++)
		if (!(but >> i & 1))
			cpu->regs.r[i] = 0xbad0000 + i;
	cpu->regs.rflags = RFLAGS_FIXED | RFLAGS_DF;
}

static inline void goes_in(void)
{
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(v->windows.count, 0);
}

/* All registers are the guest's own, but those of the mask. */
static inline void expect_registers(unsigned int but)
{
	for (unsigned int i = 0; i < 16; i++)
		if (!(but >> i & 1))
			assert_int_equal(cpu->regs.r[i], regs.r[i]);
	assert_int_equal(cpu->regs.rflags, regs.rflags);
}

#define R(n) (1u << (n))

/* The guest is over, and L1 sees nothing of it. */
static inline void expect_over(enum stop_reason reason)
{
	unsigned int rights;

	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(guest->stop_reason, reason);
	assert_int_equal(v->windows.count, 0);
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE)
		if (owner_kind(owner_of(HPA(hpa))) == OWNER_GUEST)
			assert_int_equal(in_place_of(hpa, &rights), 0);
}

static inline void expect_nothing_seen(void)
{
	allowed_count = 0;
	expect_seen();
	assert_int_equal(v->windows.count, 0);
}

#endif
