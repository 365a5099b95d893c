/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void svm_enter(struct regs *regs, uint64_t vmcb_hpa, uint64_t interrupts)
 *
 * GIF is 0 throughout the monitor. RFLAGS.IF at VMRUN is what masks physical interrupts while a
 * VMCB with V_INTR_MASKING runs (APM volume 2, 15.21.1), hence the argument. FS, GS, TR, LDTR and
 * the system-call MSRs stay those of L1 or L2: the monitor uses none of them.
 */
#include "monitor/regs.S"

	.text
	.globl svm_enter
svm_enter:
	callee_save
	pushq %rdi
	movq %rsi, %rax
	regs_load %rdi
	testl %edx, %edx
	movq REG(2)(%rdi), %rdx
	movq REG(7)(%rdi), %rdi
	jz 1f
	sti
1:	vmrun %rax
	cli
	movq (%rsp), %rax
	regs_store %rax
	movq %rdi, REG(7)(%rax)
	popq %rdi
	callee_restore
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
