/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guests of wild.c execute, 32 bytes each: those of both vendors, then the vendor's own. RBX
 * is a data page in all of them. They touch no port but 0x80 (POST code) and no MSR but STAR. The first
 * one of 64 bits that does not end by itself is the second.
 */
#include "vendor.h"

#define STUB(...) .balign 32; __VA_ARGS__; VENDOR_CALL_INSTRUCTION; ud2
#define STUB_NO_CALL(...) .balign 32; __VA_ARGS__; ud2

	.section .guest, "ax"
	.global wild_stubs, wild_stubs_end, wild_stubs32, wild_stubs32_end
	.balign 4096
wild_stubs:
	STUB()
	STUB_NO_CALL(1: jmp 1b)
	STUB(xor %eax, %eax; cpuid)
	STUB(hlt)
	STUB(rdtsc; rdpmc)
	STUB(mov %rax, (%rbx); mov (%rbx), %rcx)
	STUB(out %al, $0x80; in $0x80, %al)
	STUB(mov $0xc0000081, %ecx; rdmsr; wrmsr)
	STUB_NO_CALL(ud2)
	STUB(int $0x40)
	STUB(int3)
	STUB(pause; pause)
	STUB(invlpg (%rax))
	STUB(mov %cr0, %rax; mov %rax, %cr0)
	STUB(mov %cr2, %rax; mov %rax, %cr2; mov %cr8, %rax)
	STUB(mov %dr7, %rax; mov %rax, %dr7; mov %dr6, %rax)
	STUB_NO_CALL(iretq)
	STUB(pushfq; popfq)
	STUB(sgdt -64(%rsp); sidt -64(%rsp); sldt %eax; str %eax)
	STUB(mov (%rax), %rax)
	STUB(mov %rdi, %rax; mov %rax, (%rdi))
	STUB(div %ecx)
	STUB(mov %rbx, %rdi; mov $3, %ecx; mov $0x80, %edx; rep insb)
#include "vendor_stubs.inc"
	.balign 32
wild_stubs_end:
	.code32
wild_stubs32:
	STUB()
	STUB(xor %eax, %eax; cpuid)
	STUB(hlt)
	STUB(mov %eax, (%ebx))
	STUB(mov %eax, %ds; mov %eax, %es)
	STUB(int $0x41)
	.balign 32
wild_stubs32_end:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
