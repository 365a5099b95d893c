/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enum enter_result vmx_enter(struct regs *regs, bool launched, const bool *nmi_seen)
 *
 * RSP, RIP and RFLAGS are in the VMCS. An NMI that came since the caller looked must not wait until
 * the next exit: it may be another CPU's request. So one more look is taken here, and from then on
 * the trap handler sends an NMI that interrupts the way in to vmx_enter_abort (monitor/panic.c).
 */
#include "monitor/regs.S"

#define VMCS_HOST_RSP 0x6c14
#define ENTER_DONE 0
#define ENTER_NMI 1
#define ENTER_REFUSED 2
	.text
	.globl vmx_enter, vmx_exit
vmx_enter:
	callee_save
	pushq %rdi
	movl $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax
vmx_enter_window:
	cmpb $0, (%rdx)
	jne vmx_enter_abort
	testb %sil, %sil
	regs_load %rdi
	movq REG(0)(%rdi), %rax
	movq REG(2)(%rdi), %rdx
	movq REG(7)(%rdi), %rdi
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
	movq %rax, REG(0)(%rdi)
	regs_store %rdi
	popq %rax
	movq %rax, REG(7)(%rdi)
	popq %rdi
	movl $ENTER_DONE, %eax
3:	callee_restore
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
