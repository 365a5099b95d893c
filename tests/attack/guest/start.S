/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of the attacked guest: from Xen's 32-bit flat mode (PVH, or as an HVM guest's firmware; EBX =
 * hvm_start_info) to 64-bit code. 5 GiB are mapped one to one, and `high_pages` at HIGH.
 */
	.section .note.Xen, "a", @note
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	cld
	movl $identity, %edi
	movl $0x83, %eax /* present, writable, 2 MiB */
	xorl %edx, %edx
	movl $5 * 512, %ecx
1:	movl %eax, (%edi)
	movl %edx, 4(%edi)
	addl $0x200000, %eax
	adcl $0, %edx
	addl $8, %edi
	loop 1b

	movl $root, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx /* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80010001, %eax /* PG, WP, PE */
	movl %eax, %cr0
	lgdt gdt_register
	ljmp $8, $long_mode

	.code64
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_end, %esp
	movl %ebx, %edi
	call guest
1:	hlt
	jmp 1b

/* Nothing calls it: a CPU that is here was brought here. */
	.globl stray
stray:	lock incq events_seen
1:	cli
	hlt
	jmp 1b

	.globl hold
hold:	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	mov 0(%rdi), %rbx
	mov 8(%rdi), %rbp
	mov 16(%rdi), %r12
	mov 24(%rdi), %r13
	mov 32(%rdi), %r14
	mov 40(%rdi), %r15
	mov 48(%rdi), %r8
	mov 56(%rdi), %r9
	mov %rdx, %rcx
1:	dec %rcx
	jnz 1b
	xor %edi, %edi /* SCHEDOP_yield */
	xor %esi, %esi
	call hypercall_page + 29 * 32 /* sched_op */
	pop %rsi
	mov %rbx, 0(%rsi)
	mov %rbp, 8(%rsi)
	mov %r12, 16(%rsi)
	mov %r13, 24(%rsi)
	mov %r14, 32(%rsi)
	mov %r15, 40(%rsi)
	mov %r8, 48(%rsi)
	mov %r9, 56(%rsi)
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.globl vectors_load, vectors_store
vectors_load:
	mov %cr0, %rax
	and $~0xe, %eax /* TS, EM, MP */
	mov %rax, %cr0
	mov %cr4, %rax
	or $0x200, %eax /* OSFXSR */
	mov %rax, %cr4
	movdqu 0(%rdi), %xmm4
	movdqu 16(%rdi), %xmm5
	movdqu 32(%rdi), %xmm6
	movdqu 48(%rdi), %xmm7
	ret
vectors_store:
	movdqu %xmm4, 0(%rdi)
	movdqu %xmm5, 16(%rdi)
	movdqu %xmm6, 32(%rdi)
	movdqu %xmm7, 48(%rdi)
	ret

/* What has come is counted, and that is all: the local APIC hears of each end. */
	.balign 16
	.globl vector_stubs
vector_stubs:
	.rept 256
	.balign 16
	jmp vector
	.endr
	.balign 16
vector:	cmpq $8, 8(%rsp) /* CS, or behind an error code RIP */
	je 1f
	add $8, %rsp
1:	andl $~0x100, 16(%rsp) /* TF of RFLAGS: one trap is enough */
	lock incq events_seen
	push %rax
	mov $0xfee000b0, %eax /* EOI */
	movl $0, (%rax)
	pop %rax
	iretq

	.data
	.balign 8
	.globl events_seen
events_seen:
	.quad 0
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_register:
	.short . - gdt - 1
	.long gdt

	.balign 4096
	.globl root
root:	.quad low + 3
	.fill 255, 8, 0
	.quad high + 3 /* HIGH, in guest.c */
	.fill 255, 8, 0
low:	.quad identity + 3, identity + 0x1003, identity + 0x2003, identity + 0x3003, identity + 0x4003
	.fill 507, 8, 0
high:	.quad high_directory + 3
	.fill 511, 8, 0
high_directory:
	.quad high_pages + 3
	.fill 511, 8, 0

	.bss
	.balign 4096
identity:
	.skip 5 * 4096
	.globl high_pages
high_pages:
	.skip 4096
	.globl hypercall_page
hypercall_page:
	.skip 4096
	.skip 8192
stack_end:
	.section .note.GNU-stack, "", @progbits
