/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RDMSR, WRMSR and XSETBV that may fault: the trap handler sends a #GP between msr_try_start and
 * msr_try_end to msr_try_failed. int f(uint32_t number, uint64_t *value or value).
 */
#define ERR_INVAL -22
	.text
	.globl msr_try_read, msr_try_write, xcr_try_write, msr_try_start, msr_try_end, msr_try_failed
msr_try_read:
	movl %edi, %ecx
msr_try_start:
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, (%rsi)
	xorl %eax, %eax
	ret
xcr_try_write:
	movl %edi, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
	xsetbv
	xorl %eax, %eax
	ret
msr_try_write:
	movl %edi, %ecx
	movl %esi, %eax
	movq %rsi, %rdx
	shrq $32, %rdx
	wrmsr
msr_try_end:
	xorl %eax, %eax
	ret
msr_try_failed:
	movl $ERR_INVAL, %eax
	ret
	.section .note.GNU-stack, "", @progbits
