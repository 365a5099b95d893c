/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to disclose.c: what it knows of one exit, and privileged.c: the exits of instructions on control
 * registers, MSRs and CPUID, with what the guest is answered without L1.
 */
#ifndef MONITOR_PRIVILEGED_H
#define MONITOR_PRIVILEGED_H

#include "ept/owner.h"
#include "ept/walk.h"
#include "monitor/disclose.h"
#include "monitor/guest.h"
#include "monitor/hw.h"

/* Where a page of linear addresses is, and the way there. */
struct place {
	bool found;
	gva_t page;
	uint32_t access;
	struct walk_path path;
	struct walk_result at; /* of the byte asked for */
};

/* What is known of the guest while one exit is dealt with. */
struct view {
	struct cpu *cpu;
	struct guest_vcpu *v;
	const struct guest_exit *x;
	struct walk_space space;
	enum decode_mode mode;
	bool tracked;       /* PORT: a disk's */
	struct place *last; /* that was looked up: operands are read, then shown */
};

/* Whether that is a page of the guest's own. */
bool view_has(const struct guest_vcpu *v, owner_t owner);

/* A window over part of one page; none, if the page is L1's anyway. 0, or as window_open(). */
int view_show(const struct view *s, hpa_t hpa, size_t len, unsigned int direction,
	      const void *bytes);

/* The guest's instruction at a linear address: 0 or an error of decode(). */
int view_fetch(const struct view *s, gva_t rip, struct decode_insn *insn);

/* The instruction that the guest came out for, into disclosure.emulated: 0 or as emulated_prepare(). */
int view_emulated(const struct view *s);

/* L1 gets that instruction, and its operand to put something there, `times` elements. 0, or as window_open(). */
int view_instruction(const struct view *s, unsigned int times);

/*
 * L1 gets another instruction, of n bytes, at RIP `rip`, whose operand is a device's register at gva. 0, or as
 * window_open().
 */
int view_access(const struct view *s, uint64_t rip, const uint8_t *insn, size_t n, gva_t gva,
		bool write);

/* Where the guest's own tables have gva; *gpa also if nothing is there. 0 or ERR_FAULT. */
int view_place(const struct view *s, gva_t gva, uint32_t access, gpa_t *gpa);

/* Nothing is shown: the guest does it again (ERR_BUSY), or ends. */
enum disclose_result view_failed(const struct view *s, int err);

enum disclose_result privileged_cpuid(const struct view *s);
enum disclose_result privileged_control(const struct view *s);
enum disclose_result privileged_msr_read(const struct view *s);
enum disclose_result privileged_msr_write(const struct view *s);

#endif
