/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enum enter_result vmx_enter(struct regs *regs, bool launched, const bool *nmi_seen)
 *
 * RSP, RIP and RFLAGS are in the VMCS. An NMI that came since the caller looked must not wait until
 * the next exit: it may be another CPU's request. So one more look is taken here, and from then on
 * the trap handler sends an NMI that interrupts the way in to vmx_enter_abort (monitor/panic.c).
 */
#define VMCS_HOST_RSP 0x6c14
#define ENTER_DONE 0
#define ENTER_NMI 1
#define ENTER_REFUSED 2
	.text
	.globl vmx_enter, vmx_exit
vmx_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi
	movl $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax
vmx_enter_window:
	cmpb $0, (%rdx)
	jne vmx_enter_abort
	testb %sil, %sil
	movq 0 * 8(%rdi), %rax
	movq 1 * 8(%rdi), %rcx
	movq 2 * 8(%rdi), %rdx
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
	movq 7 * 8(%rdi), %rdi
	jz 1f
	vmresume
	movl $ENTER_REFUSED, %eax
	jmp 2f
1:	vmlaunch
	movl $ENTER_REFUSED, %eax
	jmp 2f
vmx_enter_abort:
	movl $ENTER_NMI, %eax
2:	popq %rdi
	jmp 3f
vmx_exit:
	/* RSP is as it was written above; all other registers are L1's or L2's. */
	pushq %rdi
	movq 8(%rsp), %rdi
	movq %rax, 0 * 8(%rdi)
	movq %rcx, 1 * 8(%rdi)
	movq %rdx, 2 * 8(%rdi)
	movq %rbx, 3 * 8(%rdi)
	movq %rbp, 5 * 8(%rdi)
	movq %rsi, 6 * 8(%rdi)
	movq %r8, 8 * 8(%rdi)
	movq %r9, 9 * 8(%rdi)
	movq %r10, 10 * 8(%rdi)
	movq %r11, 11 * 8(%rdi)
	movq %r12, 12 * 8(%rdi)
	movq %r13, 13 * 8(%rdi)
	movq %r14, 14 * 8(%rdi)
	movq %r15, 15 * 8(%rdi)
	popq %rax
	movq %rax, 7 * 8(%rdi)
	popq %rdi
	movl $ENTER_DONE, %eax
3:	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/* void hw_sleep(const bool *nmi_seen): until an NMI, unless there was one; one that comes before the HLT is sent behind it, as above. */
	.globl hw_sleep
hw_sleep:
vmx_sleep_window:
	cmpb $0, (%rdi)
	jne vmx_sleep_end
	hlt
vmx_sleep_end:
	ret

	.section .rodata
	.globl hw_nmi_windows
	.balign 8
hw_nmi_windows:
	.quad vmx_enter_window, vmx_enter_abort
	.quad vmx_sleep_window, vmx_sleep_end
	.quad 0
	.section .note.GNU-stack, "", @progbits
