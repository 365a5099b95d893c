/* SPDX-License-Identifier: Apache-2.0 */
#include "vendor.h"

	.section .guest, "ax"
	.global guest_stubs
	.balign 4096
guest_stubs:
	.rept 256
	.balign 8
	VENDOR_CALL_INSTRUCTION
	iretq
	.endr
	.balign 4096
	.section .note.GNU-stack, "", @progbits
