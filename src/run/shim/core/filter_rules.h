/* SPDX-License-Identifier: MIT */
/*
 * filter_rules: which system calls are caught, and by which of their arguments. What programs are
 * made of them is filter.c's matter.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_FILTER_RULES_H
#define SPLITDOM_RUN_SHIM_CORE_FILTER_RULES_H

#include <stdint.h>

#include "run/shim/core/filter.h"

enum filter_condition {
    ALWAYS,
    IS_SET,      /* the argument is not 0 */
    POSITIVE,    /* as an int */
    NEGATIVE,    /* the same */
    UNSET,       /* the argument is 0 */
    SIGNAL,      /* rt_sigaction: SIGSYS; IS_SET 1, and not what emit_signal lets pass */
    SIGNAL_TSC,  /* the same, but SIGSEGV is caught */
    MASK,        /* rt_sigprocmask: not SIG_UNBLOCK; see emit_signal_mask */
    FUTEX,       /* IS_SET 3, and an operation that waits */
    TIME_OPTION, /* level SOL_SOCKET, option SO_RCVTIMEO*, SO_SNDTIMEO*, SO_TIMESTAMP* */
    CONNECTION,  /* TCP_INFO */
    REQUEST,     /* ioctl: SIOCGSTAMP, TCSETS and their relatives */
    READING,     /* an open's flags: to read, and nothing that says of what kind the file is */
    OUR_FD,      /* one of the descriptors that the shim needs */
    MODE,        /* prctl: PR_SET_SECCOMP, PR_SET_TSC, PR_GET_TSC, PR_SET_SYSCALL_USER_DISPATCH */
};

/* Of REQUEST and MODE; none of these calls returns anything but 0 or an error. */
extern const uint32_t filter_requests[], filter_modes[];
extern const unsigned filter_requests_count, filter_modes_count;

struct filter_rule {
    uint16_t nr;
    uint8_t condition;
    uint8_t argument;
};

enum { FILTER_RULES_MAX = 128 };

/* The rules for one number follow each other. */
extern const struct filter_rule filter_rules[];
extern const unsigned filter_rules_count;

/* By enum filter_more. */
struct filter_list {
    const struct filter_rule *rules;
    unsigned count;
};

extern const struct filter_list filter_more_rules[FILTER_MORE];

#endif
