/* SPDX-License-Identifier: Apache-2.0 */
/* A PVH guest that does nothing: Xen shuts down a guest that halts with interrupts off. 18: PHYS32_ENTRY. */
	.section .note.Xen, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long _start
	.text
	.globl _start
_start:
	cli
	hlt
	jmp _start
	.section .note.GNU-stack, "", @progbits
