/* SPDX-License-Identifier: Apache-2.0 */
	.section .guest, "ax"
	.global guest_stubs
	.balign 4096
guest_stubs:
	.rept 256
	.balign 8
	vmmcall
	iretq
	.endr
	.balign 4096
	.section .note.GNU-stack, "", @progbits
