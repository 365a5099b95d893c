/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uint64_t vmx_enter(regs, launched): runs the current VMCS with regs[] (RAX RBX RCX RDX RSI RDI RBP
 * R8..R15), by VMRESUME if launched. 0 after an exit, with regs[] stored; RFLAGS if the instruction
 * failed. The VMCS's host RIP must be vmx_exit_point; host RSP is set here.
 */
#define H_RSP 0x6c14
	.text
	.global vmx_enter, vmx_exit_point
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov $H_RSP, %eax
	vmwrite %rsp, %rax
	test %esi, %esi
	mov (%rdi), %rax
	mov 8(%rdi), %rbx
	mov 16(%rdi), %rcx
	mov 24(%rdi), %rdx
	mov 32(%rdi), %rsi
	mov 48(%rdi), %rbp
	mov 56(%rdi), %r8
	mov 64(%rdi), %r9
	mov 72(%rdi), %r10
	mov 80(%rdi), %r11
	mov 88(%rdi), %r12
	mov 96(%rdi), %r13
	mov 104(%rdi), %r14
	mov 112(%rdi), %r15
	mov 40(%rdi), %rdi
	jnz 1f
	vmlaunch
	jmp 2f
1:	vmresume
2:	pushfq
	pop %rax
	pop %rdi
	jmp 3f
vmx_exit_point:
	xchg %rdi, (%rsp)
	mov %rax, (%rdi)
	mov %rbx, 8(%rdi)
	mov %rcx, 16(%rdi)
	mov %rdx, 24(%rdi)
	mov %rsi, 32(%rdi)
	mov %rbp, 48(%rdi)
	mov %r8, 56(%rdi)
	mov %r9, 64(%rdi)
	mov %r10, 72(%rdi)
	mov %r11, 80(%rdi)
	mov %r12, 88(%rdi)
	mov %r13, 96(%rdi)
	mov %r14, 104(%rdi)
	mov %r15, 112(%rdi)
	pop %rax
	mov %rax, 40(%rdi)
	xor %eax, %eax
3:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.section .note.GNU-stack, "", @progbits
