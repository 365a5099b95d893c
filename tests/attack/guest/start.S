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

	.data
	.balign 8
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
