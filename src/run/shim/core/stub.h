/* SPDX-License-Identifier: MIT */
/*
 * stub: system calls that the filter lets through. They return -errno and touch no errno. See
 * stub.S.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_STUB_H
#define SPLITDOM_RUN_SHIM_CORE_STUB_H

#include <stdbool.h>
#include <stdint.h>

/* What stub_wait returns when a kick has ended the call, or the generation was another one before
 * it began: the caller computes its time-out anew. No errno of the kernel's. */
enum { STUB_KICKED = -4095 };

struct stub_call {
    long args[6];
    uint32_t generation; /* must be the session's, or the call is not begun */
    bool is_cut;         /* a kick alone has ended it, with a result: set by wait.h */
};

/* In rax and rdx. */
struct stub_result {
    long rc;
    long is_cut; /* where rc > 0 */
};

long stub_syscall(long nr, long a, long b, long c, long d, long e, long f);
long stub_read(long nr, long a, long b); /* also outside a trapped call: call/cancel.c */
struct stub_result stub_wait(long nr, const struct stub_call *call, const uint32_t *generation);
_Noreturn void stub_enter(void *stack, uint64_t entry);
void stub_restore(void); /* rt_sigreturn, for the kernel only */
void stub_cancel(void);  /* a handler, for the kernel only: call/cancel.h */

/* A system call, by its number in rax, after which the program goes on at stub_clone_back[i]:
 * stub_clone + i * STUB_CLONE_BYTES. For calls that return twice: call/clone.c. */
enum { STUB_CLONES = 32, STUB_CLONE_BYTES = 8 };

extern const char stub_clone[];
extern uint64_t stub_clone_back[STUB_CLONES]; /* atomic; 0: free. Once set it stays. */

extern const char stub_begin[], stub_end[], stub_syscall_after[];
extern const char stub_wait_check[], stub_wait_after[], stub_wait_cancel[], stub_wait_cut[];

#define READ2(nr, a, b)      stub_read(nr, (long)(a), (long)(b))
#define SYS0(nr)             stub_syscall(nr, 0, 0, 0, 0, 0, 0)
#define SYS1(nr, a)          stub_syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)       stub_syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)    stub_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d) stub_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS6(nr, a, b, c, d, e, f)                                                                 \
    stub_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
