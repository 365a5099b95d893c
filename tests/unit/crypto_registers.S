/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void with_registers(void (*fn)(void), const void *pattern, void *after, void *mine)
 *
 * Calls fn with the x87, SSE, AVX and AVX-512 state of the XSAVE area `pattern` and stores what it leaves
 * in `after`, with no compiled code in between. `mine` is where the caller's state waits.
 */
#define COMPONENTS 0xe7 /* x87 SSE AVX, opmask ZMM_Hi256 Hi16_ZMM: those that XCR0 has */

	.text
	.globl with_registers
with_registers:
	pushq %rbx
	pushq %r12
	pushq %r13
	movq %rdi, %rbx
	movq %rdx, %r12
	movq %rcx, %r13
	movl $COMPONENTS, %eax
	xorl %edx, %edx
	xsave64 (%r13)
	xrstor64 (%rsi)
	call *%rbx
	movl $COMPONENTS, %eax
	xorl %edx, %edx
	xsave64 (%r12)
	xrstor64 (%r13)
	popq %r13
	popq %r12
	popq %rbx
	ret

/* void on_stack(void (*fn)(void), void *top): calls fn with the stack below top. */
	.globl on_stack
on_stack:
	pushq %rbp
	movq %rsp, %rbp
	movq %rsi, %rsp
	call *%rdi
	movq %rbp, %rsp
	popq %rbp
	ret
	.section .note.GNU-stack, "", @progbits
