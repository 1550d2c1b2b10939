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

struct filter {
    struct sock_filter code[FILTER_CODE_MAX];
    unsigned count;
};

struct filter_options {
    uint64_t stub; /* the address of the page that is let through */
    int fds;       /* the first of SESSION_FDS descriptors that a program can't close */
    bool tsc;      /* rdtsc traps as SIGSEGV, so that signal's handler is mediated */
    bool links;    /* the kernel can't be told which program this is: readlink is mediated */
};

void filter_build(struct filter *filter, const struct filter_options *options);

/* What is caught beside that in a process that has set SO_RCVTIMEO. */
void filter_build_receive(struct filter *filter, uint64_t stub);

/* And in a process that has armed a timer: waits without a time-out, which the kernel does not
 * begin again after the kick that the timer needs. */
void filter_build_endless(struct filter *filter, uint64_t stub);

/* Sets it; all_threads: of the process, now. 0 or -errno. */
long filter_install(const struct filter *filter, bool all_threads);

#endif
