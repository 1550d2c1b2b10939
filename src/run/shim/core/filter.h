/* SPDX-License-Identifier: MIT */
/*
 * filter: the seccomp programs: which system calls are caught.
 *
 * A call number that no rule names is let through after comparisons of the number alone, which the
 * kernel finds out by itself when it takes the program: such calls cost next to nothing. A rule
 * looks at the arguments, so that only a call which has a time-out is caught, and last at the
 * caller's address: the stub's page is let through.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_FILTER_H
#define SPLITDOM_RUN_SHIM_CORE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

enum { FILTER_CODE_MAX = 1024 };

/* SIOCGSTAMP and SIOCGSTAMPNS: linux/sockios.h has the older forms, and the newer ones where a C
 * library has not taken their names. */
enum {
    FILTER_STAMP_OLD = 0x8906,
    FILTER_STAMPNS_OLD = 0x8907,
};
#define FILTER_STAMP_NEW   UINT32_C(0x80108906)
#define FILTER_STAMPNS_NEW UINT32_C(0x80108907)

/* SO_RCVTIMEO and SO_SNDTIMEO of C libraries whose time_t always has 64 bits: alike here. */
enum { FILTER_RCVTIMEO_NEW = 66, FILTER_SNDTIMEO_NEW = 67 };

/* prctl's PR_SET_SYSCALL_USER_DISPATCH, which older headers do not have. */
enum { FILTER_USER_DISPATCH = 59 };

/* TCSETS, TCSETSW, TCSETSF, the same of struct termio and of struct termios2. */
enum { FILTER_TERMIOS = 0x5402, FILTER_TERMIO = 0x5406, FILTER_TERMINAL_WAYS = 3 };
#define FILTER_TERMIOS2 UINT32_C(0x402c542b)

struct filter {
    struct sock_filter code[FILTER_CODE_MAX];
    unsigned count;
};

struct filter_options {
    uint64_t stub; /* the address of the page that is let through */
    int fds;       /* the first of SESSION_FDS descriptors that a program can't close */
    bool tsc;      /* rdtsc traps as SIGSEGV, so that signal's handler is mediated */
    bool links;    /* the kernel can't be told which program this is: readlink is mediated */
    bool stamps;   /* what FILTER_STAMPS catches is caught from the beginning */
};

void filter_build(struct filter *filter, const struct filter_options *options);

/* What is caught beside that in some processes. */
enum filter_more {
    FILTER_RECEIVE, /* has set SO_RCVTIMEO */
    /* Has armed a timer: waits without a time-out, which the kernel does not begin again after the
     * kick that the timer needs. */
    FILTER_ENDLESS,
    /* Asks for files' times, and opens files of /proc that tell of time: from the instant on at
     * which the domain's clock left the kernel's (run/session.h). */
    FILTER_STAMPS,
    /* Has opened a file of /proc that tells of time: readings from its beginning. */
    FILTER_AGAIN,
    FILTER_TERMINAL, /* a program of the domain has set a terminal's VTIME, or this process a
                      * socket's receive time-out: reads */
    FILTER_MORE,
};

/* prctl(FILTER_MARK + which) answers -EALREADY where such a filter is set, -EINVAL elsewhere. */
#define FILTER_MARK UINT32_C(0x646f6d75)

void filter_build_more(struct filter *filter, enum filter_more which, uint64_t stub);

/* Sets it for the calling thread. 0 or -errno. */
long filter_install(const struct filter *filter);

/* Sets it for all threads of the process, unless it is there: an exec and a fork hand it on, and a
 * second one would cost each call, for ever. The kernel is asked, since memory does not know: a
 * child of vfork shares its parent's. */
void filter_install_more(enum filter_more which);

/* Which of them the calling thread has: bits 1 << enum filter_more. */
unsigned filter_more_set(void);

/* FILTER_STAMPS, if the session says that it is wanted. */
void filter_install_stamps(void);

#endif
