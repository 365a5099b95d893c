/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot loader on the test disk: loads a Linux bzImage and an initramfs by bus-master DMA (PIIX
 * IDE, primary master), with one command for each. Firmware would read the disk a word at a time
 * through ports, which takes minutes in an emulator. Documentation/x86/boot.rst has the boot
 * protocol; the numbers in `file` are filled in by guests.py.
 */
#define SETUP_SEG	0x9000		/* the kernel's real-mode part, stack and heap */
#define HEAP_END	0xde00		/* in SETUP_SEG; the command line follows at 0xe000 */
#define PRD_SEG		0x1000
#define KERNEL_HPA	0x100000
#define INITRD_HPA	0x6000000
#define IDE_PCI		0x80000900	/* 00:01.1 in CONFIG_ADDRESS */

	.code16
	.globl _start
_start:
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	cld
	movb	%dl, drive
	movw	$rest, %si		/* the sectors after this one */
	call	firmware_read
	jmp	stage2

/* INT 13h, AH=42h: the disk address packet at SI. */
firmware_read:
	movb	drive, %dl
	movb	$0x42, %ah
	int	$0x13
	jc	failed
	ret

failed:
	movw	$error, %si
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
3:	cli
	hlt
	jmp	3b

drive:	.byte	0
error:	.asciz	"LAB-GUEST disk error\r\n"
rest:	.byte	16, 0
	.word	3, 0x7e00, 0
	.quad	1
	.org	510
	.word	0xaa55

file:	/* at byte 512 of the disk */
setup:	.byte	16, 0			/* packet: sectors and LBA of the real-mode part */
	.word	0, 0, SETUP_SEG
	.quad	0
kernel:	.long	0, 0			/* LBA, sectors of the protected-mode part */
initrd:	.long	0, 0			/* LBA, sectors */
initrd_bytes:
	.long	0

stage2:
	movw	$setup, %si
	call	firmware_read
	call	find_ide
	movw	$kernel, %si
	movl	$KERNEL_HPA, %edi
	call	dma_read
	movw	$initrd, %si
	movl	$INITRD_HPA, %edi
	call	dma_read

	movw	$SETUP_SEG, %ax
	movw	%ax, %es
	movb	$0xff, %es:0x210	/* type_of_loader: none of the known */
	orb	$0x80, %es:0x211	/* loadflags: CAN_USE_HEAP */
	movl	$INITRD_HPA, %es:0x218
	movl	initrd_bytes, %eax
	movl	%eax, %es:0x21c
	movw	$(HEAP_END - 0x200), %es:0x224
	movl	$(SETUP_SEG * 16 + 0xe000), %es:0x228
	movw	$cmdline, %si
	movw	$0xe000, %di
1:	lodsb
	stosb
	testb	%al, %al
	jnz	1b

	cli
	movw	$SETUP_SEG, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movw	$HEAP_END, %sp
	ljmp	$(SETUP_SEG + 0x20), $0

/* The bus master's ports to `master`, and leave for it to write memory. */
find_ide:
	movl	$(IDE_PCI + 0x04), %eax
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inw	%dx, %ax
	orw	$0x5, %ax		/* I/O space, bus master */
	outw	%ax, %dx
	movl	$(IDE_PCI + 0x20), %eax
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inl	%dx, %eax
	andw	$0xfff0, %ax
	movw	%ax, master
	ret

/* Reads the sectors of [SI] (LBA, count) to physical address EDI. */
dma_read:
	movw	$PRD_SEG, %ax
	movw	%ax, %es
	xorw	%bx, %bx
	movl	4(%si), %ecx
	shll	$9, %ecx		/* bytes left */
1:	movl	%edi, %es:(%bx)		/* one descriptor for each 64 KiB */
	movl	$0, %es:4(%bx)
	cmpl	$0x10000, %ecx
	jbe	2f
	addl	$0x10000, %edi
	subl	$0x10000, %ecx
	addw	$8, %bx
	jmp	1b
2:	movw	%cx, %es:4(%bx)		/* 0 is 64 KiB */
	movw	$0x8000, %es:6(%bx)	/* the last one */

	movw	master, %dx
	movb	$0x08, %al		/* towards memory, stopped */
	outb	%al, %dx
	addw	$2, %dx
	movb	$0x06, %al		/* clear error and interrupt */
	outb	%al, %dx
	addw	$2, %dx
	movl	$(PRD_SEG * 16), %eax
	outl	%eax, %dx

	movw	$0x3f6, %dx
	movb	$0x02, %al		/* no interrupt */
	outb	%al, %dx
	movw	$0x1f6, %dx
	movb	$0x40, %al		/* LBA, device 0 */
	outb	%al, %dx
	movw	$0x1f2, %dx		/* 48 bits: the high bytes first */
	movb	5(%si), %al
	outb	%al, %dx
	incw	%dx
	movb	3(%si), %al
	outb	%al, %dx
	incw	%dx
	xorb	%al, %al
	outb	%al, %dx
	incw	%dx
	outb	%al, %dx
	movw	$0x1f2, %dx
	movb	4(%si), %al
	outb	%al, %dx
	incw	%dx
	movb	0(%si), %al
	outb	%al, %dx
	incw	%dx
	movb	1(%si), %al
	outb	%al, %dx
	incw	%dx
	movb	2(%si), %al
	outb	%al, %dx
	movw	$0x1f7, %dx
	movb	$0x25, %al		/* READ DMA EXT */
	outb	%al, %dx
	movw	master, %dx
	movb	$0x09, %al		/* start */
	outb	%al, %dx

	movw	$0x3f6, %dx
	inb	%dx, %al		/* 400 ns until BSY is valid */
	inb	%dx, %al
	inb	%dx, %al
	inb	%dx, %al
3:	inb	%dx, %al
	testb	$0x80, %al		/* BSY */
	jnz	3b
	testb	$0x21, %al		/* device fault, error */
	jnz	failed
	movw	master, %dx
	xorb	%al, %al
	outb	%al, %dx
	movw	$0x3f6, %dx
	outb	%al, %dx		/* interrupts as before */
	ret

master:	.word	0
cmdline:
	.asciz	"console=ttyS0 quiet lab.disk=sda"
	.org	2048
