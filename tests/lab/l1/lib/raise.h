/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that raise each exception, for the programs of both vendors: for one named X, code_X is where
 * it starts, at_X the instruction that raises it, after_X what follows, which is STOP; `.code32` ones
 * are for protected mode. Some want the guest prepared, by functions that the program defines.
 * Included by one file of a program.
 */
#ifndef L1_LIB_RAISE_H
#define L1_LIB_RAISE_H

#include "lib/layout.h"
#include "vendor_guest.h"

#define UNMAPPED_VA 0x7f0012345678 /* what code_page writes to */

#define CODE(id, setup, instruction) \
	GUEST_LABEL(at_##id);        \
	GUEST_LABEL(after_##id);     \
	GUEST(code_##id, setup "\nat_" #id ": " instruction "\nafter_" #id ":" STOP)

CODE(divide, "xor %ecx, %ecx", "div %ecx");
CODE(single_step, "pushfq; orl $0x100, (%rsp); popfq", "nop");
CODE(int3, "", "int3");
CODE(into, ".code32; mov $0x7fffffff, %eax; inc %eax", "into");
CODE(bound, ".code32; push $5; push $3; mov $9, %eax", "bound %eax, (%esp)");
CODE(ud2, "", "ud2");
CODE(device, "", "fnop");
CODE(double_fault, "", "ud2");
CODE(invalid_tss, ".code32; pushf; orl $0x4000, (%esp); popf", "iret");
CODE(not_present, "mov $0x50, %eax", "mov %eax, %ds");
CODE(stack_segment, "mov $0x50, %eax", "mov %eax, %ss");
CODE(stack_canonical, "mov $1, %eax; shl $60, %rax; mov %rax, %rsp", "push %rax");
CODE(general, "mov $0xfff8, %eax", "mov %eax, %ds");
CODE(general_canonical, "mov $1, %eax; shl $60, %rax", "mov (%rax), %rax");
CODE(page, "mov $0x7f0012345678, %rax", "movl $0x1234, (%rax)");
CODE(x87, "fninit; pushq $0x340; fldcw (%rsp); fld1; fldz; fdivrp", "fwait");
CODE(aligned, "", "mov -63(%rsp), %eax");
CODE(simd,
     "movl $0x1d00, -32(%rsp); ldmxcsr -32(%rsp); movl $0x3f800000, -32(%rsp);"
     "movss -32(%rsp), %xmm0; xorps %xmm1, %xmm1",
     "divss %xmm1, %xmm0");

/* CR0.TS set. */
void task_switched_on(struct guest *g);

/* An interrupted task whose link is a selector in the LDT, which no TSS can be. */
void bad_link(struct guest *g);

/* An IDT limit of 0; #UD, #GP and #NP do not exit. */
void no_idt(struct guest *g);

/* Ring 3 with CR0.AM and RFLAGS.AC set. */
void user_mode_aligned(struct guest *g);

struct exception {
	const char *name;
	const uint8_t *code, *at, *after;
	enum vector vector;
	bool trap; /* RIP is after the instruction */
	bool soft; /* RIP is at it in the exit, after it on the guest's stack */
	bool has_error;
	uint32_t error;
	void (*prepare)(struct guest *g);
	struct guest (*make)(const void *code);
};

#define CASE(id, v) .name = #id, .code = code_##id, .at = at_##id, .after = after_##id, .vector = v

static const struct exception exceptions[] = {
	{CASE(divide, VEC_DE)},
	{CASE(single_step, VEC_DB), .trap = true},
	{CASE(int3, VEC_BP), .soft = true},
	{CASE(into, VEC_OF), .soft = true, .make = guest_protected},
	{CASE(bound, VEC_BR), .make = guest_protected},
	{CASE(ud2, VEC_UD)},
	{CASE(device, VEC_NM), .prepare = task_switched_on},
	{CASE(double_fault, VEC_DF), .has_error = true, .prepare = no_idt},
	{CASE(invalid_tss, VEC_TS), .has_error = true, .error = 4, .prepare = bad_link,
	 .make = guest_protected},
	{CASE(not_present, VEC_NP), .has_error = true, .error = SEL_ABSENT},
	{CASE(stack_segment, VEC_SS), .has_error = true, .error = SEL_ABSENT},
	{CASE(stack_canonical, VEC_SS), .has_error = true},
	{CASE(general, VEC_GP), .has_error = true, .error = 0xfff8},
	{CASE(general_canonical, VEC_GP), .has_error = true},
	{CASE(page, VEC_PF), .has_error = true, .error = 2},
	{CASE(x87, VEC_MF)},
	{CASE(aligned, VEC_AC), .has_error = true, .prepare = user_mode_aligned},
	{CASE(simd, VEC_XM)},
};

/* A guest that is about to raise it. */
static struct guest guest_raising(const struct exception *e)
{
	struct guest g = e->make ? e->make(e->code) : guest_long(e->code);

	if (e->prepare)
		e->prepare(&g);
	return g;
}

#endif
