/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guests of wild.c execute, 32 bytes each. RBX is a data page in all of them. They change
 * no control register that matters and touch no port but 0x80 (POST code) and no MSR but STAR.
 */
	.section .guest, "ax"
	.global wild_stubs, wild_stubs_end, wild_stubs32, wild_stubs32_end
	.balign 4096
wild_stubs:
	.balign 32
	vmmcall; ud2
	.balign 32
	xor %eax, %eax; cpuid; vmmcall; ud2
	.balign 32
	hlt; vmmcall; ud2
	.balign 32
	rdtsc; rdpmc; vmmcall; ud2
	.balign 32
	mov %rax, (%rbx); mov (%rbx), %rcx; vmmcall; ud2
	.balign 32
	out %al, $0x80; in $0x80, %al; vmmcall; ud2
	.balign 32
	mov $0xc0000081, %ecx; rdmsr; wrmsr; vmmcall; ud2
	.balign 32
	ud2
	.balign 32
	int $0x40; vmmcall; ud2
	.balign 32
	int3; vmmcall; ud2
	.balign 32
	pause; pause; vmmcall; ud2
	.balign 32
	sti; nop; cli; vmmcall; ud2
	.balign 32
	invlpg (%rax); vmmcall; ud2
	.balign 32
	mov %rbx, %rax; vmrun; ud2
	.balign 32
	mov %rbx, %rax; vmsave; vmload; vmmcall; ud2
	.balign 32
	stgi; clgi; vmmcall; ud2
	.balign 32
	invlpga; vmmcall; ud2
	.balign 32
	wbinvd; invd; vmmcall; ud2
	.balign 32
	mov %cr0, %rax; mov %rax, %cr0; vmmcall; ud2
	.balign 32
	mov %cr2, %rax; mov %rax, %cr2; mov %cr8, %rax; vmmcall; ud2
	.balign 32
	mov %dr7, %rax; mov %rax, %dr7; mov %dr6, %rax; vmmcall; ud2
	.balign 32
	iretq; ud2
	.balign 32
	1: jmp 1b
	.balign 32
	pushfq; popfq; vmmcall; ud2
	.balign 32
	sgdt -64(%rsp); sidt -64(%rsp); sldt %eax; str %eax; vmmcall; ud2
	.balign 32
	rsm; ud2
	.balign 32
	mov (%rax), %rax; vmmcall; ud2
	.balign 32
	mov %rdi, %rax; mov %rax, (%rdi); vmmcall; ud2
	.balign 32
	div %ecx; vmmcall; ud2
	.balign 32
	mov %rbx, %rdi; mov $3, %ecx; mov $0x80, %edx; rep insb; vmmcall; ud2
	.balign 32
wild_stubs_end:
	.code32
wild_stubs32:
	.balign 32
	vmmcall; ud2
	.balign 32
	xor %eax, %eax; cpuid; vmmcall; ud2
	.balign 32
	hlt; vmmcall; ud2
	.balign 32
	mov %eax, (%ebx); vmmcall; ud2
	.balign 32
	mov %eax, %ds; mov %eax, %es; vmmcall; ud2
	.balign 32
	int $0x41; vmmcall; ud2
	.balign 32
wild_stubs32_end:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
