/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void svm_enter(vmcb, regs, host): keeps the host's VMSAVE state in the page `host`, runs the guest
 * with regs[] (RBX RCX RDX RSI RDI RBP R8..R15), and stores the guest's registers and VMSAVE state.
 */
	.text
	.global svm_enter, svm_enter_vmrun
svm_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rsi
	mov %rdx, %rax
	vmsave
	mov %rdi, %rax
	vmload
	mov (%rsi), %rbx
	mov 8(%rsi), %rcx
	mov 16(%rsi), %rdx
	mov 32(%rsi), %rdi
	mov 40(%rsi), %rbp
	mov 48(%rsi), %r8
	mov 56(%rsi), %r9
	mov 64(%rsi), %r10
	mov 72(%rsi), %r11
	mov 80(%rsi), %r12
	mov 88(%rsi), %r13
	mov 96(%rsi), %r14
	mov 104(%rsi), %r15
	mov 24(%rsi), %rsi
svm_enter_vmrun:
	vmrun
	vmsave
	xchg %rsi, (%rsp)
	mov %rbx, (%rsi)
	mov %rcx, 8(%rsi)
	mov %rdx, 16(%rsi)
	mov %rdi, 32(%rsi)
	mov %rbp, 40(%rsi)
	mov %r8, 48(%rsi)
	mov %r9, 56(%rsi)
	mov %r10, 64(%rsi)
	mov %r11, 72(%rsi)
	mov %r12, 80(%rsi)
	mov %r13, 88(%rsi)
	mov %r14, 96(%rsi)
	mov %r15, 104(%rsi)
	pop %rax
	mov %rax, 24(%rsi)
	pop %rax
	vmload
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.section .note.GNU-stack, "", @progbits
