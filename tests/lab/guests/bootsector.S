/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest guest that runs code of its own: a boot sector. It prints the line that the lab
 * waits for on com1. Byte 0 of the disk's second sector says how often it then resets the machine
 * (through the keyboard controller), counting down on the disk; at 0 it halts.
 */
	.code16
	.globl _start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
	movw	$text, %si
	call	print
	movw	$0x0201, %ax		/* INT 13h: read one sector */
	call	counter
	jc	failed
	cmpb	$0, 0x7e00
	je	stay
	decb	0x7e00
	movw	$0x0301, %ax		/* INT 13h: write one sector */
	call	counter
	jc	failed
2:	movw	$0x3fd, %dx		/* line status: all sent? */
	inb	%dx, %al
	testb	$0x40, %al
	jz	2b
	movb	$0xfe, %al
	outb	%al, $0x64
stay:
	cli
	hlt
	jmp	stay
failed:
	movw	$error, %si
	call	print
	jmp	stay

/* Sector 2 of the first track, to or from 0:7e00. */
counter:
	movw	$0x0002, %cx
	movb	$0, %dh
	movb	drive, %dl
	movw	$0x7e00, %bx
	int	$0x13
	ret

print:
	cld
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

drive:
	.byte	0
text:
	.asciz	"LAB-GUEST up boot sector\r\n"
error:
	.asciz	"LAB-GUEST disk error\r\n"
	.org	510
	.word	0xaa55
