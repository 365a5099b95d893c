/* SPDX-License-Identifier: Apache-2.0 */
#define MSR_FS_BASE 0xc0000100

	.text
	.globl simd_fs_swap
simd_fs_swap:
#if __STDC_HOSTED__
	xorl %eax, %eax
#else
	movl $MSR_FS_BASE, %ecx
	rdmsr
	shlq $32, %rdx
	leaq (%rax, %rdx), %rsi
	movl %edi, %eax
	movq %rdi, %rdx
	shrq $32, %rdx
	wrmsr
	movq %rsi, %rax
#endif
	ret
	.section .note.GNU-stack, "", @progbits
