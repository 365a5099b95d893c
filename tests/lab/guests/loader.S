/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot loader on the test disks: loads a Linux bzImage and an initramfs from the primary master
 * of a PIIX IDE; by bus-master DMA, with one command for each, or with PIO defined by string port
 * instructions, one for each 16 sectors. Firmware would read that disk in many more steps, which takes
 * minutes in an emulator. With FIRMWARE defined: any disk, by firmware that uses DMA itself (AHCI's). Documentation/x86/boot.rst has the boot protocol; the numbers in `file`
 * are filled in by guests.py. ATA commands: ATA8-ACS.
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
	call	prepare
	movw	$kernel, %si
	movl	$KERNEL_HPA, %edi
	call	read
	movw	$initrd, %si
	movl	$INITRD_HPA, %edi
	call	read

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

/* The task file, for CX sectors (0: 65536) at the LBA in EBX, and 48-bit command AL. */
command:
	pushw	%ax
	movw	$0x3f6, %dx
	movb	$0x02, %al		/* no interrupt */
	outb	%al, %dx
	movw	$0x1f6, %dx
	movb	$0x40, %al		/* LBA, device 0 */
	outb	%al, %dx
	movw	$0x1f2, %dx		/* 48 bits: the high bytes first */
	movb	%ch, %al
	outb	%al, %dx
	incw	%dx
	rorl	$24, %ebx
	movb	%bl, %al
	outb	%al, %dx
	incw	%dx
	xorb	%al, %al
	outb	%al, %dx
	incw	%dx
	outb	%al, %dx
	movw	$0x1f2, %dx
	movb	%cl, %al
	outb	%al, %dx
	roll	$24, %ebx
1:	incw	%dx			/* bits 0..7, 8..15, 16..23 */
	movb	%bl, %al
	outb	%al, %dx
	rorl	$8, %ebx
	cmpw	$0x1f5, %dx
	jne	1b
	rorl	$8, %ebx		/* as it was */
	movw	$0x1f7, %dx
	popw	%ax
	outb	%al, %dx
	ret

/* Until the command is done, or has data to be read. An emulated disk shows BSY without delay. */
wait:
	movw	$0x3f6, %dx
1:	inb	%dx, %al
	testb	$0x80, %al		/* BSY */
	jnz	1b
	testb	$0x21, %al		/* device fault, error */
	jnz	failed
	ret

#if defined(PIO) || defined(FIRMWARE)
/* ES, with base 0, reaches all memory, in real mode too. */
flat:
	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %es
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%ax, %ax
	movw	%ax, %es
	sti
	ret

	.balign	8
gdt:	.quad	0, 0x00cf93000000ffff	/* data, 4 GiB */
gdt_pointer:
	.word	15
	.long	gdt
#endif

#if defined(FIRMWARE)
#define BUFFER_SEG	0x2000
#define BLOCK		64		/* sectors */

prepare:
	ret

/* Reads the sectors of [SI] (LBA, count) to physical address EDI, by way of low memory. */
read:
	movl	0(%si), %eax
	movl	%eax, lba
	movl	4(%si), %ebp		/* sectors left */
1:	movl	$BLOCK, %ecx
	cmpl	%ecx, %ebp
	jae	2f
	movl	%ebp, %ecx
2:	movw	%cx, packet + 2
	pushl	%ecx
	pushl	%edi
	pushl	%ebp
	movw	$packet, %si
	call	firmware_read
	call	flat
	popl	%ebp
	popl	%edi
	popl	%ecx
	addl	%ecx, lba
	subl	%ecx, %ebp
	shll	$7, %ecx
	xorl	%esi, %esi
	movw	$BUFFER_SEG, %ax
	movw	%ax, %ds
	cld
	rep addr32 movsl
	xorw	%ax, %ax
	movw	%ax, %ds
	testl	%ebp, %ebp
	jnz	1b
	ret

packet:	.byte	16, 0
	.word	0, 0, BUFFER_SEG
lba:	.quad	0

#elif defined(PIO)
#define BLOCK	16			/* sectors */

prepare:
	movw	$0x1f2, %dx
	movb	$BLOCK, %al
	outb	%al, %dx
	movw	$0x1f6, %dx
	movb	$0x40, %al		/* LBA, device 0 */
	outb	%al, %dx
	movw	$0x1f7, %dx
	movb	$0xc6, %al		/* SET MULTIPLE MODE */
	outb	%al, %dx
	call	wait
	jmp	flat

/* Reads the sectors of [SI] (LBA, count < 65536) to physical address EDI. */
read:
	movl	0(%si), %ebx
	movl	4(%si), %ebp		/* sectors left */
	movl	%ebp, %ecx
	movb	$0x29, %al		/* READ MULTIPLE EXT */
	call	command
1:	call	wait
	movl	$BLOCK, %ecx
	cmpl	%ecx, %ebp
	jae	2f
	movl	%ebp, %ecx
2:	subl	%ecx, %ebp
	shll	$7, %ecx		/* of 4 bytes: the device model moves each by itself */
	movw	$0x1f0, %dx
	rep addr32 insl
	testl	%ebp, %ebp
	jnz	1b
	movw	$0x3f6, %dx
	xorb	%al, %al
	outb	%al, %dx		/* interrupts as before */
	ret
#else
/* The bus master's ports to `master`, and leave for it to write memory. */
prepare:
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
read:
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

	movl	0(%si), %ebx
	movw	4(%si), %cx
	movb	$0x25, %al		/* READ DMA EXT */
	call	command
	movw	master, %dx
	movb	$0x09, %al		/* start */
	outb	%al, %dx
	call	wait
	movw	master, %dx
	xorb	%al, %al
	outb	%al, %dx
	movw	$0x3f6, %dx
	outb	%al, %dx		/* interrupts as before */
	ret

master:	.word	0
#endif

cmdline:
#if defined(PIO)
	.asciz	"console=ttyS0 quiet tsc=reliable nokaslr lab.vram=0xf0800000 lab.run=beat"
#elif defined(FIRMWARE)
	.asciz	"console=ttyS0 quiet tsc=reliable lab.disk=sda lab.run=scribble"
#else
	.asciz	"console=ttyS0 quiet tsc=reliable lab.disk=sda"
#endif
	.org	2048
