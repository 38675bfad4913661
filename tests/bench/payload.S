/* SPDX-License-Identifier: GPL-2.0-only */

/* The shortest guest: a PVH kernel that writes 0 to the exit device. */

	.section .note.pvh, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	xorl	%eax, %eax
	outb	%al, $0xf4
	hlt
	.section .note.GNU-stack, "", @progbits
