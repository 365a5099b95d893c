/* SPDX-License-Identifier: Apache-2.0 */
/* Macros for the backends' enter.S: struct regs (cpu.h) to and from all registers but RAX, RDX, RDI, RSP. */
#define REG(number) (number * 8)

	.macro regs_load from
	movq REG(1)(\from), %rcx
	movq REG(3)(\from), %rbx
	movq REG(5)(\from), %rbp
	movq REG(6)(\from), %rsi
	movq REG(8)(\from), %r8
	movq REG(9)(\from), %r9
	movq REG(10)(\from), %r10
	movq REG(11)(\from), %r11
	movq REG(12)(\from), %r12
	movq REG(13)(\from), %r13
	movq REG(14)(\from), %r14
	movq REG(15)(\from), %r15
	.endm

	.macro regs_store to
	movq %rcx, REG(1)(\to)
	movq %rdx, REG(2)(\to)
	movq %rbx, REG(3)(\to)
	movq %rbp, REG(5)(\to)
	movq %rsi, REG(6)(\to)
	movq %r8, REG(8)(\to)
	movq %r9, REG(9)(\to)
	movq %r10, REG(10)(\to)
	movq %r11, REG(11)(\to)
	movq %r12, REG(12)(\to)
	movq %r13, REG(13)(\to)
	movq %r14, REG(14)(\to)
	movq %r15, REG(15)(\to)
	.endm

	/* What the C calling convention wants kept. */
	.macro callee_save
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro callee_restore
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	.endm
	.section .note.GNU-stack, "", @progbits
