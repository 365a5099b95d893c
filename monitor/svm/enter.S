/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void svm_enter(struct regs *regs, uint64_t vmcb_hpa, uint64_t interrupts)
 *
 * GIF is 0 throughout the monitor. RFLAGS.IF at VMRUN is what masks physical interrupts while a
 * VMCB with V_INTR_MASKING runs (APM volume 2, 15.21.1), hence the argument. FS, GS, TR, LDTR and
 * the system-call MSRs stay those of L1 or L2: the monitor uses none of them.
 */
	.text
	.globl svm_enter
svm_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi
	movq %rsi, %rax
	movq 1 * 8(%rdi), %rcx
	movq 3 * 8(%rdi), %rbx
	movq 5 * 8(%rdi), %rbp
	movq 6 * 8(%rdi), %rsi
	movq 8 * 8(%rdi), %r8
	movq 9 * 8(%rdi), %r9
	movq 10 * 8(%rdi), %r10
	movq 11 * 8(%rdi), %r11
	movq 12 * 8(%rdi), %r12
	movq 13 * 8(%rdi), %r13
	movq 14 * 8(%rdi), %r14
	movq 15 * 8(%rdi), %r15
	testl %edx, %edx
	movq 2 * 8(%rdi), %rdx
	movq 7 * 8(%rdi), %rdi
	jz 1f
	sti
1:	vmrun %rax
	cli
	movq (%rsp), %rax
	movq %rcx, 1 * 8(%rax)
	movq %rdx, 2 * 8(%rax)
	movq %rbx, 3 * 8(%rax)
	movq %rbp, 5 * 8(%rax)
	movq %rsi, 6 * 8(%rax)
	movq %rdi, 7 * 8(%rax)
	movq %r8, 8 * 8(%rax)
	movq %r9, 9 * 8(%rax)
	movq %r10, 10 * 8(%rax)
	movq %r11, 11 * 8(%rax)
	movq %r12, 12 * 8(%rax)
	movq %r13, 13 * 8(%rax)
	movq %r14, 14 * 8(%rax)
	movq %r15, 15 * 8(%rax)
	popq %rdi
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/*
 * void svm_nmi_window(void): lets a pending NMI in. void hw_sleep(const bool *): waits for
 * one, which GIF = 0 holds back until here.
 */
	.globl svm_nmi_window, hw_sleep
svm_nmi_window:
	stgi
	nop
	clgi
	ret
hw_sleep:
wait_start:
	stgi
	hlt
wait_end:
	clgi
	ret

	.section .rodata
	.globl hw_nmi_windows
	.balign 8
hw_nmi_windows:
	.quad wait_start, wait_end
	.quad 0
	.section .note.GNU-stack, "", @progbits
