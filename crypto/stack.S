/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/stack.h"

	.text
	.globl stack_wipe
stack_wipe:
	leaq -STACK_WIPED(%rsp), %rdi
	movl $(STACK_WIPED / 8), %ecx
	xorl %eax, %eax
	rep stosq
	ret
	.section .note.GNU-stack, "", @progbits
