/* SPDX-License-Identifier: MIT */
/*
 * stub: the one page whose system calls the filter lets through, and the shim's first instruction.
 * The filter is inherited for ever, so this page has the same address in every program.
 *
 * stub_wait is a system call that a kick takes the thread out of, wherever the kick finds it: see
 * catch.c, kicked. r11 and rcx are lost in a system call anyway.
 */
    .section .stub, "ax", @progbits
    .balign 4096
    .globl stub_begin, stub_end, stub_syscall, stub_syscall_after, stub_read, stub_wait, stub_restore
    .globl stub_wait_check, stub_wait_after, stub_wait_cancel, stub_wait_cut
    .globl stub_clone, stub_clone_back
stub_begin:

/* long stub_syscall(long nr, long a, long b, long c, long d, long e, long f) */
    .type stub_syscall, @function
stub_syscall:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    syscall
stub_syscall_after:
    ret

/* long stub_read(long nr, long a, long b) */
    .type stub_read, @function
stub_read:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    syscall
    ret

/* struct stub_result stub_wait(long nr, const struct stub_call *call, const uint32_t *generation) */
    .type stub_wait, @function
stub_wait:
    movq %rdx, %rcx
    movq %rsi, %r11
    movq %rdi, %rax
    movq 0(%r11), %rdi
    movq 8(%r11), %rsi
    movq 16(%r11), %rdx
    movq 24(%r11), %r10
    movq 32(%r11), %r8
    movq 40(%r11), %r9
    movl 48(%r11), %r11d
stub_wait_check:
    cmpl %r11d, (%rcx)
    jne stub_wait_cancel
    syscall
stub_wait_after:
    xorl %edx, %edx
    ret
stub_wait_cut:
    movl $1, %edx
    ret
stub_wait_cancel:
    movq $-4095, %rax
    ret

    .type stub_restore, @function
stub_restore:
    movq $15, %rax
    syscall

/* STUB_CLONES ways through this page and back to where the program has made the call, eight bytes
 * each. In the child only memory still says where that was. */
    .balign 8
stub_clone:
    .set at, 0
    .rept 32
    syscall
    jmp *(stub_clone_back + at)(%rip)
    .set at, at + 8
    .endr

    .balign 4096
stub_end:

    .text
/* The handler of CANCEL_SIGNAL. It leaves the stack as the kernel made it, since the program's own
 * unwinds what it finds there. */
    .globl stub_cancel
    .type stub_cancel, @function
stub_cancel:
    pushq %rdi
    pushq %rsi
    pushq %rdx
    call cancel_came
    popq %rdx
    popq %rsi
    popq %rdi
    movq %rax, %rcx
    xorl %eax, %eax
    testq %rcx, %rcx
    jz stub_cancel_later
    jmp *%rcx
stub_cancel_later:
    ret

    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call start
    hlt

/* _Noreturn void stub_enter(void *stack, uint64_t entry) */
    .globl stub_enter
    .type stub_enter, @function
stub_enter:
    movq %rdi, %rsp
    movq %rsi, %rcx
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %ebp, %ebp
    jmp *%rcx

    .bss
    .balign 8
stub_clone_back:
    .zero 32 * 8

    .section .note.GNU-stack, "", @progbits
