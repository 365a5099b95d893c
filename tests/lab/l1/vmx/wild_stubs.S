/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guests of wild.c execute, 32 bytes each. RBX is a data page in all of them. They touch no
 * port but 0x80 (POST code) and no MSR but STAR. The first one of 64 bits that does not end by itself
 * is the second.
 */
	.section .guest, "ax"
	.global wild_stubs, wild_stubs_end, wild_stubs32, wild_stubs32_end
	.balign 4096
wild_stubs:
	.balign 32
	vmcall; ud2
	.balign 32
	1: jmp 1b
	.balign 32
	xor %eax, %eax; cpuid; vmcall; ud2
	.balign 32
	hlt; vmcall; ud2
	.balign 32
	rdtsc; rdpmc; vmcall; ud2
	.balign 32
	mov %rax, (%rbx); mov (%rbx), %rcx; vmcall; ud2
	.balign 32
	out %al, $0x80; in $0x80, %al; vmcall; ud2
	.balign 32
	mov $0xc0000081, %ecx; rdmsr; wrmsr; vmcall; ud2
	.balign 32
	ud2
	.balign 32
	int $0x40; vmcall; ud2
	.balign 32
	int3; vmcall; ud2
	.balign 32
	pause; pause; vmcall; ud2
	.balign 32
	sti; nop; nop; vmcall; ud2
	.balign 32
	invlpg (%rax); vmcall; ud2
	.balign 32
	vmread %rax, %rcx; ud2
	.balign 32
	vmptrld (%rbx); ud2
	.balign 32
	vmxoff; ud2
	.balign 32
	vmlaunch; ud2
	.balign 32
	invept (%rbx), %rax; ud2
	.balign 32
	wbinvd; vmcall; ud2
	.balign 32
	mov %cr0, %rax; mov %rax, %cr0; vmcall; ud2
	.balign 32
	mov %cr4, %rax; mov %rax, %cr4; vmcall; ud2
	.balign 32
	mov %cr2, %rax; mov %rax, %cr2; mov %cr8, %rax; vmcall; ud2
	.balign 32
	mov %cr3, %rax; clts; vmcall; ud2
	.balign 32
	mov %dr7, %rax; mov %rax, %dr7; mov %dr6, %rax; vmcall; ud2
	.balign 32
	iretq; ud2
	.balign 32
	pushfq; popfq; vmcall; ud2
	.balign 32
	sgdt -64(%rsp); sidt -64(%rsp); sldt %eax; str %eax; vmcall; ud2
	.balign 32
	rdtscp; vmcall; ud2
	.balign 32
	mov (%rax), %rax; vmcall; ud2
	.balign 32
	mov %rdi, %rax; mov %rax, (%rdi); vmcall; ud2
	.balign 32
	div %ecx; vmcall; ud2
	.balign 32
	mov %rbx, %rdi; mov $3, %ecx; mov $0x80, %edx; rep insb; vmcall; ud2
	.balign 32
wild_stubs_end:
	.code32
wild_stubs32:
	.balign 32
	vmcall; ud2
	.balign 32
	xor %eax, %eax; cpuid; vmcall; ud2
	.balign 32
	hlt; vmcall; ud2
	.balign 32
	mov %eax, (%ebx); vmcall; ud2
	.balign 32
	mov %eax, %ds; mov %eax, %es; vmcall; ud2
	.balign 32
	int $0x41; vmcall; ud2
	.balign 32
wild_stubs32_end:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
