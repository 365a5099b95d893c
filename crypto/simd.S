/* SPDX-License-Identifier: Apache-2.0 */
	.text
	.globl simd_save, simd_restore
simd_save:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu %xmm\n, \n * 16(%rdi)
	.endr
	ret
simd_restore:
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu \n * 16(%rdi), %xmm\n
	.endr
	ret
	.section .note.GNU-stack, "", @progbits
