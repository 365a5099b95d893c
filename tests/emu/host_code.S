/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host would have a guest boot in place of its own disk: prints one line on com1, and halts. By default a boot
 * sector, for a disk or a CD; with ROM defined a PCI option ROM of QEMU's VGA, but for its checksum (PCI firmware
 * specification 3.0, 5.1); with KERNEL a bzImage (Documentation/x86/boot.rst). It runs wherever it is.
 */
	.code16
	.globl _start
_start:
#if defined(ROM)
	.word	0xaa55
	.byte	1			/* sectors */
	jmp	code
	.org	0x18
	.word	data - _start
	.org	0x20
data:	.ascii	"PCIR"
	.word	0x1234, 0x1111, 0, 0x18
	.byte	0, 0, 0, 3		/* VGA */
	.word	1, 0
	.byte	0, 0x80			/* x86 code; the last image */
	.word	0
	.set	end, 511
#elif defined(KERNEL)
	.org	0x1f1
	.byte	1			/* sectors of the real-mode part, besides this one */
	.org	0x1fe
	.word	0xaa55
	jmp	code
	.ascii	"HdrS"
	.word	0x203
	.org	0x211
	.byte	1			/* the rest goes to 1 MiB */
	.org	0x22c
	.long	0x37ffffff
	.set	end, 4095
#else
	.set	end, 510
#endif
code:
	cli
	cld
	pushw	%cs
	popw	%ds
	call	1f
1:	popw	%si
	addw	$(text - 1b), %si
2:	lodsb
	testb	%al, %al
	jz	4f
	movb	%al, %ah
	movw	$0x3fd, %dx		/* wait for an empty transmitter */
3:	inb	%dx, %al
	testb	$0x20, %al
	jz	3b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	2b
4:	hlt
	jmp	4b
text:	.asciz	"\r\nLAB-GUEST up with the host's code\r\n"
	.org	end
#if defined(ROM) || defined(KERNEL)
	.byte	0
#else
	.word	0xaa55
#endif
