/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From multiboot 1 (32-bit, paging off) to l1_start() in long mode, and from a SIPI (real mode) to
 * ap_start(). 4 GiB are mapped to themselves by 2 MiB pages; the last GiB, of devices, uncached.
 */
#include "lib/layout.h"

#define MB_MAGIC 0x1BADB002
#define MB_FLAGS 0x3

#define CR0_VALUE 0x80010033 /* PG WP NE ET MP PE */
#define CR4_VALUE 0x620      /* OSXMMEXCPT OSFXSR PAE */
#define EFER_VALUE 0x901     /* NXE LME SCE */

	.section .multiboot, "ax"
	.balign 4
	.long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.code32
	.global start32
start32:
	cli
	cld
	mov %ebx, %esi
	mov $bss_start, %edi
	mov $bss_end, %ecx
	sub %edi, %ecx
	xor %eax, %eax
	rep stosb

	/* boot_pml4 -> boot_pdpt -> 4 directories of 2 MiB pages */
	movl $boot_pdpt + 3, boot_pml4
	mov $boot_pd + 3, %eax
	mov $boot_pdpt, %edi
	mov $4, %ecx
1:	mov %eax, (%edi)
	add $4096, %eax
	add $8, %edi
	loop 1b
	mov $boot_pd, %edi
	mov $0x83, %eax
	mov $2048, %ecx
2:	cmp $512, %ecx
	ja 3f
	or $0x18, %eax
3:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 2b

	mov $CR4_VALUE, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $0xC0000080, %ecx
	mov $EFER_VALUE, %eax
	xor %edx, %edx
	wrmsr
	mov $CR0_VALUE, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $SEL_CODE64, $start64

	.code64
	.text
start64:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %eax, %fs
	mov %eax, %gs
	mov $cpu_stacks + STACK_SIZE, %rsp
	mov %esi, %edi
	call l1_start
1:	cli
	hlt
	jmp 1b

/* Copied to TRAMPOLINE; addresses in it are therefore computed, not linked. */
#define AT(sym) ((sym) - trampoline_start + TRAMPOLINE)
	.section .rodata
	.code16
	.global trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdtr - trampoline_start
	mov $0x11, %eax
	mov %eax, %cr0
	ljmpl $SEL_CODE32, $AT(trampoline32)
	.code32
trampoline32:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %eax, %fs
	mov %eax, %gs
	mov $CR4_VALUE, %eax
	mov %eax, %cr4
	mov $boot_pml4, %eax
	mov %eax, %cr3
	mov $0xC0000080, %ecx
	mov $EFER_VALUE, %eax
	xor %edx, %edx
	wrmsr
	mov $CR0_VALUE, %eax
	mov %eax, %cr0
	ljmp $SEL_CODE64, $ap_entry64
	.balign 8
trampoline_gdtr:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code64
	.text
ap_entry64:
	mov ap_stack, %rsp
	lgdt gdt_pointer
	call ap_start
1:	cli
	hlt
	jmp 1b

	.data
	.balign 16
	.global gdt, gdt_end, gdt_pointer
gdt:	.quad 0
	.quad 0x00cf9b000000ffff /* SEL_CODE32 */
	.quad 0x00cf93000000ffff /* SEL_DATA */
	.quad 0x00af9b000000ffff /* SEL_CODE64 */
	.quad 0x00affb000000ffff /* SEL_USER_CODE64 */
	.quad 0x00cff3000000ffff /* SEL_USER_DATA */
	.quad 0, 0               /* SEL_TSS, filled at start */
	.quad 0, 0               /* SEL_LDT, filled at start */
	.quad 0x00cf13000000ffff /* SEL_ABSENT: not present */
	.quad 0                  /* SEL_TSS32_A */
	.quad 0                  /* SEL_TSS32_B */
	.quad 0x008f93000000ffff /* SEL_DATA16 */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt

	.bss
	.balign 4096
	.global boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
	.balign STACK_SIZE
	.global cpu_stacks
cpu_stacks: .skip STACK_SIZE * MAX_CPUS
	.section .note.GNU-stack, "", @progbits
