/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * From the PVH or Multiboot entry point (32-bit, no paging) to main() in 64-bit mode.  The page
 * tables are made by the assembler: where a payload runs, an instruction may cost a microsecond.
 */

#define P_RW	 0x03
#define P_RW_PS	 0x83
#define CODE64	 0x08
#define DATA	 0x10
#define EFER	 0xc0000080

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.section .multiboot, "a"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.code32
	.globl start32
start32:
	cli
	movl %eax, start_magic
	movl %ebx, start_info
	lgdt gdt_ptr
	movl $0x20, %eax		/* CR4.PAE */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl $0x80010001, %eax		/* PG, WP, PE */
	movl %eax, %cr0
	ljmp $CODE64, $start64

	.code64
start64:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_end, %esp
	xorl %ebp, %ebp
	call guest_main
1:	hlt
	jmp 1b

/* Interrupts and exceptions: one stub per vector, all alike and 16 bytes long. */
	.balign 16
	.globl irq_stubs
irq_stubs:
	vector = 0
	.rept 128
	.balign 16
	/* 8, 10 to 14, 17, 21, 29 and 30 come with an error code */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
	      vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	jmp irq_common
	vector = vector + 1
	.endr

irq_common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	movq 9*8(%rsp), %rdi		/* vector, error code, rip */
	movq 10*8(%rsp), %rsi
	movq 11*8(%rsp), %rdx
	cld
	call irq_handler
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.data
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
gdt_ptr:
	.word . - gdt - 1
	.long gdt
	.globl start_info, start_magic
	.balign 4
start_info:
	.long 0
start_magic:
	.long 0

/* The low 4 GiB as they are; the fifth GiB is io_map()'s. */
	.balign 4096
pml4:	.quad pdpt + P_RW
	.fill 511, 8, 0
pdpt:	.quad pds + P_RW, pds + 0x1000 + P_RW, pds + 0x2000 + P_RW, pds + 0x3000 + P_RW
	.quad io_pd + P_RW
	.fill 507, 8, 0
pds:
	page = 0
	.rept 2048
	.quad page + P_RW_PS
	page = page + 0x200000
	.endr
	.globl io_pd
io_pd:	.fill 512, 8, 0

	.bss
	.balign 16
	.fill 0x4000
stack_end:
