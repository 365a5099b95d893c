/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot sector that does to netherd what the monitor will: lists in the mailbox of drive 0, then a write to the
 * agent's port (iodecrypt/mailbox.h). Each of LISTS writes its number, 4 bytes, to the sidecar, 16 KiB and 4
 * times the number from its start, and reads it back. Prints a dot for each 256.
 */
#define GPA		0xfed60000
#define PORT		0x4e48
#define DATA		4096
#define STATUS		976
#define ANSWERED	980
#define LISTS		8192

	.code16
	.globl _start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	cld
	cli
	lgdt	gdt_pointer		/* ES reaches all memory, in real mode too */
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %es
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%ax, %ax
	movw	%ax, %es

	movl	$GPA, %edi
	movl	$0x786f626d, %es:(%edi)
	movl	$1, %es:4(%edi)
	movl	$2, %es:12(%edi)	/* requests */
	movl	$0x0001, %es:16(%edi)	/* WRITE to the sidecar */
	movl	$0x0000, %es:40(%edi)	/* READ from it */
	movl	$4, %es:20(%edi)
	movl	$4, %es:44(%edi)
	movl	$0, %es:32(%edi)	/* from the data's beginning */
	movl	$8, %es:56(%edi)	/* to a place behind */
	xorl	%ebp, %ebp
next:	movl	%ebp, %es:DATA(%edi)
	movl	$0xffffffff, %es:DATA+8(%edi)
	leal	16384(,%ebp,4), %eax
	movl	%eax, %es:24(%edi)
	movl	%eax, %es:48(%edi)
	incl	%ebp
	movl	%es:ANSWERED(%edi), %ecx
	incl	%ecx
	movl	%ecx, %es:8(%edi)	/* sequence */
	movw	$PORT, %dx
	xorl	%eax, %eax
	outl	%eax, %dx
	cmpl	%ecx, %es:ANSWERED(%edi)
	jne	failed
	cmpl	$0, %es:STATUS(%edi)
	jne	failed
	leal	-1(%ebp), %eax
	cmpl	%eax, %es:DATA+8(%edi)
	jne	failed
	testl	$255, %ebp
	jnz	next
	movw	$dot, %si
	call	print
	cmpl	$LISTS, %ebp
	jb	next

	movw	$PORT, %dx		/* no drive; a read; half of the port: all are answered */
	movl	$77, %eax
	outl	%eax, %dx
	inl	%dx, %eax
	outw	%ax, %dx
	incl	%eax
	jnz	failed
	movw	$text, %si
stay:	call	print
1:	hlt
	jmp	1b
failed:	movw	$error, %si
	jmp	stay

print:
1:	lodsb
	testb	%al, %al
	jz	3f
	movb	%al, %ah
	movw	$0x3fd, %dx		/* wait for an empty transmitter */
2:	inb	%dx, %al
	testb	$0x20, %al
	jz	2b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	1b
3:	ret

dot:	.asciz	"."
text:	.asciz	"\r\nLAB-GUEST up mailbox\r\n"
error:	.asciz	"\r\nLAB-GUEST mailbox error\r\n"
	.balign	8
gdt:	.quad	0, 0x00cf93000000ffff	/* data, 4 GiB */
gdt_pointer:
	.word	15
	.long	gdt
	.org	510
	.word	0xaa55
