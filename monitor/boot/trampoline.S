/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a started CPU executes first: real mode, in a page below 1 MiB that the monitor copies this
 * to. Everything it refers to outside that page is in the image as it was loaded.
 */
	.section .rodata
	.code16
	.globl trampoline, trampoline_end
trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl gdtr - trampoline
	movl $0x11, %eax /* PE, ET; CD and NW, set by INIT, go too */
	movl %eax, %cr0
	ljmpl $0x20, $ap_entry
gdtr:
	.short 5 * 8 - 1
	.long boot_gdt
trampoline_end:

/*
 * What stands in the same page while L1 runs: the INT 15h handler. The monitor answers at the
 * VMMCALL and moves RIP to either of the two instructions behind it (monitor/bios_call.c).
 */
	.globl int15_stub, int15_stub_end, int15_iret, int15_chain, no_bios
int15_stub:
	.byte 0x0f, 0x01, 0xd9
int15_iret:
	iretw
int15_chain:
	.byte 0xea /* jump far to the BIOS's own handler */
	.short 0, 0
/* What every BIOS call answers where there is no BIOS (monitor/legacy.c): failed. */
no_bios:
	pushw %bp
	movw %sp, %bp
	orb $1, 6(%bp) /* CF of the flags that INT pushed, above BP, IP, CS */
	popw %bp
	iretw
int15_stub_end:
	.section .note.GNU-stack, "", @progbits
