/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the boot loader's 32-bit protected mode to C in long mode, for the boot CPU and, by way of
 * the trampoline, for the others. Runs at the address it was loaded at, with the first 4 GiB mapped
 * one to one; monitor/mem.c replaces that mapping.
 */
#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00000003 /* modules page-aligned, memory map wanted */
#define MB2_MAGIC 0xe85250d6
#define MB2_BOOT_MAGIC 0x36d76289

#define CR0_RUN 0x80010033 /* PG WP NE ET MP PE */
#define CR4_RUN 0x220 /* OSFXSR PAE: crypto/ uses SSE instructions */
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define PTE_PRESENT_WRITE 0x3
#define PTE_LARGE 0x83

	.section .head, "ax"
	.code32
	.balign 8
	.long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

	.balign 8
mb2_header:
	.long MB2_MAGIC, 0, mb2_end - mb2_header
	.long -(MB2_MAGIC + mb2_end - mb2_header) & 0xffffffff
	.short 6, 0 /* modules page-aligned */
	.long 8
	.short 7, 1 /* UEFI: boot services stay alive, */
	.long 8
	.short 9, 1 /* and this is where we want to be entered then; a BIOS's loader passes over both */
	.long 12
	.long efi_entry
	.balign 8
	.short 0, 0 /* end */
	.long 8
mb2_end:

	.text
	.globl entry
entry:
	cli
	cld
	movl $boot_stack_top, %esp
	movl %eax, %edi
	movl %ebx, %esi
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx /* long mode */
	jnc no_long_mode
	btl $20, %edx /* no-execute */
	jnc no_long_mode
	call build_tables
	call long_mode
	ljmpl $0x08, $entry64

/* One to one over the first 4 GiB with 2 MiB pages: one PML4, one PDPT, four PDs. */
build_tables:
	movl $boot_pdpt + PTE_PRESENT_WRITE, boot_pml4
	movl $boot_pd + PTE_PRESENT_WRITE, %eax
	xorl %ecx, %ecx
1:	movl %eax, boot_pdpt(, %ecx, 8)
	addl $0x1000, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 1b
	movl $PTE_LARGE, %eax
	xorl %ecx, %ecx
2:	movl %eax, boot_pd(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 2b
	ret

/* Turns paging and long mode on and loads flat segments; the caller far-jumps to 64-bit code. */
long_mode:
	movl $CR4_RUN, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME_NXE, %eax
	wrmsr
	movl $CR0_RUN, %eax
	movl %eax, %cr0
	lgdt boot_gdtr
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	ret

no_long_mode:
	movl $no_long_mode_text, %esi
	movl $0xb8000, %edi
3:	lodsb
	testb %al, %al
	jz 5f
	movb $0x07, %ah
	stosw
	movb %al, %bl
	movl $0x3fd, %edx
	movl $100000, %ecx
4:	inb %dx, %al
	testb $0x20, %al
	loopz 4b
	movl $0x3f8, %edx
	movb %bl, %al
	outb %al, %dx
	jmp 3b
5:	hlt
	jmp 5b

/* Where the trampoline brings another CPU: 32-bit, flat, no stack, paging off. */
	.globl ap_entry
ap_entry:
	movl $0x18, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl $ap_stack_top, %esp
	call long_mode
	ljmpl $0x08, $ap_entry64

	.code64
entry64:
	movq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	call boot_main
	ud2

/*
 * void mem_switch(uint64_t cr3, void *to, const void *from, size_t bytes)
 * Copies the image, stack included, and goes on in the copy: the new tables map it where the old
 * image was. Nothing is pushed between the copy and the switch.
 */
	.globl mem_switch
mem_switch:
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	shrq $3, %rcx
	rep movsq
	movq %rax, %cr3
	ret

/*
 * The text below is the same in the old image and in the copy; the boot CPU left the final page
 * tables and this CPU's stack in the old image's variables, where the boot tables still lead.
 */
ap_entry64:
	movq ap_cr3, %rax
	movq ap_stack, %rsp
	movq %rax, %cr3
	xorl %ebp, %ebp
	call ap_main
	ud2

/*
 * By UEFI: 64-bit mode, the firmware's page tables (one to one) and stack, boot services alive, EBX as multiboot2 has it.
 * When they have ended, from 32-bit mode on as any loader starts us: so no feature of a mode that the firmware chose stays on.
 */
efi_entry:
	cld
	movl %ebx, efi_info
	movl %ebx, %edi
	andq $-16, %rsp
	call efi_main
	cli
	lgdt boot_gdtr
	pushq $0x20
	pushq $efi_left
	lretq
	.code32
efi_left:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %cr4, %eax
	andl $0x1020, %eax /* PAE and LA57 stay with long mode; PCIDE has to go before paging */
	movl %eax, %cr4
	movl %cr0, %eax
	andl $0x7fffffff, %eax /* PG */
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~0x100, %eax /* LME */
	wrmsr
	movl $MB2_BOOT_MAGIC, %eax
	movl efi_info, %ebx
	jmp entry

	.section .rodata
no_long_mode_text:
	.asciz "nethervisor: FATAL: this CPU has no 64-bit mode, or no-execute is switched off in the firmware: enable it there, or use another machine\r\n"

	.data
	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 0x08 64-bit code */
	.quad 0x00cf93000000ffff /* 0x10 data */
	.quad 0x00cf93000000ffff /* 0x18 data */
	.quad 0x00cf9b000000ffff /* 0x20 32-bit code */
boot_gdt_end:
	.globl boot_gdtr
boot_gdtr:
	.short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt
	.balign 8
	.globl ap_cr3, ap_stack
ap_cr3:
	.quad 0
ap_stack:
	.quad 0
efi_info:
	.long 0

	.bss
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.balign 16
	.skip 16384
boot_stack_top:
	.skip 64
ap_stack_top:
	.section .note.GNU-stack, "", @progbits
