/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest code that raises each exception, for the programs of both vendors: for one named X, code_X is
 * where it starts, at_X the instruction that raises it, after_X what follows, which is STOP. Some
 * want the guest prepared: TS set (device), no IDT (double_fault), a TSS whose link is a selector in
 * the LDT (invalid_tss), ring 3 with AM and AC set (aligned); `.code32` ones are for protected mode.
 * Included by one file of a program.
 */
#ifndef L1_LIB_RAISE_H
#define L1_LIB_RAISE_H

#include "lib/guest.h"

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

#endif
